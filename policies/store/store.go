package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Store is a connection to the engine, and the engine itself where it is embedded.
// It is safe for concurrent use.
type Store struct {
	o      Options
	engine *embedded // nil where it is elsewhere or in another process
	conn   *nats.Conn
	js     jetstream.JetStream
	// silent is since when there is no connection, in nanoseconds; 0 if there is.
	silent atomic.Int64

	revisions lazy[jetstream.Stream]
	files     lazy[jetstream.Stream]
	kept      kept
	young     young

	grants, revoked lazy[jetstream.Stream]

	decisions lazy[jetstream.Stream]
	fleet     lazy[jetstream.KeyValue]
	fleetLife time.Duration // 0 is reportLife; tests have less

	// running ends with Close, which waits for tasks.
	running context.Context
	stop    context.CancelFunc
	tasks   sync.WaitGroup
}

// Open starts the embedded engine, or joins it, or begins to connect to one
// elsewhere: that it is not there is no error, and calls say ErrAway until it is.
func Open(ctx context.Context, o Options) (*Store, error) {
	o.fill()
	s := &Store{o: o}
	s.running, s.stop = context.WithCancel(context.Background())
	if o.Dir == "" {
		return s, s.connect(nil)
	}
	if err := s.openDir(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("the state directory %s: %w", o.Dir, err)
	}
	return s, nil
}

func (s *Store) openDir(ctx context.Context) (err error) {
	if s.o.Join {
		return s.join(ctx)
	}
	if s.engine, err = embed(ctx, &s.o); err != nil {
		return err
	}
	return s.connect(s.engine)
}

// join uses the engine of the process that has the folder, or has it itself. A
// process that has the lock and no socket is starting or stopping.
func (s *Store) join(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, joinTime)
	defer stop()
	socket := knock(filepath.Join(s.o.Dir, engineSocket))
	for {
		if conn, err := socket.InProcessConn(); err == nil {
			_ = conn.Close()
			return s.connect(socket)
		}
		var err error
		if s.engine, err = embed(ctx, &s.o); !errors.Is(err, ErrInUse) {
			if err != nil {
				return err
			}
			return s.connect(s.engine)
		}
		select {
		case <-ctx.Done():
			return ErrInUse
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// connect connects to an engine of this machine, or with nil to the servers.
func (s *Store) connect(local nats.InProcessConnProvider) error {
	options := []nats.Option{
		nats.Name("sluice " + s.o.Instance), nats.Timeout(2 * time.Second),
		nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2), nats.FlusherTimeout(time.Second),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.ReconnectBufSize(-1), // What cannot be sent now is an error now.
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { s.lost(err) }),
		nats.ConnectHandler(func(*nats.Conn) { s.found() }),
		nats.ReconnectHandler(func(*nats.Conn) { s.found() }),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // The default writes to standard error.
	}
	servers := s.o.Servers
	if local != nil {
		options = append(options, nats.InProcessServer(local))
		servers = nil
	} else {
		options = append(options, s.o.secured()...)
	}
	if s.o.Token != "" {
		options = append(options, nats.Token(s.o.Token))
	}
	s.silent.Store(s.o.Now().UnixNano())
	conn, err := nats.Connect(joinURLs(servers), options...)
	if err != nil {
		return fmt.Errorf("connecting to the engine: %w", err)
	}
	if conn.IsConnected() {
		s.silent.Store(0)
	}
	s.conn = conn
	s.js, err = jetstream.New(conn, jetstream.WithDefaultTimeout(callTime))
	return err
}

// Close ends the connection, and the engine if it is embedded.
func (s *Store) Close() {
	s.stop()
	if s.conn != nil {
		s.conn.Close()
	}
	s.tasks.Wait()
	if s.engine != nil {
		s.engine.close()
	}
}

// start runs a task until Close.
func (s *Store) start(task func(context.Context)) {
	s.tasks.Go(func() { task(s.running) })
}

// Silent returns since when there has been no connection to the engine, or false if
// there is one.
func (s *Store) Silent() (since time.Time, silent bool) {
	at := s.silent.Load()
	return time.Unix(0, at), at != 0
}

// Embedded reports whether the engine runs in this process.
func (s *Store) Embedded() bool { return s.engine != nil }

// Address returns where the embedded engine listens on TCP, or nil.
func (s *Store) Address() net.Addr {
	if s.engine == nil || s.o.Listen == "" {
		return nil
	}
	return s.engine.server.Addr()
}

func (s *Store) lost(err error) {
	if s.conn != nil && s.conn.IsClosed() { // By Close.
		return
	}
	s.silent.CompareAndSwap(0, s.o.Now().UnixNano())
	s.o.Told(Happening{What: Lost, Err: err})
}

func (s *Store) found() {
	if s.silent.Swap(0) != 0 {
		s.o.Told(Happening{What: Found})
	}
}

// named returns the name of something that is stored.
func (s *Store) named(what string) string { return s.o.Prefix + "_" + what }

// subject returns the subject of something that is stored.
func (s *Store) subject(what string) string { return s.o.Prefix + "." + what }

// away gives an error of the engine's the form in which callers see it.
func away(doing string, err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{
		nats.ErrTimeout, nats.ErrNoResponders, nats.ErrConnectionClosed, nats.ErrDisconnected, nats.ErrNoServers, nats.ErrReconnectBufExceeded,
		nats.ErrConnectionReconnecting, nats.ErrStaleConnection,
		jetstream.ErrNoStreamResponse, jetstream.ErrJetStreamNotEnabled, context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w (%w)", doing, ErrAway, err)
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// lazy is something of the engine's that is made when it is first wanted, because
// the engine may not be there when the process starts.
type lazy[T any] struct {
	mu   sync.Mutex
	made bool
	it   T
}

// get returns it, making it if that has not worked yet.
func (l *lazy[T]) get(ctx context.Context, make func(context.Context) (T, error)) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made {
		return l.it, nil
	}
	ctx, stop := context.WithTimeout(ctx, setUpTime)
	defer stop()
	it, err := make(ctx)
	if err != nil {
		var none T
		return none, away("setting up the policy store", err)
	}
	l.it, l.made = it, true
	return it, nil
}
