package validator

import (
	"strings"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/rules"
)

// Decoder reads the events that Aspera servers post. It is strict where two
// readers could understand a body differently, so that what is judged is what
// ascp meant, and lenient in how servers write numbers and name members. Its
// zero value is ready, and it can be used from several goroutines at once.
type Decoder struct {
	// UploadIs is the value of the member direction that means an upload to
	// this server: "recv", also when empty, or "send".
	UploadIs string
}

// Decode fills e from the body of one request. e must be zero but for ID and
// Received, which are the caller's and stay. What a usual event says is not
// copied: e holds parts of body.
//
// An event that cannot be accepted has e.Fault set, with the code
// rules.CodeMalformed and a reason out of MalformedReasons; its phase is
// unknown. Other members that were read stay, so that a log can say whose event
// it was. A fault of the JSON itself is told rather than one of a member, and
// of several members the first.
func (d Decoder) Decode(body string, e *rules.Event) {
	e.Raw = body
	if hasMark(body) {
		e.Fault = malformed(fault{reasonSyntax, "it begins with a byte-order mark (BOM)", 0})
		return
	}
	valid := validUTF8(body)
	s := scanner{text: body[:valid]}
	found := d.event(&s, e)
	if valid < len(body) {
		switch s.fault.reason {
		case "", reasonEmpty, reasonTruncated: // The scan came as far as the text did.
			found = fault{reasonEncoding, "it holds bytes that are not UTF-8", valid}
		}
	}
	if found.reason != "" {
		e.Phase = rules.PhaseUnknown
		e.Fault = malformed(found)
	}
}

// validUTF8 returns how many bytes of s come before the first that is not
// UTF-8.
func validUTF8(s string) int {
	if utf8.ValidString(s) {
		return len(s)
	}
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return i
		}
	}
	return len(s)
}

// hasMark reports whether a body begins with a byte-order mark, of UTF-8 or
// UTF-16.
func hasMark(body string) bool {
	return strings.HasPrefix(body, "\uFEFF") ||
		strings.HasPrefix(body, "\xFE\xFF") || strings.HasPrefix(body, "\xFF\xFE")
}

// event reads the whole body and returns what is wrong with it, if anything.
func (d Decoder) event(s *scanner, e *rules.Event) fault {
	r := reading{upload: d.UploadIs, event: e}
	if s.begin() && r.members(s) {
		s.end()
	}
	if s.fault.reason != "" {
		return s.fault
	}
	if e.Phase == rules.PhaseUnknown {
		r.refuse(reasonStartStop, "its member startstop is missing", 0)
	}
	return r.fault
}

// begin goes past the brace that opens the event.
func (s *scanner) begin() bool {
	c := s.peek()
	if s.at >= len(s.text) {
		return s.fail(reasonEmpty, "it is empty", 0)
	}
	if c != '{' {
		return s.fail(reasonSyntax, "it is not a JSON object", s.at)
	}
	s.at++
	return true
}

// end makes sure that nothing but white space follows the event.
func (s *scanner) end() bool {
	if s.peek(); s.at < len(s.text) {
		return s.fail(reasonTrailing, "something follows after its end", s.at)
	}
	return true
}
