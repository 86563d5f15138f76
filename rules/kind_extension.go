package rules

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// ContentProtection is what ascp appends to the name of a file that the client
// encrypts at rest.
const ContentProtection = ".aspera-env"

func extensionKind() Kind {
	return Kind{
		Name: "extension",
		Doc: "the extension is not in `allow` or is in `deny`; case does not matter, `.aspera-env` and the configured partial suffix are looked through, " +
			"`\"\"` stands for no extension; `every: true` judges each extension of `a.pdf.exe`",
		Schema: fmt.Sprintf(allowDenySchema, "files with one of these extensions", `"mov", "mxf"`, "Files with one of these extensions",
			`, "every": {"type": "boolean", "default": false, "description": "Judge each extension of a name such as a.pdf.exe, not only the last.", "examples": [true]}`),
		Phases:       EveryPhase,
		NeedsFile:    true,
		NeedsName:    true,
		Reads:        "name",
		Fields:       []string{"file"},
		Code:         "1022",
		Placeholders: []string{"found", "allow", "deny"},
		Saw:          func(e *Event) string { return Extension(e.File.Name()) },
		Compile:      compileExtension,
	}
}

type extensionSpec struct {
	allowDeny
	Every bool `json:"every"`
}

// extensions is a compiled extension rule.
type extensions struct {
	allow, deny map[string]bool
	every       bool
	partial     string

	denied, notAllowed *Template
}

func compileExtension(env Env, dec Decoder) (Compiled, error) {
	var spec extensionSpec
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var wrong mistakes
	spec.each(func(at, text string) {
		if s := extensionMistake(text); s != nil {
			s.At = at
			wrong.add(s)
		}
	})
	denied := spec.Deny
	spec.Allow, spec.Deny = bareExtensions(spec.Allow), bareExtensions(spec.Deny)
	x := &extensions{
		allow: extensionSet(spec.Allow), deny: extensionSet(spec.Deny), every: spec.Every, partial: env.PartialSuffix,
		denied:     builtinMessage("{name}: files of the type {found} may not be transferred here."),
		notAllowed: builtinMessage("{name}: only files of these types may be transferred here: {allow}."),
	}
	for i, name := range denied {
		if x.allow[bareExtension(name)] {
			wrong.add(At(item("deny", i), "%q is both allowed and denied", name))
		}
	}
	if x.allow == nil && x.deny == nil {
		wrong.add(At("/every", "there is nothing to judge; add allow or deny"))
	}
	values := map[string]string{"allow": describe(spec.Allow), "deny": describe(spec.Deny)}
	return Compiled{Check: x.check, Values: values, Reach: x}, wrong.err()
}

// extensionMistake returns what is wrong with an extension, or nil. One dot
// before it is how most people write it.
func extensionMistake(text string) *SpecError {
	bare := strings.TrimPrefix(text, ".")
	last := strings.TrimRight(bare, ".")
	last = last[strings.LastIndexByte(last, '.')+1:]
	switch {
	case strings.ContainsAny(text, "*?/"):
		s := At("", "%q is not an extension", text)
		if name := strings.TrimPrefix(bare, "*."); name != bare && extensionMistake(name) == nil {
			return s.WithHint("did you mean %q?", name)
		}
		return s.WithHint("globs are for the kind path, as in `path: {deny: [\"**/*.tmp\"]}`")
	case strings.TrimRight(text, " ") != text:
		return At("", "%q ends in a space, which no extension does", text).WithHint("did you mean %q?", strings.TrimSpace(last))
	case last == "" && text != "":
		return At("", "an extension is written without dots: %q", text).WithHint(`"" stands for no extension`)
	case last != bare:
		return At("", "an extension is written without dots: %q", text).WithHint("did you mean %q?", last)
	default:
		return nil
	}
}

func bareExtension(text string) string { return strings.ToLower(strings.TrimPrefix(text, ".")) }

// bareExtensions returns a list of extensions as they are compared, each once.
func bareExtensions(list []string) (bare []string) {
	for _, text := range list {
		if text = bareExtension(text); !slices.Contains(bare, text) {
			bare = append(bare, text)
		}
	}
	return bare
}

func extensionSet(list []string) map[string]bool {
	if list == nil {
		return nil
	}
	set := make(map[string]bool, len(list))
	for _, text := range list {
		set[text] = true
	}
	return set
}

// describe lists words for a person; the empty extension gets a name.
func describe(list []string) string {
	words := make([]string, len(list))
	for i, w := range list {
		if words[i] = w; w == "" {
			words[i] = "none"
		}
	}
	return strings.Join(words, ", ")
}

func (x *extensions) check(_ context.Context, e *Event) (*Objection, error) {
	name := e.File.Name()
	if name == "" {
		return nil, MissingError{"file"}
	}
	name = bareName(name, x.partial)
	// A path without an extension that a token is asked for may be a folder.
	if e.Phase == PhaseRequest {
		if _, extension := cutExtension(name); extension == "" {
			return nil, nil
		}
	}
	if o := x.judge(name, true); o != nil {
		return o, nil
	}
	// On Windows "a.exe::$DATA" and "a.exe:b.mov" are streams of a.exe.
	if stream := strings.IndexByte(name, ':'); stream > 0 && x.deny != nil {
		return x.judge(bareName(name[:stream], x.partial), false), nil
	}
	return nil, nil
}

// judge looks at the last extension of a name, or at all of them.
func (x *extensions) judge(name string, allow bool) *Objection {
	for {
		stem, extension := cutExtension(name)
		var room [24]byte
		lower := appendLower(room[:0], extension)
		if x.deny[string(lower)] {
			return &Objection{Message: x.denied, Found: shownExtension(lower)}
		}
		if allow && x.allow != nil && !x.allow[string(lower)] {
			return &Objection{Message: x.notAllowed, Found: shownExtension(lower)}
		}
		if !x.every {
			return nil
		}
		name = stem
		if _, next := cutExtension(name); next == "" {
			return nil
		}
	}
}

func shownExtension(lower []byte) string {
	if len(lower) == 0 {
		return "none"
	}
	return string(lower)
}

// appendLower appends a lower-case copy: on the stack for any usual extension.
func appendLower(to []byte, s string) []byte {
	before := len(to)
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 {
			return append(to[:before], strings.ToLower(s)...)
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

// cutExtension splits a name at its last dot. A leading dot does not count:
// ".profile" has no extension. Dots and spaces at the end are dropped, as
// Windows does when it makes the file.
func cutExtension(name string) (stem, extension string) {
	for name != "" && (name[len(name)-1] == '.' || name[len(name)-1] == ' ') {
		name = name[:len(name)-1]
	}
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 {
		return name, ""
	}
	return name[:dot], name[dot+1:]
}

// Extension returns a name's extension in lower case, without its dot. It looks
// through the suffix of a file that the client encrypted.
func Extension(name string) string {
	_, extension := cutExtension(bareName(name, ""))
	return strings.ToLower(extension)
}

// bareName takes off what ascp puts behind a name: the suffix of a file that is
// not finished, and that of one the client encrypted.
func bareName(name, partial string) string {
	for {
		bare := name
		if partial != "" {
			bare, _ = cutSuffixFold(bare, partial)
		}
		bare, _ = cutSuffixFold(bare, ContentProtection)
		if bare == name || bare == "" {
			return name
		}
		name = bare
	}
}
