package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
)

// What a state directory has.
const (
	// engineLock says which process has the engine.
	engineLock = "engine.lock"
	// engineSocket is where that process lets others of the same user in.
	engineSocket = "engine.sock"
	// engineData is what the engine stores.
	engineData = "engine"
)

// maxMessage is the largest message of the embedded engine, in bytes. The largest
// are records of the decision log.
const maxMessage = 8 << 20

// embedded is the engine in this process.
type embedded struct {
	server *server.Server
	door   *door
	unlock func() error
}

// embed starts the engine. The error is ErrInUse if another process has it.
func embed(ctx context.Context, o *Options) (*embedded, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(o.Dir, engineLock))
	waiting, stop := context.WithTimeout(ctx, joinTime)
	defer stop()
	wait := lock.TryLock
	if !o.Join { // A command may have it for the moment.
		wait = func() (bool, error) { return lock.TryLockContext(waiting, 50*time.Millisecond) }
	}
	switch held, err := wait(); {
	case errors.Is(err, context.DeadlineExceeded), err == nil && !held:
		return nil, ErrInUse
	case err != nil:
		return nil, err
	}
	e := &embedded{unlock: lock.Unlock}
	if err := e.start(o); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *embedded) start(o *Options) error {
	settings, err := o.server()
	if err != nil {
		return err
	}
	if e.server, err = server.NewServer(settings); err != nil {
		return fmt.Errorf("starting the engine: %w", err)
	}
	e.server.SetLoggerV2(&engineLog{told: o.Told}, false, false, false)
	e.server.Start()
	if !e.server.ReadyForConnections(startTime) {
		return fmt.Errorf("starting the engine: it was not ready after %s", startTime)
	}
	if !e.server.JetStreamEnabled() {
		return errors.New("starting the engine: it cannot use its folder; its messages say why")
	}
	e.door, err = openDoor(filepath.Join(o.Dir, engineSocket), e.server.InProcessConn)
	return err
}

// server returns the settings of the embedded engine. What is acknowledged is on
// disk before: without SyncAlways a power cut takes up to two minutes of records.
func (o *Options) server() (*server.Options, error) {
	s := &server.Options{
		ServerName: "sluice", DontListen: true, NoSigs: true, NoSystemAccount: false,
		JetStream: true, StoreDir: filepath.Join(o.Dir, engineData), SyncAlways: true,
		JetStreamMaxStore: o.MaxBytes, JetStreamMaxMemory: 64 << 20,
		MaxPayload: maxMessage, MaxConn: 256, PingInterval: time.Second, MaxPingsOut: 2,
		Authorization: o.Token,
	}
	if o.Listen == "" {
		return s, nil
	}
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", o.Listen, err)
	}
	if s.Port, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("listening on %s: %q is not the number of a port", o.Listen, port)
	}
	if s.Port == 0 {
		s.Port = server.RANDOM_PORT
	}
	s.Host, s.DontListen = host, false
	if o.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, err
		}
		s.TLS = true
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	return s, nil
}

// InProcessConn connects to the engine. The nats package names it.
func (e *embedded) InProcessConn() (net.Conn, error) { return e.server.InProcessConn() }

// close ends the engine and lets others have its folder.
func (e *embedded) close() {
	if e.door != nil {
		e.door.close()
	}
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
	_ = e.unlock() // The end of the process would, too.
}

// engineLog passes on what the engine complains of. It writes far more than an
// operator wants to read.
type engineLog struct{ told func(Happening) }

func (engineLog) Noticef(string, ...any) {}
func (engineLog) Debugf(string, ...any)  {}
func (engineLog) Tracef(string, ...any)  {}

func (l engineLog) Warnf(format string, args ...any) {
	l.told(Happening{What: Engine, Detail: fmt.Sprintf(format, args...)})
}

func (l engineLog) Errorf(format string, args ...any) {
	l.told(Happening{What: Engine, Err: fmt.Errorf(format, args...)})
}

func (l engineLog) Fatalf(format string, args ...any) { l.Errorf(format, args...) }
