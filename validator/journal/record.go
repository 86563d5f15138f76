package journal

import (
	"encoding/json"
	"time"
)

// Record is one line of the log. It is a decision, unless Note is set.
type Record struct {
	// Sequence counts the records of one log, from 1 and without gaps.
	Sequence uint64 `json:"seq"`
	// Previous is the SHA-256, in hex, of the line before without its line feed;
	// 64 zeros in the first of all.
	Previous string `json:"prev"`
	// Note is a word of a closed set, one of Notes, in a record that the log makes
	// of itself; such a record has Time, Instance, Count and Message beside it.
	Note string `json:"note,omitempty"`
	// Count is what a note counts: decisions, or bytes.
	Count int64 `json:"count,omitempty"`

	// ID names the decision.
	ID string `json:"id,omitempty"`
	// Time is when the event arrived, in UTC.
	Time time.Time `json:"time"`
	// Instance is the service that decided.
	Instance string `json:"instance,omitempty"`
	// Revision is that of the policy set.
	Revision string `json:"revision,omitempty"`
	// Event is what was decided.
	Event *Event `json:"event,omitempty"`
	// Verdict is accept or reject. Code to Kind are those of a refusal.
	Verdict string `json:"verdict,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Policy  string `json:"policy,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Kind    string `json:"kind,omitempty"`
	// Reason says why an event was refused that no rule was asked about.
	Reason string `json:"reason,omitempty"`
	// Error is why the rule that decided could not tell.
	Error string `json:"error,omitempty"`
	// Applied is how many policies applied.
	Applied int `json:"policies,omitempty"`
	// Steps are the rules that were asked, in order.
	Steps []Step `json:"steps,omitempty"`
	// Unlisted is how many more rules were asked, whose steps would make the record
	// too long.
	Unlisted int `json:"steps_left_out,omitempty"`
	// Facts are what looking into the file has told.
	Facts json.RawMessage `json:"facts,omitempty"`
	// TookMicros is the time from the event's arrival to the decision.
	TookMicros int64 `json:"took_us"`
}

// The notes.
const (
	// NoteOpened begins what one process writes.
	NoteOpened = "opened"
	// NoteRepaired is that Count bytes at the end were cut off when the log was
	// opened: a record that was being written when the machine or the process
	// stopped. Nobody had its answer.
	NoteRepaired = "repaired"
	// NoteLost is that Count decisions before this were answered and could not be
	// recorded.
	NoteLost = "lost"
	// NoteRefused is that Count events before this were refused because they could
	// not be recorded.
	NoteRefused = "refused"
	// NoteClosed ends what one process writes, if it ended in order.
	NoteClosed = "closed"
)

// Notes returns the notes.
func Notes() []string { return []string{NoteOpened, NoteRepaired, NoteLost, NoteRefused, NoteClosed} }

// Event is an event without its secrets.
type Event struct {
	Phase     string `json:"phase"`
	Direction string `json:"direction"`
	// Session says that the event has no file.
	Session        bool   `json:"session,omitempty"`
	User           string `json:"user,omitempty"`
	UserID         string `json:"user_id,omitempty"`
	Client         string `json:"client,omitempty"`
	ClientIP       string `json:"client_ip,omitempty"`
	Host           string `json:"host,omitempty"`
	SessionID      string `json:"session_id,omitempty"`
	TransferID     string `json:"xfer_id,omitempty"`
	Cookie         string `json:"cookie,omitempty"`
	File           string `json:"file,omitempty"`
	Below          bool   `json:"below,omitempty"`
	Size           *int64 `json:"size,omitempty"`
	StartByte      *int64 `json:"start_byte,omitempty"`
	BytesWritten   *int64 `json:"bytes_written,omitempty"`
	Cipher         string `json:"cipher,omitempty"`
	RatePolicy     string `json:"rate_policy,omitempty"`
	TargetRateKbps *int64 `json:"target_rate_kbps,omitempty"`
	MinRateKbps    *int64 `json:"min_rate_kbps,omitempty"`
	ManifestFile   string `json:"manifest_file,omitempty"`
	NameEncoding   string `json:"file_name_encoding,omitempty"`
	Checksum       string `json:"file_csum,omitempty"`
	ChecksumType   string `json:"file_csum_type,omitempty"`
	// Tags are the transfer's, as JSON, with what may be secret replaced.
	Tags json.RawMessage `json:"tags,omitempty"`
	// Missing names what is not here as it came: cookie, file, tags, or another
	// text that was too long. A replay cannot tell what rules make of those.
	Missing []string `json:"missing,omitempty"`
}

// Step is one rule that was asked.
type Step struct {
	Policy  string `json:"policy"`
	Rule    string `json:"rule"`
	Kind    string `json:"kind"`
	Mode    string `json:"mode"`
	Outcome string `json:"outcome"`
	Code    string `json:"code,omitempty"`
	Saw     string `json:"saw,omitempty"`
	Error   string `json:"error,omitempty"`
	// Coverage to CoverageReason are of rules that look into the file.
	Coverage       string `json:"coverage,omitempty"`
	Inspected      *int64 `json:"inspected,omitempty"`
	Total          *int64 `json:"total,omitempty"`
	CoverageReason string `json:"reason,omitempty"`
	TookMicros     int64  `json:"took_us,omitempty"`
}
