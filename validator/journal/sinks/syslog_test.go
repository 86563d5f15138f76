package sinks

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/validator/journal"
)

// message is a syslog message as a receiver reads it.
type message struct {
	priority                     int
	time                         time.Time
	host, app, process, id, text string
	data                         map[string]string // nil for none
	dataID                       string
}

// readMessage reads a message by the grammar of RFC 5424, on its own.
func readMessage(text string) (m message, err error) {
	take := func(until byte, most int) string {
		at := strings.IndexByte(text, until)
		if at < 1 || at > most {
			err = errors.Join(err, fmt.Errorf("no part of 1 to %d bytes before %q in %.80q", most, until, text))
			at = max(at, 0)
		}
		part := text[:at]
		text = text[min(at+1, len(text)):]
		for _, c := range []byte(part) {
			if c < 33 || c > 126 {
				err = errors.Join(err, fmt.Errorf("%q is not visible ASCII", part))
			}
		}
		return part
	}
	if !strings.HasPrefix(text, "<") {
		return m, errors.New("no priority")
	}
	text = text[1:]
	if m.priority, _ = strconv.Atoi(take('>', 3)); m.priority > 191 {
		return m, fmt.Errorf("priority %d", m.priority)
	}
	if version := take(' ', 3); version != "1" {
		return m, fmt.Errorf("version %q", version)
	}
	if stamp := take(' ', 32); stamp != "-" {
		var wrong error
		m.time, wrong = time.Parse(time.RFC3339Nano, stamp)
		err = errors.Join(err, wrong)
	}
	m.host, m.app, m.process, m.id = take(' ', 255), take(' ', 48), take(' ', 128), take(' ', 32)
	if err != nil {
		return m, err
	}
	if rest, none := strings.CutPrefix(text, "-"); none {
		text = rest
	} else if text, err = m.readData(text); err != nil {
		return m, err
	}
	rest, ok := strings.CutPrefix(text, " ")
	if !ok {
		return m, fmt.Errorf("no blank before the text in %.40q", text)
	}
	m.text = rest
	return m, nil
}

// readData reads one element of structured data.
func (m *message) readData(text string) (rest string, err error) {
	m.data = map[string]string{}
	id := strings.IndexAny(text, ` =]"`)
	if !strings.HasPrefix(text, "[") || id < 2 || id > 33 {
		return "", fmt.Errorf("no id of data in %.40q", text)
	}
	m.dataID, text = text[1:id], text[id:]
	for strings.HasPrefix(text, " ") {
		name, after, ok := strings.Cut(text[1:], `="`)
		if !ok || name == "" || strings.ContainsAny(name, ` =]"`) {
			return "", fmt.Errorf("no parameter in %.40q", text)
		}
		var value strings.Builder
		i := 0
		for ; i < len(after) && after[i] != '"'; i++ {
			if after[i] == ']' {
				return "", fmt.Errorf("a bare bracket in %.40q", after)
			}
			if after[i] == '\\' && i+1 < len(after) && strings.IndexByte(`"\]`, after[i+1]) >= 0 {
				i++
			}
			value.WriteByte(after[i])
		}
		if i == len(after) {
			return "", fmt.Errorf("no end of a value in %.40q", after)
		}
		if !utf8.ValidString(value.String()) {
			return "", fmt.Errorf("%q is no UTF-8", value.String())
		}
		m.data[name] = value.String()
		text = after[i+1:]
	}
	rest, ok := strings.CutPrefix(text, "]")
	if !ok {
		return "", fmt.Errorf("no end of the data in %.40q", text)
	}
	return rest, nil
}

// TestSyslogMessages are those of RFC 5424.
func TestSyslogMessages(t *testing.T) {
	reject := record(3)
	local0 := syslogHeader{facility: 16, host: "here", app: "sluice"}
	with := func(change func(*syslogHeader)) syslogHeader {
		h := local0
		change(&h)
		return h
	}
	for _, row := range []struct {
		name   string
		header syslogHeader
		record journal.Record
		want   string
	}{
		{"an acceptance", local0, record(1), `<134>1 2026-03-01T12:00:01.123456Z hst-1 sluice - accept - {}`},
		{"a refusal", local0, reject, `<132>1 2026-03-01T12:00:03.123456Z hst-1 sluice - reject - {}`},
		{"by phase", with(func(h *syslogHeader) { h.byPhase = true }), reject, `<132>1 2026-03-01T12:00:03.123456Z hst-1 sluice - start - {}`},
		{"another facility", with(func(h *syslogHeader) { h.facility, h.app = 13, "gate" }), record(1), `<110>1 2026-03-01T12:00:01.123456Z hst-1 gate - accept - {}`},
		{
			"with data", with(func(h *syslogHeader) { h.dataID = "sluice@32473" }), reject,
			`<132>1 2026-03-01T12:00:03.123456Z hst-1 sluice - reject [sluice@32473 seq="3" id="id-3" policy="ingest" rule="video-only" code="2001"] {}`,
		},
		{"decisions were lost", local0, journal.Record{Note: "lost", Time: began}, `<131>1 2026-03-01T12:00:00.123456Z here sluice - lost - {}`},
		{"a service begins", local0, journal.Record{Note: "opened", Time: began}, `<134>1 2026-03-01T12:00:00.123456Z here sluice - opened - {}`},
	} {
		if row.record.Note == "" {
			row.record.Sequence = 3
		}
		got := string(row.header.appendMessage(nil, &item{entry{record: row.record}, []byte("{}")}))
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
	}
}

// FuzzSyslog: whatever a record says, a receiver reads from the message what went in.
func FuzzSyslog(f *testing.F) {
	f.Add("id", "ingest", "video only", "2001", "hst-1", "sluice", "reject", "sluice@32473", `{"a":1}`, int64(0))
	f.Add(`a"b`, `]`, `\`, `\"]`, "a host", "", "", "", "\ufeff{}", int64(253402300800))
	f.Add("\xff\xc3", "ü", "日本", "\x00", strings.Repeat("ä", 300), strings.Repeat("x", 60), "a b\nc", "x@1.2", "\n", int64(-1))
	f.Fuzz(func(t *testing.T, id, policy, rule, code, instance, app, verdict, dataID, text string, at int64) {
		if !validDataID(dataID) {
			dataID = ""
		}
		h := syslogHeader{facility: 23, app: app, dataID: dataID}
		r := journal.Record{Sequence: 9, ID: id, Policy: policy, Rule: rule, Code: code, Instance: instance, Verdict: verdict, Time: time.Unix(at, 0)}
		frame := string(h.appendFrame(nil, &item{entry{record: r}, []byte(text)}))
		length, body, ok := strings.Cut(frame, " ")
		if n, err := strconv.Atoi(length); !ok || err != nil || n != len(body) {
			t.Fatalf("%q is not the length of %q", length, body)
		}
		m, err := readMessage(body)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if m.text != text {
			t.Errorf("the text is %q, want %q", m.text, text)
		}
		if !m.time.IsZero() && !m.time.Equal(r.Time) {
			t.Errorf("the time is %s, want %s", m.time, r.Time)
		}
		if dataID == "" {
			return
		}
		for name, want := range map[string]string{"id": id, "policy": policy, "rule": rule, "code": code} {
			if got := m.data[name]; got != strings.ToValidUTF8(want, "\ufffd") && got != string([]rune(want)) {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	})
}

// collector is a stand-in for a syslog receiver. It reads frames of octets counted.
type collector struct {
	listener net.Listener
	mu       sync.Mutex
	got      []uint64
	came     chan uint64
	conns    map[net.Conn]bool
	// mischief is called for each frame; false has the connection cut.
	mischief func(seq uint64) bool
	group    sync.WaitGroup
}

// collect starts a receiver for as long as the test takes.
func collect(t *testing.T, secure *tls.Config, mischief func(uint64) bool) *collector {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return collectAt(t, l, secure, mischief)
}

func collectAt(t *testing.T, l net.Listener, secure *tls.Config, mischief func(uint64) bool) *collector {
	t.Helper()
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	c := &collector{listener: l, came: make(chan uint64, 100_000), conns: map[net.Conn]bool{}, mischief: mischief}
	c.group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.conns[conn] = true
			c.mu.Unlock()
			c.group.Go(func() { c.serve(conn) })
		}
	})
	t.Cleanup(c.stop)
	return c
}

// stop ends the receiver and every connection.
func (c *collector) stop() {
	_ = c.listener.Close()
	c.mu.Lock()
	for conn := range c.conns {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.group.Wait()
}

func (c *collector) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		length, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil {
			return
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		m, err := readMessage(string(body))
		if err != nil {
			panic(err)
		}
		seq, _, ok := readHead([]byte(m.text))
		if !ok {
			panic(m.text)
		}
		if c.mischief != nil && !c.mischief(seq) {
			return
		}
		c.mu.Lock()
		c.got = append(c.got, seq)
		c.mu.Unlock()
		c.came <- seq
	}
}

// until waits for a record and returns all that came so far.
func (c *collector) until(t *testing.T, seq uint64) []uint64 {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case got := <-c.came:
			if got == seq {
				c.mu.Lock()
				defer c.mu.Unlock()
				return slices.Clone(c.got)
			}
		case <-late:
			t.Fatal("record", seq, "does not come")
		}
	}
}

// inOrder checks that nothing is missing up to a record, and that what comes again
// comes with all behind it.
func inOrder(t *testing.T, got []uint64, last uint64) {
	t.Helper()
	next := uint64(1)
	for _, seq := range got {
		if seq > next {
			t.Fatalf("record %d comes before record %d: %v", seq, next, got)
		}
		next = seq + 1
	}
	if diff := cmp.Diff(numbers(1, last), unique(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func syslogSink(c *collector) Sink {
	return Sink{Name: "siem", BatchRecords: 7, Syslog: &Syslog{Address: "tcp://" + c.listener.Addr().String(), DataID: "sluice@32473"}}
}

// TestSyslogThatIsThere gets every record once, in order, also after a restart in
// order.
func TestSyslogThatIsThere(t *testing.T) {
	l := newLogbook(t.TempDir())
	c := collect(t, nil, nil)
	for range 3 {
		l.write(t, 50)
		last := l.next - 1
		_, end := running(t, Options{Dir: l.dir, Sinks: []Sink{syslogSink(c)}})
		got := c.until(t, last)
		end()
		if diff := cmp.Diff(numbers(1, last), got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

// TestSyslogThatIsCut gets nothing less, and what was not safe again.
func TestSyslogThatIsCut(t *testing.T) {
	l := newLogbook(t.TempDir())
	l.write(t, 100)
	var seen atomic.Int64
	c := collect(t, nil, func(uint64) bool {
		n := seen.Add(1)
		return n != 37 && n != 74 && n != 111
	})
	var log told
	s, end := running(t, Options{Dir: l.dir, Sinks: []Sink{syslogSink(c)}, Told: log.tell})
	inOrder(t, c.until(t, 100), 100)
	if s.Stats()[0].Failures == 0 || len(log.of("failing")) == 0 {
		t.Error("no failure is counted and told")
	}
	end()
}

// TestSyslogThatWasAway gets what came meanwhile; what it had not held long enough
// comes again.
func TestSyslogThatWasAway(t *testing.T) {
	l := newLogbook(t.TempDir())
	l.write(t, 10)
	c := collect(t, nil, nil)
	sink := syslogSink(c)
	s, end := running(t, Options{Dir: l.dir, Sinks: []Sink{sink}})
	c.until(t, 10)
	c.stop()
	l.write(t, 10)
	for s.Stats()[0].FailingSince.IsZero() {
		if t.Context().Err() != nil {
			t.Fatal("no failure is noticed")
		}
	}
	again, err := net.Listen("tcp", c.listener.Addr().String())
	must(t, err)
	back := collectAt(t, again, nil, nil)
	if diff := cmp.Diff(numbers(1, 20), back.until(t, 20)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	end()
}

// TestSyslogAfterAKill: what was not safe when the process ended comes again.
func TestSyslogAfterAKill(t *testing.T) {
	l := newLogbook(t.TempDir())
	l.write(t, 10)
	now := newClock()
	c := collect(t, nil, nil)
	s, err := Open(Options{Dir: l.dir, Sinks: []Sink{syslogSink(c)}, Now: now.Now, pause: shortPause})
	must(t, err)
	p := s.pumps[0]
	if !p.begin() {
		t.Fatal("it does not begin")
	}
	send := func() {
		for p.round(t.Context()) {
		}
		p.settled()
		p.save()
	}
	send()
	c.until(t, 10)
	if p.position != nil || s.Hold() != 1 {
		t.Errorf("%v counts as sent, and %d is needed", p.position, s.Hold())
	}
	now.move(settleSyslog)
	l.write(t, 5)
	send()
	c.until(t, 15)
	if p.position.last().seq != 10 || s.Hold() != 11 {
		t.Errorf("%v counts as sent, and %d is needed", p.position, s.Hold())
	}
	p.dest.(*syslogOut).hangUp() // As the end of the process does.
	p.follow.close()
	_, end := running(t, Options{Dir: l.dir, Sinks: []Sink{syslogSink(c)}})
	if diff := cmp.Diff(append(numbers(1, 15), numbers(11, 15)...), c.until(t, 15)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	end()
}

// TestSyslogThatDoesNotRead keeps nobody waiting at the end.
func TestSyslogThatDoesNotRead(t *testing.T) {
	l := newLogbook(t.TempDir())
	l.write(t, 10)
	r := record(11)
	r.Message = strings.Repeat("x", 1<<20)
	for range 12 { // More than buffers take.
		l.append(t, l.line(t, r))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	accepted := make(chan net.Conn)
	go func() {
		conn, _ := listener.Accept()
		accepted <- conn
	}()
	s, err := Open(Options{Dir: l.dir, Sinks: []Sink{{Name: "siem", BatchBytes: 16 << 20, Syslog: &Syslog{Address: "tcp://" + listener.Addr().String()}}}, Now: time.Now})
	must(t, err)
	s.Start()
	conn := <-accepted
	defer conn.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Close(ctx)
	if got := s.Hold(); got != 1 {
		t.Errorf("record %d is needed, want 1", got)
	}
}

// authority makes a certificate for this machine, and the file of what vouches for it.
func authority(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		written(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// TestSyslogOverTLS verifies whom it sends to.
func TestSyslogOverTLS(t *testing.T) {
	pair, ca := authority(t)
	l := newLogbook(t.TempDir())
	l.write(t, 20)
	c := collect(t, &tls.Config{Certificates: []tls.Certificate{pair}}, nil)
	address := "tls://" + c.listener.Addr().String()
	var log told
	_, end := running(t, Options{Dir: l.dir, Told: log.tell, Sinks: []Sink{
		{Name: "siem", Syslog: &Syslog{Address: address, CAFile: ca}},
		{Name: "other", Syslog: &Syslog{Address: address}},
	}})
	got := c.until(t, 20)
	for len(log.of("failing")) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("nothing is told")
		}
	}
	end()
	if diff := cmp.Diff(numbers(1, 20), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text := log.of("failing")[0]; !strings.Contains(text, "certificate") {
		t.Error(text)
	}
	if p, err := readPosition(l.dir, "siem"); err != nil || p.last().seq != 20 {
		t.Errorf("the position is %v (%v), want 20", p, err)
	}
}

// TestMistakesInSyslog are found before anything is sent.
func TestMistakesInSyslog(t *testing.T) {
	for _, row := range []struct {
		name   string
		syslog Syslog
		want   string
	}{
		{"no scheme", Syslog{Address: "siem:514"}, "this is neither tcp://host:port nor tls://host:port"},
		{"UDP", Syslog{Address: "udp://siem:514"}, "this is neither tcp://host:port nor tls://host:port"},
		{"no port", Syslog{Address: "tcp://siem"}, "this is neither tcp://host:port nor tls://host:port"},
		{"a path", Syslog{Address: "tcp://siem:514/x"}, "only a host and a port belong behind tcp:// or tls://"},
		{"a facility", Syslog{Address: "tcp://siem:514", Facility: "local9"}, `there is no facility "local9"`},
		{"data", Syslog{Address: "tcp://siem:514", DataID: "sluice"}, `"sluice" is no id of structured data: a name, @ and an enterprise number, such as sluice@32473, up to 32 characters`},
		{"no authority", Syslog{Address: "tls://siem:6514", CAFile: "/nowhere"}, "reading the CA file: open /nowhere: no such file or directory"},
	} {
		_, err := Open(Options{Dir: t.TempDir(), Now: time.Now, Sinks: []Sink{{Name: "siem", Syslog: &row.syslog}}})
		if err == nil || err.Error() != "the sink siem: "+row.want {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
