package policies

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// grantKey is the key of an event that says which grant its tags carry.
const grantKey = "grant"

// grantSchema is the schema of that key.
const grantSchema = `{"type": ["string", "object"], "pattern": "^valid$", "additionalProperties": false, "minProperties": 1,
			"description": "The grant of the token endpoint that the tags carry: valid, or an object with what differs from a grant that fits the event. Without the key there is none.", "examples": ["valid", {"roots": ["/ingest/a"], "expired": true}],
			"properties": {
				"client": {"type": "string", "minLength": 1, "description": "Who asked for it.", "examples": ["portal"]},
				"user": {"type": "string", "minLength": 1, "description": "The transfer account that may use it; the event's if left out.", "examples": ["partner-8"]},
				"direction": {"enum": ["upload", "download"], "description": "What it is for; the event's direction if left out."},
				"roots": {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": "^/"}, "description": "Folders that it covers with all that is below, as paths of events are written; everything if neither roots nor paths are there.", "examples": [["/ingest/a"]]},
				"paths": {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": "^/"}, "description": "Files that it covers.", "examples": [["/ingest/a/film.mov"]]},
				"max_size": {"type": ["integer", "string"], "minLength": 1, "description": "The largest file that it allows: bytes, or a number and a unit.", "examples": ["500 GiB"]},
				"max_files": {"type": "integer", "minimum": 1, "description": "How many files it allows.", "examples": [10]},
				"used": {"type": "integer", "minimum": 0, "description": "For how many other files it has been used.", "examples": [10]},
				"expired": {"const": true, "description": "It has expired an hour ago."},
				"early": {"const": true, "description": "It begins to hold in an hour."},
				"forged": {"const": true, "description": "Somebody else has made it, or altered it."}
			}}`

// grantSpec is a grant of a test. It travels in the tags as JSON behind
// grantMark.
type grantSpec struct {
	Client    string          `json:"client,omitempty"`
	User      string          `json:"user,omitempty"`
	Direction string          `json:"direction,omitempty"`
	Roots     []string        `json:"roots,omitempty"`
	Paths     []string        `json:"paths,omitempty"`
	MaxSize   json.RawMessage `json:"max_size,omitempty"`
	MaxFiles  int             `json:"max_files,omitempty"`
	Used      int             `json:"used,omitempty"`
	Expired   bool            `json:"expired,omitempty"`
	Early     bool            `json:"early,omitempty"`
	Forged    bool            `json:"forged,omitempty"`
	Issued    time.Time       `json:"issued"`
	Expires   time.Time       `json:"expires"`
}

// grantMark is what grants of tests begin with.
const grantMark = "SLUICE-TEST-GRANT "

// setGrant looks at the value and changes nothing in the event: what a grant says
// depends on the event's other keys.
func setGrant(_ *rules.Event, value any) error {
	_, err := readGrant(value)
	return err
}

// readGrant reads the value of the key.
func readGrant(value any) (spec grantSpec, err error) {
	written, isObject := value.(map[string]any)
	if !isObject {
		return spec, nil
	}
	text, err := json.Marshal(written)
	if err != nil {
		return spec, err
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return spec, fmt.Errorf("the grant cannot be read: %w", err)
	}
	if len(spec.MaxSize) > 0 {
		if _, err := rules.ParseSizeJSON(spec.MaxSize); err != nil {
			var wrong *rules.SpecError
			if errors.As(err, &wrong) {
				wrong.At = "/max_size"
			}
			return spec, err
		}
	}
	return spec, nil
}

// giveGrant puts the grant of a test into the tags of its event, which has
// everything else. Tags that are no object carry none.
func giveGrant(e *rules.Event, value any) {
	spec, err := readGrant(value)
	if err != nil {
		return // It has been reported.
	}
	if spec.User == "" {
		spec.User = e.User
	}
	if spec.Direction == "" {
		spec.Direction = e.Direction.String()
	}
	if spec.Roots == nil && spec.Paths == nil {
		spec.Roots = []string{"/"}
	}
	spec.Issued, spec.Expires = e.Received.Add(-time.Hour), e.Received.Add(time.Hour)
	if spec.Expired {
		spec.Issued, spec.Expires = e.Received.Add(-2*time.Hour), e.Received.Add(-time.Hour)
	}
	if spec.Early {
		spec.Issued, spec.Expires = e.Received.Add(time.Hour), e.Received.Add(2*time.Hour)
	}
	tags := rules.Tags{Raw: e.Tags.Raw}
	tree, err := tags.Value()
	if errors.Is(err, rules.ErrNoTags) {
		tree, err = map[string]any{}, nil
	}
	text, wrong := json.Marshal(spec)
	if err != nil || wrong != nil {
		return
	}
	tree["sluice"] = map[string]any{"grant": grantMark + string(text)}
	if raw, err := json.Marshal(tree); err == nil {
		e.Tags = rules.Tags{Raw: string(raw)}
	}
}

// StandInGrants is for rules.Env.Grants while tests are run: it knows the grants
// that tests give to their events, and no other, so that a test can show what a
// grant rule does on a machine that has no keys.
func StandInGrants() *rules.GrantEnv { return &rules.GrantEnv{Grants: standInGrants{}} }

type standInGrants struct{}

// Verify implements rules.Grants.
func (standInGrants) Verify(text string) (*rules.Grant, error) {
	var spec grantSpec
	claims, ours := strings.CutPrefix(text, grantMark)
	if !ours || json.Unmarshal([]byte(claims), &spec) != nil || spec.Forged {
		return nil, rules.ErrForged
	}
	g := &rules.Grant{
		ID: fmt.Sprintf("%s%d", standInID, spec.Used), Client: spec.Client, User: spec.User, Roots: spec.Roots, Paths: spec.Paths,
		PathCount: len(spec.Paths), Issued: spec.Issued, Expires: spec.Expires, GrantLimits: rules.GrantLimits{MaxFiles: spec.MaxFiles},
	}
	for _, d := range []rules.Direction{rules.Upload, rules.Download} {
		if d.String() == spec.Direction {
			g.Direction = d
		}
	}
	if len(spec.MaxSize) > 0 {
		g.MaxSize, _ = rules.ParseSizeJSON(spec.MaxSize) // It was read before.
	}
	return g, nil
}

// standInID is what the grants of tests are named, before how often they have
// been used.
const standInID = "test-grant-used-"

// Use implements rules.Grants.
func (standInGrants) Use(g *rules.Grant, _ string, _ time.Time) (bool, error) {
	var used int
	if _, err := fmt.Sscanf(g.ID, standInID+"%d", &used); err != nil {
		return false, fmt.Errorf("not a grant of a test: %w", err)
	}
	return used < g.MaxFiles, nil
}
