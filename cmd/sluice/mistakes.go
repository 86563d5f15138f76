package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sluiceproject/sluice/policies/document"
)

// The formats in which mistakes are printed.
const (
	textFormat   = "text"
	jsonFormat   = "json"
	githubFormat = "github"
)

// mistakes prints mistakes in files with their lines and carets, and returns
// the exit status for them. Any other error is returned as it is.
func mistakes(std *stdio, err error, status exitError) error {
	return mistakesAs(std, textFormat, err, status)
}

// mistakesAs does the same in a format: text goes to the standard error, a JSON
// object to the standard output, annotations of a pull request to both, because
// only ten of them are shown. A format that it does not know is text.
func mistakesAs(std *stdio, format string, err error, status exitError) error {
	var faults document.Faults
	if !errors.As(err, &faults) {
		return err
	}
	switch format {
	case jsonFormat:
		if err := writeJSON(std.out, checked{Mistakes: mistakesOf(faults)}); err != nil {
			return err
		}
		return status
	case githubFormat:
		if err := annotate(std.out, faults); err != nil {
			return err
		}
	}
	for _, f := range faults {
		fmt.Fprintf(std.err, "%s\n%s", f.Error(), f.Excerpt())
	}
	return status
}

// checked is what `--format json` says of a policy set. What it counts is 0,
// and the revision left out, when the set has mistakes.
type checked struct {
	Revision string    `json:"revision,omitempty"`
	Policies int       `json:"policies"`
	Rules    int       `json:"rules"`
	Clients  int       `json:"clients"`
	Mistakes []mistake `json:"mistakes"`
}

// mistake is a document.Fault as `--format json` prints it. Line and column are
// 0 where the mistake is in the file as a whole.
type mistake struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	Source  string `json:"source"`
}

func mistakesOf(faults document.Faults) []mistake {
	list := make([]mistake, len(faults))
	for i, f := range faults {
		list[i] = mistake(f)
	}
	return list
}

// writeJSON prints one value for a program, laid out for a person.
func writeJSON(w io.Writer, value any) error {
	// A file can have a name that is not UTF-8.
	text, err := json.Marshal(value, jsontext.AllowInvalidUTF8(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}
