package rules

import (
	"errors"
	"time"
)

// Grant is what the token endpoint has allowed: who may move what, and until
// when. It travels signed in the transfer's tags.
type Grant struct {
	// ID names the grant, and the transfer: it is tags.aspera.xfer_id.
	ID string
	// Client is who asked; User is the transfer account that may use the grant.
	Client, User string
	Direction    Direction
	// Roots are folders, in the form of Path.Slash inside the user's docroot:
	// whatever is below one of them is covered, and so is itself.
	Roots []string
	// Paths are files, in the same form: each is covered, and nothing else.
	Paths []string
	// PathCount is how many paths were granted. Where it is above len(Paths), the
	// list was too long to travel: PathDigest is the SHA-256 in hex over the
	// sorted paths, each followed by a line feed, and Roots are the folders that
	// hold them all.
	PathCount  int
	PathDigest string
	// Issued and Expires bound its life.
	Issued, Expires time.Time
	GrantLimits
	// Revision is that of the policy set that allowed it.
	Revision string
}

// GrantLimits are what a rule of the kind grant puts on grants. Zero members
// limit nothing.
type GrantLimits struct {
	// MaxLife is the longest life.
	MaxLife time.Duration
	// MaxSize is the size of the largest file, in bytes.
	MaxSize int64
	// MaxFiles is how many files may move.
	MaxFiles int
}

// Narrow returns the limits that hold where both hold.
func (l GrantLimits) Narrow(other GrantLimits) GrantLimits {
	return GrantLimits{
		MaxLife: narrow(l.MaxLife, other.MaxLife), MaxSize: narrow(l.MaxSize, other.MaxSize), MaxFiles: narrow(l.MaxFiles, other.MaxFiles),
	}
}

func narrow[N ~int | ~int64](a, b N) N {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// ErrForged says that a text is no grant of ours: its signature does not hold, or
// it is signed by a key that is not known.
var ErrForged = errors.New("the grant is not signed by a key that is known here")

// Grants verifies what the token endpoint has signed. It is safe for concurrent
// use and waits for nobody.
type Grants interface {
	// Verify returns the grant that a text is. The error is ErrForged or says what
	// is wrong with the text, of which it shows nothing. Expiry is not looked at.
	Verify(text string) (*Grant, error)
	// Use counts a file of a grant, once for each of its paths, and reports
	// whether it is among the first g.MaxFiles. The error says why it cannot be
	// counted.
	Use(g *Grant, path string, now time.Time) (allowed bool, err error)
}

// GrantEnv is what rules about grants need from outside.
type GrantEnv struct {
	Grants
	// Docroot returns the docroot of a transfer user, in the form of Path.Slash,
	// without a slash at its end; empty where paths of events are inside it
	// already, or where none is known.
	Docroot func(user string) string
	// Skew is how far clocks may differ: for so long after its end a grant still
	// holds, and so long before its beginning already.
	Skew time.Duration
}
