//go:build !linux

package policies

import (
	"fmt"
	"io/fs"
)

// stamp changes whenever a file may have changed, as far as the system tells.
func stamp(info fs.FileInfo) string {
	return fmt.Sprintf("%s %d %d", info.Mode(), info.Size(), info.ModTime().UnixNano())
}
