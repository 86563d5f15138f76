package policies_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

func TestZZ(t *testing.T) {
	names, _ := filepath.Glob("testdata/mistakes/*.txtar")
	for _, name := range names {
		text, _ := os.ReadFile(name)
		a := txtar.Parse(text)
		files, _, _ := mistakenSet(a)
		_, err := policies.Compile(files, policies.Options{Kinds: rules.Builtin(), AcceptByDefault: true})
		var faults document.Faults
		errors.As(err, &faults)
		out := asPrinted(faults)
		var rest []txtar.File
		for _, f := range a.Files {
			if f.Name != "want" {
				rest = append(rest, f)
			}
		}
		a.Files = append(rest, txtar.File{Name: "want", Data: []byte(out)})
		os.WriteFile(name, txtar.Format(a), 0o644)
		fmt.Printf("=== %s\n%s", filepath.Base(name), out)
	}
}
