package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluiceproject/sluice/rules"
)

// How services tell of themselves.
const (
	// ReportEvery is how often a service reports.
	ReportEvery = 2 * time.Second
	// reportLife is how long a report holds: a service that has ended is gone from
	// the fleet after that.
	reportLife = 15 * time.Second
	// mostReported is the size of the largest report, in bytes, and mostFleet that of
	// all of them.
	mostReported = 16 << 10
	mostFleet    = 16 << 20
	// mostTrouble and mostTroubleText bound what a report says of trouble: lines, and
	// bytes of each.
	mostTrouble     = 10
	mostTroubleText = 500
)

// The health of a service.
const (
	Ready    = "ready"
	Degraded = "degraded"
	NotReady = "not ready"
)

// Member is a service of the fleet as it tells of itself.
type Member struct {
	// Instance is its name. Boot is another text each time that it starts, which
	// Report chooses.
	Instance string `json:"-"`
	Boot     string `json:"-"`
	// Version is that of the program, Admin the address of its admin listener.
	Version string `json:"version"`
	Admin   string `json:"admin"`
	// Started is when it started.
	Started time.Time `json:"started"`
	// Revision is the number of the revision in force, 0 where the policies are not
	// from the store. Hash names the set by its content, and Loaded is when it came
	// into force.
	Revision uint64    `json:"revision,omitempty"`
	Hash     string    `json:"hash"`
	Loaded   time.Time `json:"loaded"`
	// PolicyAge is for how long the service has not been told by the store that these
	// are the newest policies; 0 where it has, or where they are not from the store.
	PolicyAge time.Duration `json:"policy_age,omitempty"`
	// Health is one of the words above, and Trouble says why, a line each.
	Health  string   `json:"health"`
	Trouble []string `json:"trouble,omitempty"`

	// First is the number of its first report. Reports of all services are numbered
	// together.
	First uint64 `json:"first,omitempty"`

	// Heard is when it reported last, by the engine's clock.
	Heard time.Time `json:"-"`
	// Twin says that another service has the same name.
	Twin bool `json:"-"`

	report uint64 // the number of this report
}

// fleetBucket has the reports. They are in memory: nobody wants them after a
// restart.
func (s *Store) fleetBucket(ctx context.Context) (jetstream.KeyValue, error) {
	return s.fleet.get(ctx, func(ctx context.Context) (jetstream.KeyValue, error) {
		return s.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: s.named("fleet"), Description: "Services as they tell of themselves", Storage: jetstream.MemoryStorage, Replicas: s.o.Replicas,
			TTL: cmp.Or(s.fleetLife, reportLife), History: 1, MaxValueSize: mostReported, MaxBytes: mostFleet,
		})
	})
}

// Report tells the fleet of a service. It is called every ReportEvery with the same
// m, in which it notes what the next report needs.
func (s *Store) Report(ctx context.Context, m *Member) error {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	if m.Boot == "" {
		m.Boot = rand.Text()
	}
	if m.Trouble = slices.Clone(m.Trouble); len(m.Trouble) > mostTrouble {
		more := len(m.Trouble) - mostTrouble + 1
		m.Trouble = append(m.Trouble[:mostTrouble-1], fmt.Sprintf("and %d more", more))
	}
	for i, line := range m.Trouble {
		m.Trouble[i] = rules.Shorten(line, mostTroubleText)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	bucket, err := s.fleetBucket(ctx)
	if err != nil {
		return err
	}
	number, err := bucket.Put(ctx, m.key(), text)
	if err != nil {
		s.fleet.forget() // The engine may have been restarted, and has no bucket then.
		return away("reporting to the fleet", err)
	}
	if m.First == 0 || number < m.First { // Numbers begin anew with the bucket.
		m.First = number
	}
	return nil
}

// Leave takes a service out of the fleet, as it ends.
func (s *Store) Leave(ctx context.Context, m *Member) error {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	bucket, err := s.fleetBucket(ctx)
	if err != nil || m.Boot == "" {
		return err
	}
	return away("leaving the fleet", bucket.Delete(ctx, m.key()))
}

func (m *Member) key() string { return nameToken(m.Instance) + "." + m.Boot }

// Fleet returns the services that have reported lately, by name, and the number of
// the newest revision, 0 if there is none.
func (s *Store) Fleet(ctx context.Context) (members []Member, newest uint64, err error) {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	stream, err := s.revisionStream(ctx)
	if err != nil {
		return nil, 0, err
	}
	info, err := streamInfo(ctx, stream)
	if err != nil {
		return nil, 0, away("asking for the newest revision", err)
	}
	bucket, err := s.js.KeyValue(ctx, s.named("fleet"))
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil, info.State.LastSeq, nil
	}
	if err != nil {
		return nil, 0, away("asking for the fleet", err)
	}
	members, err = s.reports(ctx, bucket)
	return present(members), info.State.LastSeq, away("asking for the fleet", err)
}

// reports reads all reports.
func (s *Store) reports(ctx context.Context, bucket jetstream.KeyValue) (members []Member, err error) {
	watch, err := bucket.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = watch.Stop() }() // What is left of it the engine removes.
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case entry, more := <-watch.Updates():
			if entry == nil {
				if !more && ctx.Err() == nil {
					return nil, jetstream.ErrConsumerDeleted
				}
				return members, ctx.Err()
			}
			m, err := memberOf(entry)
			if err != nil {
				s.o.Told(Happening{What: Odd, Detail: "a report of the fleet", Err: err})
				continue
			}
			members = append(members, m)
		}
	}
}

// memberOf reads a report. What it says is shown to people, so that it is bounded
// here, too.
func memberOf(entry jetstream.KeyValueEntry) (m Member, err error) {
	token, boot, ok := strings.Cut(entry.Key(), ".")
	if !ok || boot == "" || len(entry.Value()) > mostReported {
		return m, errors.New("it has no name, or is too long")
	}
	if err := json.Unmarshal(entry.Value(), &m); err != nil {
		return m, err
	}
	if !slices.Contains([]string{Ready, Degraded, NotReady}, m.Health) {
		m.Health = NotReady
	}
	m.Trouble = m.Trouble[:min(len(m.Trouble), mostTrouble)]
	m.Instance, m.Boot, m.Heard, m.report = instanceOf(token), boot, entry.Created().UTC(), entry.Revision()
	return m, nil
}

// present leaves out what services reported before they started anew, and marks
// those that have their name together.
func present(all []Member) []Member {
	slices.SortFunc(all, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Instance, b.Instance), a.Started.Compare(b.Started), cmp.Compare(a.Boot, b.Boot))
	})
	here := all[:0:0]
	for i := range all {
		m := all[i]
		over := false
		for _, other := range all {
			if other.Instance != m.Instance || other.Boot == m.Boot {
				continue
			}
			switch {
			case m.report < cmp.Or(other.First, other.report): // It was not heard of since the other started.
				over = true
			case other.report > cmp.Or(m.First, m.report):
				m.Twin = true
			}
		}
		if !over {
			here = append(here, m)
		}
	}
	return here
}
