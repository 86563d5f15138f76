package journal

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// Recorded is a decision as it was recorded, in a form in which its event can be
// decided again.
type Recorded struct {
	// Sequence is the record's number, ID names the decision, Time is when the event
	// arrived, and Revision names the policy set that decided.
	Sequence uint64
	ID       rules.ID
	Time     time.Time
	Revision string
	// Event is what was decided, as far as it is recorded.
	Event rules.Event
	// Missing names the fields of the event that are not as they came: secrets that
	// were left out, and texts that were too long. What rules make of them cannot be
	// told.
	Missing []string
	// Facts are what looking into the file has told; nil where nobody looked.
	Facts *rules.Facts
	// Accepted is the verdict; Code, Message, Policy, Rule and Kind are those of a
	// refusal.
	Accepted           bool
	Code               rules.Code
	Message            string
	Policy, Rule, Kind string
	// Grants are the rules of the kind grant that were asked, in order. Grants
	// themselves are secrets and not recorded.
	Grants []RecordedGrant
	// Quotas are those of the kind quota: what was counted is not recorded.
	Quotas []RecordedGrant
}

// RecordedGrant is what came of a rule of the kind grant, or of the kind quota.
type RecordedGrant struct {
	Policy, Rule string
	// Outcome is the step's: passed, refused and so on.
	Outcome string
	// Refused says that the rule objected, whether it was enforced or in shadow;
	// Untold that it could not tell.
	Refused, Untold bool
	// Saw is what it objected to.
	Saw string
	// Code is what it refused with.
	Code rules.Code
}

// errNoDecision says that a record is about the log itself.
var errNoDecision = errors.New("the record is no decision")

// Recorded returns the decision of a record. The error says what of it cannot be
// read.
func (r *Record) Recorded() (*Recorded, error) {
	if r.Note != "" || r.Event == nil {
		return nil, errNoDecision
	}
	id, err := parseID(r.ID)
	if err != nil {
		return nil, err
	}
	d := &Recorded{
		Sequence: r.Sequence, ID: id, Time: r.Time, Revision: r.Revision, Missing: slices.Clone(r.Event.Missing),
		Accepted: r.Verdict == Accept, Code: rules.Code(r.Code), Message: r.Message, Policy: r.Policy, Rule: r.Rule, Kind: r.Kind,
		Event: rules.Event{ID: id, Received: r.Time},
	}
	if r.Verdict != Accept && r.Verdict != Reject {
		return nil, fmt.Errorf("the verdict is neither %s nor %s", Accept, Reject)
	}
	if err := r.Event.restore(&d.Event); err != nil {
		return nil, err
	}
	if r.Reason != "" {
		d.Event.Fault = &rules.Fault{Code: d.Code, Reason: r.Reason, Message: r.Message}
	}
	if len(r.Facts) > 0 {
		d.Facts = &rules.Facts{}
		if err := json.Unmarshal(r.Facts, d.Facts); err != nil {
			return nil, errors.New("the facts cannot be read")
		}
	}
	d.Grants, d.Quotas = stepsOf(r.Steps, kindGrant), stepsOf(r.Steps, kindQuota)
	return d, nil
}

// restore fills an event with what is recorded of it.
func (e *Event) restore(to *rules.Event) error {
	phase, known := rules.ParsePhase(e.Phase)
	if !known && e.Phase != rules.PhaseUnknown.String() {
		return errors.New("the phase is none that there is")
	}
	to.Phase, to.Direction = phase, directionOf(e.Direction)
	to.User, to.UserID, to.Client, to.Host = e.User, e.UserID, e.Client, e.Host
	to.ClientIP, to.SessionID, to.TransferID = e.ClientIP, e.SessionID, e.TransferID
	if a, err := netip.ParseAddr(e.ClientIP); err == nil {
		to.ClientAddr = a.Unmap()
	}
	to.Cookie, to.Below = e.Cookie, e.Below
	if e.File != "" {
		to.File = rules.ParsePath(e.File)
	}
	to.Size, to.StartByte, to.BytesWritten = numberOf(e.Size), numberOf(e.StartByte), numberOf(e.BytesWritten)
	to.Cipher, to.RatePolicy = e.Cipher, e.RatePolicy
	to.TargetRateKbps, to.MinRateKbps = numberOf(e.TargetRateKbps), numberOf(e.MinRateKbps)
	to.ManifestFile, to.FileNameEncoding = e.ManifestFile, e.NameEncoding
	to.Checksum, to.ChecksumType = e.Checksum, e.ChecksumType
	to.Tags = rules.Tags{Raw: string(e.Tags)}
	return nil
}

func numberOf(n *int64) rules.Number {
	if n == nil {
		return rules.Number{}
	}
	return rules.Known(*n)
}

func directionOf(name string) rules.Direction {
	for _, d := range [...]rules.Direction{rules.Upload, rules.Download} {
		if d.String() == name {
			return d
		}
	}
	return rules.DirectionUnknown
}

// The kinds of the rules that verify grants, and that count.
const (
	kindGrant = "grant"
	kindQuota = "quota"
)

func stepsOf(steps []Step, kind string) (all []RecordedGrant) {
	for i := range steps {
		s := &steps[i]
		if s.Kind != kind || s.Outcome == rules.Skipped.String() {
			continue
		}
		g := RecordedGrant{Policy: s.Policy, Rule: s.Rule, Outcome: s.Outcome, Code: rules.Code(s.Code), Saw: s.Saw}
		switch s.Outcome {
		case rules.Refused.String(), rules.WouldRefuse.String():
			g.Refused = true
		case rules.Passed.String():
		default:
			g.Untold = true
		}
		all = append(all, g)
	}
	return all
}

// parseID reads a UUID.
func parseID(text string) (id rules.ID, err error) {
	digits := strings.ReplaceAll(text, "-", "")
	if len(text) != 36 || len(digits) != 32 {
		return id, errors.New("the id is no UUID")
	}
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil || id.String() != strings.ToLower(text) {
		return id, errors.New("the id is no UUID")
	}
	return id, nil
}
