package rules

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// algorithms are the digests that ascp computes, by width in bytes.
var algorithms = []struct {
	name  string
	width int
}{{"md5", 16}, {"sha1", 20}, {"sha256", 32}, {"sha384", 48}, {"sha512", 64}}

// algorithmPattern matches their names in every spelling that servers use.
const algorithmPattern = "^([Mm][Dd]5|[Ss][Hh][Aa][-_]?(1|256|384|512)|[Ss][Hh][Aa]2[-_]?(256|384|512))$"

func algorithmNames() (names []string) {
	for _, a := range algorithms {
		names = append(names, a.name)
	}
	return names
}

// ParseAlgorithm returns the canonical name of a digest algorithm and its width
// in bytes, for every spelling that servers use: sha256, sha-256, sha2-256,
// SHA2_256. ok is false for none, any and whatever else is no algorithm.
func ParseAlgorithm(name string) (canonical string, width int, ok bool) {
	var room [24]byte
	plain := room[:0]
	for _, c := range appendLower(room[:0], name) {
		if c != '-' && c != '_' {
			plain = append(plain, c)
		}
	}
	for _, a := range algorithms {
		if string(plain) == a.name || len(plain) == 7 && string(plain[:4]) == "sha2" && string(plain[4:]) == a.name[3:] {
			return a.name, a.width, true
		}
	}
	return "", 0, false
}

// Digest returns the event's digest in canonical form. algorithm is empty when
// the server computed none. Where the server names no algorithm but gives a
// digest, its width tells which it is.
func (e *Event) Digest(room *[64]byte) (algorithm string, digest []byte, err error) {
	algorithm, width, _ := ParseAlgorithm(e.ChecksumType)
	if e.Checksum == "" {
		return algorithm, nil, nil
	}
	var text [2 * len(room)]byte // A conversion of the string would allocate.
	if len(e.Checksum) > len(text) {
		return "", nil, MissingError{"file_csum"}
	}
	n, err := hex.Decode(room[:], text[:copy(text[:], e.Checksum)])
	if err != nil {
		return "", nil, MissingError{"file_csum"}
	}
	if algorithm == "" {
		for _, a := range algorithms {
			if a.width == n {
				return a.name, room[:n], nil
			}
		}
	}
	if n != width {
		return "", nil, MissingError{"file_csum"}
	}
	return algorithm, room[:n], nil
}

func checksumKind() Kind {
	return Kind{
		Name: "checksum",
		Doc:  "the algorithm is not in `require`; the digest is in `deny` or not in `allow` (lists of up to 10 million digests); `verify: true`: the file's own digest differs from it",
		Schema: `{
	"type": "object", "additionalProperties": false, "minProperties": 1, "examples": [{"require": ["sha256"], "deny": "lists/malware.sha256"}],
	"properties": {
		"require": {"type": "array", "minItems": 1, "items": ` + spelledFreely(algorithmNames(), algorithmPattern) + `, "description": "The server must have computed a digest with one of these algorithms.", "examples": [["sha256"]]},
		"allow": {"type": ["string", "array"], "minLength": 1, "minItems": 1, "items": {"type": "string", "minLength": 1}, "description": "List files, one digest in hex a line: only these digests are accepted.", "examples": ["lists/approved.sha256"]},
		"verify": {"type": "boolean", "default": false, "description": "Read the file and compute its digest: one that differs from what the server says is refused, and the lists are asked about the file's own.", "examples": [true]},
		"deny": {"type": ["string", "array"], "minLength": 1, "minItems": 1, "items": {"type": "string", "minLength": 1}, "description": "List files, one digest in hex a line: these digests are refused.", "examples": ["lists/malware.sha256"]}
	}
}`,
		Phases:       OnlyStop,
		Late:         "the digest is known when the file has stopped",
		NeedsFile:    true,
		Reads:        "file_csum, file_csum_type, and with verify the file",
		Fields:       []string{"file_csum", "file_csum_type"},
		Needs:        "checksums that ascp computes: without them events carry no file_csum",
		Code:         "1024",
		Placeholders: []string{"found", "require"},
		Saw:          func(e *Event) string { return strings.TrimPrefix(e.ChecksumType+" "+e.Checksum, " ") },
		Compile:      compileChecksum,
	}
}

// checksums is a compiled checksum rule.
type checksums struct {
	require     []string
	allow, deny []*Digests

	missing, denied, notAllowed *Template
}

func compileChecksum(env Env, dec Decoder) (Compiled, error) {
	var spec struct {
		Require []string        `json:"require"`
		Allow   json.RawMessage `json:"allow"`
		Deny    json.RawMessage `json:"deny"`
		Verify  bool            `json:"verify"`
	}
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var wrong mistakes
	spec.Require = respell("require", "an algorithm", spec.Require, algorithmNames(), func(text string) (string, bool) {
		name, _, ok := ParseAlgorithm(text)
		return name, ok
	}, &wrong)
	c := &checksums{
		require: spec.Require,
		allow:   loadLists(env, "allow", spec.Allow, &wrong),
		deny:    loadLists(env, "deny", spec.Deny, &wrong),

		missing:    builtinMessage("{name} came with no {require} checksum. Switch checksums on and try again."),
		denied:     builtinMessage("{name} is known to be bad and may not be transferred."),
		notAllowed: builtinMessage("{name} is not one of the files approved for transfer."),
	}
	values := map[string]string{"require": strings.Join(spec.Require, " or ")}
	if spec.Verify {
		return Compiled{Consume: c.verify(), Recall: c.recall, Cost: File, Values: values}, wrong.err()
	}
	reach := SameReach(fmt.Sprintf("%q %s %s", spec.Require, spec.Allow, spec.Deny))
	return Compiled{Check: c.check, Reach: reach, Values: values}, wrong.err()
}

// loadLists opens the lists that a key names: one, or several in an array.
func loadLists(env Env, key string, raw json.RawMessage, wrong *mistakes) []*Digests {
	if len(raw) == 0 {
		return nil
	}
	names, at := []string{}, func(i int) string { return item(key, i) }
	if json.Unmarshal(raw, &names) != nil {
		var name string
		_ = json.Unmarshal(raw, &name) // The schema has seen that it is a string.
		names, at = []string{name}, func(int) string { return "/" + key }
	}
	open := env.Digests
	if open == nil {
		open = func(string) (*Digests, error) { return nil, errors.New("there are no lists here") }
	}
	var lists []*Digests
	for i, name := range names {
		list, err := open(name)
		if err != nil {
			wrong.add(&SpecError{At: at(i), Message: fmt.Sprintf("the list %s cannot be used", name), Cause: err})
			continue
		}
		lists = append(lists, list)
	}
	return lists
}

func (c *checksums) check(_ context.Context, e *Event) (*Objection, error) {
	var room [64]byte
	algorithm, digest, err := e.Digest(&room)
	if o := c.lacks(algorithm, err); o != nil {
		return o, nil
	}
	if err == nil && digest == nil {
		err = MissingError{"file_csum"}
	}
	if err != nil {
		return nil, err
	}
	return c.judge(algorithm, digest)
}

// lacks objects to an event whose digest is of none of the required algorithms.
func (c *checksums) lacks(algorithm string, err error) *Objection {
	if c.require == nil || err != nil || slices.Contains(c.require, algorithm) {
		return nil
	}
	return &Objection{Message: c.missing, Found: describe([]string{algorithm})}
}

// judge looks a digest up in the lists. The error is that none has digests of
// its algorithm.
func (c *checksums) judge(algorithm string, digest []byte) (*Objection, error) {
	if found, comparable := find(c.deny, digest); found {
		return &Objection{Message: c.denied, Found: algorithm + " " + hex.EncodeToString(digest)}, nil
	} else if c.deny != nil && !comparable {
		return nil, fmt.Errorf("no list in deny has digests of %s", algorithm)
	}
	if found, comparable := find(c.allow, digest); c.allow == nil || found {
		return nil, nil
	} else if !comparable {
		return nil, fmt.Errorf("no list in allow has digests of %s", algorithm)
	}
	return &Objection{Message: c.notAllowed, Found: algorithm + " " + hex.EncodeToString(digest)}, nil
}

// find looks a digest up; comparable is false if no list is of its width.
func find(lists []*Digests, digest []byte) (found, comparable bool) {
	for _, l := range lists {
		if l.Width() != len(digest) {
			continue
		}
		comparable = true
		if l.Contains(digest) {
			return true, true
		}
	}
	return false, comparable
}
