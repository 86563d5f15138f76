package rules

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"
)

// Why a rule of the kind grant refuses.
const (
	grantMissing   = "missing"
	grantForged    = "forged"
	grantExpired   = "expired"
	grantEarly     = "not_yet_valid"
	grantUser      = "user"
	grantDirection = "direction"
	grantPath      = "path"
	grantSize      = "size"
	grantFiles     = "files"
)

// GrantReasons returns why rules of the kind grant refuse: the values of
// Objection.Reason and Detail.Reason, in the order in which they are looked for.
func GrantReasons() []string {
	return []string{
		grantMissing, grantForged, grantEarly, grantExpired, grantUser, grantDirection, grantPath, grantSize, grantFiles,
	}
}

// maxGrantFiles is the most files that a limit may name: what is counted is
// remembered as long as the grant holds.
const maxGrantFiles = 1_000_000

func grantKind() Kind {
	return Kind{
		Name: "grant",
		Doc: "with `required`: the tags carry no grant of the token endpoint, or one that is altered, expired, for another user or direction, does not cover the file, " +
			"or allows fewer or smaller ones; the other keys limit what is granted",
		Schema: `{
	"type": "object", "additionalProperties": false, "minProperties": 1, "examples": [{"required": true, "max_life": "8h"}],
	"properties": {
		"required": {"type": "boolean", "default": false, "description": "Whatever moves needs a grant of the token endpoint that covers it.", "examples": [true]},
		"max_life": {"type": "string", "minLength": 1, "description": "How long a grant, and the token with it, may be valid at most, such as 30m or 8h, up to 720h.", "examples": ["8h"]},
		"max_size": {"type": ["integer", "string"], "description": "The largest file that is granted, in bytes or with a unit.", "examples": ["500 GiB"]},
		"max_files": {"type": "integer", "minimum": 1, "maximum": ` + strconv.Itoa(maxGrantFiles) + `, "description": "How many files one grant allows at most.", "examples": [1000]}
	}
}`,
		Phases:       EveryPhase,
		Reads:        "tags, user, direction, path, size",
		Fields:       []string{},
		Needs:        "grants in the service's configuration; transfers that start from the token endpoint",
		Code:         "1033",
		Placeholders: []string{"found"},
		Saw:          func(e *Event) string { return sawGrant(nil, e) },
		Compile:      compileGrant,
	}
}

func compileGrant(env Env, dec Decoder) (Compiled, error) {
	var spec struct {
		Required bool            `json:"required"`
		MaxLife  string          `json:"max_life"`
		MaxSize  json.RawMessage `json:"max_size"`
		MaxFiles int             `json:"max_files"`
	}
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var wrong mistakes
	limits := GrantLimits{MaxFiles: spec.MaxFiles}
	if spec.MaxLife != "" {
		var err error
		if limits.MaxLife, err = ParseLife(spec.MaxLife); err != nil {
			wrong.add(placed("/max_life", err))
		}
	}
	if size := sizeAt("/max_size", spec.MaxSize, math.MaxInt64, &wrong); len(spec.MaxSize) > 0 && len(wrong) == 0 {
		if limits.MaxSize = size; size == 0 {
			wrong.add(At("/max_size", "with 0 no file but an empty one could be transferred").WithHint("leave it out to limit nothing"))
		}
	}
	if len(wrong) == 0 && !spec.Required && limits == (GrantLimits{}) {
		wrong.add(At("/required", "this asks for nothing and limits nothing").WithHint("write `required: true`, or add max_life, max_size or max_files"))
	}
	k := &granting{env: env.Grants, partial: env.PartialSuffix, counters: env.Counters}
	compiled := Compiled{Check: k.check, Recall: k.recall, Limits: limits, Saw: func(e *Event) string { return sawGrant(k.env, e) }}
	switch {
	case !spec.Required:
		compiled.Scope = Scope{Never: TransferPhases, Why: "without `required: true` it only limits what is granted"}
	case limits == GrantLimits{}:
		compiled.Scope = Scope{Never: Phases(PhaseRequest), Why: "a grant is made when a token is asked for, and there is none before"}
	}
	return compiled, wrong.err()
}

// granting is a compiled grant rule.
type granting struct {
	env      *GrantEnv
	partial  string
	counters Counters // nil where each service counts for itself
}

// errNoGrants says that nobody here can verify grants.
var errNoGrants = errors.New("grants are not configured, so none can be verified")

// check asks whether the event's grant allows it. When a token is asked for there
// is nothing to object to: the rule's limits narrow what is granted.
func (k *granting) check(ctx context.Context, e *Event) (*Objection, error) {
	if e.Phase == PhaseRequest {
		return nil, nil
	}
	if k.env == nil || k.env.Grants == nil {
		return nil, errNoGrants
	}
	text, there := GrantText(e)
	if !there {
		return noGrant(), nil
	}
	g, err := k.env.Verify(text)
	if err != nil { // Whatever is wrong with a text of the client's, it is no grant of ours.
		return &Objection{Reason: grantForged, Message: builtinMessage("This transfer's grant was not made by this server, or has been altered. Ask for a new token.")}, nil
	}
	if o, err := k.holds(e, g); o != nil || err != nil || !e.HasFile() {
		return o, err
	}
	return k.allows(ctx, e, g)
}

func noGrant() *Objection {
	return &Objection{Reason: grantMissing, Message: builtinMessage("This transfer carries no grant of this server. Start it from the portal that asks for its token.")}
}

// holds asks what a grant says of the whole transfer.
func (k *granting) holds(e *Event, g *Grant) (*Objection, error) {
	switch {
	case e.Received.Before(g.Issued.Add(-k.env.Skew)):
		return &Objection{Reason: grantEarly, Found: moment(g.Issued), Message: builtinMessage("This transfer's grant does not hold before {found}. Try again then, or tell the server's administrator.")}, nil
	case e.Received.After(g.Expires.Add(k.env.Skew)):
		return &Objection{Reason: grantExpired, Found: moment(g.Expires), Message: builtinMessage("This transfer's grant expired at {found}. Ask for a new token.")}, nil
	case e.User == "":
		return nil, MissingError{"user"}
	case e.User != g.User:
		return &Objection{Reason: grantUser, Found: g.User, Message: builtinMessage("This transfer's grant is for the user {found}, not for {user}. Ask for a token of your own.")}, nil
	case e.Direction == DirectionUnknown:
		return nil, MissingError{"direction"}
	case e.Direction != g.Direction:
		return &Objection{Reason: grantDirection, Found: g.Direction.String() + "s", Message: builtinMessage("This transfer's grant is for {found} only. Ask for a token for the other direction.")}, nil
	default:
		return nil, nil
	}
}

// allows asks what a grant says of the event's file, and counts it.
func (k *granting) allows(ctx context.Context, e *Event, g *Grant) (*Objection, error) {
	if e.File.Raw == "" {
		return nil, MissingError{"file"}
	}
	inside, ok := k.inside(e)
	if !ok || !g.Covers(inside) && !g.Covers(bareOf(inside, k.partial)) {
		return &Objection{Reason: grantPath, Found: e.File.Shown(), Message: builtinMessage("This transfer's grant does not cover {path}. Ask for a token for it.")}, nil
	}
	if g.MaxSize > 0 {
		size, err := sizeSoFar(e)
		if err != nil {
			return nil, err
		}
		if size > g.MaxSize {
			return &Objection{Reason: grantSize, Found: FormatSizeBeside(size, g.MaxSize) + " of " + FormatSize(g.MaxSize), Message: builtinMessage("{name} is larger than this transfer's grant allows: {found}. Ask for a token that allows more.")}, nil
		}
	}
	if g.MaxFiles > 0 {
		allowed, err := k.use(ctx, e, g, bareOf(inside, k.partial))
		if err != nil {
			return nil, err
		}
		if !allowed {
			return &Objection{Reason: grantFiles, Found: formatCount(g.MaxFiles), Message: builtinMessage("This transfer's grant is for {found}, and {name} is one more. Ask for a new token.")}, nil
		}
	}
	return nil, nil
}

// use counts a file of a grant, with other services where they share a store, until
// the grant ends.
func (k *granting) use(ctx context.Context, e *Event, g *Grant, path string) (allowed bool, err error) {
	if k.counters == nil {
		return k.env.Use(g, path, e.Received)
	}
	left := g.Expires.Add(k.env.Skew).Sub(e.Received) + time.Minute // For events that were held up.
	counted, err := k.counters.Count(ctx, Count{
		Counter: GrantCounter + g.ID, File: path, Window: min(left, maxWindow), Files: int64(g.MaxFiles), Dry: isDry(ctx),
	})
	return counted.Allowed, err
}

// moment writes a time for the person who transfers.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
