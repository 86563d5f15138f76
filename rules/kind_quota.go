package rules

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxQuotaFiles is the most files that a quota may allow: what is counted is
// remembered for its window.
const maxQuotaFiles = 1_000_000

// Whom a quota counts for.
const (
	perSession = "session"
	perUser    = "user"
	perClient  = "client_ip"
)

func quotaKind() Kind {
	return Kind{
		Name: "quota",
		Doc: "with this file a session, a user or a client address (`per`) comes to more `files` or `bytes` than are allowed in a `window`; " +
			"a file counts once, and is counted by all services that share a policy store",
		Schema: `{
	"type": "object", "additionalProperties": false, "minProperties": 1, "required": ["per"], "anyOf": [{"required": ["files"]}, {"required": ["bytes"]}], "examples": [{"per": "user", "files": 1000, "bytes": "1 TiB", "window": "24h"}],
	"properties": {
		"per": {"enum": ["session", "user", "client_ip"], "description": "Whom it counts for: each session, each transfer account, or each client address.", "examples": ["user"]},
		"files": {"type": "integer", "minimum": 1, "maximum": ` + strconv.Itoa(maxQuotaFiles) + `, "description": "How many files are allowed in the window.", "examples": [1000]},
		"bytes": {"type": ["integer", "string"], "description": "How much is allowed in the window, in bytes or with a unit.", "examples": ["1 TiB"]},
		"window": {"type": "string", "minLength": 1, "description": "How long what has moved stays counted, such as 90m, 24h or 7d, from 1m to 31d; of a session 24h if left out.", "examples": ["24h"]}
	}
}`,
		Phases:       TransferPhases,
		Late:         "a token request does not say which files will move",
		NeedsFile:    true,
		Cost:         Store,
		Reads:        "what was counted before, session_id, xfer_id, user, client_ip, path, size, start_byte, bytes_written",
		Fields:       []string{},
		Needs:        "state in the service's configuration; validation_file_stop, without which all that was announced stays counted",
		Code:         "1034",
		Placeholders: []string{"found", "limit", "window"},
		Saw:          sawPath,
		Compile:      compileQuota,
	}
}

func compileQuota(env Env, dec Decoder) (Compiled, error) {
	var spec struct {
		Per    string          `json:"per"`
		Files  int64           `json:"files"`
		Bytes  json.RawMessage `json:"bytes"`
		Window string          `json:"window"`
	}
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var wrong mistakes
	q := &quota{counters: env.Counters, partial: env.PartialSuffix, per: spec.Per, policy: env.Policy, rule: env.Rule, files: spec.Files}
	q.bytes = sizeAt("/bytes", spec.Bytes, 0, &wrong)
	if len(spec.Bytes) > 0 && len(wrong) == 0 && q.bytes == 0 {
		wrong.add(At("/bytes", "with 0 no file but an empty one could be transferred").WithHint("leave it out to limit nothing"))
	}
	switch {
	case spec.Window != "":
		var err error
		if q.window, err = parseWindow(spec.Window); err != nil {
			wrong.add(placed("/window", err))
		}
	case spec.Per == perSession:
		spec.Window, q.window = "24h", 24*time.Hour
	default:
		wrong.add(At("", "this does not say for how long what a %s has moved stays counted", whose(spec.Per)).WithHint("add a window, such as 24h"))
	}
	return Compiled{
		Check: q.check, Recall: q.recall, Saw: q.saw,
		Values: map[string]string{"limit": q.limit(), "window": spec.Window},
	}, wrong.err()
}

// whose names in words whom a quota counts for.
func whose(per string) string {
	if per == perClient {
		return "client address"
	}
	return per
}

// quota is a compiled quota rule.
type quota struct {
	counters          Counters
	partial           string
	per, policy, rule string
	files, bytes      int64 // 0 is no limit.
	window            time.Duration
}

// errNoCounters says that nobody here counts.
var errNoCounters = errors.New("quotas need `state` in the service's configuration, and there is none")

func (q *quota) check(ctx context.Context, e *Event) (*Objection, error) {
	if q.counters == nil {
		return nil, errNoCounters
	}
	c, err := q.count(e)
	if err != nil {
		return nil, err
	}
	c.Dry = isDry(ctx)
	counted, err := q.counters.Count(ctx, c)
	if err != nil || counted.Allowed {
		return nil, err
	}
	return q.objection(counted), nil
}

// count says what the event adds.
func (q *quota) count(e *Event) (Count, error) {
	c := Count{Window: q.window, Files: q.files, Bytes: q.bytes}
	value := q.value(e)
	if value == "" {
		return c, MissingError{q.field()}
	}
	c.Counter = strings.Join([]string{"quota", q.policy, q.rule, q.per, value}, "/")
	var err error
	if c.File, err = q.fileKey(e); err != nil || q.bytes == 0 {
		return c, err
	}
	c.From, c.To, c.Final, err = moved(e)
	return c, err
}

// value is whom the event counts for; empty if that is not known.
func (q *quota) value(e *Event) string {
	switch {
	case q.per == perSession:
		return e.SessionID
	case q.per == perUser:
		return e.User
	case e.ClientAddr.IsValid():
		return e.ClientAddr.WithZone("").String()
	default:
		return ""
	}
}

func (q *quota) field() string {
	if q.per == perSession {
		return "session_id"
	}
	return q.per
}

// fileKey tells the file from others: by its path in its transfer. So what several
// sessions of one transfer move is one file, and the same path in another transfer is
// another one.
func (q *quota) fileKey(e *Event) (string, error) {
	transfer := "xfer_id " + strconv.Quote(e.TransferID)
	if e.TransferID == "" {
		transfer = "session_id " + strconv.Quote(e.SessionID)
	}
	switch {
	case e.TransferID == "" && e.SessionID == "":
		return "", MissingError{"session_id"}
	case e.File.Raw == "":
		return "", MissingError{"file"}
	default:
		return transfer + " " + bareOf(e.File.Slash, q.partial), nil
	}
}

// moved returns which bytes of the file the event is about: before it stops all that
// are to move, and then those that have.
func moved(e *Event) (from, to int64, final bool, err error) {
	if e.StartByte.Known {
		from = e.StartByte.Value
	}
	written, known := reached(e)
	if final = e.Phase == PhaseStop; final && known {
		return from, written, true, nil
	}
	if !e.Size.Known {
		return 0, 0, false, MissingError{"size"}
	}
	return from, max(e.Size.Value, written), final, nil
}

// reached is the offset to which the transfer has come. What is before its beginning
// is no offset, but how much has moved since.
func reached(e *Event) (int64, bool) {
	from, to := e.StartByte.Value, e.BytesWritten.Value
	if !e.BytesWritten.Known {
		return 0, false
	}
	if to < from {
		to += min(from, math.MaxInt64-to)
	}
	return to, true
}

func (q *quota) objection(c Counted) *Objection {
	o := &Objection{Found: formatThousands(c.Files) + " of " + formatFiles(q.files)}
	if q.files == 0 || c.Files <= q.files {
		o.Found = FormatSizeBeside(c.Bytes, q.bytes) + " of " + FormatSize(q.bytes)
	}
	switch q.per {
	case perSession:
		o.Message = builtinMessage("With {name} this session comes to {found}. Transfer the rest in another one, or ask the server's administrator.")
	case perUser:
		o.Message = builtinMessage("With {name} the user {user} comes to {found} in {window}. Try again later, or ask the server's administrator.")
	default:
		o.Message = builtinMessage("With {name} your address comes to {found} in {window}. Try again later, or ask the server's administrator.")
	}
	return o
}

// limit writes what is allowed.
func (q *quota) limit() string {
	var parts []string
	if q.files > 0 {
		parts = append(parts, formatFiles(q.files))
	}
	if q.bytes > 0 {
		parts = append(parts, FormatSize(q.bytes))
	}
	return strings.Join(parts, " and ")
}

// saw names whom the event counts for.
func (q *quota) saw(e *Event) string {
	value := q.value(e)
	if value == "" {
		return ""
	}
	return q.per + " " + value
}
