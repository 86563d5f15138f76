package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// simMaxAnswer is the longest answer that is read, in bytes.
const simMaxAnswer = 64 << 10

// simAnswer is what came of one event.
type simAnswer struct {
	verdict simVerdict // simAccepted, simRefused, simFailed, or simUnsent if the run was interrupted.
	code    string     // The service's code, where it refused.
	text    string     // The service's message, or the cause of an error.
	heard   bool       // The service answered, whatever it said.
	took    time.Duration
}

// simPoster posts events as ascp does.
type simPoster struct {
	// transport is used without a client, which would follow redirects.
	transport *http.Transport
	url       string
	timeout   time.Duration
}

func newSimPoster(p *simPlan) *simPoster {
	var only1 http.Protocols
	only1.SetHTTP1(true)
	workers := p.threads * p.sessions
	return &simPoster{
		url:     p.url,
		timeout: p.timeout,
		transport: &http.Transport{ // No proxy: ascp knows none.
			DialContext:            (&net.Dialer{Timeout: p.timeout}).DialContext,
			TLSHandshakeTimeout:    p.timeout,
			Protocols:              &only1,
			DisableCompression:     true,
			DisableKeepAlives:      p.reconnect,
			MaxIdleConns:           workers,
			MaxIdleConnsPerHost:    workers,
			MaxResponseHeaderBytes: simMaxAnswer,
		},
	}
}

func (p *simPoster) close() { p.transport.CloseIdleConnections() }

// post sends an event and judges the answer. It never sends an event again.
func (p *simPoster) post(ctx context.Context, event []byte) simAnswer {
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(within, http.MethodPost, p.url, bytes.NewReader(event))
	if err != nil {
		return simFail("the request: %v", err)
	}
	request.Header["Content-type"] = []string{"application/json"} // Spelled as ascp spells it.
	request.Header.Set("User-Agent", "sluice-simulate")
	response, err := p.transport.RoundTrip(request)
	if err != nil {
		return p.lost(ctx, within, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, simMaxAnswer+1))
	answer := simJudge(response, body)
	if err != nil {
		answer = p.lost(ctx, within, err)
	}
	answer.heard, answer.took = true, time.Since(began)
	return answer
}

// lost is the answer where none, or only a part, came.
func (p *simPoster) lost(ctx, within context.Context, err error) simAnswer {
	switch {
	case ctx.Err() != nil:
		return simAnswer{verdict: simUnsent, text: "interrupted"}
	case within.Err() != nil:
		return simFail("no answer within %s", p.timeout)
	}
	return simFail("%v", err)
}

func simFail(format string, args ...any) simAnswer {
	return simAnswer{verdict: simFailed, text: fmt.Sprintf(format, args...)}
}

// simJudge tells a verdict from everything else that may come.
func simJudge(response *http.Response, body []byte) simAnswer {
	status := response.StatusCode
	switch {
	case len(body) > simMaxAnswer:
		return simFail("protocol error: the answer is longer than %d bytes", simMaxAnswer)
	case status == http.StatusOK:
		return simAcceptance(body)
	case status == http.StatusBadRequest:
		return simRefusal(response.Header.Get("Content-Type"), body)
	case status >= 300 && status < 400:
		return simFail("status %d %s to %q; redirects are not followed", status, http.StatusText(status), response.Header.Get("Location"))
	default:
		return simFail("status %d %s is no verdict", status, http.StatusText(status))
	}
}

// simAcceptance judges a 200: its body is empty, or says how to encrypt.
func simAcceptance(body []byte) simAnswer {
	if len(body) == 0 {
		return simAnswer{verdict: simAccepted}
	}
	var answer struct {
		Encryption jsontext.Value `json:"file_encryption"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Encryption.Kind() != '{' {
		return simFail("protocol error: a 200 has a body which is not that of file_encryption")
	}
	return simAnswer{verdict: simAccepted}
}

// simRefusal judges a 400.
func simRefusal(contentType string, body []byte) simAnswer {
	if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != "application/json" {
		return simFail("protocol error: a 400 has the Content-Type %q, not application/json", contentType)
	}
	var answer struct {
		Error *struct {
			Code    jsontext.Value `json:"code"`
			Message jsontext.Value `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return simFail("protocol error: the body of a 400 is not the JSON object of an error")
	}
	if answer.Error == nil {
		return simFail("protocol error: the body of a 400 has no error")
	}
	refusal := simAnswer{verdict: simRefused}
	for _, member := range []struct {
		name  string
		value jsontext.Value
		into  *string
	}{{"code", answer.Error.Code, &refusal.code}, {"message", answer.Error.Message, &refusal.text}} {
		if member.value.Kind() != '"' {
			return simFail("protocol error: the error's %s is %s, not a string", member.name, simKind(member.value))
		}
		if err := json.Unmarshal(member.value, member.into); err != nil {
			return simFail("protocol error: the error's %s: %v", member.name, err)
		}
	}
	return refusal
}

// simKind names what a JSON value is.
func simKind(v jsontext.Value) string {
	if len(v) == 0 {
		return "missing"
	}
	switch v.Kind() {
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	case '[':
		return "an array"
	default:
		return "an object"
	}
}
