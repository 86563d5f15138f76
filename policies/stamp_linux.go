package policies

import (
	"io/fs"
	"syscall"
)

// stampOf includes the change time, which cannot be set back as the
// modification time can.
func stampOf(info fs.FileInfo) stamp {
	s := stamp{mode: info.Mode(), size: info.Size(), modified: info.ModTime().UnixNano()}
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		s.device, s.inode, s.changed = system.Dev, system.Ino, system.Ctim.Nano()
	}
	return s
}
