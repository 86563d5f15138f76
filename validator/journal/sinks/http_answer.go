package sinks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// The patience with a record that is refused alone: it is left out after so many
// attempts, unless so many before it were left out and none was taken since. Then
// it is not the record that is wrong.
const (
	mostTries   = 3
	mostRefused = 3
)

// deliver implements destination.
func (o *httpOut) deliver(ctx context.Context, batch []item) (made progress, err error) {
	if len(batch) > 0 {
		err = o.send(ctx, batch, &made)
	}
	return made, err
}

// send posts a batch, and halves of it where it is too large or has something that
// the receiver does not take.
func (o *httpOut) send(ctx context.Context, batch []item, made *progress) error {
	got, err := o.post(ctx, batch)
	if err != nil {
		return err
	}
	meaning := o.meaning(&got)
	switch {
	case meaning == taken:
		made.done += len(batch)
		o.refused = 0
		return nil
	case meaning == unfit && len(batch) > 1:
		half := len(batch) / 2
		if err := o.send(ctx, batch[:half], made); err != nil {
			return err
		}
		return o.send(ctx, batch[half:], made)
	case meaning == unfit:
		return o.alone(&batch[0], &got, made)
	default:
		return &failure{err: errors.New(got.say()), after: got.after, slow: meaning == hopeless}
	}
}

// alone decides on a record that was refused although nothing else was sent with it.
func (o *httpOut) alone(i *item, got *answer, made *progress) error {
	why := fmt.Errorf("record %d is refused: %s", i.seq, got.say())
	if o.tried != i.seq {
		o.tried, o.tries = i.seq, 0
	}
	if o.tries++; o.tries < mostTries {
		return &failure{err: why, after: got.after}
	}
	if o.refused >= mostRefused {
		return &failure{err: fmt.Errorf("%w; so were the %d before it, so that none more is left out until one is taken", why, mostRefused), slow: true}
	}
	o.refused++
	made.done++
	made.refused = append(made.refused, refusal{i.seq, why})
	return nil
}

// meaning is what an answer means for a batch.
type meaning uint8

const (
	taken    meaning = iota // all of it
	unfit                   // there is too much of it, or something in it is wrong
	later                   // it is to be sent again
	hopeless                // the settings or the receiver must be changed
)

func (o *httpOut) meaning(got *answer) meaning {
	switch s := got.status; {
	case s >= 200 && s < 300:
		return taken
	case s == http.StatusRequestEntityTooLarge:
		return unfit
	case s == http.StatusBadRequest, s == http.StatusUnprocessableEntity:
		if o.Format == SplunkHEC && !got.aboutEvent() {
			return hopeless
		}
		return unfit
	case s >= 500, s == http.StatusTooManyRequests, s == http.StatusRequestTimeout, s == http.StatusTooEarly:
		return later
	default:
		return hopeless
	}
}

// aboutEvent reports whether Splunk's collector complains about an event, not about
// how it was asked: an index that the token may not use, or a channel that is missing.
func (a *answer) aboutEvent() bool {
	var said struct {
		Code *int `json:"code"`
	}
	if json.Unmarshal(a.text, &said) != nil || said.Code == nil {
		return true
	}
	switch *said.Code {
	case 5, 6, 12, 13, 15: // No data, invalid format, no event, an empty event, indexed fields.
		return true
	default:
		return false
	}
}

// say tells of an answer in a message.
func (a *answer) say() string {
	const most = 200
	text := fmt.Sprintf("the receiver answers %d", a.status)
	if name := http.StatusText(a.status); name != "" {
		text += " " + name
	}
	if len(a.text) > 0 {
		text += fmt.Sprintf(": %q", rules.Shorten(string(a.text), most))
	}
	return text
}

// retryAfter reads how long a receiver wants to be left alone: seconds, or a time.
func (o *httpOut) retryAfter(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(mostWished/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(o.now()))
	}
	return 0
}
