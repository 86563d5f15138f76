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
	known sync.Map // of *rules.Rule to string
	count atomic.Int64
}

// maxRuleTexts is how many texts are kept.
const maxRuleTexts = 10_000

// of returns the beginning of a step of a rule.
func (t *ruleTexts) of(r *rules.Rule) string {
	if text, ok := t.known.Load(r); ok {
		return text.(string) //nolint:forcetypeassert // Nothing else is stored.
	}
	b := appendQuoted([]byte(`{"policy":`), r.Policy)
	b = appendText(b, `,"rule":`, r.Name)
	b = appendText(b, `,"kind":`, r.Kind)
	b = appendText(b, `,"mode":`, r.Mode.String())
	text := string(append(b, `,"outcome":"`...))
	if t.count.Add(1) > maxRuleTexts {
		t.known.Clear()
		t.count.Store(1)
	}
	t.known.Store(r, text)
	return text
}

// appendSteps appends every rule that was asked.
func (c *encoder) appendSteps(b []byte, e *rules.Event, steps []rules.Step) []byte {
	if len(steps) == 0 {
		return b
	}
	b = append(b, `,"steps":[`...)
	from, listed := len(b), 0
	for i := range steps {
		if len(b)-from > maxSteps {
			break
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, c.rules.of(steps[i].Rule)...)
		b = appendStep(b, e, &steps[i])
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
	b = append(b, s.Outcome.String()...)
	b = append(b, '"')
	if s.Detail != nil {
		b = appendText(b, `,"code":`, string(s.Detail.Verdict.Code))
	}
	b = appendSaw(b, e, s)
	b = appendLooked(b, s.Looked)
	if s.Detail != nil && s.Detail.Err != nil {
		b = appendText(b, `,"error":`, rules.Shorten(s.Detail.Err.Error(), maxText))
	}
	return append(b, '}')
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
