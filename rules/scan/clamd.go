package scan

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"strings"
	"time"
)

// Limits of clamd.
const (
	// DefaultClamdSize is what clamd takes of a file in bytes unless its
	// configuration says otherwise: StreamMaxLength and MaxFileSize are 100M.
	DefaultClamdSize = 100 << 20
	// MostClamdSize is the largest file in bytes that clamd can be set to scan.
	// It stops short of 2 GiB, and says OK of what is larger.
	MostClamdSize = 2047 << 20
	// clamdOverlap is how much two neighbouring pieces of a file share, in bytes,
	// so that a signature across their border is whole in one of them.
	clamdOverlap = 1 << 20
	// longestScan bounds one conversation with clamd, where its context does not
	// bound it earlier.
	longestScan = 10 * time.Minute
)

// ClamdOptions say how to speak to a clamd.
type ClamdOptions struct {
	// Address is unix:/path/of/the/socket or tcp:host:port.
	Address string
	// MaxSize is the smaller of clamd's StreamMaxLength and MaxFileSize, in
	// bytes; 0 is DefaultClamdSize.
	MaxSize int64
	// Descriptors gives clamd the open file instead of its bytes. It needs an
	// address of unix:.
	Descriptors bool
	// ConnectTimeout bounds the time until clamd takes a connection; 0 is 2 s.
	ConnectTimeout time.Duration
}

// Clamd is a Scanner that is a clamd. Each command has a connection of its own.
type Clamd struct {
	network, address string
	limit            int64
	descriptors      bool
	dialer           net.Dialer
}

// NewClamd returns the clamd at an address. It does not speak to it yet. The
// error says what is wrong with the options.
func NewClamd(o ClamdOptions) (*Clamd, error) {
	network, address, err := ParseClamdAddress(o.Address)
	if err != nil {
		return nil, err
	}
	c := &Clamd{network: network, address: address, limit: o.MaxSize, descriptors: o.Descriptors}
	c.dialer.Timeout = o.ConnectTimeout
	if c.limit == 0 {
		c.limit = DefaultClamdSize
	}
	if c.limit < 1 || c.limit > MostClamdSize {
		return nil, fmt.Errorf("clamd cannot be set to take %d bytes: 1 to %d", c.limit, MostClamdSize)
	}
	if c.descriptors && network != "unix" {
		return nil, errors.New("an open file can be given to a clamd at unix: only")
	}
	if c.dialer.Timeout == 0 {
		c.dialer.Timeout = 2 * time.Second
	}
	return c, nil
}

// ParseClamdAddress takes an address such as unix:/run/clamav/clamd.ctl or
// tcp:127.0.0.1:3310 apart into what net.Dial needs.
func ParseClamdAddress(text string) (network, address string, err error) {
	network, address, _ = strings.Cut(text, ":")
	switch network {
	case "unix":
		if !path.IsAbs(address) {
			return "", "", fmt.Errorf("%q is not the address of a socket, such as unix:/run/clamav/clamd.ctl", text)
		}
		return network, address, nil
	case "tcp":
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || port == "" {
			return "", "", fmt.Errorf("%q is not an address with a port, such as tcp:127.0.0.1:3310", text)
		}
		return network, address, nil
	default:
		return "", "", fmt.Errorf("%q is not an address such as unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310", text)
	}
}

// Open implements Scanner. A file larger than clamd takes is given to it in
// overlapping pieces, and the answer says so.
func (c *Clamd) Open(ctx context.Context, _ string, _ int64) (Session, error) {
	return newPieces(c.limit, clamdOverlap, func() (Session, error) { return c.stream(ctx) })
}

// Status implements Scanner.
func (c *Clamd) Status(ctx context.Context) (Status, error) {
	text, err := c.command(ctx, "zVERSION\x00", nil)
	if err != nil {
		return Status{}, err
	}
	return parseVersion(text)
}

// Ping asks clamd whether it is there.
func (c *Clamd) Ping(ctx context.Context) error {
	text, err := c.command(ctx, "zPING\x00", nil)
	if err == nil && text != "PONG" {
		err = senseless(text)
	}
	return err
}

// command sends a command, and what more there is to send, and returns the
// answer.
func (c *Clamd) command(ctx context.Context, command string, more func(net.Conn) error) (string, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, longestScan)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_, err = conn.Write([]byte(command))
	if err == nil && more != nil {
		err = more(conn)
	}
	if err != nil {
		return "", broken(ctx, err)
	}
	text, err := readAnswer(conn)
	return text, broken(ctx, err)
}

func (c *Clamd) dial(ctx context.Context) (net.Conn, error) {
	conn, err := c.dialer.DialContext(ctx, c.network, c.address)
	return conn, broken(ctx, err)
}

// broken wraps an error of a connection, and tells the end of ctx from others.
func broken(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("speaking to clamd: %w", err)
}
