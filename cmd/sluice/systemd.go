package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// The names that sockets of systemd have (FileDescriptorName= of a socket unit).
const (
	socketService = "listen"
	socketAdmin   = "admin"
	socketTokens  = "tokens"
)

// sockets are what systemd listens on for this process: connections wait there
// while it restarts. See sd_listen_fds(3).
type sockets map[string]net.Listener

// inheritSockets takes over the sockets that systemd passes. The error says which
// of them is for nothing.
func inheritSockets() (sockets, error) {
	passed, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fmt.Errorf("the sockets that systemd passes: %w", err)
	}
	known := []string{socketService, socketAdmin, socketTokens}
	all := sockets{}
	for _, name := range slices.Sorted(maps.Keys(passed)) {
		if list := passed[name]; len(list) > 1 || list[0] == nil {
			return nil, fmt.Errorf("systemd passes something else than one stream socket that is named %q", name)
		}
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("systemd passes a socket that is named %q: write FileDescriptorName= into its unit, with one of %s", name, strings.Join(known, ", "))
		}
		all[name] = passed[name][0]
	}
	return all, nil
}

// bind returns the socket of a name, or listens on the address.
func (s sockets) bind(name, address string) (net.Listener, error) {
	if inherited := s[name]; inherited != nil {
		delete(s, name)
		return inherited, nil
	}
	return net.Listen("tcp", address)
}

// unused says which sockets are for a listener that is not configured: whoever
// connects to them would wait for ever.
func (s sockets) unused() error {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		return fmt.Errorf("systemd passes a socket that is named %q, and the configuration has no listener for it", name)
	}
	return nil
}

// tell tells systemd how the service is, if it is one of systemd's. See
// sd_notify(3).
func (s *server) tell(state ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(state, "\n")); err != nil {
		s.log.Warn("systemd cannot be told", zap.Error(err))
	}
}

// tellReady tells that the service answers, and under which revision.
func (s *server) tellReady() {
	s.tell(daemon.SdNotifyReady, "STATUS=policies "+s.live.Status().Snapshot.Revision+" in force")
}

// reloaded reloads the policies between telling systemd that this begins and that
// it is over, as Type=notify-reload wants it.
func (s *server) reloaded(reload func() error) {
	s.tell(daemon.SdNotifyReloading, daemon.SdNotifyMonotonicUsec())
	_ = reload() // Logged by policiesChanged.
	s.tellReady()
}

// watched tells systemd twice in the time of its watchdog that the service lives.
func (s *server) watched(ctx context.Context) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.log.Warn("the watchdog of systemd is not served", zap.Error(err))
	}
	if every <= 0 {
		return
	}
	ticker := time.NewTicker(max(every/2, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.live.Status() // Waits for whoever has the lock, and then nothing is told.
			s.tell(daemon.SdNotifyWatchdog)
		}
	}
}
