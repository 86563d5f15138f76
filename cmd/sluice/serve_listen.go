package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/validator"
)

// listeners returns those that are open.
func (s *server) listeners() []*listening {
	list := []*listening{s.service, s.admin}
	if s.giving != nil && s.giving.own != nil {
		list = append(list, s.giving.own)
	}
	return list
}

// listen opens the listeners.
func (s *server) listen() error {
	connections := validator.NewConnections(s.limits.Connections, s.turnedAway.Inc, s.unread)
	var err error
	if s.sockets, err = inheritSockets(); err != nil {
		return err
	}
	service, err := s.openListener(socketService, s.config.listen, connections)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	admin, err := s.openListener(socketAdmin, s.config.admin, validator.NewConnections(maxAdmin, func() {}, func(net.Addr) {}))
	if err != nil {
		return errors.Join(fmt.Errorf("--admin: %w", err), service.close())
	}
	decoder := validator.Decoder{UploadIs: s.uploadDirection}
	shut := func() bool { return s.draining.Load() || connections.Crowded() }
	service.server.Handler = connections.Handler(s.withTokens(validator.New(validator.Options{
		Decider: s.decides, Decoder: decoder, Limits: s.limits, Close: shut,
		Now: time.Now, Log: s.log.Logger, Registerer: s.registry,
	}), shut))
	admin.server.Handler = validator.NewAdmin(validator.AdminOptions{
		Status: s.status, Policies: s.policyList, Reload: s.reloadPolicies, NotReady: s.tooOld, Fleet: s.fleetAdmin(),
		Explainer: validator.Explainer{Decoder: decoder, Limit: s.limits.Body, Now: time.Now, Decide: s.explain},
		Grants:    s.grantAdmin(),
		Degraded:  s.degraded, Draining: s.draining.Load, Log: s.log.Logger, Registry: s.registry,
	})
	s.service, s.admin = service, admin
	if err := errors.Join(s.listenTokens(), s.sockets.unused()); err != nil {
		return errors.Join(err, service.close(), admin.close())
	}
	return nil
}

// openListener serves a socket of systemd, or listens on an address.
func (s *server) openListener(name, address string, connections *validator.Connections) (*listening, error) {
	inner, err := s.sockets.bind(name, address)
	if err != nil {
		return nil, err
	}
	return open(inner, s.limits, connections, s.log.Logger)
}

// degraded tells what does not work beside the policies, a line each.
func (s *server) degraded() []string {
	return slices.Concat(s.pools.degraded(), s.giving.degraded(), s.journalDegraded(), s.sinksDegraded(), s.stateDegraded(), s.grantsDegraded(), s.storedDegraded())
}

// maxAdmin is how many connections the admin listener keeps open.
const maxAdmin = 256

// countConnections registers what the listeners turn away.
func (s *server) countConnections() {
	s.turnedAway = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sluice_connections_refused_total",
		Help: "Connections that were closed at once because limits.connections were open.",
	})
	unread := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sluice_connections_unread_total",
		Help: "Connections that ended before a whole request was read.",
	})
	s.registry.MustRegister(s.turnedAway, unread)
	s.unread = func(remote net.Addr) {
		unread.Inc()
		s.log.Warn("connection ended before a whole request was read", zap.Stringer("remote", remote))
	}
}
