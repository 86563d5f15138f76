package journal

import (
	"encoding/json"
	"strconv"
	"sync/atomic"
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
	instance string // as every record has it
	rules    ruleTexts
	revision atomic.Pointer[revisionText] // of the last record
	second   atomic.Pointer[secondText]   // of the last record
}

// revisionText is what stands between a record's time and its phase, the same as
// long as the policies are.
type revisionText struct{ revision, text string }

// secondText is a time without what is behind its seconds.
type secondText struct {
	unix int64
	text string
}

func newEncoder(instance string) *encoder {
	return &encoder{instance: string(appendText(nil, `,"instance":`, instance))}
}

// appendRecord appends what a record has behind seq and prev, up to its closing
// brace. It is written by hand because every event has a record before it has its
// answer; what it writes is what Record reads.
func (c *encoder) appendRecord(b []byte, e *rules.Event, d *rules.Decision) []byte {
	b = append(b, `"id":"`...)
	b = appendID(b, &d.ID)
	b = append(b, `","time":"`...)
	b = c.appendTime(b, e.Received)
	b = append(b, c.behindTime(d.Revision)...)
	b, told := appendEvent(b, e)
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
	b = c.appendSteps(b, e, d.Steps, told)
	if d.Facts != nil {
		if text, err := json.Marshal(d.Facts); err == nil {
			b = append(append(b, `,"facts":`...), text...)
		}
	}
	b = append(b, `,"took_us":`...)
	b = strconv.AppendInt(b, d.Took.Microseconds(), 10)
	return append(b, '}')
}

// behindTime returns what stands between a record's time and its phase.
func (c *encoder) behindTime(revision string) string {
	last := c.revision.Load()
	if last == nil || last.revision != revision {
		b := appendText([]byte(`"`+c.instance), `,"revision":`, revision)
		last = &revisionText{revision, string(append(b, `,"event":{"phase":"`...))}
		c.revision.Store(last)
	}
	return last.text
}

// appendTime appends a time as time.RFC3339Nano says it, in UTC.
func (c *encoder) appendTime(b []byte, t time.Time) []byte {
	last := c.second.Load()
	if unix := t.Unix(); last == nil || last.unix != unix {
		last = &secondText{unix, t.UTC().Format("2006-01-02T15:04:05")}
		c.second.Store(last)
	}
	b = append(b, last.text...)
	if n := uint(t.Nanosecond()); n > 0 {
		digits := [10]byte{'.'}
		for i := 9; i > 0; i-- {
			digits[i] = byte('0' + n%10)
			n /= 10
		}
		end := 10
		for digits[end-1] == '0' {
			end--
		}
		b = append(b, digits[:end]...)
	}
	return append(b, 'Z')
}
