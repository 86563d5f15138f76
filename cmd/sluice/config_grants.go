package main

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// grantsConfig is how grants are signed and verified.
type grantsConfig struct {
	// keyFile has the key that signs; empty where none is configured. It verifies
	// too, as do those of verifyFiles.
	keyFile     string
	verifyFiles []string
	skew        time.Duration
	// revocationsFile keeps the revocations that are known, for a start while the
	// policy store is away; empty for none.
	revocationsFile string
	// maxSilence is after how long without the policy store nothing moves by a grant;
	// 0 for never.
	maxSilence time.Duration
	// docroots are those of transfer users, in the form of rules.Path.Slash.
	docroots map[string]string
}

// defaultKeyFile is where the key is if tokens are given out and nothing says
// where.
const defaultKeyFile = "grant-key.pem"

// grantsSchema is the JSON Schema of grants in the configuration, and
// docrootsSchema that of docroots.
const (
	grantsSchema = `{"type": "object", "additionalProperties": false, "minProperties": 1, "description": "How grants of the token endpoint are signed and verified.", "properties": {
		"key_file": {"type": "string", "minLength": 1, "description": "A file with the key that signs grants (Ed25519, PEM). If tokens are given out it is made on the first start, and by default it is grant-key.pem."},
		"verify_key_files": {"type": "array", "minItems": 1, "maxItems": 64, "uniqueItems": true, "items": {"type": "string", "minLength": 1}, "description": "Files with further keys, private or public, whose grants hold too: those of other services, and old ones."},
		"skew": {"type": "string", "minLength": 1, "default": "1m", "description": "How far the clocks of services may differ, up to 1h."},
		"revocations_file": {"type": "string", "minLength": 1, "description": "A file in which revocations are kept, for a start while the policy store is away. It is made if need be, and one service has it for itself."},
		"max_silence": {"type": "string", "minLength": 1, "description": "For how long the policy store may be away before the events of all transfers with a grant are refused (code 1009), because nobody can say whether it was revoked; from 10s to 30d. Without it they go on."}
	}}`
	docrootsSchema = `{"type": "object", "minProperties": 1, "maxProperties": 10000, "description": "The docroots of transfer users, where the paths of events begin with them.", "additionalProperties": {"type": "string", "minLength": 1}}`
)

// grantsSpec is grants as it is written.
type grantsSpec struct {
	KeyFile        string   `json:"key_file"`
	VerifyKeyFiles []string `json:"verify_key_files"`
	Skew           string   `json:"skew"`

	RevocationsFile string `json:"revocations_file"`
	MaxSilence      string `json:"max_silence"`
}

// applyGrants takes over grants and docroots, but for whether the files are
// there: the configuration is also read elsewhere.
func (c *config) applyGrants(doc *document.Document, spec *grantsSpec, docroots map[string]string) (faults document.Faults) {
	c.grants.keyFile, c.grants.verifyFiles = spec.KeyFile, spec.VerifyKeyFiles
	if spec.Skew != "" {
		value, err := time.ParseDuration(spec.Skew)
		if err != nil || value < 0 || value > time.Hour {
			faults = append(faults, doc.At("/grants/skew", "%q is not a time such as 30s or 5m, up to 1h", spec.Skew))
		}
		c.grants.skew = value
	}
	faults = append(faults, c.applyRevocations(doc, spec)...)
	if len(docroots) > 0 {
		c.grants.docroots = make(map[string]string, len(docroots))
	}
	for _, user := range slices.Sorted(maps.Keys(docroots)) {
		at := "/docroots/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(user)
		written := docroots[user]
		root := rules.ParsePath(strings.TrimRight(written, `/\`))
		switch trimmed := root.Slash; {
		case user == "":
			faults = append(faults, doc.AtKey(at, "the name of a transfer user is empty"))
		case strings.Trim(written, "/") == "": // The root: paths are inside it already.
			c.grants.docroots[user] = ""
		case root.Up || !root.Clean:
			faults = append(faults, doc.At(at, "%q is not a plain path: it has \"..\", \".\" or \"//\"", written))
		case trimmed[0] != '/' && !root.IsURL() && (len(trimmed) < 2 || trimmed[1] != ':'):
			faults = append(faults, doc.At(at, "%q is not a whole path such as /srv/aspera/xfer, C:/aspera or s3://bucket/xfer", written))
		default:
			c.grants.docroots[user] = trimmed
		}
	}
	return faults
}

// docroot returns the docroot of a transfer user, or nothing.
func (g *grantsConfig) docroot(user string) string { return g.docroots[user] }

// applyRevocations takes over what grants says of revocations, which a policy store
// has.
func (c *config) applyRevocations(doc *document.Document, spec *grantsSpec) (faults document.Faults) {
	c.grants.revocationsFile = spec.RevocationsFile
	for _, key := range []struct{ name, text string }{{"revocations_file", spec.RevocationsFile}, {"max_silence", spec.MaxSilence}} {
		if key.text != "" && !hasState(doc) {
			faults = append(faults, doc.AtKey("/grants/"+key.name, "without a policy store nothing is revoked").WithHint("add state"))
		}
	}
	if spec.MaxSilence != "" {
		value, err := parseAge(spec.MaxSilence)
		if err != nil || value < 10*time.Second || value > 30*day {
			faults = append(faults, doc.At("/grants/max_silence", "%q is not a time such as 5m or 1h, from 10s to 30d", spec.MaxSilence))
		}
		c.grants.maxSilence = value
	}
	return faults
}

// hasState reports whether a configuration names a policy store.
func hasState(doc *document.Document) bool {
	root, _ := doc.Tree.(map[string]any)
	_, has := root["state"]
	return has
}
