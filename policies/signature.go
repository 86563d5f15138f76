package policies

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"runtime"
)

// stamp differs whenever a file may have changed: its size, its times and which
// file it is.
type stamp struct {
	mode           fs.FileMode
	size, modified int64
	device, inode  uint64
	changed        int64
}

// signature differs whenever anything in a directory may have changed. The zero
// value is that of none.
type signature struct {
	sum     uint64
	entries int
}

// restEvery is after how many files the walk lets others run: a look at ten
// thousand files must not make events wait.
const restEvery = 32

// sign walks a directory and stamps what is in it.
func sign(root *os.Root, seed maphash.Seed) (signature, error) {
	var h maphash.Hash
	h.SetSeed(seed)
	var s signature
	err := fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := root.Stat(name)
		if errors.Is(err, fs.ErrPermission) {
			return err
		}
		_, _ = h.WriteString(name) // It never fails.
		if err != nil {            // Gone since, or a link that leads nowhere or out.
			_, _ = fmt.Fprint(&h, err)
		} else {
			maphash.WriteComparable(&h, stampOf(info))
		}
		if s.entries++; s.entries%restEvery == 0 {
			runtime.Gosched()
		}
		return nil
	})
	s.sum = h.Sum64()
	return s, err
}
