package sinks

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/validator/journal"
)

// The lengths of the parts of a header by RFC 5424, in bytes.
const (
	maxHost  = 255
	maxApp   = 48
	maxMsgID = 32
)

// The severities of RFC 5424 that are used.
const (
	severityError   = 3
	severityWarning = 4
	severityInfo    = 6
)

// facilities are the names of RFC 5424's facilities, by their numbers.
var facilities = [...]string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
	"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

// Facilities returns the names of the facilities that a syslog sink may have.
func Facilities() []string { return append([]string(nil), facilities[:]...) }

// syslogHeader is what all messages of a sink have in common.
type syslogHeader struct {
	facility int
	host     string // of records that name no instance
	app      string
	byPhase  bool   // the message id is the phase, not the verdict
	dataID   string // of the structured data; empty for none
}

// appendFrame appends a message with its length before it, as RFC 6587 wants it on
// TCP and RFC 5425 on TLS.
func (h *syslogHeader) appendFrame(b []byte, i *item) []byte {
	message := h.appendMessage(nil, i)
	b = strconv.AppendInt(b, int64(len(message)), 10)
	b = append(b, ' ')
	return append(b, message...)
}

// appendMessage appends a message by RFC 5424. The text begins without the mark of
// UTF-8: it is JSON, and many a reader of JSON stumbles over that.
func (h *syslogHeader) appendMessage(b []byte, i *item) []byte {
	r := &i.record
	b = append(b, '<')
	b = strconv.AppendInt(b, int64(h.facility*8+severity(r)), 10)
	b = append(b, ">1 "...)
	if year := r.Time.UTC().Year(); r.Time.IsZero() || year < 0 || year > 9999 {
		b = append(b, '-')
	} else {
		b = r.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	}
	host := r.Instance
	if host == "" {
		host = h.host
	}
	b = appendPart(append(b, ' '), host, maxHost)
	b = appendPart(append(b, ' '), h.app, maxApp)
	b = append(b, " - "...)
	b = appendPart(b, h.messageID(r), maxMsgID)
	b = append(b, ' ')
	b = h.appendData(b, r)
	b = append(b, ' ')
	return append(b, i.text...)
}

func severity(r *journal.Record) int {
	switch {
	case r.Note == journal.NoteLost, r.Note == journal.NoteRefused:
		return severityError
	case r.Note == journal.NoteRepaired, r.Verdict == journal.Reject:
		return severityWarning
	default:
		return severityInfo
	}
}

func (h *syslogHeader) messageID(r *journal.Record) string {
	switch {
	case r.Note != "":
		return r.Note
	case h.byPhase && r.Event != nil:
		return r.Event.Phase
	case h.byPhase:
		return ""
	default:
		return r.Verdict
	}
}

// appendPart appends a part of the header, in which only visible ASCII may be; what
// is nothing is a dash.
func appendPart(b []byte, text string, most int) []byte {
	from := len(b)
	for i := range len(text) {
		if len(b)-from == most {
			break
		}
		if c := text[i]; c > ' ' && c < 0x7f {
			b = append(b, c)
		} else if c < utf8.RuneSelf || utf8.RuneStart(c) {
			b = append(b, '?')
		}
	}
	if len(b) == from {
		return append(b, '-')
	}
	return b
}

// appendData appends the structured data: of a record the numbers and names by which
// receivers sort.
func (h *syslogHeader) appendData(b []byte, r *journal.Record) []byte {
	if h.dataID == "" {
		return append(b, '-')
	}
	b = append(b, '[')
	b = append(b, h.dataID...)
	b = append(b, ` seq="`...)
	b = strconv.AppendUint(b, r.Sequence, 10)
	b = append(b, '"')
	for _, parameter := range [...]struct{ name, value string }{
		{"id", r.ID}, {"policy", r.Policy}, {"rule", r.Rule}, {"code", r.Code},
	} {
		if parameter.value == "" {
			continue
		}
		b = append(b, ' ')
		b = append(b, parameter.name...)
		b = appendValue(append(b, '='), parameter.value)
	}
	return append(b, ']')
}

// appendValue appends the value of a parameter: UTF-8 in which quotes, backslashes
// and closing brackets are escaped. What is no UTF-8 becomes U+FFFD.
func appendValue(b []byte, value string) []byte {
	b = append(b, '"')
	for _, r := range value {
		if r == '"' || r == '\\' || r == ']' {
			b = append(b, '\\')
		}
		b = utf8.AppendRune(b, r)
	}
	return append(b, '"')
}

// validDataID reports whether a text can be the id of structured data: a name and
// the number of whoever has defined it.
func validDataID(id string) bool {
	name, number, ok := strings.Cut(id, "@")
	if !ok || name == "" || number == "" || len(id) > maxMsgID || strings.Trim(number, "0123456789.") != "" {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`="]`, r) })
}

// settleSyslog is how long what was sent by syslog may be lost still: nobody
// acknowledges it. Only then is it part of the position; before, it is sent again
// when the connection breaks or the service starts anew.
const settleSyslog = 15 * time.Second
