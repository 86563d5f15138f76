// Package peers is what the clients of a site's other services have in common:
// where they may connect to, whom they trust, and what their errors may tell. It
// knows nothing of what is sent.
package peers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"
)

// MaxHeader is the longest header of an answer that is read, in bytes.
const MaxHeader = 64 << 10

// CheckURL says what is wrong with the URL of a service: it is https, or http on
// this machine, and has no password. peer is what the service is called, such as
// "a receiver", and instead says where a password belongs. The error shows nothing
// of the URL itself, which may hold a secret.
func CheckURL(text, peer, instead string) error {
	at, err := url.Parse(text)
	switch {
	case err != nil || at.Hostname() == "" || at.Opaque != "":
		return errors.New("this is no URL of the form https://host/path")
	case at.User != nil:
		return errors.New("a user and a password do not belong here; " + instead)
	case at.Fragment != "":
		return errors.New("what follows the # of a URL is never sent; leave it out")
	case at.Scheme == "https", at.Scheme == "http" && isLocal(at.Hostname()):
		return nil
	case at.Scheme == "http":
		return errors.New("http can be read and changed on the way; use https, or http for " + peer + " on this machine")
	default:
		return errors.New("the URL of " + peer + " begins with https://")
	}
}

func isLocal(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// TLS returns the settings of a client that verifies whom it speaks to. caFile is a
// PEM file of the authorities that may vouch for the peer; empty is those of the
// operating system. certFile and keyFile, both or none, are what the client shows to
// a peer that asks.
func TLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		text, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("reading the CA file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("the CA file %s has no certificate in PEM form", caFile)
		}
	}
	if certFile != "" || keyFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate and its key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Transport returns a transport of HTTP with at most so many connections, each made
// within timeout. It uses no proxy, and without an http.Client around it no redirect
// is followed and no cookie kept.
func Transport(secure *tls.Config, timeout time.Duration, connections int) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    timeout,
		MaxConnsPerHost:        connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: MaxHeader,
		DisableCompression:     true,
	}
}

// Discreet returns an error of a Transport without anything that the peer has sent,
// and not longer than a line.
func Discreet(ctx context.Context, err error) error {
	var network net.Error
	var noTLS tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return cause
	case errors.As(err, &certificate):
		return fmt.Errorf("its certificate does not hold: %w", short{certificate.Err})
	case errors.As(err, &noTLS):
		return errors.New("it does not speak TLS")
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	default:
		return errors.New("its answer makes no sense")
	}
}

// short is an error with a shorter text: a certificate may be for many hosts.
type short struct{ error }

// Error implements error.
func (s short) Error() string {
	const most = 200
	text := s.error.Error()
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// Unwrap returns the error itself.
func (s short) Unwrap() error { return s.error }
