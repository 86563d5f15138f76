package sinks

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/peers"
)

// HTTP is a receiver of batches by HTTP. It is asked without a proxy, and no
// redirect is followed.
type HTTP struct {
	// URL is where batches are posted: https, or http on this machine. For Splunk a
	// URL without a path means /services/collector/event.
	URL string
	// Format is what a batch is.
	Format HTTPFormat
	// Gzip has batches compressed.
	Gzip bool
	// TokenFile has the token of Splunk's event collector. It is read anew for every
	// batch, as the HeaderFiles are.
	TokenFile string
	// Index, SourceType and Source are Splunk's; empty is what the token says.
	Index, SourceType, Source string
	// Headers are sent as they are, HeaderFiles with what is in the named files.
	Headers, HeaderFiles map[string]string
	// CAFile, CertFile and KeyFile are as those of Syslog.
	CAFile, CertFile, KeyFile string
	// Timeout bounds one batch, from connecting to the end of the answer.
	Timeout time.Duration
}

// maxSecret is the longest text of a header that a file may have, in bytes, and
// maxAnswer the longest answer that is read.
const (
	maxSecret = 8 << 10
	maxAnswer = 64 << 10
)

// httpOut sends by HTTP.
type httpOut struct {
	HTTP
	instance  string
	now       func() time.Time
	transport *http.Transport
	body, zip bytes.Buffer

	// tried is the record that was refused alone last, and tries how often.
	tried uint64
	tries int
	// refused counts records refused for good since one was taken.
	refused int
}

// CheckURL says what is wrong with the URL of a receiver. It shows nothing of the
// URL itself, which may hold a secret.
func CheckURL(text string) error {
	return peers.CheckURL(text, "a receiver", "use token_file or header_files")
}

func newHTTPOut(h *HTTP, instance string, now func() time.Time) (*httpOut, error) {
	if err := CheckURL(h.URL); err != nil {
		return nil, err
	}
	o := &httpOut{HTTP: *h, instance: instance, now: now}
	if at, err := url.Parse(h.URL); err == nil && h.Format == SplunkHEC && strings.Trim(at.Path, "/") == "" {
		at.Path = "/services/collector/event"
		o.URL = at.String()
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if h.Format == SplunkHEC && h.TokenFile == "" {
		return nil, errors.New("a token is needed for Splunk")
	}
	if _, err := o.header(); err != nil {
		return nil, err
	}
	secure, err := peers.TLS(h.CAFile, h.CertFile, h.KeyFile)
	if err != nil {
		return nil, err
	}
	o.transport = peers.Transport(secure, o.Timeout, 1)
	return o, nil
}

// header returns what is sent before every batch.
func (o *httpOut) header() (http.Header, error) {
	header := http.Header{"User-Agent": {"sluice"}, "Content-Type": {o.Format.contentType()}}
	if o.Gzip {
		header.Set("Content-Encoding", "gzip")
	}
	for name, value := range o.Headers {
		header.Set(name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(o.HeaderFiles)) {
		value, err := readSecret(o.HeaderFiles[name])
		if err != nil {
			return nil, err
		}
		header.Set(name, value)
	}
	if o.TokenFile != "" {
		token, err := readSecret(o.TokenFile)
		if err != nil {
			return nil, err
		}
		header.Set("Authorization", "Splunk "+token)
	}
	return header, nil
}

// readSecret reads a file whose text goes into a header. Blanks and line breaks
// around it are not part of it.
func readSecret(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	secret := string(bytes.TrimSpace(text))
	unfit := func(r rune) bool { return r < ' ' || r >= 0x7f }
	if secret == "" || len(text) > maxSecret || strings.ContainsFunc(secret, unfit) {
		return "", fmt.Errorf("%s is to have one line of printable ASCII, up to %d bytes", name, maxSecret)
	}
	return secret, nil
}

// answer is what a receiver says to a batch.
type answer struct {
	status int
	text   []byte
	after  time.Duration
}

// post sends records as one batch.
func (o *httpOut) post(ctx context.Context, batch []item) (answer, error) {
	header, err := o.header()
	if err != nil {
		return answer{}, &failure{err: err, slow: true}
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	body, err := o.encode(batch)
	if err != nil {
		return answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.URL, bytes.NewReader(body))
	if err != nil {
		return answer{}, errors.New("the request could not be made") // err shows the URL.
	}
	request.Header = header
	response, err := o.transport.RoundTrip(request)
	if err != nil {
		return answer{}, fmt.Errorf("posting a batch: %w", peers.Discreet(ctx, err))
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("reading the answer to a batch: %w", peers.Discreet(ctx, err))
	}
	return answer{response.StatusCode, text, o.retryAfter(response.Header.Get("Retry-After"))}, nil
}

// encode returns the body of a batch; it holds until the next.
func (o *httpOut) encode(batch []item) ([]byte, error) {
	if o.body.Cap() > mostKept {
		o.body = bytes.Buffer{}
	}
	o.body.Reset()
	o.append(&o.body, batch)
	if !o.Gzip {
		return o.body.Bytes(), nil
	}
	o.zip.Reset()
	packer := gzip.NewWriter(&o.zip)
	_, err := packer.Write(o.body.Bytes())
	if err = errors.Join(err, packer.Close()); err != nil {
		return nil, fmt.Errorf("compressing a batch: %w", err)
	}
	return o.zip.Bytes(), nil
}

// close implements destination. Every answer was waited for.
func (o *httpOut) close(context.Context) (delivered bool) {
	o.transport.CloseIdleConnections()
	return true
}
