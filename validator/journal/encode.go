package journal

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// maxText is how much of a text that a client wrote is recorded, in bytes, and
// maxPath how much of a path.
const (
	maxText = 1024
	maxPath = 8 << 10
)

// The verdicts.
const (
	Accept = "accept"
	Reject = "reject"
)

// maxSteps is about how many bytes the steps of a record have at most. What reads
// a log reads no lines that are much longer.
const maxSteps = 1 << 20

// encoder writes records.
type encoder struct {
	instance []byte // as every record has it
	rules    ruleTexts
}

func newEncoder(instance string) *encoder {
	return &encoder{instance: appendText(nil, `,"instance":`, instance)}
}

// appendRecord appends what a record has behind seq and prev, up to its closing
// brace. It is written by hand because every event has a record before it has its
// answer; what it writes is what Record reads.
func (c *encoder) appendRecord(b []byte, e *rules.Event, d *rules.Decision) []byte {
	b = append(b, `"id":"`...)
	b, _ = d.ID.AppendText(b)
	b = append(b, `","time":"`...)
	b = e.Received.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	b = append(b, c.instance...)
	b = appendText(b, `,"revision":`, d.Revision)
	b = appendEvent(b, e)
	if d.Accepted() {
		b = append(b, `,"verdict":"`+Accept+`"`...)
	} else {
		b = append(b, `,"verdict":"`+Reject+`"`...)
		b = appendText(b, `,"code":`, string(d.Code))
		b = appendText(b, `,"message":`, rules.Shorten(d.Message, maxText))
		b = appendText(b, `,"policy":`, d.Policy)
		b = appendText(b, `,"rule":`, d.Rule)
		b = appendText(b, `,"kind":`, d.Kind)
	}
	if e.Fault != nil {
		b = appendText(b, `,"reason":`, e.Fault.Reason)
	}
	if d.Err != nil {
		b = appendText(b, `,"error":`, rules.Shorten(d.Err.Error(), maxText))
	}
	if d.Applied > 0 {
		b = append(b, `,"policies":`...)
		b = strconv.AppendInt(b, int64(d.Applied), 10)
	}
	b = c.appendSteps(b, e, d.Steps)
	if d.Facts != nil {
		if text, err := json.Marshal(d.Facts); err == nil {
			b = append(append(b, `,"facts":`...), text...)
		}
	}
	b = append(b, `,"took_us":`...)
	b = strconv.AppendInt(b, d.Took.Microseconds(), 10)
	return append(b, '}')
}

// eventWriter appends an event, and notes what of it is not as it came.
type eventWriter struct {
	b       []byte
	missing [16]string
	lacks   int
}

// miss notes that a text is not as it came.
func (w *eventWriter) miss(name string) {
	if w.lacks < len(w.missing) && (w.lacks == 0 || w.missing[w.lacks-1] != name) {
		w.missing[w.lacks] = name
		w.lacks++
	}
}

// text appends a text, or what of it there is room for.
func (w *eventWriter) text(name, before, value string, most int) {
	if len(value) > most {
		w.miss(name)
		value = rules.Shorten(value, most)
	}
	w.b = appendText(w.b, before, value)
}

// appendEvent appends the event, and what of it is not as it came.
func appendEvent(b []byte, e *rules.Event) []byte {
	b = append(b, `,"event":{"phase":"`...)
	b = append(b, e.Phase.String()...)
	b = append(b, `","direction":"`...)
	b = append(b, e.Direction.String()...)
	b = append(b, '"')
	if e.Fault == nil && !e.HasFile() {
		b = append(b, `,"session":true`...)
	}
	w := eventWriter{b: b}
	w.who(e)
	w.file(e)
	var whole bool
	if w.b, whole = appendTags(w.b, `,"tags":`, &e.Tags); !whole {
		w.miss("tags")
	}
	before := `,"missing":["`
	for _, name := range w.missing[:w.lacks] {
		w.b = append(append(w.b, before...), name...)
		before = `","`
	}
	if w.lacks > 0 {
		w.b = append(w.b, `"]`...)
	}
	return append(w.b, '}')
}

// who appends whose transfer it is.
func (w *eventWriter) who(e *rules.Event) {
	w.text("user", `,"user":`, e.User, maxText)
	w.text("user_id", `,"user_id":`, e.UserID, maxText)
	w.text("client", `,"client":`, e.Client, maxText)
	w.text("client_ip", `,"client_ip":`, e.ClientIP, maxText)
	w.text("host", `,"host":`, e.Host, maxText)
	w.text("session_id", `,"session_id":`, e.SessionID, maxText)
	w.text("xfer_id", `,"xfer_id":`, e.TransferID, maxText)
	cookie := e.ShownCookie()
	if cookie != e.Cookie {
		w.miss("cookie")
	}
	w.b = appendText(w.b, `,"cookie":`, cookie)
}

// file appends the file and how it is transferred.
func (w *eventWriter) file(e *rules.Event) {
	w.path("file", `,"file":`, e.File)
	if e.Below {
		w.b = append(w.b, `,"below":true`...)
	}
	w.b = appendNumber(w.b, `,"size":`, e.Size)
	w.b = appendNumber(w.b, `,"start_byte":`, e.StartByte)
	w.b = appendNumber(w.b, `,"bytes_written":`, e.BytesWritten)
	w.text("cipher", `,"cipher":`, e.Cipher, maxText)
	w.text("rate_policy", `,"rate_policy":`, e.RatePolicy, maxText)
	w.b = appendNumber(w.b, `,"target_rate_kbps":`, e.TargetRateKbps)
	w.b = appendNumber(w.b, `,"min_rate_kbps":`, e.MinRateKbps)
	w.path("manifest_file", `,"manifest_file":`, rules.Path{Raw: e.ManifestFile})
	w.text("file_name_encoding", `,"file_name_encoding":`, e.FileNameEncoding, maxText)
	w.text("file_csum", `,"file_csum":`, e.Checksum, maxText)
	w.text("file_csum_type", `,"file_csum_type":`, e.ChecksumType, maxText)
}

// path appends a path without credentials.
func (w *eventWriter) path(name, before string, p rules.Path) {
	shown := p.Shown()
	if shown != p.Raw {
		w.miss(name)
	}
	w.text(name, before, shown, maxPath)
}

func appendNumber(b []byte, before string, n rules.Number) []byte {
	if !n.Known {
		return b
	}
	return strconv.AppendInt(append(b, before...), n.Value, 10)
}

func appendText(b []byte, before, text string) []byte {
	if text == "" {
		return b
	}
	return appendQuoted(append(b, before...), text)
}
