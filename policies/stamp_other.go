//go:build !linux

package policies

import "io/fs"

// stampOf is as good as what the system tells of a file.
func stampOf(info fs.FileInfo) stamp {
	return stamp{mode: info.Mode(), size: info.Size(), modified: info.ModTime().UnixNano()}
}
