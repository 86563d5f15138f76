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

// appendRecord appends what a record has behind seq and prev, up to its closing
// brace. It is written by hand because every event has a record before it has its
// answer; what it writes is what Record reads.
func appendRecord(b []byte, instance string, e *rules.Event, d *rules.Decision) []byte {
	b = append(b, `"id":"`...)
	b, _ = d.ID.AppendText(b)
	b = append(b, `","time":"`...)
	b = e.Received.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	b = appendText(b, `,"instance":`, instance)
	b = appendText(b, `,"revision":`, d.Revision)
	b = appendEvent(b, e)
	if d.Accepted() {
		b = append(b, `,"verdict":"`+Accept+`"`...)
	} else {
		b = append(b, `,"verdict":"`+Reject+`"`...)
		b = appendText(b, `,"code":`, string(d.Code))
		b = appendText(b, `,"message":`, d.Message)
		b = appendText(b, `,"policy":`, d.Policy)
		b = appendText(b, `,"rule":`, d.Rule)
		b = appendText(b, `,"kind":`, d.Kind)
	}
	if e.Fault != nil {
		b = appendText(b, `,"reason":`, e.Fault.Reason)
	}
	if d.Err != nil {
		b = appendText(b, `,"error":`, d.Err.Error())
	}
	if d.Applied > 0 {
		b = append(b, `,"policies":`...)
		b = strconv.AppendInt(b, int64(d.Applied), 10)
	}
	b = appendSteps(b, e, d.Steps)
	if d.Facts != nil {
		if text, err := json.Marshal(d.Facts); err == nil {
			b = append(append(b, `,"facts":`...), text...)
		}
	}
	b = append(b, `,"took_us":`...)
	b = strconv.AppendInt(b, d.Took.Microseconds(), 10)
	return append(b, '}')
}

// appendEvent appends the event, and what of it is not as it came.
func appendEvent(b []byte, e *rules.Event) []byte {
	var room [8]string
	missing := room[:0]
	text := func(b []byte, name, before, value string, most int) []byte {
		if len(value) > most {
			missing = append(missing, name)
			value = rules.Shorten(value, most)
		}
		return appendText(b, before, value)
	}
	b = append(b, `,"event":{"phase":"`...)
	b = append(b, e.Phase.String()...)
	b = append(b, `","direction":"`...)
	b = append(b, e.Direction.String()...)
	b = append(b, '"')
	if e.Fault == nil && !e.HasFile() {
		b = append(b, `,"session":true`...)
	}
	b = text(b, "user", `,"user":`, e.User, maxText)
	b = text(b, "user_id", `,"user_id":`, e.UserID, maxText)
	b = appendText(b, `,"client":`, e.Client)
	b = text(b, "client_ip", `,"client_ip":`, e.ClientIP, maxText)
	b = text(b, "host", `,"host":`, e.Host, maxText)
	b = text(b, "session_id", `,"session_id":`, e.SessionID, maxText)
	b = text(b, "xfer_id", `,"xfer_id":`, e.TransferID, maxText)
	cookie := e.ShownCookie()
	if cookie != e.Cookie {
		missing = append(missing, "cookie")
	}
	b = appendText(b, `,"cookie":`, cookie)
	file := e.File.Shown()
	if file != e.File.Raw {
		missing = append(missing, "file")
	}
	b = text(b, "file", `,"file":`, file, maxPath)
	if e.Below {
		b = append(b, `,"below":true`...)
	}
	b = appendNumber(b, `,"size":`, e.Size)
	b = appendNumber(b, `,"start_byte":`, e.StartByte)
	b = appendNumber(b, `,"bytes_written":`, e.BytesWritten)
	b = text(b, "cipher", `,"cipher":`, e.Cipher, maxText)
	b = text(b, "rate_policy", `,"rate_policy":`, e.RatePolicy, maxText)
	b = appendNumber(b, `,"target_rate_kbps":`, e.TargetRateKbps)
	b = appendNumber(b, `,"min_rate_kbps":`, e.MinRateKbps)
	manifest := rules.Path{Raw: e.ManifestFile}
	b = text(b, "manifest_file", `,"manifest_file":`, manifest.Shown(), maxPath)
	b = text(b, "file_name_encoding", `,"file_name_encoding":`, e.FileNameEncoding, maxText)
	b = text(b, "file_csum", `,"file_csum":`, e.Checksum, maxText)
	b = text(b, "file_csum_type", `,"file_csum_type":`, e.ChecksumType, maxText)
	b, whole := appendTags(b, `,"tags":`, &e.Tags)
	if !whole {
		missing = append(missing, "tags")
	}
	before := `,"missing":["`
	for _, name := range missing {
		b = append(append(b, before...), name...)
		before = `","`
	}
	if len(missing) > 0 {
		b = append(b, `"]`...)
	}
	return append(b, '}')
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

// appendSteps appends every rule that was asked.
func appendSteps(b []byte, e *rules.Event, steps []rules.Step) []byte {
	for i := range steps {
		s := &steps[i]
		before := `,{"policy":`
		if i == 0 {
			before = `,"steps":[{"policy":`
		}
		b = appendQuoted(append(b, before...), s.Rule.Policy)
		b = appendText(b, `,"rule":`, s.Rule.Name)
		b = appendText(b, `,"kind":`, s.Rule.Kind)
		b = appendText(b, `,"mode":`, s.Rule.Mode.String())
		b = appendText(b, `,"outcome":`, s.Outcome.String())
		if s.Detail != nil {
			b = appendText(b, `,"code":`, string(s.Detail.Verdict.Code))
		}
		b = appendText(b, `,"saw":`, rules.Shorten(s.Saw(e), maxText))
		b = appendLooked(b, s.Looked)
		if s.Detail != nil && s.Detail.Err != nil {
			b = appendText(b, `,"error":`, rules.Shorten(s.Detail.Err.Error(), maxText))
		}
		b = append(b, '}')
	}
	if len(steps) > 0 {
		b = append(b, ']')
	}
	return b
}

// appendLooked appends how far a look into a file got.
func appendLooked(b []byte, looked *rules.Looked) []byte {
	if looked == nil {
		return b
	}
	if looked.State != rules.NotLooked {
		b = appendText(b, `,"coverage":`, looked.State.String())
		b = append(b, `,"inspected":`...)
		b = strconv.AppendInt(b, looked.Inspected, 10)
		if looked.Total >= 0 {
			b = append(b, `,"total":`...)
			b = strconv.AppendInt(b, looked.Total, 10)
		}
		b = appendText(b, `,"reason":`, looked.Reason)
	}
	return strconv.AppendInt(append(b, `,"took_us":`...), looked.Took.Microseconds(), 10)
}
