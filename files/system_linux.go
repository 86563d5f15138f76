package files

import (
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// openFlags open a file without waiting for whoever is at the other end of a
// pipe, and without a terminal becoming that of the service.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY

// mayWait lets reads wait for their bytes: some file systems would otherwise
// refuse to fetch what is on tape.
func mayWait(file *os.File) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = syscall.SetNonblock(int(fd), false) }); err != nil {
		return err
	}
	return failed
}

// identity returns what the system tells of a file.
func identity(info fs.FileInfo, _ uint64) rules.Identity {
	id := rules.Identity{Size: info.Size(), Modified: info.ModTime()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		id.Device, id.Inode = stat.Dev, stat.Ino
		id.Status = time.Unix(stat.Ctim.Unix())
	}
	return id
}
