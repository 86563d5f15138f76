package validator_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/validator"
)

// bench is an Authenticator whose hashes cost nothing and are counted, with a
// clock that stands still.
type bench struct {
	*validator.Authenticator
	set atomic.Pointer[validator.ClientSet]
	now atomic.Int64

	mu     sync.Mutex
	hashed []string // what was hashed with, in the order in which it was
	// hold, if there is one, is what hashing waits for.
	hold chan struct{}
	// at work, in threads and KiB, and the most of each.
	hashes, lanes, memory             int64
	mostHashes, mostLanes, mostMemory int64
}

func newBench(opts validator.AuthOptions, clients ...*validator.Client) *bench {
	b := &bench{}
	opts.Clients, opts.Now = b.set.Load, func() time.Time { return time.Unix(0, b.now.Load()) }
	opts.Hashers = validator.Hashers{
		Argon2id: func(password, salt []byte, passes, memory uint32, lanes uint8, length uint32) []byte {
			defer b.work(written(memory, passes, lanes, salt), int64(lanes), int64(memory))()
			return fakeSum(password, salt)[:length]
		},
		Bcrypt: func(hash, password []byte) error {
			defer b.work(string(hash), 1, 0)()
			if !bytes.HasSuffix(hash, fakeBcrypt(password)) {
				return errors.New("another password")
			}
			return nil
		},
	}
	b.Authenticator = validator.NewAuthenticator(opts)
	b.load(clients...)
	return b
}

// load puts other clients into force.
func (b *bench) load(clients ...*validator.Client) {
	set, err := validator.NewClientSet(clients)
	if err != nil {
		panic(err)
	}
	b.set.Store(set)
}

// work notes that a hash is at work until its end is called.
func (b *bench) work(with string, lanes, memory int64) (end func()) {
	b.mu.Lock()
	b.hashed = append(b.hashed, with)
	b.hashes, b.lanes, b.memory = b.hashes+1, b.lanes+lanes, b.memory+memory
	b.mostHashes, b.mostLanes, b.mostMemory = max(b.mostHashes, b.hashes), max(b.mostLanes, b.lanes), max(b.mostMemory, b.memory)
	hold := b.hold
	b.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.hashes, b.lanes, b.memory = b.hashes-1, b.lanes-lanes, b.memory-memory
	}
}

// took returns what was hashed with since it was asked last.
func (b *bench) took() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	hashed := b.hashed
	b.hashed = nil
	return hashed
}

// says is what becomes of one request, in a word or two.
func (b *bench) says(name, password, address string) string {
	return said(b.Authenticate(context.Background(), name, password, address))
}

func said(client *validator.Client, err error) string {
	var often *validator.TooManyFailures
	switch {
	case err == nil:
		return client.Name
	case client != nil:
		return "a client and an error"
	case errors.Is(err, validator.ErrCredentials):
		return "refused"
	case errors.As(err, &often):
		return "too many, for " + often.RetryAfter.String()
	case errors.Is(err, validator.ErrBusy):
		return "busy"
	case errors.Is(err, context.Canceled):
		return "gone"
	}
	return err.Error()
}

func (b *bench) pass(d time.Duration) { b.now.Add(int64(d)) }

func fakeSum(password, salt []byte) []byte {
	sum := sha256.Sum256(append(append([]byte{}, salt...), password...))
	return sum[:]
}

func fakeBcrypt(password []byte) []byte {
	sum := sha256.Sum256(password)
	return []byte(strings.NewReplacer("+", ".", "=", ".").Replace(base64.StdEncoding.EncodeToString(sum[:]))[:31])
}

// by returns a client whose password is hashed by argon2id of some memory in KiB
// and lanes.
func by(name, password string, memory uint32, lanes uint8) *validator.Client {
	salt := []byte("salt of " + name)
	return &validator.Client{Name: name, PasswordHash: written(memory, 3, lanes, salt) + base64.RawStdEncoding.EncodeToString(fakeSum([]byte(password), salt))}
}

// byBcrypt returns a client whose password is hashed by bcrypt.
func byBcrypt(name, password string) *validator.Client {
	return &validator.Client{Name: name, PasswordHash: "$2y$12$JqV3bBhbqbC4iYrO0L9V0." + string(fakeBcrypt([]byte(password)))}
}

func TestAuthenticate(t *testing.T) {
	b := newBench(validator.AuthOptions{}, by("portal", "s3cret", 65536, 4), byBcrypt("archive", "geheim"))
	for i, tc := range []struct {
		name, user, password string
		want                 string
		hashes               int
	}{
		{"argon2id, right", "portal", "s3cret", "portal", 1},
		{"argon2id, again", "portal", "s3cret", "portal", 0},
		{"bcrypt, right", "archive", "geheim", "archive", 1},
		{"bcrypt, again", "archive", "geheim", "archive", 0},
		{"wrong", "portal", "S3cret", "refused", 1},
		{"wrong, again", "portal", "S3cret", "refused", 1},
		{"another's", "portal", "geheim", "refused", 1},
		{"empty", "portal", "", "refused", 1},
		{"an unknown name", "Portal", "s3cret", "refused", 1},
		{"bcrypt, longer than it knows", "archive", strings.Repeat("x", 73), "refused", 1},
		{"the longest password", "portal", strings.Repeat("x", 1024), "refused", 1},
		{"longer than any password", "portal", strings.Repeat("x", 1025), "refused", 0},
		{"longer than any name", strings.Repeat("n", 65), "s3cret", "refused", 0},
		{"a name that is not UTF-8", "port\xe4l", "s3cret", "refused", 0},
		{"a password that nobody can send", "portal", "s3cret\x00s3cret", "refused", 0},
	} {
		got := b.says(tc.user, tc.password, fmt.Sprintf("192.0.2.%d", i))
		if hashes := len(b.took()); got != tc.want || hashes != tc.hashes {
			t.Errorf("%s: %s after %d hashes, want %s after %d", tc.name, got, hashes, tc.want, tc.hashes)
		}
	}
	b.set.Store(nil)
	if got := b.says("portal", "s3cret", ""); got != "refused" || len(b.took()) != 0 {
		t.Errorf("without clients: %s", got)
	}
}

// TestUnknownNamesCostWhatWrongPasswordsCost: the same functions are called as
// often, with the parameters of one of the clients, which stays the same.
func TestUnknownNamesCostWhatWrongPasswordsCost(t *testing.T) {
	clients := []*validator.Client{by("a", "1", 65536, 4), by("b", "2", 1<<20, 1), byBcrypt("c", "3"), by("d", "4", 8, 1)}
	for _, password := range []string{"", "x", "1", "2", "3", "4", strings.Repeat("y", 73)} {
		b := newBench(validator.AuthOptions{}, clients...)
		chosen := map[string]int{}
		var texts []string
		for i := range 400 {
			name, address := fmt.Sprintf("unknown-%d", i), fmt.Sprintf("10.0.%d.%d", i/100, i%100)
			_, err := b.Authenticate(context.Background(), name, password, address)
			texts = append(texts, fmt.Sprint(err))
			hashed := b.took()
			if len(hashed) != 1 {
				t.Fatalf("an unknown name is hashed %d times", len(hashed))
			}
			chosen[hashed[0]]++
			_ = b.says(name, "another", address)
			if again := b.took(); len(again) != 1 || again[0] != hashed[0] {
				t.Fatalf("%s is hashed by %s, then by %s", name, hashed, again)
			}
		}
		for _, client := range clients {
			_, err := b.Authenticate(context.Background(), client.Name, password+"wrong", "192.0.2.1")
			texts = append(texts, fmt.Sprint(err))
			hashed := b.took()
			if len(hashed) != 1 {
				t.Fatalf("a wrong password is hashed %d times", len(hashed))
			}
			if n := chosen[hashed[0]]; n < 40 || n > 200 {
				t.Fatalf("the hash of %s stands in for %d of 400 names: %v", client.Name, n, chosen)
			}
			delete(chosen, hashed[0])
		}
		for _, text := range texts {
			if text != texts[0] {
				t.Fatalf("%q and %q", texts[0], text)
			}
		}
		if len(chosen) != 0 {
			t.Fatalf("hashes of nobody: %v", chosen)
		}
	}
}

// TestWhoIsRemovedIsUnknown although its password was remembered, and another
// client has the same hash.
func TestWhoIsRemovedIsUnknown(t *testing.T) {
	portal := by("portal", "s3cret", 65536, 4)
	twin := &validator.Client{Name: "twin", PasswordHash: portal.PasswordHash}
	b := newBench(validator.AuthOptions{}, portal, twin)
	steps := []string{b.says("portal", "s3cret", "192.0.2.1")}
	b.load(twin)
	steps = append(steps, b.says("portal", "s3cret", "192.0.2.1"))
	b.load(portal, twin)
	steps = append(steps, b.says("portal", "s3cret", "192.0.2.1"))
	if diff := cmp.Diff([]string{"portal", "refused", "portal"}, steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRemembered(t *testing.T) {
	first, second := by("portal", "first", 65536, 4), by("portal", "second", 65536, 4)
	b := newBench(validator.AuthOptions{}, first)
	for _, step := range []struct {
		name     string
		before   func()
		password string
		want     string
		hashes   int
	}{
		{"the first time", func() {}, "first", "portal", 1},
		{"just before five minutes", func() { b.pass(5*time.Minute - 1) }, "first", "portal", 0},
		{"after five minutes", func() { b.pass(1) }, "first", "portal", 1},
		{"the hash is another", func() { b.load(second) }, "first", "refused", 1},
		{"with the new password", func() {}, "second", "portal", 1},
		{"and again", func() {}, "second", "portal", 0},
		{"what else the client may do is another", func() {
			more := *second
			more.MaxLife = time.Hour
			b.load(&more)
		}, "second", "portal", 0},
	} {
		step.before()
		got := b.says("portal", step.password, "192.0.2.1")
		if hashes := len(b.took()); got != step.want || hashes != step.hashes {
			t.Errorf("%s: %s after %d hashes, want %s after %d", step.name, got, hashes, step.want, step.hashes)
		}
	}
	if client, err := b.Authenticate(t.Context(), "portal", "second", ""); err != nil || client.MaxLife != time.Hour {
		t.Errorf("the client is not the one in force: %v, %v", client, err)
	}
}

func TestRememberedAreBounded(t *testing.T) {
	var clients []*validator.Client
	for i := range 4097 {
		clients = append(clients, by(fmt.Sprintf("client-%d", i), "x", 8, 1))
	}
	b := newBench(validator.AuthOptions{}, clients...)
	for _, client := range clients {
		if got := b.says(client.Name, "x", "192.0.2.1"); got != client.Name {
			t.Fatal(got)
		}
	}
	b.took()
	for _, tc := range []struct{ client, hashes int }{{1, 0}, {4096, 0}, {0, 1}} {
		if b.says(clients[tc.client].Name, "x", "192.0.2.1"); len(b.took()) != tc.hashes {
			t.Errorf("client %d: it is not the oldest that goes", tc.client)
		}
	}
}

// TestRequestsWithOnePasswordWaitForOneVerification, right or wrong, wherever
// they come from.
func TestRequestsWithOnePasswordWaitForOneVerification(t *testing.T) {
	for password, want := range map[string]string{"s3cret": "portal", "wrong": "refused"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(validator.AuthOptions{}, by("portal", "s3cret", 65536, 4))
			b.hold = make(chan struct{})
			var all sync.WaitGroup
			for i := range 200 {
				all.Go(func() {
					if got := b.says("portal", password, fmt.Sprintf("192.0.2.%d", i)); got != want {
						t.Errorf("%s: %s", password, got)
					}
				})
			}
			synctest.Wait()
			close(b.hold)
			all.Wait()
			if hashes := len(b.took()); hashes != 1 {
				t.Errorf("%s: %d hashes", password, hashes)
			}
		})
	}
}

// TestWhoLeadsMayGo: if the request that hashes for others is given up while it
// waits, one of the others takes its place.
func TestWhoLeadsMayGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		threads := runtime.GOMAXPROCS(0)
		b := newBench(validator.AuthOptions{}, by("portal", "s3cret", 2048, uint8(min(255, threads))), by("other", "x", 2048, uint8(min(255, threads))))
		b.hold = make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() { _ = b.says("other", "x", "192.0.2.1") })
		synctest.Wait() // It has all threads.
		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() {
			if got := said(b.Authenticate(ctx, "portal", "s3cret", "192.0.2.1")); got != "gone" {
				t.Error(got)
			}
		})
		synctest.Wait()
		leaves, leave := context.WithCancel(t.Context())
		all.Go(func() {
			if got := said(b.Authenticate(leaves, "portal", "s3cret", "192.0.2.2")); got != "gone" {
				t.Error(got)
			}
		})
		for range 3 {
			all.Go(func() {
				if got := b.says("portal", "s3cret", "192.0.2.1"); got != "portal" {
					t.Error(got)
				}
			})
		}
		synctest.Wait()
		leave()
		cancel()
		synctest.Wait()
		close(b.hold)
		all.Wait()
		if hashes := len(b.took()); hashes != 2 {
			t.Errorf("%d hashes", hashes)
		}
	})
}

func TestHashingIsBounded(t *testing.T) {
	threads := int64(runtime.GOMAXPROCS(0))
	for _, tc := range []struct {
		name                string
		memory              uint32
		lanes               uint8
		hashes, lanesAtOnce int64
	}{
		{"one lane", 8, 1, threads, threads},
		{"as many lanes as threads", 8 * uint32(threads), uint8(min(255, threads)), 1, threads},
		{"1 GiB", 1 << 20, 1, min(threads, 2), min(threads, 2)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(validator.AuthOptions{Queue: 7, AddressFailures: 1000, Failures: 1000}, by("portal", "s3cret", tc.memory, tc.lanes))
				b.hold = make(chan struct{})
				results := make(chan string, 100)
				for i := range cap(results) {
					go func() { results <- b.says("portal", fmt.Sprint("wrong ", i), "192.0.2.1") }()
				}
				synctest.Wait()
				close(b.hold)
				got := map[string]int{}
				for range cap(results) {
					got[<-results]++
				}
				if diff := cmp.Diff(map[string]int{"refused": int(threads) + 7, "busy": 100 - int(threads) - 7}, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if b.mostHashes != tc.hashes || b.mostLanes != tc.lanesAtOnce || b.mostMemory > 2<<20 {
					t.Errorf("%d hashes, %d lanes, %d KiB at once; want %d, %d", b.mostHashes, b.mostLanes, b.mostMemory, tc.hashes, tc.lanesAtOnce)
				}
				if got := b.says("portal", "s3cret", "192.0.2.1"); got != "portal" {
					t.Errorf("afterwards: %s", got)
				}
			})
		})
	}
}

func TestFailures(t *testing.T) {
	type step struct {
		after                time.Duration
		user, password, from string
		times                int
		want                 string
	}
	const right, wrong = "s3cret", "x"
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"the tenth is the last in a minute", []step{
			{0, "portal", wrong, "192.0.2.1:4711", 10, "refused"},
			{0, "portal", wrong, "192.0.2.1:4712", 1, "too many, for 1m0s"},
			{0, "portal", right, "192.0.2.1:4713", 1, "too many, for 1m0s"},
			{59 * time.Second, "portal", right, "192.0.2.1", 1, "too many, for 1s"},
			{time.Second, "portal", right, "192.0.2.1", 1, "portal"},
		}},
		{"an unknown name is shut out alike", []step{
			{0, "nobody", wrong, "192.0.2.1", 10, "refused"},
			{0, "nobody", wrong, "192.0.2.1", 1, "too many, for 1m0s"},
		}},
		{"the minute begins with the failure that was too many", []step{
			{0, "portal", wrong, "192.0.2.1", 9, "refused"},
			{59 * time.Second, "portal", wrong, "192.0.2.1", 1, "refused"},
			{time.Second, "portal", right, "192.0.2.1", 1, "too many, for 59s"},
		}},
		{"nine in a minute are forgotten", []step{
			{0, "portal", wrong, "192.0.2.1", 9, "refused"},
			{time.Minute, "portal", wrong, "192.0.2.1", 9, "refused"},
			{time.Minute, "portal", wrong, "192.0.2.1", 10, "refused"},
			{0, "portal", wrong, "192.0.2.1", 1, "too many, for 1m0s"},
		}},
		{"the right password begins anew", []step{
			{0, "portal", wrong, "192.0.2.1", 9, "refused"},
			{0, "portal", right, "192.0.2.1", 1, "portal"},
			{0, "portal", wrong, "192.0.2.1", 9, "refused"},
			{0, "portal", right, "192.0.2.1", 1, "portal"},
			{0, "portal", wrong, "192.0.2.1", 6, "refused"},
			{0, "portal", right, "192.0.2.1", 1, "portal"},
		}},
		{"but not for the address", []step{
			{0, "portal", wrong, "192.0.2.1", 9, "refused"},
			{0, "portal", right, "192.0.2.1", 1, "portal"},
			{0, "portal", wrong, "192.0.2.1", 9, "refused"},
			{0, "portal", right, "192.0.2.1", 1, "portal"},
			{0, "archive", wrong, "192.0.2.1", 7, "refused"},
			{0, "portal", right, "192.0.2.1", 1, "too many, for 1m0s"},
			{0, "portal", right, "192.0.2.2", 1, "portal"},
		}},
		{"strangers elsewhere shut nobody out", []step{
			{0, "portal", wrong, "192.0.2.1", 10, "refused"},
			{0, "portal", wrong, "192.0.2.2", 10, "refused"},
			{0, "portal", wrong, "192.0.2.3", 10, "refused"},
			{0, "portal", right, "192.0.2.4", 1, "portal"},
		}},
		{"another client at the address goes on", []step{
			{0, "portal", wrong, "192.0.2.1", 10, "refused"},
			{0, "portal", wrong, "192.0.2.1", 1000, "too many, for 1m0s"},
			{0, "archive", "geheim", "192.0.2.1", 1, "archive"},
		}},
		{"names are guessed no faster than passwords", []step{
			{0, "a", wrong, "192.0.2.1", 9, "refused"},
			{0, "b", wrong, "192.0.2.1", 9, "refused"},
			{0, "c", wrong, "192.0.2.1", 7, "refused"},
			{0, "d", wrong, "192.0.2.1", 1, "too many, for 1m0s"},
			{0, "archive", "geheim", "192.0.2.1", 1, "too many, for 1m0s"},
		}},
		{"an IPv6 address is its /64", []step{
			{0, "portal", wrong, "[2001:db8::1]:4711", 5, "refused"},
			{0, "portal", wrong, "2001:db8::ffff:2", 5, "refused"},
			{0, "portal", right, "2001:db8::3%eth0", 1, "too many, for 1m0s"},
			{0, "portal", right, "2001:db8:0:1::1", 1, "portal"},
		}},
		{"an IPv4 address in IPv6 is itself", []step{
			{0, "portal", wrong, "::ffff:192.0.2.1", 5, "refused"},
			{0, "portal", wrong, "[::ffff:192.0.2.1]:1", 5, "refused"},
			{0, "portal", right, "192.0.2.1", 1, "too many, for 1m0s"},
			{0, "portal", right, "::ffff:192.0.2.2", 1, "portal"},
		}},
		{"what is no address counts as one", []step{
			{0, "portal", wrong, "", 5, "refused"},
			{0, "portal", wrong, "@", 5, "refused"},
			{0, "portal", right, "/run/x.sock", 1, "too many, for 1m0s"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(validator.AuthOptions{AddressFailures: 25}, by("portal", right, 65536, 4), byBcrypt("archive", "geheim"))
			for i, step := range tc.steps {
				b.pass(step.after)
				for n := range step.times {
					if got := b.says(step.user, step.password, step.from); got != step.want {
						t.Fatalf("step %d, time %d: %s, want %s", i+1, n+1, got, step.want)
					}
				}
			}
		})
	}
}

func TestTooManyFailuresInWords(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		1: "authentication failed too often; try again in 1 s", time.Second: "authentication failed too often; try again in 1 s",
		time.Second + 1: "authentication failed too often; try again in 2 s", time.Minute: "authentication failed too often; try again in 60 s",
	} {
		if got := (&validator.TooManyFailures{RetryAfter: wait}).Error(); got != want {
			t.Errorf("%s: %s", wait, got)
		}
	}
}

// TestFailuresAreBounded: with 10,000 addresses that have failed, the one that
// failed first is forgotten.
func TestFailuresAreBounded(t *testing.T) {
	b := newBench(validator.AuthOptions{Failures: 1, AddressFailures: 1}, by("portal", "s3cret", 8, 1))
	address := func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, i%250) }
	for i := range 10_001 {
		if got := b.says("portal", "x", address(i)); got != "refused" {
			t.Fatalf("%d: %s", i, got)
		}
	}
	for _, tc := range []struct {
		address int
		want    string
	}{{1, "too many, for 1m0s"}, {10_000, "too many, for 1m0s"}, {0, "portal"}} {
		if got := b.says("portal", "s3cret", address(tc.address)); got != tc.want {
			t.Errorf("address %d: %s, want %s", tc.address, got, tc.want)
		}
	}
}

// TestGuessesAtOnceAreCountedBeforehand: sending guesses at the same time gains
// nothing.
func TestGuessesAtOnceAreCountedBeforehand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(validator.AuthOptions{Queue: 1000}, by("portal", "s3cret", 8, 1))
		b.hold = make(chan struct{})
		results := make(chan string, 100)
		for i := range cap(results) {
			go func() { results <- b.says("portal", fmt.Sprint("guess ", i), "192.0.2.1") }()
		}
		synctest.Wait()
		close(b.hold)
		got := map[string]int{}
		for range cap(results) {
			got[<-results]++
		}
		if diff := cmp.Diff(map[string]int{"refused": 10, "too many, for 1s": 90}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if hashes := len(b.took()); hashes != 10 {
			t.Errorf("%d hashes", hashes)
		}
	})
}

// TestFailuresAreCountedAsDescribed holds random requests against a description
// of the limits that keeps every failure.
func TestFailuresAreCountedAsDescribed(t *testing.T) {
	type tally struct {
		failed int
		until  time.Duration
	}
	outcomes := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		perPair, perAddress := rapid.IntRange(1, 4).Draw(t, "pair"), rapid.IntRange(1, 8).Draw(t, "address")
		b := newBench(validator.AuthOptions{Failures: perPair, AddressFailures: perAddress}, by("a", "right", 8, 1), byBcrypt("b", "right"))
		tallies, now := map[string]*tally{}, time.Duration(0)
		of := func(key string) *tally {
			if tallies[key] == nil || now >= tallies[key].until {
				tallies[key] = &tally{}
			}
			return tallies[key]
		}
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			elapsed := time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 20, 30, 60}).Draw(t, "seconds")) * time.Second
			now += elapsed
			b.pass(elapsed)
			name := rapid.SampledFrom([]string{"a", "b", "unknown"}).Draw(t, "name")
			password := rapid.SampledFrom([]string{"right", "wrong", "wrong"}).Draw(t, "password")
			address := rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2"}).Draw(t, "address")
			pair, all := of(name+"@"+address), of(address)
			var wait time.Duration
			if pair.failed >= perPair {
				wait = pair.until - now
			}
			if all.failed >= perAddress {
				wait = max(wait, all.until-now)
			}
			want := "refused"
			switch {
			case wait > 0:
				want = "too many, for " + wait.String()
			case name != "unknown" && password == "right":
				want, pair.failed = name, 0
			default:
				for limit, counted := range map[int]*tally{perPair: pair, -perAddress: all} {
					if counted.failed++; counted.failed == 1 || counted.failed >= max(limit, -limit) {
						counted.until = now + time.Minute
					}
				}
			}
			if got := b.says(name, password, address); got != want {
				t.Fatalf("%s with the %s password from %s at %s: %s, want %s", name, password, address, now, got, want)
			}
			outcomes[strings.Fields(want)[0]]++
		}
	})
	if outcomes["refused"] == 0 || outcomes["too"] == 0 || outcomes["a"] == 0 || outcomes["b"] == 0 {
		t.Errorf("not every outcome was seen: %v", outcomes)
	}
}

// TestManyAtOnce is for the race detector: requests of all sorts while the
// clients change and time passes. What is let in is right, whatever happens.
func TestManyAtOnce(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	sets := [][]*validator.Client{
		{by("a", "1", 8, 1), byBcrypt("b", "2")},
		{by("a", "1", 16, 2), by("b", "2", 1<<20, 1), by("c", "3", 8, 1)},
		{by("a", "1", 8, 1)},
	}
	b := newBench(validator.AuthOptions{Failures: 20, AddressFailures: 200, Queue: 4}, sets[0]...)
	right := map[string]string{"a": "1", "b": "2", "c": "3"}
	var all sync.WaitGroup
	var entered atomic.Int64
	for i := range 16 {
		all.Go(func() {
			for n := range 400 {
				name, password := string(rune('a'+(n+i)%4)), fmt.Sprint(1+n%5)
				ctx, cancel := context.WithCancel(t.Context())
				if n%7 == 0 {
					cancel()
				}
				client, err := b.Authenticate(ctx, name, password, fmt.Sprintf("192.0.2.%d", n%3))
				cancel()
				switch {
				case err == nil && (client.Name != name || right[name] != password):
					t.Errorf("%s was let in with %s", name, password)
				case err == nil:
					entered.Add(1)
				case client != nil:
					t.Errorf("a client beside %v", err)
				}
				if n%50 == 0 {
					b.load(sets[(n/50+i)%len(sets)]...)
					b.pass(20 * time.Second)
				}
			}
		})
	}
	all.Wait()
	if entered.Load() == 0 {
		t.Error("nobody was let in")
	}
	b.pass(time.Hour)
	b.load(sets[2]...)
	if got := b.says("a", "1", "192.0.2.1"); got != "a" {
		t.Errorf("afterwards: %s", got)
	}
}

// BenchmarkAuthenticateRemembered is what a request of a portal costs.
func BenchmarkAuthenticateRemembered(b *testing.B) {
	portal := by("portal", "Korrekt Pferd Batterie", 65536, 4)
	auth := newBench(validator.AuthOptions{}, portal, byBcrypt("archive", "geheim"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := auth.Authenticate(b.Context(), "portal", "Korrekt Pferd Batterie", "192.0.2.1:54321"); err != nil {
			b.Fatal(err)
		}
	}
	if len(auth.took()) > 1 {
		b.Error("it was not remembered")
	}
}
