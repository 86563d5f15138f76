package sinks

import "syscall"

// tcpUserTimeout is the socket option of that name.
const tcpUserTimeout = 0x12

// limitUnacknowledged has the system end a connection on which something sent has
// not been acknowledged for 10 s, so that what was sent before settleSyslog has
// arrived if the connection still holds.
func limitUnacknowledged(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, 10_000)
	})
	if err != nil {
		return err
	}
	return failed
}
