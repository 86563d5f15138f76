package rules

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/sluiceproject/sluice/rules/archive"
)

// What holds where a policy gives no limit.
const (
	archiveEntries  = 100_000
	archiveDepth    = 5
	archiveUnpacked = 1 << 40
	archiveRatio    = 1000
)

// archiveMemory is what dictionaries, directories and archives within compressed
// files may take in one look, in bytes. It is enough for xz -9, for zstd --long,
// and for an archive of 64 MiB within either.
const archiveMemory = 192 << 20

// archiveSchema has one %s: the faults that the kind filename knows.
const archiveSchema = `{
	"type": "object", "additionalProperties": false, "minProperties": 1, "examples": [{"max_ratio": 200, "deny": {"extension": ["exe", "js"]}}],
	"properties": {
		"max_entries": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 100000, "description": "The most files, folders and links that an archive may have, those of archives in it included.", "examples": [10000]},
		"max_depth": {"type": "integer", "minimum": 1, "maximum": 16, "default": 5, "description": "How deep archives may lie in each other: 1 is an archive without another in it. A .tar.gz counts once.", "examples": [3]},
		"max_unpacked": {"type": ["integer", "string"], "default": "1 TiB", "description": "The most bytes that all files in it may have together, a number or with a unit: B, KB, MB, GB, TB, KiB, MiB, GiB, TiB.", "examples": ["100 GiB"]},
		"max_ratio": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 1000, "description": "How many bytes may come out of one, for each file in it and for all of it. It is judged above 1 MiB.", "examples": [200]},
		"deny": {"type": "object", "additionalProperties": false, "minProperties": 1, "description": "Archives with such a file in them are refused.", "examples": [{"extension": ["exe", "js"]}], "properties": {
			"extension": {"type": "array", "minItems": 1, "items": {"type": "string"}, "description": "Files with one of these extensions, as the kind extension has them.", "examples": [["exe", "js"]]},
			"filename": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": [%s]}, "description": "Files and folders whose names have one of these faults, as the kind filename has them.", "examples": [["bidi", "control"]]},
			"path": {"type": "array", "minItems": 1, "items": {"type": "string"}, "description": "Files and folders whose paths match one of these globs. A path begins with a slash where its archive does.", "examples": [["**/.git/**"]]}
		}},
		"allow": {"type": "object", "additionalProperties": false, "minProperties": 1, "description": "Archives with any other file in them are refused.", "examples": [{"extension": ["mov", "xml"]}], "properties": {
			"extension": {"type": "array", "minItems": 1, "items": {"type": "string"}, "description": "Files with one of these extensions.", "examples": [["mov", "xml"]]}
		}},
		"encrypted": {"enum": ["reject", "accept"], "default": "reject", "description": "What is done about encrypted files in it. Those that are accepted are not inspected, so that on_partial decides.", "examples": ["accept"]},
		"links": {"enum": ["reject", "accept"], "default": "reject", "description": "What is done about links that lead out of the archive, files behind links, devices and pipes.", "examples": ["accept"]},
		"required": {"type": "boolean", "default": false, "description": "Refuse files that are no archives.", "examples": [true]}
	}
}`

func archiveKind() Kind {
	var names []string
	for _, f := range nameFaults() {
		names = append(names, `"`+f.name+`"`)
	}
	return Kind{
		Name: "archive",
		Doc: "the file is an archive (zip, tar, gz, bz2, xz, zst, 7z; told by its bytes, also within another) that breaks one of the limits, has a file in it that `deny` names or `allow` does not, " +
			"a name or a link that leads out of it, an encrypted file, or two tables of contents; with `required`, the file is none",
		Schema:       strings.Replace(archiveSchema, "%s", strings.Join(names, ", "), 1),
		Phases:       Phases(PhaseStop),
		Late:         "an archive can be taken apart when all of it is there",
		NeedsFile:    true,
		Cost:         File,
		Reads:        "the file",
		Fields:       []string{"file"},
		Code:         "1031",
		Placeholders: []string{"found", "max_entries", "max_depth", "max_unpacked", "max_ratio"},
		Saw:          func(e *Event) string { return e.File.ShownName() },
		Compile:      compileArchive,
	}
}

type archiveSpec struct {
	MaxEntries  int             `json:"max_entries"`
	MaxDepth    int             `json:"max_depth"`
	MaxUnpacked json.RawMessage `json:"max_unpacked"`
	MaxRatio    int64           `json:"max_ratio"`
	Deny        struct {
		Extension []string `json:"extension"`
		Filename  []string `json:"filename"`
		Path      []string `json:"path"`
	} `json:"deny"`
	Allow struct {
		Extension []string `json:"extension"`
	} `json:"allow"`
	Encrypted string `json:"encrypted"`
	Links     string `json:"links"`
	Required  bool   `json:"required"`
}

func compileArchive(env Env, dec Decoder) (Compiled, error) {
	var spec archiveSpec
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var wrong mistakes
	a := &archives{required: spec.Required, partial: env.PartialSuffix, texts: archiveTemplates(), limits: archive.Limits{
		Entries: archiveEntries, Depth: archiveDepth, Ratio: archiveRatio, Memory: archiveMemory,
		AcceptEncrypted: spec.Encrypted == "accept", AcceptLinks: spec.Links == "accept",
		Unpacked: sizeAt("/max_unpacked", spec.MaxUnpacked, archiveUnpacked, &wrong),
	}}
	if spec.MaxEntries > 0 {
		a.limits.Entries = spec.MaxEntries
	}
	if spec.MaxDepth > 0 {
		a.limits.Depth = spec.MaxDepth
	}
	if spec.MaxRatio > 0 {
		a.limits.Ratio = spec.MaxRatio
	}
	if a.limits.Unpacked == math.MaxInt64 {
		a.limits.Unpacked-- // One more than it is still counted.
	}
	a.compileNames(spec, &wrong)
	return Compiled{Inspect: a.inspect, Recall: a.recall, Consume: a.consume, Values: map[string]string{
		"max_entries": strconv.Itoa(a.limits.Entries), "max_depth": strconv.Itoa(a.limits.Depth),
		"max_unpacked": FormatSize(a.limits.Unpacked), "max_ratio": strconv.FormatInt(a.limits.Ratio, 10),
	}}, wrong.err()
}

// compileNames compiles the questions about the names of members: those of the
// kinds that ask them about files.
func (a *archives) compileNames(spec archiveSpec, wrong *mistakes) {
	add := func(question memberQuestion, compile func(Env, Decoder) (Compiled, error), list, key string, words []string) {
		if words == nil {
			return
		}
		c, err := compile(Env{}, wordList{list, words})
		if err != nil {
			wrong.addBelow(err, "/"+list, "/"+list+"/"+key)
			return
		}
		question.check = c.Check
		a.names = append(a.names, question)
	}
	add(memberQuestion{fault: foundDenied, files: true}, compileExtension, "deny", "extension", spec.Deny.Extension)
	add(memberQuestion{fault: foundOther, files: true}, compileExtension, "allow", "extension", spec.Allow.Extension)
	add(memberQuestion{fault: foundPath}, compilePath, "deny", "path", spec.Deny.Path)
	add(memberQuestion{fault: foundName, each: true}, compileFilename, "forbid", "filename", spec.Deny.Filename)
	for i, name := range spec.Deny.Extension {
		if extensionSet(bareExtensions(spec.Allow.Extension))[bareExtension(name)] {
			wrong.add(At("/deny/extension/"+strconv.Itoa(i), "%q is both allowed and denied", name))
		}
	}
}

// wordList is the settings of a kind that have one list.
type wordList struct {
	key   string
	words []string
}

// Decode implements Decoder.
func (l wordList) Decode(into any) error {
	text, err := json.Marshal(map[string][]string{l.key: l.words})
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// addBelow adds the mistakes of settings that are a part of others: what they
// call from is to there.
func (m *mistakes) addBelow(err error, from, to string) {
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, err := range list {
		s := &SpecError{Message: err.Error()}
		errors.As(err, &s)
		moved := *s
		moved.At = to + strings.TrimPrefix(s.At, from)
		m.add(&moved)
	}
}

// inspect walks the archive.
func (a *archives) inspect(ctx context.Context, l *Look) Finding {
	if _, err := l.File(ctx); err != nil {
		return FoundNothing(err, 0, l.Size())
	}
	return a.walk(ctx, l, l.Reader(ctx))
}

// walk walks the archive, whose bytes come from a reader of the file.
func (a *archives) walk(ctx context.Context, l *Look, from io.ReaderAt) Finding {
	file, err := l.File(ctx)
	if err != nil {
		return FoundNothing(err, 0, l.Size())
	}
	size := file.Identity().Size
	name := bareName(l.Event.File.Name(), a.partial)
	var notes archiveNotes
	report, err := archive.Walk(ctx, from, size, name, a.limits, notes.judging(a.judge()))
	if changed := file.Unchanged(); changed != nil {
		return FoundNothing(changed, report.Inspected, size)
	}
	a.learn(l, &notes, report, err)
	return a.finding(report, err, size)
}
