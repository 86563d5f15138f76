//go:build unix

package scan

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// TakesDescriptor reports whether clamd can be given an open file of size bytes
// instead of its bytes.
func (c *Clamd) TakesDescriptor(size int64) bool {
	return c.descriptors && size >= 0 && size <= c.limit
}

// ScanDescriptor gives an open file of size bytes to clamd. control calls a
// function with the file's descriptor, which is valid until that returns.
func (c *Clamd) ScanDescriptor(ctx context.Context, size int64, control func(f func(fd uintptr)) error) (Answer, error) {
	if !c.TakesDescriptor(size) { // clamd would say OK of what is too large for it.
		return Answer{}, ErrLimit
	}
	text, err := c.command(ctx, "zFILDES\x00", func(conn net.Conn) error {
		socket, ok := conn.(*net.UnixConn)
		if !ok {
			return errors.New("this is no unix socket")
		}
		var sent error
		err := control(func(fd uintptr) {
			_, _, sent = socket.WriteMsgUnix([]byte{0}, syscall.UnixRights(int(fd)), nil)
		})
		return errors.Join(err, sent)
	})
	if err != nil {
		return Answer{}, err
	}
	signature, err := parseAnswer(text)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Signature: signature, Inspected: size}, nil
}
