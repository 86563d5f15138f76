package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sluiceproject/sluice/rules"
)

// tokenMaxAnswer is the longest answer that is read, in bytes.
const tokenMaxAnswer = 32 << 20

// tokenMaxShown is how much of a server's text is shown, in bytes.
const tokenMaxShown = 1000

// tokenRefusal is a token that is refused, in the server's words.
type tokenRefusal struct{ message string }

// Error implements error.
func (r *tokenRefusal) Error() string { return r.message }

// tokenRefused says why there is no token.
func tokenRefused(std *stdio, err error) error {
	var refusal *tokenRefusal
	if !errors.As(err, &refusal) {
		return err
	}
	fmt.Fprintf(std.err, "refused: %s\n", refusal)
	return exitError(1)
}

// ask posts the request and returns the transfer_spec. The error is a
// *tokenRefusal, or says why the token could not be asked for.
func (p *tokenPlan) ask(ctx context.Context, user, password string) (jsontext.Value, error) {
	type item struct {
		Request *tokenTransferRequest `json:"transfer_request"`
	}
	body, err := json.Marshal(struct {
		Requests []item `json:"transfer_requests"`
	}{[]item{{&p.request}}})
	if err != nil {
		return nil, fmt.Errorf("the request: %w", err)
	}
	within, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(within, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the request: %w", err)
	}
	request.SetBasicAuth(user, password)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "sluice-token")
	// It is used without a client, which would follow redirects with the password.
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: p.timeout}).DialContext,
		TLSClientConfig: p.trust, TLSHandshakeTimeout: p.timeout, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, p.lost(within, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, tokenMaxAnswer+1))
	if err != nil || within.Err() != nil { // A server that sees us leave may end its answer as if it were whole.
		return nil, p.lost(within, err)
	}
	if len(answer) > tokenMaxAnswer {
		return nil, fmt.Errorf("the answer is longer than %s", rules.FormatSize(tokenMaxAnswer))
	}
	return judgeTokenAnswer(response, answer)
}

// lost says why there is no answer, and how to mend it.
func (p *tokenPlan) lost(within context.Context, err error) error {
	host := p.url
	if u, err := url.Parse(p.url); err == nil {
		host = u.Host
	}
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &authority):
		return fmt.Errorf("nobody that is trusted here vouches for the certificate of %s: name its authority, or the certificate itself if it is self-signed, with --ca", host)
	case errors.As(err, &name):
		return fmt.Errorf("the certificate of %s is for another name (%w): write that name into --url", host, name)
	case errors.As(err, &invalid):
		return fmt.Errorf("the certificate of %s does not hold: %w", host, invalid)
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		return fmt.Errorf("%s speaks http, not https: write http:// into --url if that is meant", host)
	case within.Err() != nil:
		return fmt.Errorf("%s gave no answer within %s", host, p.timeout)
	}
	return fmt.Errorf("%s gave no answer: %s", host, rules.Shorten(rules.Printable(err.Error()), tokenMaxShown))
}

// tokenError is an error in the form of the Node API.
type tokenError struct {
	Code    jsontext.Value `json:"code"`
	Reason  string         `json:"reason"`
	Message string         `json:"user_message"`
}

// shown returns the error's words.
func (e *tokenError) shown() string {
	text := e.Message
	if text == "" {
		text = strings.TrimSpace(string(e.Code) + " " + e.Reason)
	}
	return rules.Shorten(rules.Printable(text), tokenMaxShown)
}

// tokenAnswer is what the Node API answers.
type tokenAnswer struct {
	Specs []struct {
		Spec  jsontext.Value `json:"transfer_spec"`
		Error *tokenError    `json:"error"`
	} `json:"transfer_specs"`
	Error *tokenError `json:"error"`
}

// judgeTokenAnswer returns the transfer_spec of an answer. Whatever follows the
// first JSON value is not looked at: nodes write more there.
func judgeTokenAnswer(response *http.Response, body []byte) (jsontext.Value, error) {
	var answer tokenAnswer
	parsed := json.UnmarshalDecode(jsontext.NewDecoder(bytes.NewReader(body)), &answer)
	status := response.StatusCode
	told := ""
	if parsed == nil && answer.Error != nil {
		told = ": " + answer.Error.shown()
	}
	switch {
	case status == http.StatusUnauthorized:
		return nil, fmt.Errorf("the user or the password is wrong%s", told)
	case status >= 300 && status < 400:
		return nil, fmt.Errorf("the answer leads elsewhere, to %s, and the password is not taken there: write the right place into --url",
			rules.Shorten(rules.Printable(response.Header.Get("Location")), 200))
	case status == http.StatusForbidden && told != "":
		return nil, &tokenRefusal{answer.Error.shown()}
	case status == http.StatusTooManyRequests:
		return nil, fmt.Errorf("too many requests, or too many wrong passwords; wait %s%s", tokenWait(response), told)
	case status == http.StatusNotFound && told == "":
		return nil, errors.New("there is no token endpoint (404): look at the path in --url; Shares has it below /node_api")
	case status == http.StatusBadRequest && told == "" && response.Request.URL.Scheme == "http":
		return nil, errors.New("the answer is 400 Bad Request and no more: if the endpoint speaks https, write https:// into --url")
	case status != http.StatusOK:
		return nil, fmt.Errorf("the answer is %d %s%s", status, http.StatusText(status), told)
	case parsed != nil:
		return nil, errors.New("the answer is not that of the Node API: is this a token endpoint?")
	case answer.Error != nil:
		return nil, &tokenRefusal{answer.Error.shown()}
	case len(answer.Specs) != 1:
		return nil, fmt.Errorf("the answer has %s to one request", count(len(answer.Specs), "transfer_spec"))
	}
	one := answer.Specs[0]
	switch {
	case one.Error != nil && strings.HasPrefix(strings.Trim(string(one.Error.Code), `"`), "5"):
		return nil, fmt.Errorf("no token now: %s", one.Error.shown())
	case one.Error != nil:
		return nil, &tokenRefusal{one.Error.shown()}
	case one.Spec.Kind() != '{':
		return nil, errors.New("the answer has neither a transfer_spec nor an error")
	}
	return one.Spec, nil
}

// tokenWait returns how long the server says to wait.
func tokenWait(response *http.Response) string {
	after := response.Header.Get("Retry-After")
	if after == "" || strings.Trim(after, "0123456789") != "" || len(after) > 6 {
		return "a minute"
	}
	return after + " seconds"
}
