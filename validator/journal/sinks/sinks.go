package sinks

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

// Options say which log is sent where.
type Options struct {
	// Dir is the folder of the log. It also has the sinks' positions.
	Dir string
	// Instance names the service, to receivers that ask for a host.
	Instance string
	// Sinks are where records are sent.
	Sinks []Sink
	// Last, when not nil, returns the number of the log's last record that will not
	// be taken back: later ones are not sent yet. Without it all are sent, and there
	// is no lag.
	Last func() uint64
	// Now is the clock.
	Now func() time.Time
	// Told, when not nil, is called with what an operator should know. It is called
	// by several goroutines.
	Told func(Happening)

	// pause waits until a time has passed or done is closed; tests have their own.
	pause func(done <-chan struct{}, d time.Duration)
	every time.Duration // tests have less than interval
}

// Sink is one place where records are sent. One of File, Syslog, HTTP and Store is
// set.
type Sink struct {
	// Name names it in metrics and messages, and its position's file.
	Name string
	// Fields name the members of what is sent, and Filter says which records are.
	Fields Fields
	Filter Filter
	// BatchRecords and BatchBytes bound what is sent at once, and with it the memory
	// of the sink. A record that is larger is sent alone.
	BatchRecords int
	BatchBytes   int
	// OnlyNew has a sink that never delivered begin at the end of the log instead
	// of at its oldest record.
	OnlyNew bool

	File   *File
	Syslog *Syslog
	HTTP   *HTTP
	Store  *Store
}

// The default bounds of a batch.
const (
	DefaultBatchRecords = 500
	DefaultBatchBytes   = 1 << 20
)

// Happening is something that an operator should know of a sink.
type Happening struct {
	// Sink is its name.
	Sink string
	// What is one of failing, recovered, refused, missed, odd, position.
	What string
	// Detail says more, and Err why.
	Detail string
	Err    error
	// Sequence is the record that it is about, 0 if it is about none.
	Sequence uint64
}

// interval is how often a sink looks for new records.
const interval = 200 * time.Millisecond

// Set is the sinks of one log.
type Set struct {
	pumps  []*pump
	now    func() time.Time
	finish chan struct{}
	stop   context.CancelFunc
	group  sync.WaitGroup
	once   sync.Once
}

// Open prepares sinks: it reads their positions and what their settings name, and
// connects to nothing. The error has what is wrong with each.
func Open(o Options) (*Set, error) {
	if o.pause == nil {
		o.pause = pause
	}
	if o.every == 0 {
		o.every = interval
	}
	s := &Set{now: o.Now, finish: make(chan struct{}), stop: func() {}}
	var wrong []error
	for _, sink := range o.Sinks {
		p, err := newPump(&o, sink, s.finish)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("the sink %s: %w", sink.Name, err))
			continue
		}
		s.pumps = append(s.pumps, p)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return s, nil
}

func pause(done <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// Start begins to send, until Close. It is called once.
func (s *Set) Start() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	for _, p := range s.pumps {
		s.group.Go(func() { p.run(ctx) })
	}
}

// Hold returns the number of the first record that a sink still needs;
// math.MaxUint64 where there is no sink. It may be called before Start.
func (s *Set) Hold() uint64 {
	least := uint64(math.MaxUint64)
	for _, p := range s.pumps {
		least = min(least, p.needs.Load())
	}
	return least
}

// Close sends what the log has and no sink has sent yet, as far as that works at
// the first attempt and until ctx is done, and ends the sinks.
func (s *Set) Close(ctx context.Context) {
	s.once.Do(func() { close(s.finish) })
	unregister := context.AfterFunc(ctx, func() { s.stop() })
	defer unregister()
	s.group.Wait()
	s.stop()
}
