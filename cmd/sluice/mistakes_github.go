package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluiceproject/sluice/policies/document"
)

// annotate prints mistakes as workflow commands of GitHub Actions, which shows
// them at their lines in a pull request.
func annotate(w io.Writer, faults document.Faults) error {
	for _, f := range faults {
		at := "file=" + escapeProperty(workspacePath(f.File))
		if f.Line > 0 {
			at += fmt.Sprintf(",line=%d", f.Line)
		}
		if f.Column > 0 {
			at += fmt.Sprintf(",col=%d", f.Column)
		}
		text := f.Message
		if f.Hint != "" {
			text += "; " + f.Hint
		}
		if _, err := fmt.Fprintf(w, "::error %s,title=%s::%s\n", at, escapeProperty("Mistake in the policy set"), escapeData(text)); err != nil {
			return err
		}
	}
	return nil
}

// escapeData writes what would end a workflow command as such commands do.
func escapeData(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// escapeProperty also writes so what would end a property.
func escapeProperty(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(text)
}

// workspacePath returns a file's path from where the repository was checked
// out, if the environment says where, or from the working directory, with
// forward slashes. A file that is in neither keeps its path.
func workspacePath(file string) string {
	path, err := filepath.Abs(file)
	if err != nil {
		return filepath.ToSlash(file)
	}
	for _, root := range []string{os.Getenv("GITHUB_WORKSPACE"), "."} {
		if root == "" {
			continue
		}
		if root, err = filepath.Abs(root); err != nil {
			continue
		}
		if inside, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(inside) {
			return filepath.ToSlash(inside)
		}
	}
	return filepath.ToSlash(file)
}
