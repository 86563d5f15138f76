package policies

import (
	"fmt"
	"io/fs"
	"syscall"
)

// stamp changes whenever a file may have changed: its size, its times and which
// file it is. The change time cannot be set back, as the modification time can.
func stamp(info fs.FileInfo) string {
	text := fmt.Sprintf("%s %d %d", info.Mode(), info.Size(), info.ModTime().UnixNano())
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		text += fmt.Sprintf(" %d %d %d", s.Dev, s.Ino, s.Ctim.Nano())
	}
	return text
}
