package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// natsServer builds the nats-server of the tools' module, once for all tests.
func natsServer(t *testing.T) string {
	t.Helper()
	program := filepath.Join(filepath.Dir(binary), "nats-server")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	build := exec.Command("go", "build", "-modfile", ".ci/tools/go.mod", "-o", program, "github.com/nats-io/nats-server/v2")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building nats-server: %v\n%s", err, out)
	}
	return program
}

// cluster is three nats-server processes with JetStream.
type cluster struct {
	nodes []*node
	conn  *nats.Conn
	js    jetstream.JetStream
}

// node is one of them.
type node struct {
	peer
	address string
}

// die kills the server, and rise starts it again on what it had stored.
func (n *node) die(t *testing.T)  { t.Helper(); n.kill(t) }
func (n *node) rise(t *testing.T) { t.Helper(); n.begin(t) }

// startCluster starts the servers and waits until they have agreed on a leader.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	program, c := natsServer(t), &cluster{}
	ports := freePorts(t, 6)
	var routes, urls []string
	for _, port := range ports[3:] {
		routes = append(routes, "nats://127.0.0.1:"+port)
	}
	for i, port := range ports[:3] {
		dir := t.TempDir()
		n := &node{address: "127.0.0.1:" + port}
		n.name, n.log = program, filepath.Join(dir, "log")
		n.args = []string{"--config", filepath.Join(dir, "nats.conf")}
		put(t, n.args[1], fmt.Sprintf(`
server_name: n%d
listen: "%s"
ping_interval: "1s"
ping_max: 2
jetstream { store_dir: %q, sync_interval: always }
cluster { name: sluice, listen: "127.0.0.1:%s", no_advertise: true, routes: [%s] }
`, i+1, n.address, filepath.Join(dir, "data"), ports[3+i], strings.Join(routes, ", ")))
		n.begin(t)
		c.nodes = append(c.nodes, n)
		urls = append(urls, "nats://"+n.address)
	}
	var err error
	c.conn, err = nats.Connect(strings.Join(urls, ","), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectWait(100*time.Millisecond), nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.conn.Close)
	if c.js, err = jetstream.New(c.conn); err != nil {
		t.Fatal(err)
	}
	await(t, "the cluster has a leader", c.answers)
	return c
}

// answers reports whether the cluster can be asked.
func (c *cluster) answers() bool {
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	_, err := c.js.AccountInfo(ctx)
	return err == nil
}

// leader returns the server that leads a stream.
func (c *cluster) leader(t *testing.T, stream string) (leader *node) {
	t.Helper()
	await(t, "the stream "+stream+" has a leader", func() bool {
		ctx, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		s, err := c.js.Stream(ctx, stream)
		if err != nil || s.CachedInfo().Cluster == nil {
			return false
		}
		for i, n := range c.nodes {
			if s.CachedInfo().Cluster.Leader == fmt.Sprintf("n%d", i+1) {
				leader = n
			}
		}
		return leader != nil
	})
	return leader
}

// gates are ways to the servers for one replica: it can be cut off by them without
// a server noticing more than silence.
type gates []*gate

// throughGates returns a way to each server.
func (c *cluster) throughGates(t *testing.T) gates {
	t.Helper()
	var all gates
	for _, n := range c.nodes {
		all = append(all, openGate(t, n.address))
	}
	return all
}

// urls returns the addresses as a list of YAML.
func (g gates) urls() string {
	var list []string
	for _, one := range g {
		list = append(list, "nats://"+one.listener.Addr().String())
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// shut lets nothing through any more, in either direction: connections stay open,
// and new ones are taken and get no answer.
func (g gates) shut(shut bool) {
	for _, one := range g {
		one.mu.Lock()
		one.shut = shut
		if !shut {
			close(one.opens)
			one.opens = make(chan struct{})
		}
		one.mu.Unlock()
	}
}

// gate is a way to one server.
type gate struct {
	listener net.Listener
	to       string
	mu       sync.Mutex // guards what follows
	shut     bool
	opens    chan struct{}
}

func openGate(t *testing.T, to string) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: listener, to: to, opens: make(chan struct{})}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go g.pass(conn)
		}
	}()
	return g
}

func (g *gate) pass(client net.Conn) {
	server, err := net.Dial("tcp", g.to)
	if err != nil {
		client.Close()
		return
	}
	one := func(to, from net.Conn) {
		defer to.Close()
		defer from.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			g.wait()
			if n > 0 {
				if _, err := to.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	go one(client, server)
	one(server, client)
}

// wait returns when the gate is open.
func (g *gate) wait() {
	for {
		g.mu.Lock()
		shut, opens := g.shut, g.opens
		g.mu.Unlock()
		if !shut {
			return
		}
		<-opens
	}
}

// freePorts returns ports that nobody uses at the moment.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close() // All at once, so that none is given twice.
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		ports = append(ports, port)
	}
	return ports
}
