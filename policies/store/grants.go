package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluiceproject/sluice/rules"
)

// Bounds of what is known of grants.
const (
	// maxGrants is how many grants can hold at once. One more is not registered.
	maxGrants = 10_000_000
	// maxGrantName is the length of the longest id or name, in bytes; it is that of
	// grants themselves.
	maxGrantName = 256
	// maxRecord is the size of the largest record of a grant or a revocation, in
	// bytes.
	maxRecord = 64 << 10
	// afterwards is how long a record stays after the end of what it is about.
	// Clocks differ by less than that.
	afterwards = 2 * time.Hour
	// registering is how many grants of one call are registered at once.
	registering = 16
)

// ErrNoGrant says that no grant of an id is registered.
var ErrNoGrant = errors.New("no grant with this id is registered, or it has expired")

// GrantRecord is a grant that was given out.
type GrantRecord struct {
	// ID names the grant and its transfer, Client is who asked for it, User the
	// transfer account that may use it.
	ID     string `json:"id"`
	Client string `json:"client"`
	User   string `json:"user"`
	// Direction is upload or download.
	Direction string `json:"direction"`
	// Roots and Paths are the first of those of the grant, and PathCount is how many
	// paths were granted.
	Roots     []string `json:"roots,omitempty"`
	Paths     []string `json:"paths,omitempty"`
	PathCount int      `json:"path_count"`
	// Issued and Expires bound its life.
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
	// MaxSize is in bytes; 0 of it and of MaxFiles is no limit.
	MaxSize  int64 `json:"max_size,omitempty"`
	MaxFiles int   `json:"max_files,omitempty"`
	// Revision is that of the policy set that allowed it, Address where the request
	// came from, and Instance the service that gave it out.
	Revision string `json:"revision"`
	Address  string `json:"address,omitempty"`
	Instance string `json:"instance,omitempty"`
}

// shownPaths is how many folders and how many paths of a grant are registered.
const shownPaths = 8

// Record returns what is registered of a grant that was asked for from an address.
func Record(g *rules.Grant, address string) GrantRecord {
	first := func(list []string) (some []string) {
		for _, path := range list[:min(len(list), shownPaths)] {
			some = append(some, rules.Shorten(path, maxGrantName))
		}
		return some
	}
	return GrantRecord{
		ID: g.ID, Client: g.Client, User: g.User, Direction: g.Direction.String(),
		Roots: first(g.Roots), Paths: first(g.Paths), PathCount: g.PathCount,
		Issued: g.Issued.UTC(), Expires: g.Expires.UTC(), MaxSize: g.MaxSize, MaxFiles: g.MaxFiles,
		Revision: g.Revision, Address: address,
	}
}

// parseGrantRecord reads a record. Members that are not known are those of newer
// versions.
func parseGrantRecord(text []byte) (GrantRecord, error) {
	var g GrantRecord
	if len(text) > maxRecord {
		return g, fmt.Errorf("a record of a grant has more than %d bytes", maxRecord)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		return g, fmt.Errorf("a record of a grant: %w", err)
	}
	switch {
	case !isGrantName(g.ID), len(g.Client) > maxGrantName, len(g.User) > maxGrantName:
		return g, errors.New("a record of a grant has no id, or one or a name that is too long")
	case g.Issued.IsZero() || g.Expires.IsZero():
		return g, errors.New("a record of a grant lacks its times")
	default:
		return g, nil
	}
}

func isGrantName(name string) bool { return name != "" && len(name) <= maxGrantName }

// grantStream has the stream of grants: one message for each, under its client, its
// user and its id, which the engine removes when its time is over.
func (s *Store) grantStream(ctx context.Context) (jetstream.Stream, error) {
	return s.grants.get(ctx, func(ctx context.Context) (jetstream.Stream, error) {
		return s.recordStream(ctx, jetstream.StreamConfig{
			Name: s.named("grants"), Description: "Grants that were given out", Subjects: []string{s.subject("grants.>")},
			MaxMsgs: maxGrants, MaxAge: rules.MaxLife + 24*time.Hour,
		})
	})
}

// recordStream opens a stream of records that each have a subject and an end of
// their own. A command takes it as it is: it may not know how many servers are to
// keep it.
func (s *Store) recordStream(ctx context.Context, c jetstream.StreamConfig) (jetstream.Stream, error) {
	if s.o.Join {
		stream, err := s.js.Stream(ctx, c.Name)
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return stream, err
		}
	}
	c.Storage, c.Replicas = jetstream.FileStorage, s.o.Replicas
	c.MaxMsgsPerSubject, c.MaxMsgSize, c.Discard = 1, maxRecord, jetstream.DiscardNew
	c.AllowMsgTTL, c.DenyDelete = true, true // And no AllowDirect: what is read has to be the newest.
	return s.js.CreateOrUpdateStream(ctx, c)
}

// nameToken returns a name as a part of a subject.
func nameToken(name string) string {
	return "n" + base64.RawURLEncoding.EncodeToString([]byte(name))
}

// Register keeps what was given out, each until it expires. It returns when the
// engine has all of them, and else with an error, and some of them may be kept.
func (s *Store) Register(ctx context.Context, records []GrantRecord) error {
	ctx, stop := context.WithTimeout(ctx, callTime+time.Duration(len(records))*10*time.Millisecond)
	defer stop()
	if _, err := s.grantStream(ctx); err != nil {
		return err
	}
	var all sync.WaitGroup
	failed := make([]error, len(records))
	turns := make(chan struct{}, registering)
	for i := range records {
		turns <- struct{}{}
		all.Go(func() {
			failed[i] = s.register(ctx, &records[i])
			<-turns
		})
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return away("registering a grant", err)
		}
	}
	return nil
}

func (s *Store) register(ctx context.Context, g *GrantRecord) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := *g
	if r.Instance == "" {
		r.Instance = s.o.Instance
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := parseGrantRecord(text); err != nil {
		return err
	}
	life := max(r.Expires.Sub(s.o.Now()), 0) + time.Minute // Soon after its end somebody may want to know of it.
	m := &nats.Msg{Subject: s.subject("grants." + nameToken(r.Client) + "." + nameToken(r.User) + "." + nameToken(r.ID)), Data: text}
	_, err = s.js.PublishMsg(ctx, m, jetstream.WithMsgTTL(life.Round(time.Second)))
	return err
}

// grantFilter returns what the subjects of grants are like; an empty name stands
// for all.
func (s *Store) grantFilter(client, user, id string) string {
	subject := s.subject("grants")
	for _, name := range []string{client, user, id} {
		if name == "" {
			subject += ".*"
		} else {
			subject += "." + nameToken(name)
		}
	}
	return subject
}

// Grant returns the record of a grant. The error is ErrNoGrant if there is none.
func (s *Store) Grant(ctx context.Context, id string) (GrantRecord, error) {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	stream, err := s.grantStream(ctx)
	if err != nil {
		return GrantRecord{}, err
	}
	m, err := stream.GetLastMsgForSubject(ctx, s.grantFilter("", "", id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return GrantRecord{}, ErrNoGrant
	}
	if err != nil {
		return GrantRecord{}, away("looking for a grant", err)
	}
	return parseGrantRecord(m.Data)
}
