package rules

import (
	"fmt"
	"io"
	"time"

	"github.com/sluiceproject/sluice/rules/scan"
)

// Kind is a kind of rule: a value that carries its own documentation, so that
// the schema, the reference and the compiler cannot drift apart.
type Kind struct {
	// Name is the key under which a policy writes the kind's settings.
	Name string
	// Doc completes the sentence "refuses when …".
	Doc string
	// Schema is the JSON Schema (draft-07) of the settings.
	Schema string
	// Phases are those in which the question makes sense: the default of `on`,
	// which may name no other.
	Phases PhaseSet
	// Late explains, where a phase is missing from Phases, why it is.
	Late string
	// NeedsFile says that the kind is not asked about session events.
	NeedsFile bool
	// NeedsName says that the kind judges the names of files, and is not asked about
	// a folder and what may be below it.
	NeedsName bool
	// Cost is what the kind reads.
	Cost Cost
	// Reads names what it reads, for the reference.
	Reads string
	// Fields are the members of an event that the kind reads of those whose texts a
	// log may hide or shorten: user, user_id, client_ip, host, session_id, xfer_id,
	// cookie, file, cipher, rate_policy, manifest_file, file_name_encoding,
	// file_csum, file_csum_type and tags. Nil stands for all of them.
	Fields []string
	// Code is given to ascp unless the policy says otherwise.
	Code Code
	// Needs says what aspera.conf or the client must be set to, beside the events
	// of the phases, for the kind to be decided; empty if nothing.
	Needs string
	// Placeholders are those that a message may use beside the common ones.
	Placeholders []string
	// Saw returns what the kind looks at in an event, for logs and explain.
	Saw func(*Event) string
	// Compile builds the check from the settings. Its error joins one
	// SpecError for each mistake.
	Compile func(Env, Decoder) (Compiled, error)
}

// Compiled is what a kind makes of its settings.
type Compiled struct {
	// Check asks about the event. A kind that looks into files has Inspect, or
	// Consume and perhaps Inspect, instead.
	Check   Check
	Inspect Inspect
	Consume Consume
	// Recall answers about an event of a log from what was learned then, for a kind
	// that looks into files, or asks what a log does not have. The error is an
	// *UndecidableError.
	Recall func(e *Event, f *Facts) (Finding, error)
	// Fields replaces the kind's when not nil.
	Fields []string
	// Remote says that Inspect asks somebody else and reads no file.
	Remote bool
	// Waits says that Consume and Inspect wait for somebody else with a bound of
	// his own, such as a scanner.
	Waits bool
	// Cost is above the kind's own where these settings read more.
	Cost Cost
	// Values are what the kind's placeholders stand for.
	Values map[string]string
	// Scope narrows what the kind says of itself to these settings.
	Scope Scope
	// Saw replaces the kind's when not nil.
	Saw func(*Event) string
	// Reach is what the settings object to, or nil where that is not compared.
	Reach Reach
	// Limits are put on what is granted when the rule is asked on request.
	Limits GrantLimits
}

// Scope says when a question can be answered. Its zero value is always.
type Scope struct {
	// Never are the phases in which it cannot, Why what is not known then.
	Never PhaseSet
	Why   string
	// NeedsFile says that it cannot be answered for session events.
	NeedsFile bool
}

// Reach is what a compiled rule objects to, so that a rule can be found out that
// never gets to object because an earlier one always does.
type Reach interface {
	// Within reports whether whatever this objects to, or cannot tell about, the
	// earlier rule of the same kind certainly objects to or cannot tell about too.
	Within(earlier Reach) bool
}

// Decoder reads the settings that a policy wrote under the kind's key. They
// have passed the kind's Schema.
type Decoder interface {
	// Decode fills a struct by its json tags.
	Decode(into any) error
}

// Env is what kinds need from outside. Zero members are not available.
type Env struct {
	// Policy and Rule name what is being compiled, for kinds that keep something by
	// these names. Whoever compiles sets them.
	Policy, Rule string
	// PartialSuffix is what ascp appends to the name of an unfinished file,
	// with its dot; empty if it appends nothing.
	PartialSuffix string
	// Open opens a file of the policy set by its relative path.
	Open func(name string) (io.ReadCloser, error)
	// Digests returns a list of digests of the policy set.
	Digests func(name string) (*Digests, error)
	// Zone returns a time zone of the IANA database; nil is time.LoadLocation.
	// Whoever compiles many rules lets them share their zones by it.
	Zone func(name string) (*time.Location, error)
	// Expressions compiles CEL; nil is a compiler of the kind's own. Whoever
	// compiles many rules lets them share it.
	Expressions *Expressions
	// Scanners returns a scanner of the service's configuration. The error says,
	// to whoever writes the policy, that there is none of that name. Where it is
	// nil there is no configuration: names are not checked, and rules that want a
	// scanner cannot tell.
	Scanners func(name string) (*scan.Pool, error)
	// Webhooks returns a webhook of the service's configuration, in the same way.
	Webhooks func(name string) (Webhook, error)
	// Grants verifies grants of the token endpoint; where it is nil, rules that
	// want one cannot tell.
	Grants *GrantEnv
	// Counters count for quotas; where they are nil, rules that count cannot tell.
	Counters Counters
}

// Builtin returns the kinds of rule, in the order of the reference.
func Builtin() []Kind {
	return []Kind{
		pathKind(),
		filenameKind(),
		extensionKind(),
		sizeKind(),
		checksumKind(),
		tagsKind(),
		networkKind(),
		transferKind(),
		scheduleKind(),
		expressionKind(),
		contentKind(),
		archiveKind(),
		scanKind(),
		grantKind(),
		quotaKind(),
		webhookKind(),
	}
}

// SpecError is a mistake at a place in a rule's settings.
type SpecError struct {
	// At is the JSON pointer of the place, from the settings' root: /allow/2.
	At string
	// Message says what is wrong.
	Message string
	// Hint says what was probably meant, or is empty.
	Hint string
	// Offset is how many characters into the text at At the mistake is.
	Offset int
	// Cause is the mistake in a file that the settings name, or nil: one or
	// several joined *FileError, or why the file cannot be read.
	Cause error
}

// Error implements error.
func (s *SpecError) Error() string {
	text := s.Message
	if s.Hint != "" {
		text += "; " + s.Hint
	}
	if s.Cause != nil {
		text += ": " + s.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (s *SpecError) Unwrap() error { return s.Cause }

// At returns a mistake at a JSON pointer into a rule's settings.
func At(pointer, format string, args ...any) *SpecError {
	return &SpecError{At: pointer, Message: fmt.Sprintf(format, args...)}
}

// WithHint returns the mistake with what was probably meant.
func (s *SpecError) WithHint(format string, args ...any) *SpecError {
	s.Hint = fmt.Sprintf(format, args...)
	return s
}

// FileError is a mistake in a file that a policy names, such as a list.
type FileError struct {
	File    string
	Line    int
	Message string
}

// Error implements error.
func (f *FileError) Error() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message) }
