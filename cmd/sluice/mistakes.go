package main

import (
	"errors"
	"fmt"

	"github.com/sluiceproject/sluice/policies/document"
)

// mistakes prints mistakes in files with their lines and carets, and returns
// the exit status for them. Any other error is returned as it is.
func mistakes(std *stdio, err error, status exitError) error {
	var faults document.Faults
	if !errors.As(err, &faults) {
		return err
	}
	for _, f := range faults {
		fmt.Fprintf(std.err, "%s\n%s", f.Error(), f.Excerpt())
	}
	return status
}
