package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// watch follows the stream of revocations, over and over.
func (v *Revocations) watch(ctx context.Context) {
	quiet := false // The connection's own loss is told by others; this is told once.
	for {
		err := v.follow(ctx, func() { quiet = false })
		if ctx.Err() != nil {
			return
		}
		if !quiet && !errors.Is(err, ErrAway) {
			v.s.o.Told(Happening{What: Odd, Detail: "revocations are not followed for the moment", Err: err})
			quiet = true
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchRest):
		}
	}
}

// follow takes over revocations as they come. It returns with an error, and can be
// called again: it goes on from where it was, unless the stream is another one.
func (v *Revocations) follow(ctx context.Context, well func()) (err error) {
	if v.stream, err = v.s.revokedStream(ctx); err != nil {
		return err
	}
	calling, stop := context.WithTimeout(ctx, watchTime)
	defer stop()
	info, err := v.stream.Info(calling)
	if err != nil {
		return away("following revocations", err)
	}
	if !info.Created.Equal(v.created) || info.State.LastSeq < v.seen {
		v.created, v.seen = info.Created, 0
	}
	v.delivered = 0
	consumer, err := v.stream.CreateConsumer(calling, jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, InactiveThreshold: idleTime, MemoryStorage: true, Replicas: 1,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: v.seen + 1,
	})
	if err != nil {
		return away("following revocations", err)
	}
	for left := int(consumer.CachedInfo().NumPending); left > 0; {
		n, err := v.take(ctx, consumer, min(left, readBatch))
		if err != nil {
			return err
		}
		if left -= n; n == 0 {
			break
		}
	}
	return v.turns(ctx, consumer, well)
}

// turns asks in turns for revocations that come, and whether there are others.
func (v *Revocations) turns(ctx context.Context, consumer jetstream.Consumer, well func()) error {
	for missed := 0; missed < watchPatience; missed++ {
		at := v.s.o.Now()
		all, err := v.isAll(ctx)
		if err != nil {
			return err
		}
		if all {
			missed = -1
			v.confirm(at)
			well()
		}
		if _, err := v.take(ctx, consumer, readBatch); err != nil {
			return err
		}
	}
	return errors.New("revocations that are there do not come")
}

// take takes over what comes in one turn, each as soon as it is there, and returns
// how many messages those were. A turn ends early with as many as are asked for.
func (v *Revocations) take(ctx context.Context, consumer jetstream.Consumer, most int) (n int, err error) {
	turn, stop := context.WithTimeout(ctx, watchTurn)
	defer stop() // It ends what waits for messages, too.
	batch, err := consumer.Fetch(most, jetstream.FetchContext(turn))
	if err != nil {
		return 0, away("following revocations", err)
	}
	for {
		list, count, err := v.next(ctx, batch.Messages())
		v.add(list)
		if n += count; err != nil {
			return n, err
		}
		if count > 0 {
			continue
		}
		if err := batch.Error(); !errors.Is(err, context.DeadlineExceeded) {
			return n, away("following revocations", err)
		}
		return n, ctx.Err() // The end of a turn is no error; whether the engine is there is asked next.
	}
}

// next waits for a message, and returns the revocations of it and of those that
// have come meanwhile, and how many messages those are: 0 at the end.
func (v *Revocations) next(ctx context.Context, messages <-chan jetstream.Msg) (list []Revocation, n int, err error) {
	var m jetstream.Msg
	more := false
	select {
	case <-ctx.Done():
	case m, more = <-messages:
	}
	for more {
		n++
		r, err := v.read(m)
		if list = append(list, r...); err != nil {
			return list, n, err
		}
		select {
		case m, more = <-messages:
		default:
			more = false
		}
	}
	return list, n, nil
}

// read returns the revocation of a message, and none if it cannot be read. The
// error says that one before it was lost on the way.
func (v *Revocations) read(m jetstream.Msg) ([]Revocation, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	if v.delivered++; meta.Sequence.Consumer != v.delivered {
		return nil, fmt.Errorf("following revocations: %w (one was lost on the way)", ErrAway)
	}
	v.seen = meta.Sequence.Stream
	r, err := parseRevocation(m.Data())
	if err != nil {
		v.s.o.Told(Happening{What: Odd, Detail: m.Subject(), Err: err})
		return nil, nil
	}
	return []Revocation{r}, nil
}

// add takes over revocations, first in memory.
func (v *Revocations) add(list []Revocation) {
	if fresh := v.known.add(list); v.ledger != nil && len(fresh) > 0 {
		v.keep(v.ledger.add(fresh))
	}
}

// keep tells that the file cannot be written.
func (v *Revocations) keep(err error) {
	if err != nil {
		v.s.o.Told(Happening{What: Odd, Detail: "the file of revocations is not written", Err: err})
	}
}

// isAll asks the leader of the stream whether there are revocations beyond those
// that have come.
func (v *Revocations) isAll(ctx context.Context) (bool, error) {
	ctx, stop := context.WithTimeout(ctx, watchTime)
	defer stop()
	_, err := v.stream.GetMsg(ctx, v.seen+1, jetstream.WithGetMsgSubject(v.s.subject("revoked.>")))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true, nil
	}
	return false, away("following revocations", err)
}

// confirm records that all revocations of a moment are known.
func (v *Revocations) confirm(at time.Time) {
	v.checked.Store(at.UnixNano())
	v.once.Do(func() { close(v.loaded) })
	if v.ledger != nil {
		v.keep(v.ledger.confirm(at))
	}
	if at.Sub(v.forgotten) < forgetEvery {
		return
	}
	v.forgotten = at
	if v.known.forget(at) > 0 && v.ledger != nil {
		v.keep(v.ledger.rewrite(v.known.all()))
	}
}
