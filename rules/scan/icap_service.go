package scan

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// icapService is what a server says that it can. It never changes.
type icapService struct {
	// name is the server and its version, tag that of its signatures.
	name, tag string
	// preview is how many bytes it wants to see before the rest, -1 if it wants no
	// preview.
	preview int
	// allows204 says that it answers 204 to what it leaves as it is.
	allows204 bool
	// until is when it has to be asked again.
	until time.Time
}

const (
	// maxPreview is the longest preview that is sent, in bytes.
	maxPreview = 64 << 10
	// maxKnown is how long it is remembered what a server can.
	maxKnown = 10 * time.Minute
)

// ask asks the server what it can, and remembers it.
func (c *ICAP) ask(ctx context.Context) (*icapService, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	var head icapHead
	err := errSilent
	if conn := c.idle.take(); conn != nil {
		head, err = c.askOn(ctx, conn)
	}
	if errors.Is(err, errSilent) { // It has given up the connection that was kept.
		conn, dialErr := c.dial(ctx)
		if dialErr != nil {
			return nil, dialErr
		}
		head, err = c.askOn(ctx, conn)
	}
	if err != nil {
		return nil, fmt.Errorf("asking the scanner what it can: %w", because(ctx, err))
	}
	service, err := readService(&head)
	if err != nil {
		return nil, err
	}
	service.until = c.options.Now().Add(service.remembered(&head))
	c.remember(service)
	return service, nil
}

// askOn asks on a connection, and keeps it or closes it.
func (c *ICAP) askOn(ctx context.Context, conn *icapConn) (icapHead, error) {
	unbind := conn.bound(ctx)
	_, err := fmt.Fprintf(conn, "OPTIONS %s ICAP/1.0\r\nHost: %s\r\nUser-Agent: sluice\r\n\r\n", c.target, c.host)
	var head icapHead
	if err != nil {
		err = errSilent
	} else {
		head, err = readICAPHead(conn.in)
	}
	body, has := head.field("Encapsulated")
	if sound := unbind() && err == nil; sound && !head.lists("Connection", "close") && (!has || body == "null-body=0") {
		c.idle.put(conn)
	} else {
		_ = conn.Close() // Its answer has been read, or does not come.
	}
	return head, err
}

// readService reads an answer to OPTIONS.
func readService(head *icapHead) (*icapService, error) {
	if head.status != 200 {
		return nil, statusError(head.status)
	}
	if _, has := head.field("Methods"); has && !head.lists("Methods", "RESPMOD") {
		return nil, errors.New("the ICAP service does not answer RESPMOD")
	}
	s := &icapService{preview: -1, allows204: head.lists("Allow", "204")}
	s.name, _ = head.field("Service")
	if s.name == "" {
		s.name, _ = head.field("Server")
	}
	s.tag = head.tag()
	if text, has := head.field("Preview"); has {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("%w: its preview is no number", ErrAnswer)
		}
		s.preview = min(int(n), maxPreview)
	}
	return s, nil
}

// remembered is how long the answer is good for.
func (s *icapService) remembered(head *icapHead) time.Duration {
	text, _ := head.field("Options-TTL")
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return maxKnown
	}
	return min(time.Duration(seconds)*time.Second, maxKnown)
}

// statusError says which status a server has answered instead of looking at the
// file.
func statusError(status int) error {
	switch {
	case status == 413:
		return fmt.Errorf("%w: ICAP status 413", ErrLimit)
	case status >= 400 && status < 600:
		return fmt.Errorf("the scanner answered ICAP status %d", status)
	default:
		return fmt.Errorf("%w: ICAP status %d", ErrAnswer, status)
	}
}
