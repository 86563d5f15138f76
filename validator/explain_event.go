package validator

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/sluiceproject/sluice/rules"
)

// ExplainedEvent is what was understood of an event, under the names that the
// log has for it. Members are left out that the event does not have.
type ExplainedEvent struct {
	// Phase is start, running or stop; unknown if the event could not be read.
	Phase string `json:"phase"`
	// Direction is upload, download or unknown.
	Direction string `json:"direction"`
	// Session says that the event is about a session: it has neither a file nor a
	// size.
	Session      bool   `json:"session,omitempty"`
	User         string `json:"user,omitempty"`
	ClientIP     string `json:"client_ip,omitempty"`
	Host         string `json:"host,omitempty"`
	SessionID    string `json:"session_id,omitempty"`
	TransferID   string `json:"xfer_id,omitempty"`
	File         string `json:"file,omitempty"`
	Size         *int64 `json:"size,omitempty"`
	StartByte    *int64 `json:"start_byte,omitempty"`
	BytesWritten *int64 `json:"bytes_written,omitempty"`
	Cipher       string `json:"cipher,omitempty"`
	RatePolicy   string `json:"rate_policy,omitempty"`
	// TargetRateKbps is in kilobits per second.
	TargetRateKbps *int64 `json:"target_rate_kbps,omitempty"`
	Checksum       string `json:"file_csum,omitempty"`
	ChecksumType   string `json:"file_csum_type,omitempty"`
}

func explainEvent(e *rules.Event) ExplainedEvent {
	number := func(n rules.Number) *int64 {
		if !n.Known {
			return nil
		}
		return &n.Value
	}
	return ExplainedEvent{
		Phase: e.Phase.String(), Direction: e.Direction.String(), Session: e.Fault == nil && !e.HasFile(),
		User: shown(e.User), ClientIP: shown(e.ClientIP), Host: shown(e.Host),
		SessionID: shown(e.SessionID), TransferID: shown(e.TransferID),
		File: shown(e.File.Shown()), Size: number(e.Size), StartByte: number(e.StartByte), BytesWritten: number(e.BytesWritten),
		Cipher: shown(e.Cipher), RatePolicy: shown(e.RatePolicy), TargetRateKbps: number(e.TargetRateKbps),
		Checksum: shown(e.Checksum), ChecksumType: shown(e.ChecksumType),
	}
}

// ExplainedFault is why an event could not be read.
type ExplainedFault struct {
	// Reason is one of MalformedReasons.
	Reason string `json:"reason"`
	// Byte counts from 0, Line and Column (of characters) from 1. All are 0 where
	// the fault has no place of its own, as for a member that is missing.
	Byte   int64 `json:"byte,omitempty"`
	Line   int   `json:"line,omitempty"`
	Column int   `json:"column,omitempty"`
}

func explainFault(body string, f *rules.Fault) *ExplainedFault {
	if f == nil {
		return nil
	}
	told := &ExplainedFault{Reason: f.Reason, Byte: f.Offset}
	if f.Offset > 0 && f.Offset <= int64(len(body)) {
		before := body[:f.Offset]
		told.Line = 1 + strings.Count(before, "\n")
		told.Column = 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	}
	return told
}

// why says what came to a verdict.
func why(e *rules.Event, d *rules.Decision, considered []rules.Considered) string {
	var panicked *rules.PanicError
	rule := d.Policy + "/" + d.Rule
	switch {
	case e.Fault != nil:
		return "the event could not be read (" + e.Fault.Reason + ")"
	case d.Err != nil && errors.As(d.Err, &panicked) && d.Rule == "":
		return "there is a fault inside sluice"
	case d.Err != nil && errors.As(d.Err, &panicked):
		return rule + " has a fault, and refuses to be safe"
	case d.Rule != "" && d.Err != nil:
		return rule + " cannot tell, and its on_error is reject"
	case d.Rule != "":
		return rule + " objects"
	case d.Code == rules.CodeRevoked:
		return "its grant was revoked, or nobody can say whether it was"
	case d.Code == rules.CodeSelector:
		return "nobody can say whether the policy " + d.Policy + " applies"
	case d.Applied > 0:
		return "no rule objects"
	}
	who := "no policy applies"
	for i := range considered {
		if considered[i].Mode == rules.Shadow && involved(&considered[i]) {
			who = "only shadowed policies apply"
		}
	}
	if d.Accepted() {
		return who + ", and the service's default is accept"
	}
	return who + ", and the service's default is reject"
}

// answerTo is what the service listener would answer: it runs the code that
// does.
func answerTo(d *rules.Decision) ExplainedAnswer {
	kept := &keptAnswer{header: http.Header{}, status: http.StatusOK}
	c := echo.New().NewContext(&http.Request{Method: http.MethodPost}, kept)
	_ = answer(c, d) // Memory takes every write.
	return ExplainedAnswer{Status: kept.status, ContentType: kept.header.Get(echo.HeaderContentType), Body: kept.body.String()}
}

// keptAnswer is an http.ResponseWriter that keeps an answer.
type keptAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (k *keptAnswer) Header() http.Header { return k.header }

// WriteHeader implements http.ResponseWriter.
func (k *keptAnswer) WriteHeader(status int) { k.status = status }

// Write implements http.ResponseWriter.
func (k *keptAnswer) Write(p []byte) (int, error) { return k.body.Write(p) }
