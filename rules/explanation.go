package rules

import (
	"fmt"
	"strings"
)

// Standing is what a policy has to do with an event.
type Standing uint8

// The standings.
const (
	// NotMatched is a policy whose applies_to matches something else.
	NotMatched Standing = iota
	// Applies is a policy whose rules are asked.
	Applies
	// SessionPasses is a policy that selects by path, and the event is about a
	// session: nothing is asked, because the session's files will be judged.
	SessionPasses
	// RequestPasses is a policy that selects by the client's address or the host, and
	// the event is a token request: nothing is asked, because the files will be
	// judged when both are known.
	RequestPasses
	// Unclear is a policy of which nobody can say whether it applies, because the
	// event lacks a field by which it selects. An enforced one refuses the event.
	Unclear
	// SwitchedOff is a policy whose mode is off.
	SwitchedOff
)

var standingNames = [...]string{"no", "yes", "session", "request", "unclear", "off"}

// String returns no, yes, session, request, unclear or off: the answer to whether the
// policy applies.
func (s Standing) String() string { return standingNames[s] }

// Considered is one policy of a set and what it has to do with one event.
type Considered struct {
	// Policy is the policy's name and File where it is written.
	Policy, File string
	// Mode is the policy's own.
	Mode Mode
	// Standing says whether the policy applies.
	Standing Standing
	// Why has each key of applies_to because of which it does not, or because of
	// which that is unclear.
	Why []Mismatch
	// Rules are the policy's rules that are not off, as they are written.
	Rules []*Rule
}

// Mismatch is a key of applies_to that keeps a policy from applying to an event.
type Mismatch struct {
	// Key is direction, user, host, client_ip or path.
	Key string
	// Saw is what the event has, empty if it has nothing. It is as hostile as the
	// client: print it with Printable.
	Saw string
	// Wanted is what the policy asks for: any one of these.
	Wanted []string
	// Unknown says that the event has nothing that could be compared.
	Unknown bool
}

// maxWanted is how many of the values that a policy asks for are told.
const maxWanted = 5

// maxSaw is how much of an event's value is told, in bytes.
const maxSaw = 256

// String says in half a sentence what does not match what, in printable
// characters and at a length that does not depend on the event.
func (m Mismatch) String() string {
	saw := fmt.Sprintf("%s \"%s\"", m.Key, shownText(m.Saw, maxSaw))
	if m.Unknown {
		switch {
		case m.Saw == "":
			return "the event has no " + m.Key
		case m.Key == "path":
			return saw + ` has a "..", so nobody can say where it leads`
		default:
			return saw + " is not one that can be compared"
		}
	}
	wanted := m.Wanted[:min(len(m.Wanted), maxWanted)]
	list := shownText(strings.Join(wanted, ", "), maxWanted*maxSaw)
	if more := len(m.Wanted) - len(wanted); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	switch m.Key {
	case "direction":
		return fmt.Sprintf("direction %s is not %s", m.Saw, list)
	case "client_ip":
		return saw + " is in none of " + list
	default:
		return saw + " matches none of " + list
	}
}
