//go:build !linux

package main

import "io/fs"

// synchronised says nothing: it is not known here how to ask.
func (p *patient) synchronised() {}

// mayWrite takes it for granted that files can be made in a folder.
func mayWrite(string) error { return nil }

func ownerOf(fs.FileInfo) int { return -1 }

func freeIn(string) int64 { return -1 }

func openFiles() float64 { return 0 }
