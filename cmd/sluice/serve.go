package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/validator"
	"github.com/sluiceproject/sluice/validator/journal"
)

// serveCmd is `sluice serve`.
type serveCmd struct {
	Config   string  `help:"Configuration file (YAML). The flags win over it." placeholder:"FILE"`
	Listen   *string `help:"Address on which Aspera servers post file events (127.0.0.1:8080)." placeholder:"ADDRESS"`
	Admin    *string `help:"Address of metrics, health and reload (127.0.0.1:9080)." placeholder:"ADDRESS"`
	Policies *string `help:"Folder of the policy set (policies)." placeholder:"DIR"`
	Default  string  `help:"What happens to events to which no policy applies: accept or reject (reject)." placeholder:"VERDICT" enum:",accept,reject" default:""`
}

// Help returns the long text of --help.
func (serveCmd) Help() string {
	return `Set validation_uri of the Aspera server to http://ADDRESS, with any path behind
it. The policies are read again when their files change, on SIGHUP, and on
POST /-/reload at the admin address; a set with mistakes changes nothing.

  sluice serve --policies policies/examples`
}

// settings returns the configuration with the flags over it.
func (c *serveCmd) settings() (config, error) {
	settings := defaultConfig()
	if c.Config != "" {
		var err error
		if settings, err = readConfig(c.Config); err != nil {
			return settings, err
		}
	}
	for _, f := range []struct {
		name     string
		from, to *string
	}{{"--listen", c.Listen, &settings.listen}, {"--admin", c.Admin, &settings.admin}, {"--policies", c.Policies, &settings.policies}} {
		if f.from != nil && *f.from == "" { // As of a variable that is not set; it would be any address.
			return settings, fmt.Errorf("%s is empty", f.name)
		}
		set(f.to, f.from)
	}
	if c.Policies != nil {
		settings.stored.set = false
	}
	if c.Default != "" {
		settings.acceptByDefault = c.Default == "accept"
	}
	return settings, nil
}

// Run serves until SIGTERM or SIGINT.
func (c *serveCmd) Run(ctx context.Context, std *stdio) error {
	settings, err := c.settings()
	if err != nil {
		return mistakes(std, err, 1)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// Caught from the first moment to the last: uncaught, SIGHUP ends the process
	// and with it the events in flight.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	s, err := newServer(settings, std)
	if err != nil {
		return mistakes(std, err, 1)
	}
	return s.run(ctx, hangup)
}

// server is a running `sluice serve`.
type server struct {
	config
	log      log
	live     *policies.Live
	pools    scannerSet
	giving   *tokenService    // nil where no tokens are given out
	recorder *journal.Journal // nil where decisions are not recorded
	sinks    sending
	store    *store.Store  // nil where nothing is shared
	mirror   *store.Mirror // nil where policies are from a folder
	shared   sharedState
	revoking revoking
	decides  validator.Decider
	registry *prometheus.Registry
	sockets  sockets
	service  *listening
	admin    *listening
	draining atomic.Bool

	turnedAway prometheus.Counter
	unread     func(net.Addr)
}

// newServer loads the policies and opens the listeners, so that whatever is wrong
// is said before anything is promised.
func newServer(settings config, std *stdio) (*server, error) {
	s := &server{config: settings, registry: prometheus.NewRegistry()}
	s.log = newLog(std.err)
	if err := s.open(); err != nil {
		s.closeJournal()
		s.closeState()
		s.log.flush()
		return nil, err
	}
	return s, nil
}

func (s *server) open() error {
	keys, err := s.openGrants(true)
	if err != nil {
		return err
	}
	if err := s.openState(); err != nil {
		return err
	}
	if err := s.openRevocations(keys); err != nil {
		return err
	}
	if s.giving, err = s.openTokens(keys); err != nil {
		return err
	}
	options, scanners, err := s.policyOptions(keys, s.shared)
	if err != nil {
		return err
	}
	if err = s.openPolicies(options); err != nil {
		return err
	}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	validator.RegisterPolicies(s.registry, s.status)
	s.pools = scanners
	validator.RegisterScanners(s.registry, scanners.stats)
	if err := s.openJournal(); err != nil {
		return err
	}
	s.decides = s.decider()
	s.countConnections()
	return s.listen()
}

// decider is what answers events: the policies, and around them what watches.
func (s *server) decider() validator.Decider {
	return validator.Logged(validator.Measured(s.recorded(validator.Guarded(s.revocable(s.fresh()))), s.registry, time.Now), s.log.lines)
}

// run serves until ctx is done or a listener fails, then says not ready, finishes
// what is in flight and returns. Whatever comes out of hangup reloads the policies.
func (s *server) run(ctx context.Context, hangup <-chan os.Signal) error {
	defer s.log.flush()
	defer s.closeState()
	defer s.startFleet()()
	defer s.startSinks()()
	defer s.closeJournal()
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	go s.reloadOnChange(watching)
	go s.reloadOnSignal(watching, hangup)
	go s.watched(watching)

	failed := make(chan error, 3)
	for _, l := range s.listeners() {
		go func() { failed <- l.serve() }()
	}
	s.log.Info("ready", zap.String("version", version), zap.String("listen", s.service.address()), zap.String("admin", s.admin.address()),
		zap.String("policies", s.policySource()), zap.String("default", s.defaultVerdict()))
	s.tokensReady()
	s.journalReady()
	s.tellReady()
	select {
	case err := <-failed:
		return errors.Join(err, s.drain())
	case <-ctx.Done():
	}
	return s.drain()
}

func (s *server) drain() error {
	s.draining.Store(true)
	s.tell(daemon.SdNotifyStopping)
	s.log.Info("shutting down", zap.Duration("delay", s.shutdownDelay), zap.Duration("timeout", s.shutdownTimeout))
	<-time.After(s.shutdownDelay)
	ctx, cancel := context.WithTimeout(context.Background(), s.shutdownTimeout)
	defer cancel()
	if s.giving != nil && s.giving.own != nil {
		if err := s.giving.own.shutdown(ctx); err != nil {
			s.log.Warn("some token requests were cut off", zap.Error(err))
		}
	}
	if err := s.service.shutdown(ctx); err != nil {
		s.log.Error("some events were cut off", zap.Error(err))
		_ = s.admin.shutdown(ctx)
		return fmt.Errorf("shutting down: %w", err)
	}
	if err := s.admin.shutdown(ctx); err != nil {
		s.log.Warn("some admin requests were cut off", zap.Error(err))
	}
	s.log.Info("stopped")
	return nil
}

func (s *server) reloadOnChange(ctx context.Context) {
	if s.mirror != nil {
		s.mirror.Follow()
		return
	}
	ticker := time.NewTicker(s.reloadInterval)
	defer ticker.Stop()
	s.live.Watch(ctx, ticker.C)
}

func (s *server) reloadOnSignal(ctx context.Context, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			s.reloaded(s.reloadPolicies)
		}
	}
}

func (s *server) defaultVerdict() string {
	if s.acceptByDefault {
		return "accept"
	}
	return "reject"
}
