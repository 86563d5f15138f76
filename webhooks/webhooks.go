// Package webhooks asks HTTP services of the site about events: a signed POST,
// and whatever comes back. It knows nothing of events and rules.
package webhooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"time"
)

// Options say which service a client asks, and how.
type Options struct {
	// URL is the service: https, or http on this machine.
	URL string
	// Secret is the key of the signatures, from MinSecret to MaxSecret bytes.
	Secret []byte
	// CAFile is a PEM file of the authorities that may vouch for the service; empty
	// is those of the operating system.
	CAFile string
	// Timeout bounds one question, from connecting to the end of the answer.
	Timeout time.Duration
	// Connections is how many there are at once, at most.
	Connections int
	// Now is the clock of the signatures.
	Now func() time.Time
}

// The lengths of a secret, in bytes.
const (
	MinSecret = 16
	MaxSecret = 4 << 10
)

// MaxAnswer is the longest answer that is read, in bytes.
const MaxAnswer = 64 << 10

// Client asks one service. It is safe for concurrent use. It uses no proxy,
// follows no redirect and keeps no cookie.
type Client struct {
	url     string
	secret  []byte
	timeout time.Duration
	now     func() time.Time
	// transport is used without an http.Client, which would follow redirects.
	transport *http.Transport
}

// New returns a client, and connects to nothing yet. The error says what is wrong
// with the options.
func New(o Options) (*Client, error) {
	if err := CheckURL(o.URL); err != nil {
		return nil, err
	}
	if len(o.Secret) < MinSecret || len(o.Secret) > MaxSecret {
		return nil, fmt.Errorf("the secret has %d bytes, and must have from %d to %d", len(o.Secret), MinSecret, MaxSecret)
	}
	roots, err := readRoots(o.CAFile)
	if err != nil {
		return nil, err
	}
	return &Client{url: o.URL, secret: o.Secret, timeout: o.Timeout, now: o.Now, transport: &http.Transport{
		DialContext:            (&net.Dialer{Timeout: o.Timeout}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    o.Timeout,
		MaxConnsPerHost:        o.Connections,
		MaxIdleConnsPerHost:    o.Connections,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: MaxAnswer,
		DisableCompression:     true,
	}}, nil
}

// CheckURL says what is wrong with the address of a service. It shows nothing of
// the address itself, which may hold a secret.
func CheckURL(text string) error {
	at, err := url.Parse(text)
	switch {
	case err != nil || at.Hostname() == "" || at.Opaque != "":
		return errors.New("this is no URL of the form https://host/path")
	case at.User != nil:
		return errors.New("a user and a password do not belong here; requests are signed with the secret of secret_file")
	case at.Fragment != "":
		return errors.New("what follows the # of a URL is never sent; leave it out")
	case at.Scheme == "https", at.Scheme == "http" && isLocal(at.Hostname()):
		return nil
	case at.Scheme == "http":
		return errors.New("http can be read and changed on the way; use https, or http for a service on this machine")
	default:
		return errors.New("a webhook is asked by https")
	}
}

func isLocal(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the CA file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the CA file %s has no certificate in PEM form", file)
	}
	return roots, nil
}

// ReadSecret reads a file with a secret. Blanks and line breaks around it are not
// part of it.
func ReadSecret(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the secret: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 2*MaxSecret))
	if err != nil {
		return nil, fmt.Errorf("reading the secret: %w", err)
	}
	secret := bytes.TrimSpace(text)
	if len(secret) < MinSecret || len(secret) > MaxSecret {
		return nil, fmt.Errorf("the secret in %s has %d bytes, and must have from %d to %d; make one with: openssl rand -hex 32", file, len(secret), MinSecret, MaxSecret)
	}
	return secret, nil
}

// Ask posts a body of JSON about the event id, and returns the status and, with
// 400, the answer's body. An error means that there is no usable answer; it shows
// nothing of the URL but its host, and nothing of the secret and the body.
func (c *Client) Ask(ctx context.Context, id string, body []byte) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, errors.New("the webhook's request could not be made") // err shows the URL.
	}
	timestamp := strconv.FormatInt(c.now().Unix(), 10)
	request.Header = http.Header{
		"Content-Type":      {"application/json"},
		"User-Agent":        {"sluice"},
		"X-Sluice-Decision": {id},
		// These three are what a receiver verifies.
		"X-Sluice-Timestamp": {timestamp},
		"X-Sluice-Signature": {"sha256=" + c.sign(timestamp, body)},
		// Not sent: lets a question that met a connection which the service had just
		// closed be asked once more on another.
		"Idempotency-Key": {},
	}
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return 0, nil, discreet(ctx, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswer+1))
	if response.StatusCode != http.StatusBadRequest {
		return response.StatusCode, nil, nil // What was read lets the connection be used again.
	}
	switch {
	case err != nil:
		return 0, nil, discreet(ctx, err)
	case len(text) > MaxAnswer:
		return 0, nil, fmt.Errorf("the webhook's answer has more than %d bytes", MaxAnswer)
	default:
		return response.StatusCode, text, nil
	}
}

// sign returns the signature of a body at a time, in hex.
func (c *Client) sign(timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, c.secret)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// discreet returns an error without anything that the service has sent.
func discreet(ctx context.Context, err error) error {
	var network net.Error
	var certificate *tls.CertificateVerificationError
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return fmt.Errorf("asking the webhook: %w", cause)
	case errors.As(err, &certificate):
		return fmt.Errorf("asking the webhook: its certificate does not hold: %w", short{certificate.Err})
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("asking the webhook: %w", err)
	default:
		return errors.New("asking the webhook: its answer makes no sense")
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

// Close closes the connections that nobody uses.
func (c *Client) Close() { c.transport.CloseIdleConnections() }
