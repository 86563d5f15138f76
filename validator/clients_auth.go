package validator

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"time"
)

// ErrCredentials means that there is no such client, or that its password is
// another: nothing tells which. It is answered 401 with BasicChallenge; its text
// is for the caller's eyes.
var ErrCredentials = errors.New("authentication failed: unknown client or wrong password")

// ErrBusy means that more passwords wait to be verified than may wait. It is
// answered 503 with a Retry-After of a second; its text is for the caller's eyes.
// Whose password is remembered never waits.
var ErrBusy = errors.New("too many logins at once; try again")

// TooManyFailures means that a client's name at an address, or an address, has
// failed too often, so that its passwords are not looked at for a while. It is
// answered 429; its text is for the caller's eyes.
type TooManyFailures struct {
	// RetryAfter is how long: above 0, up to a minute. As a header it is rounded
	// up to seconds.
	RetryAfter time.Duration
}

// Seconds returns RetryAfter rounded up to seconds: at least 1.
func (t *TooManyFailures) Seconds() int { return int(math.Ceil(t.RetryAfter.Seconds())) }

// Error implements error.
func (t *TooManyFailures) Error() string {
	return fmt.Sprintf("authentication failed too often; try again in %d s", t.Seconds())
}

// AuthOptions are what an Authenticator is made of. Only Clients is needed;
// what is zero stands for what is said of it.
type AuthOptions struct {
	// Clients returns the clients in force. It is called for each request and must
	// be quick; nil is a set without clients.
	Clients func() *ClientSet
	// Now is the clock: time.Now.
	Now func() time.Time
	// Hashers verify passwords: those of golang.org/x/crypto.
	Hashers Hashers
	// Failures is how often in a minute a client's name may fail at an address:
	// 10. AddressFailures is the same for all names at an address, and more, so
	// that a client with a wrong password does not shut out the others behind
	// the same proxy: 50.
	Failures, AddressFailures int
	// Queue is how many passwords may wait to be verified: 16. Each takes some
	// tenths of a second, so that more would wait in vain.
	Queue int
}

// Bounds of what an Authenticator holds.
const (
	failureWindow   = time.Minute
	maxFailures     = 10_000
	rememberedLife  = 5 * time.Minute
	maxRemembered   = 4096
	maxFollowers    = 4096
	defaultQueue    = 16
	defaultFailures = 10
	defaultAddress  = 50
)

// Authenticator tells whether a name and a password are those of a client. It is
// safe for concurrent use.
//
// A wrong password and an unknown name are told in the same words after the same
// work. Passwords that were right are remembered for five minutes, 4096 of them,
// as a keyed digest that is of no use outside of the process, and are forgotten at
// once when the client's hash changes. Requests with the same name and password
// wait for one verification. Verifications use at most as many threads as Go may
// (GOMAXPROCS) and 2 GiB of memory together; those beyond wait in a queue.
type Authenticator struct {
	clients  func() *ClientSet
	now      func() time.Time
	seed     maphash.Seed
	digests  *digests
	hashing  *hashing
	known    *remembered
	flights  *flights
	failures *failures
}

// NewAuthenticator returns an Authenticator. It starts nothing and need not be
// closed.
func NewAuthenticator(opts AuthOptions) *Authenticator {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Authenticator{
		clients: opts.Clients, now: opts.Now, seed: maphash.MakeSeed(), digests: newDigests(),
		hashing:  newHashing(opts.Hashers, orDefault(opts.Queue, defaultQueue)),
		known:    newRemembered(),
		flights:  newFlights(),
		failures: newFailures(orDefault(opts.Failures, defaultFailures), orDefault(opts.AddressFailures, defaultAddress)),
	}
}

func orDefault(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// Authenticate returns the client of a name and a password. address is that of
// the caller, with or without a port; IPv6 addresses are counted by /64, and what
// is no address is counted together. The error is ErrCredentials, *TooManyFailures,
// ErrBusy or, wrapped, that of ctx, which is honoured while the request waits.
// Failures at other addresses never matter.
func (a *Authenticator) Authenticate(ctx context.Context, name, password, address string) (*Client, error) {
	set := a.clients()
	// No client is like that, which is no secret: it need not cost anything.
	if set.Len() == 0 || len(name) > maxClientName || len(password) > maxSecret || !isCredential(name) || !isCredential(password) {
		return nil, ErrCredentials
	}
	who := callerOf(name, address)
	if err := a.failures.refuse(who, a.now()); err != nil {
		return nil, err
	}
	client, hash := set.find(name, maphash.String(a.seed, name))
	attempt := attempt{who: who, hash: hash, password: password, exists: client != nil, key: a.digests.of(name, hash.text, password)}
	// The digest is looked for in either case, so that both cost the same.
	if a.known.has(attempt.key, a.now()) && attempt.exists {
		a.failures.forgive(who)
		return client, nil
	}
	right, err := a.verify(ctx, &attempt)
	switch {
	case err != nil:
		return nil, err
	case !right:
		return nil, ErrCredentials
	}
	return client, nil
}

// attempt is one name and password that were sent.
type attempt struct {
	who      caller
	key      digest
	hash     *passwordHash
	password string
	// exists tells that the hash is that client's own.
	exists bool
}

// verify reports whether a password is right, by hashing it or by waiting for a
// request that hashes the same.
func (a *Authenticator) verify(ctx context.Context, at *attempt) (bool, error) {
	for {
		flight, leads, err := a.flights.join(at.key, at.who)
		if err != nil {
			return false, err
		}
		if leads {
			return a.lead(ctx, flight, at)
		}
		err = flight.wait(ctx)
		a.flights.leave()
		if err != nil {
			return false, fmt.Errorf("waiting for a password to be verified: %w", err)
		}
		var often *TooManyFailures
		switch {
		case flight.err == nil && flight.right:
			a.failures.forgive(at.who)
			return true, nil
		case flight.err == nil:
			a.failures.fail(at.who, a.now())
			return false, nil
		case errors.Is(flight.err, ErrBusy), errors.As(flight.err, &often) && flight.who == at.who:
			return false, flight.err
		}
		// Who led has gone, or was refused for what this caller did not do.
	}
}

// lead verifies a password for all who wait for it. It counts as a failure
// beforehand, so that no more guesses are made at once than in turn.
func (a *Authenticator) lead(ctx context.Context, flight *flight, at *attempt) (right bool, err error) {
	err = ErrBusy // If hashing panics, nobody waits for ever.
	defer func() { a.flights.land(at.key, flight, right, err) }()
	// It can have been found right between the look at what is remembered and now.
	if a.known.has(at.key, a.now()) && at.exists {
		a.failures.forgive(at.who)
		return true, nil
	}
	if err = a.failures.reserve(at.who, a.now()); err != nil {
		return false, err
	}
	result := undecided
	defer func() { a.failures.settle(at.who, result, a.now()) }()
	matches, err := a.hashing.matches(ctx, at.hash, at.password)
	switch {
	case err != nil:
		return false, err
	case matches && at.exists:
		result = succeeded
		a.known.add(at.key, a.now())
		return true, nil
	default:
		result = failed
		return false, nil
	}
}
