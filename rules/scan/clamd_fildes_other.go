//go:build !unix

package scan

import (
	"context"
	"errors"
)

// TakesDescriptor reports that this operating system cannot give an open file
// to another process.
func (c *Clamd) TakesDescriptor(int64) bool { return false }

// ScanDescriptor says that this operating system cannot give an open file to
// another process.
func (c *Clamd) ScanDescriptor(context.Context, int64, func(f func(fd uintptr)) error) (Answer, error) {
	return Answer{}, errors.ErrUnsupported
}
