package journal

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// ruleTexts are the parts of steps that are the same for every event, by their
// rules. Sets of policies come and go, so that they are forgotten once they are
// many.
type ruleTexts struct {
	// recent has those that were written last, by their place among a record's steps:
	// most events are asked about by the same rules in the same order.
	recent [32]atomic.Pointer[ruleText]
	known  sync.Map // of *rules.Rule to *ruleText
	count  atomic.Int64
}

// ruleText is the beginning of a rule's steps, and what of it follows a step of the
// same policy. told says that what the rule looks at is what the event has.
type ruleText struct {
	rule       *rules.Rule
	text, next string
	told       bool
}

// maxRuleTexts is how many texts are kept.
const maxRuleTexts = 10_000

// of returns the text of a rule that was asked as the one with an index.
func (t *ruleTexts) of(r *rules.Rule, index int) *ruleText {
	place := &t.recent[index%len(t.recent)]
	text := place.Load()
	if text == nil || text.rule != r {
		text = t.find(r)
		place.Store(text)
	}
	return text
}

func (t *ruleTexts) find(r *rules.Rule) *ruleText {
	if text, ok := t.known.Load(r); ok {
		return text.(*ruleText) //nolint:forcetypeassert // Nothing else is stored.
	}
	b := appendQuoted([]byte(`"rule":`), r.Name)
	b = appendText(b, `,"kind":`, r.Kind)
	if r.Mode != rules.Enforce {
		b = appendText(b, `,"mode":`, r.Mode.String())
	}
	policy := appendQuoted([]byte(`{"policy":`), r.Policy)
	text := &ruleText{rule: r, text: string(policy) + "," + string(b), next: "{" + string(b), told: lookedAt(r.Kind) != nil}
	if t.count.Add(1) > maxRuleTexts {
		t.known.Clear()
		t.count.Store(1)
	}
	t.known.Store(r, text)
	return text
}

// appendSteps appends every rule that was asked. told says that the event is written
// as it came, as far as rules look at what they do not say.
func (c *encoder) appendSteps(b []byte, e *rules.Event, steps []rules.Step, told bool) []byte {
	if len(steps) == 0 {
		return b
	}
	b = append(b, `,"steps":[`...)
	from, listed, policy := len(b), 0, ""
	for i := range steps {
		if len(b)-from > maxSteps {
			break
		}
		if i > 0 {
			b = append(b, ',')
		}
		s := &steps[i]
		text := c.rules.of(s.Rule, i)
		if i > 0 && s.Rule.Policy == policy {
			b = append(b, text.next...)
		} else {
			b = append(b, text.text...)
		}
		policy = s.Rule.Policy
		if !told || !text.told || s.Outcome != rules.Passed || s.Detail != nil || s.Looked != nil {
			b = appendStep(b, e, s)
		}
		b = append(b, '}')
		listed++
	}
	b = append(b, ']')
	if left := len(steps) - listed; left > 0 {
		b = append(b, `,"steps_left_out":`...)
		b = strconv.AppendInt(b, int64(left), 10)
	}
	return b
}

// appendStep appends what is different each time a rule is asked.
func appendStep(b []byte, e *rules.Event, s *rules.Step) []byte {
	if s.Outcome != rules.Passed {
		b = appendText(b, `,"outcome":`, s.Outcome.String())
	}
	if s.Detail != nil {
		b = appendText(b, `,"code":`, string(s.Detail.Verdict.Code))
	}
	b = appendSaw(b, e, s)
	b = appendLooked(b, s.Looked)
	if s.Detail != nil && s.Detail.Err != nil {
		b = appendText(b, `,"error":`, rules.Shorten(s.Detail.Err.Error(), maxText))
	}
	return b
}

// appendSaw appends what a rule looked at. Where nothing came of it and the text
// would have to be made, it is written as the event has it.
func appendSaw(b []byte, e *rules.Event, s *rules.Step) []byte {
	if s.Detail == nil {
		const before = `,"saw":"`
		switch s.Rule.Kind {
		case "size":
			if !e.Size.Known {
				return b
			}
			b = strconv.AppendInt(append(b, before...), e.Size.Value, 10)
			return append(b, ` B"`...)
		case "schedule":
			b = e.Received.UTC().AppendFormat(append(b, before...), time.RFC3339)
			return append(b, '"')
		case "tags":
			return append(append(b, before...), `tags"`...)
		}
	}
	return appendText(b, `,"saw":`, rules.Shorten(s.Saw(e), maxText))
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
