package journal

import (
	"strconv"

	"github.com/sluiceproject/sluice/rules"
)

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

// appendEvent appends an event behind the name of its phase, and what of it is not as
// it came. told says that the file and the client's address are.
func appendEvent(b []byte, e *rules.Event) (_ []byte, told bool) {
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
	told = w.lacks == 0
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
	return append(w.b, '}'), told
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
