package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/validator"
)

// listening is an open listener and the HTTP server for it.
type listening struct {
	listener net.Listener
	server   *http.Server
	waiting  func() int // Connections without a first request.
	closing  atomic.Bool
	ended    chan struct{} // Closed when no connection is accepted any more.
}

// open serves a listener; the caller sets the server's handler.
func open(inner net.Listener, limits validator.Limits, connections *validator.Connections, log *zap.Logger) (*listening, error) {
	errorLog, err := zap.NewStdLogAt(log.Named("http"), zap.WarnLevel)
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return &listening{
		listener: connections.Listen(inner), waiting: connections.Waiting, ended: make(chan struct{}),
		server: &http.Server{
			ReadHeaderTimeout: limits.HeaderTime, ReadTimeout: limits.ReadTime, IdleTimeout: limits.IdleTime,
			MaxHeaderBytes: limits.Header, ErrorLog: errorLog,
			ConnContext: connections.Context, ConnState: connections.State,
		},
	}, nil
}

func (l *listening) address() string { return l.listener.Addr().String() }

// secure makes the listener speak TLS, by files in PEM.
func (l *listening) secure(certFile, keyFile string) error {
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return err
	}
	l.server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	return nil
}

// serve returns nil once shutdown was called.
func (l *listening) serve() error {
	defer close(l.ended)
	serve := l.server.Serve
	if l.server.TLSConfig != nil {
		serve = func(inner net.Listener) error { return l.server.ServeTLS(inner, "", "") }
	}
	if err := serve(l.listener); !l.closing.Load() {
		return err
	}
	return nil
}

// firstRequest is how long a connection may wait at the end until its request comes.
const firstRequest = time.Second

// shutdown finishes what is in flight. From when the server is told it drops what
// comes first on a connection, so it is told when no connection is accepted any more
// and those that were have brought their requests.
func (l *listening) shutdown(ctx context.Context) error {
	l.closing.Store(true)
	_ = l.listener.Close()
	select {
	case <-l.ended:
	case <-ctx.Done():
	}
	for end := time.Now().Add(firstRequest); l.waiting() > 0 && time.Now().Before(end) && ctx.Err() == nil; {
		<-time.After(2 * time.Millisecond)
	}
	if err := l.server.Shutdown(ctx); err != nil {
		return errors.Join(err, l.server.Close())
	}
	return nil
}

func (l *listening) close() error { return l.listener.Close() }
