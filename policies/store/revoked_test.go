package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
)

// watch follows revocations, and waits until all are known.
func watch(t *testing.T, s *Store, o WatchOptions) *Revocations {
	t.Helper()
	v, err := s.WatchRevocations(o)
	if err != nil {
		t.Fatal(err)
	}
	<-v.Loaded()
	return v
}

// isRevoked reports whether a grant is, without an error.
func isRevoked(t *testing.T, v *Revocations, g *rules.Grant) bool {
	t.Helper()
	revoked, err := v.Revoked(g)
	if err != nil {
		t.Fatal(err)
	}
	return revoked
}

func TestWhatIsRevoked(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	v := watch(t, s, WatchOptions{})
	if v.Any() {
		t.Error("there is something before anything is revoked")
	}
	issued := func(after time.Duration) func(*rules.Grant) {
		return func(g *rules.Grant) { g.Issued = g.Issued.Add(after) }
	}
	one := granted("one", "portal", "xfer")
	register(t, s, one)
	revoke(t, s, RevocationRequest{ID: "one", Skew: time.Minute})
	revoke(t, s, RevocationRequest{Client: "thief", Skew: time.Minute})
	revoke(t, s, RevocationRequest{User: "lion", Skew: time.Minute})
	eventually(t, "three are known", func() bool { return v.Len() == 3 })
	for _, tc := range []struct {
		name  string
		grant *rules.Grant
		want  bool
	}{
		{"the one", one, true},
		{"the one as if it was issued later", granted("one", "portal", "xfer", issued(time.Hour)), true},
		{"another one of the client", granted("two", "portal", "xfer"), false},
		{"a client's name is no id", granted("thief", "portal", "xfer"), false},
		{"an id is no client's name", granted("two", "one", "xfer"), false},
		{"of the client", granted("two", "thief", "xfer"), true},
		{"of the client, from a clock that is ahead", granted("two", "thief", "xfer", issued(59*time.Second)), true},
		{"of the client, issued later", granted("two", "thief", "xfer", issued(62*time.Second)), false},
		{"of the client, long ago", granted("two", "thief", "xfer", issued(-700*time.Hour)), true},
		{"of the user", granted("two", "portal", "lion"), true},
		{"of the user, issued later", granted("two", "portal", "lion", issued(62*time.Second)), false},
		{"a user's name is no client's", granted("two", "lion", "thief"), false},
	} {
		if got := isRevoked(t, v, tc.grant); got != tc.want {
			t.Errorf("%s: revoked is %t", tc.name, got)
		}
		if r, err := s.RevocationOf(t.Context(), tc.grant); err != nil || (r != nil) != tc.want {
			t.Errorf("%s: the engine says %+v, %v", tc.name, r, err)
		}
	}
}

func TestARevocationIsTold(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s := open(t, Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	g := granted("one", "portal", "xfer", func(g *rules.Grant) { g.Issued, g.Expires = now, now.Add(time.Hour) })
	register(t, s, g)
	var got []Revocation
	for _, q := range []RevocationRequest{
		{ID: "one", Reason: "a leak", By: "ann", Skew: time.Minute},
		{ID: "unknown", Unregistered: true, Skew: time.Minute},
		{Client: "portal", Skew: time.Minute},
		{User: "xfer"},
	} {
		got = append(got, revoke(t, s, q))
	}
	month := now.Add(rules.MaxLife)
	want := []Revocation{
		{ID: "one", Reason: "a leak", By: "ann", At: now, Until: now.Add(time.Hour + afterwards)},
		{ID: "unknown", At: now, Until: month.Add(time.Minute + afterwards)},
		{Client: "portal", At: now, Before: now.Add(time.Minute), Until: month.Add(time.Minute + afterwards)},
		{User: "xfer", At: now, Before: now, Until: month.Add(afterwards)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var kept []Revocation
	if err := s.ListRevocations(t.Context(), func(r *Revocation) error {
		kept = append(kept, *r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("(-want +kept)\n%s", diff)
	}
	stream, err := s.revokedStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if life := m.Header.Get("Nats-TTL"); life != "3h0m0s" {
		t.Errorf("the engine keeps the first one for %s", life)
	}
}

func TestWhatCannotBeRevoked(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	for name, q := range map[string]RevocationRequest{
		"nothing":             {Reason: "x"},
		"a client and a user": {Client: "a", User: "b"},
		"a long name":         {Client: strings.Repeat("x", maxGrantName+1)},
		"a line feed":         {User: "a\nb"},
		"a long reason":       {User: "a", Reason: strings.Repeat("x", maxReason+1)},
	} {
		var wrong *RequestError
		if _, err := s.Revoke(t.Context(), q); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Revoke(t.Context(), RevocationRequest{ID: "mistyped"}); !errors.Is(err, ErrNoGrant) {
		t.Errorf("an id that is not known: %v", err)
	}
	away := open(t, Options{Servers: []string{"nats://127.0.0.1:1"}})
	for _, q := range []RevocationRequest{{Client: "a"}, {ID: "a"}, {ID: "a", Unregistered: true}} {
		if _, err := away.Revoke(t.Context(), q); !errors.Is(err, ErrAway) {
			t.Errorf("without the engine: %v", err)
		}
	}
}

// TestTooManySingleRevocations leave room for those of clients and users.
func TestTooManySingleRevocations(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	stream, err := s.revokedStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.MaxMsgs = maxRevokedNames + 2
	if _, err := s.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	id := func(id string) RevocationRequest { return RevocationRequest{ID: id, Unregistered: true} }
	revoke(t, s, id("1"))
	revoke(t, s, id("2"))
	if _, err := s.Revoke(t.Context(), id("3")); !errors.Is(err, ErrRevokedFull) {
		t.Errorf("one more than possible: %v", err)
	}
	revoke(t, s, id("2"))
	revoke(t, s, RevocationRequest{Client: "portal"})
	config.MaxMsgs = 3
	if _, err := s.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Revoke(t.Context(), RevocationRequest{User: "xfer"}); !errors.Is(err, ErrRevokedFull) {
		t.Errorf("one more than there is room for: %v", err)
	}
	revoke(t, s, RevocationRequest{Client: "portal"})
}

// TestTheFurthestRevocationStays, whoever writes last.
func TestTheFurthestRevocationStays(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	var all sync.WaitGroup
	for _, skew := range []time.Duration{time.Hour, time.Minute, 0} {
		all.Go(func() {
			if _, err := s.Revoke(t.Context(), RevocationRequest{Client: "portal", Skew: skew}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if last := revoke(t, s, RevocationRequest{Client: "portal"}); last.Before.Sub(last.At) < 59*time.Minute {
		t.Errorf("what was issued in an hour would hold: %+v", last)
	}
}

// TestEveryReplicaKnowsWithinASecond, also one that was not there.
func TestEveryReplicaKnowsWithinASecond(t *testing.T) {
	const secret = "a secret of the fleet"
	first := open(t, Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Token: secret})
	elsewhere := Options{Servers: []string{"nats://" + first.Address().String()}, Token: secret}
	second := open(t, elsewhere)
	watches := []*Revocations{watch(t, first, WatchOptions{}), watch(t, second, WatchOptions{})}
	g := granted("one", "portal", "xfer")
	register(t, second, g)
	began := time.Now()
	revoke(t, second, RevocationRequest{ID: "one"})
	for _, v := range watches {
		eventually(t, "it is known", func() bool { return isRevoked(t, v, g) })
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
	if late := watch(t, open(t, elsewhere), WatchOptions{}); !isRevoked(t, late, g) {
		t.Error("one that comes later does not know of it")
	}
}

// fixedPort returns an address on which nobody listens.
func fixedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestTheWatchSurvivesTheEngine: it begins before there is one, and goes on when
// the engine was away.
func TestTheWatchSurvivesTheEngine(t *testing.T) {
	const secret = "a secret of the fleet"
	address, dir := fixedPort(t), t.TempDir()
	engine := Options{Dir: dir, Listen: address, Token: secret}
	v, err := open(t, Options{Servers: []string{"nats://" + address}, Token: secret}).WatchRevocations(WatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !v.Confirmed().IsZero() || v.Any() {
		t.Error("it knows something without an engine")
	}
	for i := range 3 {
		s, err := Open(t.Context(), engine)
		if err != nil {
			t.Fatal(err)
		}
		before := revoke(t, s, RevocationRequest{Client: fmt.Sprint("before ", i)})
		eventually(t, "it is known", func() bool {
			return isRevoked(t, v, granted("x", before.Client, "u", func(g *rules.Grant) { g.Issued = before.At }))
		})
		now := revoke(t, s, RevocationRequest{Client: fmt.Sprint("now ", i)})
		eventually(t, "the next one is known", func() bool {
			return isRevoked(t, v, granted("x", now.Client, "u", func(g *rules.Grant) { g.Issued = now.At }))
		})
		s.Close()
	}
	if v.Len() != 6 {
		t.Errorf("%d are known", v.Len())
	}
}

// TestWhatIsKnownOutlivesTheProcess without the engine.
func TestWhatIsKnownOutlivesTheProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "folder", "revoked.jsonl")
	g := granted("one", "portal", "xfer")
	s, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	v := watch(t, s, WatchOptions{File: file})
	revoke(t, s, RevocationRequest{ID: "one", Unregistered: true})
	revoke(t, s, RevocationRequest{User: "lion"})
	eventually(t, "both are known", func() bool { return v.Len() == 2 })
	s.Close()
	confirmed := v.Confirmed()

	away := Options{Servers: []string{"nats://127.0.0.1:1"}}
	for _, damage := range []func(){
		func() {},
		func() { // The last line is cut off by a crash, and rubbish is before it.
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text = append([]byte("rubbish\n"+strings.Repeat("x", 2*maxRecord)+"\n"), text...)
			if err := os.WriteFile(file, append(text, `{"id":"cut`...), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		damage()
		s := open(t, away)
		v, err := s.WatchRevocations(WatchOptions{File: file})
		if err != nil {
			t.Fatal(err)
		}
		if !isRevoked(t, v, g) || !isRevoked(t, v, granted("two", "portal", "lion", func(g *rules.Grant) { g.Issued = g.Issued.Add(-time.Minute) })) || v.Len() != 2 {
			t.Errorf("of two it knows %d", v.Len())
		}
		if got := v.Confirmed(); got.Before(confirmed.Add(-markEvery)) {
			t.Errorf("it was confirmed at %s, not at %s", got, confirmed)
		}
		s.Close()
	}
	late := open(t, Options{Servers: away.Servers, Now: func() time.Time { return time.Now().Add(rules.MaxLife + 3*time.Hour) }})
	if v, err := late.WatchRevocations(WatchOptions{File: file}); err != nil || v.Any() {
		t.Errorf("after a month it knows %d, %v", v.Len(), err)
	}
	if _, err := late.WatchRevocations(WatchOptions{File: filepath.Join(file, "below a file")}); err == nil {
		t.Error("a file that cannot be written is no error")
	}
}

// TestSilence: where there is a limit, nobody says that a grant holds after it.
func TestSilence(t *testing.T) {
	var ahead time.Duration
	var mu sync.Mutex
	o := Options{Servers: []string{"nats://127.0.0.1:1"}, Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(ahead)
	}}
	file := filepath.Join(t.TempDir(), "revoked.jsonl")
	if v, err := open(t, o).WatchRevocations(WatchOptions{}); err != nil || v.Any() {
		t.Errorf("there is no limit, and something may be said: %v", err)
	}
	never, err := open(t, o).WatchRevocations(WatchOptions{File: file, MaxSilence: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if revoked, err := never.Revoked(granted("a", "b", "c")); revoked || err == nil || !never.Any() {
		t.Errorf("never confirmed: %t, %v", revoked, err)
	}

	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Now: o.Now})
	if err != nil {
		t.Fatal(err)
	}
	v := watch(t, s, WatchOptions{File: file, MaxSilence: time.Minute})
	revoke(t, s, RevocationRequest{ID: "gone", Unregistered: true})
	eventually(t, "it is known", func() bool { return v.Len() == 1 })
	s.Close()
	for _, step := range []struct {
		ahead  time.Duration
		silent bool
	}{{0, false}, {50 * time.Second, false}, {2 * time.Minute, true}} {
		mu.Lock()
		ahead = step.ahead
		mu.Unlock()
		next, err := open(t, o).WatchRevocations(WatchOptions{File: file, MaxSilence: time.Minute + markEvery})
		if err != nil {
			t.Fatal(err)
		}
		for name, each := range map[string]*Revocations{"the process": v, "the one after it": next} {
			if revoked, err := each.Revoked(granted("a", "b", "c")); revoked || (err != nil) != step.silent {
				t.Errorf("%s after %s: %t, %v", name, step.ahead, revoked, err)
			}
			if revoked, err := each.Revoked(granted("gone", "b", "c")); !revoked || err != nil {
				t.Errorf("%s after %s, of one that is revoked: %t, %v", name, step.ahead, revoked, err)
			}
		}
	}
}

// TestRecordsThatCannotBeRead are told, and the others hold.
func TestRecordsThatCannotBeRead(t *testing.T) {
	var mu sync.Mutex
	var told []string
	s := open(t, Options{Dir: t.TempDir(), Told: func(h Happening) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, h.What+" "+h.Detail)
	}})
	v := watch(t, s, WatchOptions{})
	if _, err := s.js.Publish(t.Context(), s.subject("revoked.id.nonsense"), []byte("nonsense")); err != nil {
		t.Fatal(err)
	}
	revoke(t, s, RevocationRequest{Client: "portal"})
	eventually(t, "the sound one is known", func() bool { return v.Len() == 1 })
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 1 || told[0] != "odd sluice.revoked.id.nonsense" {
		t.Errorf("told: %q", told)
	}
}

// TestAnEngineThatLostAllForgetsNothingHere: the stream is another one, what is
// revoked there is known, and what was revoked stays so.
func TestAnEngineThatLostAllForgetsNothingHere(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	v := watch(t, s, WatchOptions{})
	revoke(t, s, RevocationRequest{Client: "a"})
	revoke(t, s, RevocationRequest{Client: "b"})
	eventually(t, "both are known", func() bool { return v.Len() == 2 })
	if err := s.js.DeleteStream(t.Context(), s.named("revoked")); err != nil {
		t.Fatal(err)
	}
	other := open(t, Options{Dir: s.o.Dir, Join: true})
	revoke(t, other, RevocationRequest{Client: "c"})
	eventually(t, "the new one is known", func() bool { return v.Len() == 3 })
}

// TestTables hold what lists of revocations say, whatever the order and however
// often it is said.
func TestTables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type said struct {
			kind, name    string
			before, until int64
		}
		names := rapid.SampledFrom([]string{"a", "b", "c"})
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) said {
			return said{
				rapid.SampledFrom([]string{revokedID, revokedClient, revokedUser}).Draw(t, "kind"), names.Draw(t, "name"),
				rapid.Int64Range(1, 20).Draw(t, "before"), rapid.Int64Range(1, 20).Draw(t, "until"),
			}
		}), 0, 20).Draw(t, "list")
		tables := newTables()
		for rest := list; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "at once")
			var batch []Revocation
			for _, each := range rest[:n] {
				r := Revocation{Until: time.Unix(each.until, 0)}
				switch each.kind {
				case revokedID:
					r.ID = each.name
				case revokedClient:
					r.Client, r.Before = each.name, time.Unix(each.before, 0)
				default:
					r.User, r.Before = each.name, time.Unix(each.before, 0)
				}
				batch = append(batch, r)
			}
			tables.add(batch)
			rest = rest[n:]
		}
		now := rapid.Int64Range(0, 21).Draw(t, "now")
		tables.forget(time.Unix(now, 0))
		id, client, user, issued := names.Draw(t, "id"), names.Draw(t, "client"), names.Draw(t, "user"), rapid.Int64Range(0, 21).Draw(t, "issued")
		until, before, known := map[string]int64{}, map[string]int64{}, 0
		for _, each := range list {
			key := each.kind + " " + each.name
			until[key], before[key] = max(until[key], each.until), max(before[key], each.before)
		}
		for _, at := range until {
			if at >= now {
				known++
			}
		}
		want := false
		for _, key := range []string{revokedID + " " + id, revokedClient + " " + client, revokedUser + " " + user} {
			want = want || until[key] >= max(now, 1) && (strings.HasPrefix(key, revokedID) || issued <= before[key])
		}
		if got := tables.has(id, client, user, time.Unix(issued, 0)); got != want || (tables.find(id, client, user, time.Unix(issued, 0)) != "") != want {
			t.Fatalf("revoked is %t, want %t", got, want)
		}
		if int(tables.count.Load()) != known || len(tables.all()) != known {
			t.Fatalf("%d are counted, %d are there, want %d", tables.count.Load(), len(tables.all()), known)
		}
	})
}

// full is as many revocations as there can be.
func full() *tables {
	list := make([]Revocation, 0, maxRevokedIDs+maxRevokedNames)
	until := time.Now().Add(time.Hour)
	for i := range maxRevokedIDs {
		list = append(list, Revocation{ID: fmt.Sprintf("0198c5a0-1111-7abc-8def-%012d", i), Until: until})
	}
	for i := range maxRevokedNames {
		list = append(list, Revocation{Client: fmt.Sprint("client ", i), Before: until, Until: until})
	}
	t := newTables()
	t.add(list)
	return t
}

// TestAskingAllocatesNothing, however much is revoked.
func TestAskingAllocatesNothing(t *testing.T) {
	v := &Revocations{s: &Store{o: Options{Now: time.Now}}, o: WatchOptions{MaxSilence: time.Hour}, known: full()}
	v.checked.Store(time.Now().UnixNano())
	for name, g := range map[string]*rules.Grant{
		"one that holds":   granted("0198c5a0-1111-7abc-8def-999999999999", "portal", "xfer"),
		"one that is gone": granted("0198c5a0-1111-7abc-8def-000000000007", "portal", "xfer"),
		"of a client":      granted("0198c5a0-1111-7abc-8def-999999999999", "client 7", "xfer"),
	} {
		if n := testing.AllocsPerRun(100, func() { _, _ = v.Revoked(g) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkRevoked(b *testing.B) {
	v := &Revocations{s: &Store{o: Options{Now: time.Now}}, known: full()}
	g := granted("0198c5a0-1111-7abc-8def-999999999999", "portal", "xfer")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = v.Revoked(g)
	}
}

// BenchmarkRevocation is one more where there are as many as there can be.
func BenchmarkRevocation(b *testing.B) {
	known := full()
	until := time.Now().Add(time.Hour)
	i := 0
	for b.Loop() {
		i++
		known.add([]Revocation{{ID: fmt.Sprint(i), Until: until}})
	}
}

func FuzzRevocation(f *testing.F) {
	now := time.Now().UTC()
	text, _ := json.Marshal(Revocation{ID: "a", Reason: "r", By: "b", At: now, Until: now})
	f.Add(text)
	text, _ = json.Marshal(Revocation{Client: "a", At: now, Before: now, Until: now})
	f.Add(text)
	f.Add([]byte(`{"id":"a","user":"b","until":"9999-12-31T23:59:59Z"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRevocation(text)
		if err != nil {
			return
		}
		known := newTables()
		known.add([]Revocation{r})
		if !known.has(r.ID, r.Client, r.User, later(r.Before, time.Unix(0, 0))) && !r.Before.Before(time.Unix(0, 0)) {
			t.Fatalf("%+v is taken over and revokes nothing", r)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if other, err := parseRevocation(again); err != nil || !cmp.Equal(r, other) {
			t.Fatalf("%+v became %+v, %v", r, other, err)
		}
	})
}

// TestTheStreamsBoundWhatTheyHold.
func TestTheStreamsBoundWhatTheyHold(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	for name, make := range map[string]func() (jetstream.Stream, error){
		"grants":  func() (jetstream.Stream, error) { return s.grantStream(t.Context()) },
		"revoked": func() (jetstream.Stream, error) { return s.revokedStream(t.Context()) },
	} {
		stream, err := make()
		if err != nil {
			t.Fatal(err)
		}
		c := stream.CachedInfo().Config
		if c.MaxMsgs <= 0 || c.MaxMsgsPerSubject != 1 || c.Discard != jetstream.DiscardNew || c.MaxMsgSize != maxRecord || !c.AllowMsgTTL || c.AllowDirect {
			t.Errorf("%s: %+v", name, c)
		}
	}
}
