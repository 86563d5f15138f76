package main

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// synchronised asks the kernel whether somebody keeps its clock right.
func (p *patient) synchronised() {
	var t unix.Timex // With no mode set it only asks.
	if _, err := unix.Adjtimex(&t); err != nil {
		return // Containers may forbid it.
	}
	if t.Status&unix.STA_UNSYNC != 0 {
		p.say(suspect, "clock", "timedatectl set-ntp true, or whatever keeps it right here", "the kernel says that nothing keeps its clock right")
		return
	}
	p.say(healthy, "clock", "", "the kernel says that its clock is kept right")
}

// mayWrite asks whether this process may make files in a folder, without making one.
func mayWrite(dir string) error {
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}

func ownerOf(info fs.FileInfo) int {
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(system.Uid)
	}
	return -1
}

// freeIn returns how many bytes others than root may still write.
func freeIn(dir string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return -1
	}
	return int64(s.Bavail) * s.Bsize
}

// openFiles returns how many files this process may have open.
func openFiles() float64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return float64(limit.Max) // Go raises the soft limit to the hard one.
}
