package store

import (
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// tables are revocations in memory. They are read without a lock: whoever changes
// them puts a changed copy of a small part in the place of that part.
type tables struct {
	ids, clients, users table
	count               atomic.Int64
	mu                  sync.Mutex // for those who change them
}

func newTables() *tables {
	t := &tables{}
	for _, each := range []*table{&t.ids, &t.clients, &t.users} {
		each.seed = maphash.MakeSeed()
	}
	return t
}

// mark is what is known of a name. Times are in nanoseconds since 1970.
type mark struct {
	// before is up to which moment grants are taken back.
	before int64
	// until is when that can be forgotten.
	until int64
}

// everyTime is later than any grant.
const everyTime = 1<<63 - 1

// find returns the key of the revocation that a grant fell to, empty if there is
// none.
func (t *tables) find(id, client, user string, issued time.Time) string {
	at := nanos(issued)
	switch {
	case t.ids.has(id, at):
		return revokedID + " " + id
	case t.clients.has(client, at):
		return revokedClient + " " + client
	case t.users.has(user, at):
		return revokedUser + " " + user
	default:
		return ""
	}
}

// has reports the same of a grant, and allocates nothing.
func (t *tables) has(id, client, user string, issued time.Time) bool {
	at := nanos(issued)
	return t.ids.has(id, at) || t.clients.has(client, at) || t.users.has(user, at)
}

// add takes over revocations, and returns those that say something new. What is
// known already stays: no revocation ends before its time.
func (t *tables) add(list []Revocation) (fresh []Revocation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changes := map[*table]map[string]mark{&t.ids: {}, &t.clients: {}, &t.users: {}}
	for i := range list {
		r := &list[i]
		kind, name := r.named()
		to, m := t.of(kind), mark{everyTime, nanos(r.Until)}
		if kind != revokedID {
			m.before = nanos(r.Before)
		}
		known, ok := changes[to][name]
		if !ok {
			known = to.get(name)
		}
		both := mark{max(known.before, m.before), max(known.until, m.until)}
		if both != known {
			changes[to][name] = both
			fresh = append(fresh, *r)
		}
	}
	for to, changed := range changes {
		t.count.Add(int64(to.put(changed)))
	}
	return fresh
}

// nanos returns a time as a number that orders all times as they are: beyond the
// year 2262 it stays the same.
func nanos(t time.Time) int64 {
	switch {
	case t.Year() > 2261:
		return everyTime
	case t.Year() < 1970:
		return 0
	default:
		return t.UnixNano()
	}
}

// of returns the table of a kind.
func (t *tables) of(kind string) *table {
	switch kind {
	case revokedID:
		return &t.ids
	case revokedClient:
		return &t.clients
	default:
		return &t.users
	}
}

// forget removes what is over, and returns how many were.
func (t *tables) forget(now time.Time) (gone int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, from := range []*table{&t.ids, &t.clients, &t.users} {
		gone += from.forget(now.UnixNano())
	}
	t.count.Add(-int64(gone))
	return gone
}

// all returns what is known, without reasons.
func (t *tables) all() (list []Revocation) {
	for _, each := range []struct {
		kind string
		from *table
	}{{revokedID, &t.ids}, {revokedClient, &t.clients}, {revokedUser, &t.users}} {
		for name, m := range each.from.all() {
			r := Revocation{Until: time.Unix(0, m.until).UTC()}
			switch each.kind {
			case revokedID:
				r.ID = name
			case revokedClient:
				r.Client, r.Before = name, time.Unix(0, m.before).UTC()
			default:
				r.User, r.Before = name, time.Unix(0, m.before).UTC()
			}
			list = append(list, r)
		}
	}
	return list
}

// tableParts is in how many parts a table is: a change copies one.
const tableParts = 256

// table has the marks of one kind of names.
type table struct {
	seed  maphash.Seed
	parts [tableParts]atomic.Pointer[map[string]mark]
}

func (t *table) part(name string) int { return int(maphash.String(t.seed, name) % tableParts) }

// get returns the mark of a name; the zero value if it has none.
func (t *table) get(name string) mark {
	if part := t.parts[t.part(name)].Load(); part != nil {
		return (*part)[name]
	}
	return mark{}
}

// has reports whether what was issued at a time is taken back.
func (t *table) has(name string, issued int64) bool {
	m := t.get(name)
	return m.until != 0 && issued <= m.before
}

// put sets marks, and returns how many names are new.
func (t *table) put(changed map[string]mark) (added int) {
	var parts [tableParts]map[string]mark
	for name, m := range changed {
		i := t.part(name)
		if parts[i] == nil {
			parts[i] = map[string]mark{}
			if old := t.parts[i].Load(); old != nil {
				parts[i] = maps.Clone(*old)
			}
		}
		if _, known := parts[i][name]; !known {
			added++
		}
		parts[i][name] = m
	}
	for i := range parts {
		if parts[i] != nil {
			t.parts[i].Store(&parts[i])
		}
	}
	return added
}

func (t *table) forget(now int64) (gone int) {
	for i := range t.parts {
		old := t.parts[i].Load()
		if old == nil {
			continue
		}
		left := map[string]mark{}
		for name, m := range *old {
			if m.until >= now {
				left[name] = m
			}
		}
		if lost := len(*old) - len(left); lost > 0 {
			gone += lost
			t.parts[i].Store(&left)
		}
	}
	return gone
}

func (t *table) all() map[string]mark {
	all := map[string]mark{}
	for i := range t.parts {
		if part := t.parts[i].Load(); part != nil {
			maps.Copy(all, *part)
		}
	}
	return all
}
