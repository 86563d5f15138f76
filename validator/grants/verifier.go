package grants

import (
	"cmp"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// VerifierOptions bound what a Verifier remembers. Members that are zero have the
// values that are named with them.
type VerifierOptions struct {
	// Skew is how far clocks may differ: for so long after its end a grant is used.
	Skew time.Duration
	// Texts is how many verified texts are remembered: 4096. However many, they
	// have at most 16 MiB.
	Texts int
	// Counted is how many paths of grants with a largest number of files are
	// remembered, where each grant counts as five more: 2,000,000, which take up
	// to 120 MB.
	Counted int
}

// Verifier implements rules.Grants: it tells grants of known keys from others,
// and counts their files. It is safe for concurrent use. What it counts is gone
// when the process ends.
type Verifier struct {
	keys  *Keys
	cache *cache
	uses  *uses
}

// NewVerifier returns a Verifier of grants that one of the keys has signed.
func NewVerifier(keys *Keys, o VerifierOptions) *Verifier {
	return &Verifier{
		keys:  keys,
		cache: newCache(cmp.Or(o.Texts, 4096), 16<<20),
		uses:  newUses(cmp.Or(o.Counted, 2_000_000), o.Skew),
	}
}

// Verify implements rules.Grants. The grant is shared with other callers: it must
// not be changed. Only what was verified is remembered, so forged texts, however
// many, put no good one out.
func (v *Verifier) Verify(text string) (*rules.Grant, error) {
	if g := v.cache.get(text); g != nil {
		return g, nil
	}
	g, err := v.keys.verify(text)
	if err != nil {
		return nil, err
	}
	v.cache.put(text, g)
	return g, nil
}

// Use implements rules.Grants. Paths are told apart by 64 bits that nobody can
// foresee. The error is ErrNotCounted, or says that the grant has expired.
func (v *Verifier) Use(g *rules.Grant, path string, now time.Time) (allowed bool, err error) {
	return v.uses.use(g, path, now)
}
