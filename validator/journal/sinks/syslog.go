package sinks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/peers"
)

// Syslog is a receiver of syslog messages by RFC 5424, over TCP (RFC 6587, octets
// counted) or TLS (RFC 5425).
//
// Nobody acknowledges such messages. A record counts as sent once the connection has
// held for 15 s behind it, in which time the receiver's operating system must have
// taken it (where that is Linux; elsewhere it is assumed). Until then it is sent
// again when the connection breaks. What a receiver's operating system took and its
// program never read is lost if that takes longer.
type Syslog struct {
	// Address is tcp://host:port or tls://host:port.
	Address string
	// Facility is one of Facilities; empty is local0.
	Facility string
	// AppName is the name of the application; empty is sluice.
	AppName string
	// ByPhase has the phase as the message's id, instead of the verdict.
	ByPhase bool
	// DataID is the id of the structured data, such as sluice@32473; empty for none.
	DataID string
	// CAFile is a PEM file of the authorities that may vouch for the receiver; empty
	// is those of the operating system. CertFile and KeyFile, both or none, are what
	// the sink shows to a receiver that asks.
	CAFile, CertFile, KeyFile string
	// Timeout bounds connecting, and sending one batch.
	Timeout time.Duration
}

// syslogOut sends by syslog.
type syslogOut struct {
	header  syslogHeader
	host    string
	tls     *tls.Config // nil for none
	timeout time.Duration
	now     func() time.Time

	conn  net.Conn
	gone  chan struct{} // closed when the receiver has closed conn, and why is set
	why   error
	wrote time.Time
	buf   []byte
}

// CheckSyslog says what is wrong with the address of a receiver.
func CheckSyslog(address string) error {
	_, _, err := parseSyslog(address)
	return err
}

func parseSyslog(address string) (host string, secure bool, err error) {
	at, err := url.Parse(address)
	if err != nil || at.Scheme != "tcp" && at.Scheme != "tls" || at.Hostname() == "" || at.Port() == "" {
		return "", false, errors.New("this is neither tcp://host:port nor tls://host:port")
	}
	if at.User != nil || strings.Trim(at.Path, "/") != "" || at.RawQuery != "" || at.Fragment != "" {
		return "", false, errors.New("only a host and a port belong behind tcp:// or tls://")
	}
	return at.Host, at.Scheme == "tls", nil
}

// CheckDataID says what is wrong with the id of structured data.
func CheckDataID(id string) error {
	if !validDataID(id) {
		return fmt.Errorf("%q is no id of structured data: a name, @ and an enterprise number, such as sluice@32473, up to %d characters", id, maxMsgID)
	}
	return nil
}

func newSyslogOut(s *Syslog, instance string, now func() time.Time) (*syslogOut, error) {
	host, secure, err := parseSyslog(s.Address)
	if err != nil {
		return nil, err
	}
	o := &syslogOut{
		header: syslogHeader{facility: slices.Index(facilities[:], "local0"), host: instance, app: "sluice", byPhase: s.ByPhase, dataID: s.DataID},
		host:   host, timeout: s.Timeout, now: now,
	}
	if s.DataID != "" && !validDataID(s.DataID) {
		return nil, CheckDataID(s.DataID)
	}
	if s.AppName != "" {
		o.header.app = s.AppName
	}
	if s.Facility != "" {
		o.header.facility = slices.Index(facilities[:], s.Facility)
	}
	if o.header.facility < 0 {
		return nil, fmt.Errorf("there is no facility %q", s.Facility)
	}
	if o.timeout <= 0 {
		o.timeout = 30 * time.Second
	}
	if secure {
		o.tls, err = peers.TLS(s.CAFile, s.CertFile, s.KeyFile)
	}
	return o, err
}

// deliver implements destination.
func (o *syslogOut) deliver(ctx context.Context, batch []item) (made progress, err error) {
	if err := o.broken(); err != nil || len(batch) == 0 {
		return made, err
	}
	if o.conn == nil {
		if err := o.dial(ctx); err != nil {
			return made, fmt.Errorf("connecting to the receiver: %w", err)
		}
	}
	o.buf = o.buf[:0]
	for i := range batch {
		o.buf = o.header.appendFrame(o.buf, &batch[i])
	}
	conn := o.conn
	if err := conn.SetWriteDeadline(time.Now().Add(o.timeout)); err != nil {
		o.hangUp()
		return made, &failure{err: fmt.Errorf("sending: %w", err), again: true}
	}
	unbind := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })
	_, err = conn.Write(o.buf)
	unbind()
	if cap(o.buf) > mostKept {
		o.buf = nil
	}
	o.wrote = o.now()
	if err != nil {
		o.hangUp()
		return made, &failure{err: fmt.Errorf("sending: %w", err), again: true}
	}
	return progress{done: len(batch)}, nil
}

// broken reports a connection that the receiver has ended so early that it may not
// have read all that was sent.
func (o *syslogOut) broken() error {
	if o.conn == nil {
		return nil
	}
	select {
	case <-o.gone:
	default:
		return nil
	}
	o.hangUp()
	if o.now().Sub(o.wrote) >= settleSyslog {
		return nil // As receivers do with whoever has nothing to say.
	}
	return &failure{err: fmt.Errorf("the receiver has ended the connection: %w", o.why), again: true}
}

func (o *syslogOut) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	dialer := &net.Dialer{Control: limitUnacknowledged}
	var conn net.Conn
	var err error
	if o.tls != nil {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: o.tls}).DialContext(ctx, "tcp", o.host)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", o.host)
	}
	if err != nil {
		return err
	}
	gone := make(chan struct{})
	o.conn, o.gone = conn, gone
	go func() {
		defer close(gone)
		if _, err := io.Copy(io.Discard, conn); err != nil { // Receivers say nothing; this waits for the end.
			o.why = err
			return
		}
		o.why = io.EOF
	}()
	return nil
}

// hangUp ends the connection.
func (o *syslogOut) hangUp() {
	_ = o.conn.Close() // What may be lost by it is sent again.
	<-o.gone
	o.conn = nil
}

// farewell is how long a receiver may take to end a connection in order.
const farewell = 2 * time.Second

// close implements destination: a receiver that ends the connection in order, when
// it was told that nothing more comes, has read all of it.
func (o *syslogOut) close(ctx context.Context) (delivered bool) {
	if o.conn == nil {
		return false
	}
	defer o.hangUp()
	half, ok := o.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return false
	}
	late := time.NewTimer(farewell)
	defer late.Stop()
	select {
	case <-o.gone:
		return errors.Is(o.why, io.EOF)
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}
