package main

import (
	"fmt"
	"runtime"
)

// versionCmd is `sluice version`.
type versionCmd struct{}

// Run prints the version, the Go release and the platform.
func (versionCmd) Run(std *stdio) error {
	_, err := fmt.Fprintf(std.out, "sluice %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
