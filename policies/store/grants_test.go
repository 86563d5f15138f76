package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluiceproject/sluice/rules"
)

// granted is a grant that was issued now, for an hour.
func granted(id, client, user string, change ...func(*rules.Grant)) *rules.Grant {
	now := time.Now().Truncate(time.Second)
	g := &rules.Grant{
		ID: id, Client: client, User: user, Direction: rules.Upload, Roots: []string{"/in"}, PathCount: 1,
		Issued: now, Expires: now.Add(time.Hour), Revision: "0123456789ab",
	}
	for _, c := range change {
		c(g)
	}
	return g
}

// register registers grants.
func register(t *testing.T, s *Store, list ...*rules.Grant) {
	t.Helper()
	records := make([]GrantRecord, len(list))
	for i, g := range list {
		records[i] = Record(g, "203.0.113.9")
	}
	if err := s.Register(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

// revoke takes grants back.
func revoke(t *testing.T, s *Store, q RevocationRequest) Revocation {
	t.Helper()
	r, err := s.Revoke(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// listed returns the ids and the states of grants that a query wants.
func listed(t *testing.T, s *Store, q GrantQuery) (list []string) {
	t.Helper()
	if err := s.Grants(t.Context(), q, func(g *GrantInfo) error {
		list = append(list, g.ID+" "+string(g.State))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestGrantsAreListed(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), Instance: "eu-1"})
	past := func(g *rules.Grant) { g.Expires = g.Issued }
	register(
		t, s, granted("a", "portal", "xfer"), granted("b", "portal", "faspex"), granted("old", "portal", "xfer", past),
		granted("c", "other client, with spaces * and >", "xfer"), granted("d", "", ""),
	)
	revoke(t, s, RevocationRequest{ID: "a"})
	revoke(t, s, RevocationRequest{User: "faspex"})
	for _, tc := range []struct {
		name  string
		query GrantQuery
		want  string
	}{
		{"all", GrantQuery{}, "a revoked, b revoked, old expired, c active, d active"},
		{"of a client", GrantQuery{Client: "portal"}, "a revoked, b revoked, old expired"},
		{"of a client with an odd name", GrantQuery{Client: "other client, with spaces * and >"}, "c active"},
		{"a name is no pattern", GrantQuery{Client: "*"}, ""},
		{"of a user", GrantQuery{User: "xfer"}, "a revoked, old expired, c active"},
		{"of both", GrantQuery{Client: "portal", User: "xfer"}, "a revoked, old expired"},
		{"by id", GrantQuery{ID: "c"}, "c active"},
		{"active", GrantQuery{State: GrantActive}, "c active, d active"},
		{"revoked", GrantQuery{State: GrantRevoked}, "a revoked, b revoked"},
		{"since then", GrantQuery{Since: time.Now().Add(-time.Minute)}, "a revoked, b revoked, old expired, c active, d active"},
		{"since later", GrantQuery{Since: time.Now().Add(time.Minute)}, ""},
		{"nobody", GrantQuery{User: "nobody"}, ""},
	} {
		got := listed(t, s, tc.query)
		if tc.name != "by id" { // They are registered at once, so their order is any.
			want := map[string]bool{}
			for each := range strings.SplitSeq(tc.want, ", ") {
				want[each] = each != ""
			}
			for _, each := range got {
				if !want[each] {
					t.Errorf("%s: %s is listed", tc.name, each)
				}
				delete(want, each)
			}
			delete(want, "")
			if len(want) > 0 {
				t.Errorf("%s: of %v, %v are not listed", tc.name, got, want)
			}
		} else if strings.Join(got, ", ") != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

// TestWhatIsRegistered is what was granted, and who asked for it where.
func TestWhatIsRegistered(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), Instance: "eu-1"})
	g := granted("a", "portal", "xfer", func(g *rules.Grant) {
		g.MaxSize, g.MaxFiles, g.Direction = 7, 9, rules.Download
		for i := range 20 {
			g.Paths = append(g.Paths, fmt.Sprintf("/p/%d/", i)+strings.Repeat("x", 1000))
		}
		g.PathCount = 20
	})
	register(t, s, g)
	got, err := s.Grant(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Paths) != shownPaths || len(got.Paths[0]) > maxGrantName {
		t.Errorf("%d paths, the first of %d bytes", len(got.Paths), len(got.Paths[0]))
	}
	got.Paths = nil
	want := GrantRecord{
		ID: "a", Client: "portal", User: "xfer", Direction: "download", Roots: []string{"/in"}, PathCount: 20,
		Issued: g.Issued.UTC(), Expires: g.Expires.UTC(), MaxSize: 7, MaxFiles: 9, Revision: "0123456789ab", Address: "203.0.113.9", Instance: "eu-1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := s.Grant(t.Context(), "b"); !errors.Is(err, ErrNoGrant) {
		t.Errorf("one that is not there: %v", err)
	}
}

// TestGrantsVanish: the engine is told when a record's time is over, and removes it
// then by itself.
func TestGrantsVanish(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	register(t, s, granted("a", "portal", "xfer"))
	stream, err := s.grantStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if life, err := time.ParseDuration(m.Header.Get("Nats-TTL")); err != nil || life < time.Hour || life > time.Hour+2*time.Minute {
		t.Errorf("a grant of an hour is kept for %s, %v", life, err)
	}
	text, _ := json.Marshal(Record(granted("b", "portal", "xfer"), ""))
	brief := &nats.Msg{Subject: s.subject("grants." + nameToken("portal") + "." + nameToken("xfer") + "." + nameToken("b")), Data: text}
	if _, err := s.js.PublishMsg(t.Context(), brief, jetstream.WithMsgTTL(time.Second)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the brief one is gone", func() bool {
		_, err := s.Grant(t.Context(), "b")
		return errors.Is(err, ErrNoGrant)
	})
	if got := listed(t, s, GrantQuery{}); len(got) != 1 || got[0] != "a active" {
		t.Errorf("%v are left", got)
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestManyGrantsAreListed: more than are asked for at once.
func TestManyGrantsAreListed(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	stream, err := s.grantStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(Record(granted("a", "portal", "xfer"), ""))
	const many = 2*readBatch + 7
	for i := range many {
		if err := s.conn.Publish(s.subject(fmt.Sprintf("grants.n.n.n%d", i)), text); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all of them are there", func() bool {
		info, err := stream.Info(t.Context())
		return err == nil && info.State.Msgs == many
	})
	if got := listed(t, s, GrantQuery{}); len(got) != many {
		t.Errorf("%d of %d are listed", len(got), many)
	}
	enough := errors.New("enough")
	n := 0
	if err := s.Grants(t.Context(), GrantQuery{}, func(*GrantInfo) error {
		if n++; n == 5 {
			return enough
		}
		return nil
	}); !errors.Is(err, enough) || n != 5 {
		t.Errorf("after %d it ended with %v", n, err)
	}
}

// TestGrantsThatAreNotRegistered is said.
func TestGrantsThatAreNotRegistered(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	for name, g := range map[string]*rules.Grant{
		"no id":      granted("", "portal", "xfer"),
		"a long id":  granted(strings.Repeat("x", maxGrantName+1), "portal", "xfer"),
		"a long one": granted("a", strings.Repeat("x", maxGrantName+1), "xfer"),
	} {
		if err := s.Register(t.Context(), []GrantRecord{Record(granted("ok", "c", "u"), ""), Record(g, "")}); err == nil {
			t.Errorf("%s is registered", name)
		}
	}
	away := open(t, Options{Servers: []string{"nats://127.0.0.1:1"}})
	if err := away.Register(t.Context(), []GrantRecord{Record(granted("a", "b", "c"), "")}); !errors.Is(err, ErrAway) {
		t.Errorf("without the engine: %v", err)
	}
	if err := away.Grants(t.Context(), GrantQuery{}, func(*GrantInfo) error { return nil }); !errors.Is(err, ErrAway) {
		t.Errorf("without the engine: %v", err)
	}
}

func FuzzGrantRecord(f *testing.F) {
	text, _ := json.Marshal(Record(granted("a", "portal", "xfer"), "203.0.113.9"))
	f.Add(text)
	f.Add([]byte(`{"id":"a","issued":"2026-01-01T00:00:00Z","expires":"9999-12-31T23:59:59+23:59","path_count":-1}`))
	f.Add([]byte(`{"id":7}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		g, err := parseGrantRecord(text)
		if err != nil {
			return
		}
		if !isGrantName(g.ID) || g.Expires.IsZero() {
			t.Fatalf("%+v", g)
		}
		again, err := json.Marshal(g)
		if err != nil { // Years that RFC 3339 cannot write are none.
			t.Fatal(err)
		}
		if other, err := parseGrantRecord(again); err != nil || !cmp.Equal(g, other, cmpopts.EquateEmpty()) {
			t.Fatalf("%+v became %+v, %v", g, other, err)
		}
	})
}
