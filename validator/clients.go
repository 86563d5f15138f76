package validator

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Client is what the token endpoint knows of a program that may ask for tokens.
// However it is printed, nothing but its name is shown.
type Client struct {
	// Name is the user of HTTP Basic: 1 to 64 bytes, unique in a set.
	Name string
	// PasswordHash is a hash by argon2id in PHC form, or by bcrypt. It is left out
	// when a client is encoded.
	PasswordHash string `json:"-"`
	// TransferUser is the transfer account that the tokens are for.
	TransferUser string
	// Upload and Download are globs of paths inside the docroot for which tokens
	// are given. Nothing may be done by an empty one.
	Upload, Download []string
	// MaxLife is how long a token may be valid at most.
	MaxLife time.Duration
}

// String returns the client's name.
func (c Client) String() string { return c.Name }

// GoString returns the client's name in quotes.
func (c Client) GoString() string { return fmt.Sprintf("%q", c.Name) }

// Format implements fmt.Formatter, because String is not asked by verbs such as
// %d, which would print the hash. It writes the name, for %q and %#v in quotes.
func (c Client) Format(state fmt.State, verb rune) {
	text := c.Name
	if verb == 'q' || verb == 'v' && state.Flag('#') {
		text = c.GoString()
	}
	_, _ = io.WriteString(state, text) // What cannot be written, fmt reports.
}

// ClientSet is the clients that are in force together. It does not change; nil
// is a set without clients.
type ClientSet struct {
	byName map[string]*knownClient
	all    []*knownClient
}

// knownClient is a client and its hash, read once.
type knownClient struct {
	*Client
	hash passwordHash
}

// NewClientSet returns the set of these clients, which must not be changed from
// then on. The error joins what is wrong with each: a name that is empty, too
// long, used twice or not plain text, or a hash that is none or beyond the bounds
// of 1 GiB of memory, 16 passes and, by bcrypt, a cost of 16. It repeats no hash.
func NewClientSet(clients []*Client) (*ClientSet, error) {
	set := &ClientSet{byName: make(map[string]*knownClient, len(clients))}
	var faults []error
	for _, client := range clients {
		hash, err := parsePasswordHash(client.PasswordHash)
		switch {
		case client.Name == "" || len(client.Name) > maxClientName || !isCredential(client.Name):
			err = fmt.Errorf("it needs a name of 1 to %d bytes of plain text", maxClientName)
		case set.byName[client.Name] != nil:
			err = errors.New("there are two of this name")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("client %q: %w", client.Name, err))
			continue
		}
		known := &knownClient{Client: client, hash: hash}
		set.byName[client.Name] = known
		set.all = append(set.all, known)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return set, nil
}

// Len returns how many clients there are.
func (s *ClientSet) Len() int {
	if s == nil {
		return 0
	}
	return len(s.all)
}

// find returns the client of a name and its hash. For a name that is unknown the
// client is nil, and the hash that of one of the others, chosen by a number: a
// refusal then costs what it costs for a name that is known. The set must have
// clients.
func (s *ClientSet) find(name string, choice uint64) (*Client, *passwordHash) {
	if known := s.byName[name]; known != nil {
		return known.Client, &known.hash
	}
	return nil, &s.all[choice%uint64(len(s.all))].hash
}
