package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/validator"
	"github.com/sluiceproject/sluice/validator/journal/sinks"
)

// lookEvery is how many reports there are to one look at the whole fleet.
const lookEvery = 5

// fleetReport tells the fleet of a service, and what the service saw of the fleet.
type fleetReport struct {
	server *server
	member store.Member

	mu     sync.Mutex // guards what follows
	told   time.Time  // when a report was taken last; zero if none was
	failed bool       // the last one was not taken
	looked time.Time  // when the fleet was seen last
	fleet  validator.Fleet
	twin   bool // another service has this one's name
}

// startFleet begins to report to the fleet, if there is a policy store, and returns
// what ends that: to be called before the store is closed.
func (s *server) startFleet() (end func()) {
	if s.store == nil {
		return func() {}
	}
	r := &fleetReport{server: s, member: store.Member{
		Instance: s.state.engine.Instance, Version: version, Admin: s.admin.address(), Started: time.Now().UTC(),
	}}
	s.registry.MustRegister(r.metrics())
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { r.run(ctx) })
	return func() {
		stop()
		done.Wait()
		ctx, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		_ = s.store.Leave(ctx, &r.member) // Otherwise it is forgotten by itself.
	}
}

func (r *fleetReport) run(ctx context.Context) {
	tick := time.NewTicker(store.ReportEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		r.report(ctx)
		if n%lookEvery == 0 {
			r.look(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// report tells of the service as it is now.
func (r *fleetReport) report(ctx context.Context) {
	s, m := r.server, &r.member
	status := s.live.Status()
	m.Revision, m.Hash, m.Loaded, m.PolicyAge = status.Number, status.Snapshot.Revision, status.Loaded.UTC(), 0
	if s.mirror != nil {
		m.PolicyAge = s.policyAge().Round(time.Millisecond)
	}
	m.Health, m.Trouble = s.health()
	err := s.store.Report(ctx, m) // That the store is away is told by it.
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed = err != nil; !r.failed {
		r.told = time.Now()
	}
}

// health is what /readyz tells.
func (s *server) health() (word string, lines []string) {
	if s.draining.Load() {
		return store.NotReady, []string{"shutting down"}
	}
	if why := s.tooOld(); why != "" {
		return store.NotReady, []string{why}
	}
	if err := s.live.Status().Err; err != nil {
		lines = append(lines, "the newest policies cannot be loaded: "+err.Error())
	}
	if lines = append(lines, s.degraded()...); len(lines) > 0 {
		return store.Degraded, lines
	}
	return store.Ready, nil
}

// look sees what the fleet has, and says once that another service has the same
// name.
func (r *fleetReport) look(ctx context.Context) {
	fleet, err := askFleet(ctx, r.server.store)
	if err != nil {
		return // What was seen last is too old for metrics soon.
	}
	twin := slices.ContainsFunc(fleet.Members, func(m validator.FleetMember) bool { return m.Boot == r.member.Boot && m.Twin })
	r.mu.Lock()
	first := twin && !r.twin
	r.looked, r.fleet, r.twin = time.Now(), *fleet, twin
	r.mu.Unlock()
	if first {
		r.server.log.Error("another service of this policy store has the same name: records of both are told apart by nothing; set state.instance, and journal.instance",
			zap.String("instance", r.member.Instance))
	}
}

// askFleet asks the policy store for the fleet.
func askFleet(ctx context.Context, s *store.Store) (*validator.Fleet, error) {
	members, newest, err := s.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	fleet := &validator.Fleet{Newest: newest, Members: make([]validator.FleetMember, len(members))}
	for i, skewed := range store.Skewed(members, newest) {
		m := &members[i]
		told := validator.FleetMember{
			Instance: m.Instance, Version: m.Version, Admin: m.Admin, Boot: m.Boot, Started: m.Started, StoreRevision: m.Revision,
			Revision: m.Hash, Loaded: m.Loaded, PolicyAge: m.PolicyAge.Seconds(), Health: m.Health, Trouble: append([]string{}, m.Trouble...),
			Heard: m.Heard, Skewed: skewed, Twin: m.Twin,
		}
		if m.Revision > 0 && newest > m.Revision {
			told.Behind = newest - m.Revision
		}
		if skewed {
			fleet.Skewed++
		}
		fleet.Members[i] = told
	}
	return fleet, nil
}

// fleetAdmin is what GET /v1/fleet answers; nil where there is no policy store.
func (s *server) fleetAdmin() func(context.Context) (*validator.Fleet, error) {
	if s.store == nil {
		return nil
	}
	return func(ctx context.Context) (*validator.Fleet, error) {
		fleet, err := askFleet(ctx, s.store)
		if errors.Is(err, store.ErrAway) {
			return nil, &validator.AdminError{Status: http.StatusServiceUnavailable, Message: "The policy store does not answer."}
		}
		return fleet, err
	}
}

// withStore returns sinks of which those to the policy store have it.
func (s *server) withStore(list []sinks.Sink) []sinks.Sink {
	list = slices.Clone(list)
	for i := range list {
		if list[i].Store == nil || s.store == nil {
			continue
		}
		writer := s.store.DecisionWriter(s.journal.instance())
		list[i].Store = &sinks.Store{Timeout: list[i].Store.Timeout, Publish: func(ctx context.Context, lines [][]byte) (int, map[int]error, error) {
			done, tooLong, err := writer.Publish(ctx, lines)
			refused := map[int]error{}
			for _, one := range tooLong {
				refused[one.Index] = one
			}
			return done, refused, err
		}}
	}
	return list
}

// seenLately is how long what was seen of the fleet is told.
const seenLately = 3 * lookEvery * store.ReportEvery

// fleetMetrics tells of the store and the fleet, asked at each scrape.
type fleetMetrics struct {
	report                    *fleetReport
	up, silent, members, skew *prometheus.Desc
}

func (r *fleetReport) metrics() *fleetMetrics {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &fleetMetrics{
		report:  r,
		up:      desc("sluice_store_up", "Whether the policy store took the last report of this service."),
		silent:  desc("sluice_store_silent_seconds", "For how long the policy store has taken no report; 0 while it does."),
		members: desc("sluice_fleet_members", "Services that the policy store heard of lately."),
		skew:    desc("sluice_fleet_revision_skew", "Services of the fleet whose policies are not the newest."),
	}
}

// Describe implements prometheus.Collector.
func (m *fleetMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.up, m.silent, m.members, m.skew} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *fleetMetrics) Collect(to chan<- prometheus.Metric) {
	r := m.report
	r.mu.Lock()
	defer r.mu.Unlock()
	gauge := func(d *prometheus.Desc, value float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	since, lost := r.server.store.Silent()
	if !lost && !r.failed && !r.told.IsZero() {
		gauge(m.up, 1)
		gauge(m.silent, 0)
	} else {
		if !r.told.IsZero() {
			since = r.told
		} else if !lost {
			since = r.member.Started
		}
		gauge(m.up, 0)
		gauge(m.silent, max(0, time.Since(since).Seconds()))
	}
	if time.Since(r.looked) < seenLately {
		gauge(m.members, float64(len(r.fleet.Members)))
		gauge(m.skew, float64(r.fleet.Skewed))
	}
}
