package grants

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// Unreachable says that the server behind an issuer could not be asked, or gave
// no usable answer.
type Unreachable struct {
	// Shown is for the caller: 502, 503 or 504, and nothing internal.
	Shown *Error
	// Cause is for the log. It shows no secret.
	Cause error
}

// Error implements error. It is the cause's text.
func (u *Unreachable) Error() string { return u.Cause.Error() }

// Unwrap returns what is shown, and the cause.
func (u *Unreachable) Unwrap() []error { return []error{u.Shown, u.Cause} }

var (
	// errCredential says that the node does not take our user and password.
	errCredential = errors.New("the node refuses the user and password that sluice has for it")
	// errNotTurn says that the time of a call ended before the node was asked.
	errNotTurn = errors.New("the node was not asked: all connections to it were in use until the time was over")
)

func badGateway(cause error) error {
	return unreachable(http.StatusBadGateway, "The transfer server behind this service could not be asked, or gave no usable answer. Try again later, or tell the server's administrator.", cause)
}

func gatewayTimeout(cause error) error {
	return unreachable(http.StatusGatewayTimeout, "The transfer server behind this service did not answer in time. Try again later, or tell the server's administrator.", cause)
}

func unreachable(code int, message string, cause error) error {
	return &Unreachable{Shown: &Error{Code: code, Reason: http.StatusText(code), UserMessage: message}, Cause: cause}
}

// notEntered is the failure of a call that never had its turn.
func notEntered(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, rules.ErrBusy):
		return unreachable(http.StatusServiceUnavailable, "The transfer server behind this service has too many requests waiting. Try again in a moment.",
			busyError{})
	case errors.Is(ctx.Err(), context.Canceled):
		return gatewayTimeout(errGone(ctx))
	default:
		return gatewayTimeout(errNotTurn)
	}
}

// busyError is rules.ErrBusy, told of a node.
type busyError struct{}

// Error implements error.
func (busyError) Error() string {
	return "the node was not asked: as many calls as may be were under way and waiting"
}

// Unwrap returns rules.ErrBusy.
func (busyError) Unwrap() error { return rules.ErrBusy }

func errGone(ctx context.Context) error {
	return fmt.Errorf("asking the node: whoever wanted to know has gone: %w", ctx.Err())
}

// notAnswered is the failure of a call that broke off with err, of which it shows
// nothing that the node has sent.
func notAnswered(ctx context.Context, err error) error {
	var network net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return gatewayTimeout(errGone(ctx))
	case ctx.Err() != nil:
		return gatewayTimeout(fmt.Errorf("asking the node: there was no answer in time: %w", ctx.Err()))
	case errors.As(err, &network) && network.Timeout():
		return gatewayTimeout(fmt.Errorf("asking the node: there was no answer in time: %w", briefError{err}))
	default:
		return badGateway(fmt.Errorf("asking the node: %w", discreetNode(err)))
	}
}

func discreetNode(err error) error {
	var (
		network     net.Error
		certificate *tls.CertificateVerificationError
		pin         *pinError
		noTLS       tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &certificate):
		return fmt.Errorf("its certificate does not hold: %w", briefError{certificate.Err})
	case errors.As(err, &pin):
		return pin
	case errors.As(err, &noTLS):
		return errors.New("it does not speak TLS")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("its answer breaks off: %w", io.ErrUnexpectedEOF)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("it ends the connection without an answer: %w", io.EOF)
	case errors.As(err, &network), strings.HasPrefix(err.Error(), "tls: "):
		return briefError{err}
	default:
		return errors.New("its answer makes no sense") // err may show what it has sent.
	}
}

// briefError is an error with a text of one line that is not long: a certificate
// may be for many hosts.
type briefError struct{ error }

// Error implements error.
func (b briefError) Error() string { return nodeLine(b.error.Error(), rules.MaxMessage) }

// Unwrap returns the error itself.
func (b briefError) Unwrap() error { return b.error }

// nodeLine returns a text that prints and has at most limit bytes. It is shortened
// before it is escaped, and more where that made it longer.
func nodeLine(text string, limit int) string {
	for keep := limit; ; keep = keep * 3 / 4 {
		if shown := rules.Printable(rules.Shorten(text, keep)); len(shown) <= limit {
			return shown
		}
	}
}
