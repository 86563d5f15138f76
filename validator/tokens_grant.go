package validator

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// grant makes what is signed. The error says that the list is too long.
func (c *call) grant(w *wanted, p *permit, id string) (*rules.Grant, *tokenFault) {
	issued := c.Now().Truncate(time.Second)
	life := w.life
	for _, limit := range []time.Duration{c.client.MaxLife, p.limits.MaxLife} {
		if limit > 0 {
			life = min(life, limit)
		}
	}
	life = max(life.Truncate(time.Second), time.Second)
	g := &rules.Grant{
		ID: id, Client: c.client.Name, User: c.client.TransferUser, Direction: c.direction,
		Issued: issued, Expires: issued.Add(life), GrantLimits: p.limits, Revision: p.revision,
	}
	if c.listed(w, g) || c.merged(w, g) {
		return g, nil
	}
	return nil, &tokenFault{
		reason:  reasonRequest,
		message: "These paths are too many, in folders too far apart, for one token. Ask in several requests, or for the folders that they are in.",
	}
}

// Bounds of a grant's lists, so that it fits into a transfer's tags.
const (
	maxListed      = 100
	maxListedBytes = 8 << 10
	maxRoots       = 32
)

// listed puts every target into the grant by name, and reports whether there is
// room. What may be a folder covers what is below it as well, where the client
// may ask for that.
func (c *call) listed(w *wanted, g *rules.Grant) bool {
	if len(w.targets) > 4*maxListed { // Many may be below others, but not that many.
		return false
	}
	var roots, files []string
	for i := range w.targets {
		if t := &w.targets[i]; t.below || c.reach.Covers(t.path) {
			roots = append(roots, t.path)
		} else {
			files = append(files, t.path)
		}
	}
	roots = outermost(roots)
	files = slices.DeleteFunc(files, func(f string) bool { return isBelow(f, roots) })
	slices.Sort(files)
	if files = slices.Compact(files); len(roots)+len(files) > maxListed || len(strings.Join(roots, ""))+len(strings.Join(files, "")) > maxListedBytes {
		return false
	}
	g.Roots, g.Paths, g.PathCount = roots, files, len(files)
	return true
}

// merged puts the folders into the grant that hold the targets, and reports
// whether they are few enough.
func (c *call) merged(w *wanted, g *rules.Grant) bool {
	paths := make([]string, len(w.targets))
	for i := range w.targets {
		paths[i] = w.targets[i].path
	}
	slices.Sort(paths)
	paths = slices.Compact(paths) // A folder can be asked for as a path as well.
	g.Roots, g.PathCount, g.PathDigest = c.holders(w), len(paths), grants.PathDigest(paths)
	return g.Roots != nil
}

// request is what the issuer gets: the transfer_request as it is granted.
func (c *call) request(w *wanted, g *rules.Grant) (grants.Request, error) {
	signed, err := c.Sign(g)
	if err != nil {
		return grants.Request{}, err
	}
	w.members["token_life_seconds"] = json.Number(strconv.FormatInt(int64(g.Expires.Sub(g.Issued)/time.Second), 10))
	w.members["tags"] = withGrant(w.tags, g.ID, signed)
	return grants.Request{Members: w.members, Grant: g, Signed: signed}, nil
}

// withGrant returns tags with the grant in them. Whoever made the tags keeps
// them as they were.
func withGrant(tags grants.Object, id, signed string) grants.Object {
	tagged := maps.Clone(tags)
	if tagged == nil {
		tagged = grants.Object{}
	}
	aspera, _ := tags["aspera"].(grants.Object)
	if aspera = maps.Clone(aspera); aspera == nil {
		aspera = grants.Object{}
	}
	aspera["xfer_id"] = id
	tagged["aspera"], tagged["sluice"] = aspera, grants.Object{"grant": signed}
	return tagged
}

// complete makes sure that an issuer's transfer_spec says what the grant does,
// whatever the issuer says. Its other members and tags stay.
func (c *call) complete(spec grants.Object, r *grants.Request) grants.Object {
	spec = maps.Clone(spec)
	tags, ok := spec["tags"].(grants.Object)
	if !ok {
		tags, _ = r.Members["tags"].(grants.Object)
	}
	spec["tags"] = withGrant(tags, r.Grant.ID, r.Signed)
	if c.direction == rules.Upload {
		spec["direction"], spec["destination_root"] = "send", r.Members["destination_root"]
		return spec
	}
	spec["direction"], spec["paths"], spec["source_root"] = "receive", r.Members["paths"], ""
	if root := r.Members["source_root"]; root != nil {
		spec["source_root"] = root
	}
	return spec
}

// noSpec is the answer where the issuer gave none.
func noSpec() *grants.Error {
	return nodeError(http.StatusInternalServerError, "No token was made. Tell the server's administrator.")
}
