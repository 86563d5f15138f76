package rules

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

func contentKind() Kind {
	return Kind{
		Name: "content",
		Doc: "what the file's first 64 KiB show it to be is not in `allow` or is in `deny`; with `match_extension: true`, when that contradicts the name's extension. " +
			"A head that can be read as two types must pass as both",
		Schema: fmt.Sprintf(allowDenySchema, "files that begin as one of these media types", `"video/*", "application/mxf"`,
			"Files that begin as one of these media types",
			`, "match_extension": {"type": "boolean", "default": false, "description": "Refuse a file that is not what its extension says.", "examples": [true]}`),
		Phases:       Phases(PhaseRunning, PhaseStop),
		Late:         "on request there is no file, and at its start nothing of it is there",
		NeedsFile:    true,
		Cost:         Head,
		Reads:        "the file's first 64 KiB, name",
		Fields:       []string{"file"},
		Needs:        "a mount under files in sluice's configuration that reaches the file",
		Code:         "1030",
		Placeholders: []string{"found", "allow", "deny"},
		Saw:          func(*Event) string { return "" }, // The event does not tell.
		Compile:      compileContent,
	}
}

// The messages of the kind.
const (
	contentDenied      = "{name} holds {found}, and that may not be transferred here. Send it in another format, or ask the server's administrator."
	contentNotAllowed  = "{name} holds {found}. Only these may be transferred here: {allow}. Convert it and try again."
	contentMisnamed    = "{name} holds {found}, and that is not what .{extension} stands for. Rename it to what it is, or send the file that the name promises."
	contentProgram     = "{name} holds a program, {found}, and its name does not say so. Rename it to what it is, or send the file that the name promises."
	contentNotAsNamed  = "{name} does not begin as a .{extension} file does. It may be damaged or encrypted: check that it opens, and export it again."
	contentTwoReadings = "{name} can be read as {found}. A file must be one thing only: save it again in the program that made it."
)

// contents is a compiled content rule.
type contents struct {
	allow, deny contentSet
	match       bool
	partial     string
}

func compileContent(env Env, dec Decoder) (Compiled, error) {
	var spec struct {
		allowDeny
		Match bool `json:"match_extension"`
	}
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var wrong mistakes
	c := &contents{match: spec.Match, partial: env.PartialSuffix}
	var allow, deny []string
	c.allow, allow = compileContentSet("allow", spec.Allow, &wrong)
	c.deny, deny = compileContentSet("deny", spec.Deny, &wrong)
	for i, text := range spec.Deny {
		if name, err := parseContentEntry(text); err == nil && c.allow[name] {
			wrong.add(At(item("deny", i), "%q is both allowed and denied", text))
		}
	}
	if c.allow == nil && c.deny == nil && !c.match {
		wrong.add(At("/match_extension", "there is nothing to judge; add allow or deny, or write match_extension: true"))
	}
	values := map[string]string{"allow": describe(allow), "deny": describe(deny)}
	fields := []string{}
	if c.match {
		fields = append(fields, "file")
	}
	return Compiled{Inspect: c.inspect, Recall: c.recall, Fields: fields, Values: values, Reach: c}, wrong.err()
}

// Within implements Reach: heads are the same for all rules that look at one.
func (c *contents) Within(earlier Reach) bool {
	e, ok := earlier.(*contents)
	if !ok || c.partial != e.partial || c.match && !e.match {
		return false
	}
	return contains(e.deny, c.deny) && (c.allow == nil || e.allow != nil && contains(c.allow, e.allow))
}

// contentStart is how much of a file's beginning must be there for its type to
// be told, in bytes.
const contentStart = 512

func (c *contents) inspect(ctx context.Context, l *Look) Finding {
	head, err := l.Head(ctx)
	if err != nil {
		return FoundNothing(err, 0, l.Size())
	}
	if err := c.needsName(&l.Event); err != nil {
		return FoundNothing(err, 0, l.Size())
	}
	size, seen := l.Size(), int64(len(head))
	if moving := l.Event.Phase == PhaseRunning; moving && !contentBegun(head, movingHead(&l.Event)) {
		return FoundNothing(&UninspectableError{Reason: ReasonMissing, Detail: "the beginning of the file has not been written yet"}, 0, size)
	} else if !moving { // Of one that moves nothing else is expected, and it is looked at again when it stops.
		file, fault := l.File(ctx)
		if err = fault; err == nil {
			err = file.Unchanged()
		}
	}
	types := l.contentTypes(head, seen == size)
	if err == nil {
		l.learn(func(f *Facts) { f.Head, f.Types = seen, namesOf(types) })
	}
	found := c.conclude(&l.Event, types, seen, size)
	if err != nil && found.Objection == nil {
		return FoundNothing(err, seen, size)
	}
	return found
}

// needsName returns an error if the rule compares the type with a name that the
// event does not have.
func (c *contents) needsName(e *Event) error {
	if c.match && e.File.Name() == "" {
		return MissingError{"file"}
	}
	return nil
}

// conclude returns what the rule has found in a file that can be read as types,
// going by so many bytes of its size.
func (c *contents) conclude(e *Event, types []lineage, seen, size int64) Finding {
	want := seen
	if e.Phase == PhaseRunning {
		want = movingHead(e)
	}
	o, certain := c.judge(types, bareName(e.File.Name(), c.partial))
	switch {
	case o != nil && (certain || seen >= want):
		return FoundBad(o, seen, size)
	case seen < want:
		return FoundPart(seen, want, ReasonMissing, fmt.Errorf("%d bytes of the file's head have not been written yet", want-seen))
	default:
		return FoundClean(seen, size)
	}
}

// movingHead returns how long the head of a file will be that is on its way.
func movingHead(e *Event) int64 {
	if e.Size.Known {
		return min(e.Size.Value, HeadSize)
	}
	return HeadSize
}

// contentBegun reports whether a file that is on its way has been written at its
// beginning: blocks may arrive in any order, and a hole reads as zeros. Images
// of disks, which begin with zeros, are told by what follows.
func contentBegun(head []byte, want int64) bool {
	if int64(len(head)) < min(want, contentStart) {
		return false
	}
	start := head[:min(len(head), contentStart)]
	return len(start) == 0 || len(bytes.TrimLeft(start, "\x00")) > 0 || len(laterContent(head)) > 0
}

// judge returns what the rule has against a file that can be read as types.
// certain says that this holds whatever else of the file arrives.
func (c *contents) judge(types []lineage, name string) (o *Objection, certain bool) {
	twice := len(types) > 1
	object := func(message string) *Objection {
		if twice {
			message = contentTwoReadings
		}
		return &Objection{Message: builtinMessage(message), Found: shownContent(types)}
	}
	certain = twice || types[0].is(anyProgram)
	for _, t := range types {
		if c.deny.has(t) {
			return object(contentDenied), t.name() != unknownContent
		}
	}
	for _, t := range types {
		if c.allow != nil && !c.allow.has(t) {
			return object(contentNotAllowed), certain
		}
	}
	if !c.match {
		return nil, false
	}
	if message := contradiction(types[0], Extension(name)); message != "" || twice {
		return object(message), certain
	}
	return nil, false
}

// contradiction returns the message about a type under an extension that it
// cannot have, or nothing. What is not known contradicts an extension whose
// files are always known.
func contradiction(t lineage, extension string) string {
	row, known := contentExtensionOf(extension)
	switch {
	case t.is(anyProgram):
		if !known || !row.fits(t) {
			return contentProgram
		}
	case !known, t.name() == emptyContent:
	case t.name() == unknownContent:
		if row.signed {
			return contentNotAsNamed
		}
	case !row.fits(t):
		return contentMisnamed
	}
	return ""
}

// shownContent names types for a person.
func shownContent(types []lineage) string {
	names := make([]string, len(types))
	for i, t := range types {
		switch names[i] = t.name(); names[i] {
		case unknownContent:
			names[i] += " (unknown)"
		case emptyContent:
			names[i] += " (nothing)"
		}
	}
	return strings.Join(names, " and ")
}
