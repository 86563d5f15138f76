package rules

import (
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// Media types that rules treat alone. The library's name for one sort of ELF
// file stands for programs of every sort: most ELF programs of today are shared
// libraries to it, and whoever forbids executables means all of them.
const (
	unknownContent = "application/octet-stream"
	emptyContent   = "application/x-empty"
	anyProgram     = "application/x-executable"
	anyScript      = "text/x-script"
	anyText        = "text/plain"
)

// lineage is a media type, followed by every type that it is a case of: a DOCX
// document, then a ZIP archive. It has one name at least, and the root of all,
// application/octet-stream, only by itself.
type lineage []string

func (l lineage) name() string { return l[0] }

func (l lineage) is(name string) bool { return slices.Contains(l, name) }

// family returns "video/*" for "video/mp4".
func contentFamily(name string) string { return name[:strings.IndexByte(name, '/')+1] + "*" }

// alsoContent are the cases that the library does not know of.
var alsoContent = []struct{ name, is string }{
	{"application/vnd.microsoft.portable-executable", anyProgram},
	{"application/x-elf", anyProgram},
	{"application/x-mach-binary", anyProgram},
	{"application/x-java-applet", anyProgram},
	{"application/x-bytecode.python", anyProgram},
	{"application/x-ms-installer", anyProgram},
	{"application/x-ms-shortcut", anyProgram},
	{"application/wasm", anyProgram},
	{"text/x-shellscript", anyScript},
	{"text/x-perl", anyScript},
	{"text/x-python", anyScript},
	{"text/x-ruby", anyScript},
	{"text/x-lua", anyScript},
	{"text/x-tcl", anyScript},
	{"text/x-php", anyScript},
	{"text/javascript", anyScript},
	{anyScript, anyText},
	{anyScript, anyProgram},
	{"application/x-aaf", "application/x-ole-storage"},
}

// lineageOf returns the lineage of a canonical name.
func lineageOf(name string) lineage {
	if m := mimetype.Lookup(name); m != nil {
		return lineageFrom(m)
	}
	return lineage{name}.complete()
}

// lineageFrom returns the lineage of what the library has found. To the library
// a picture or a song in the container of MP4 is a case of video/mp4; to whoever
// allows films it is not.
func lineageFrom(m *mimetype.MIME) lineage {
	l := lineage{bareContent(m)}
	for p := m.Parent(); p != nil && p.Parent() != nil; p = p.Parent() {
		if name := bareContent(p); name != "video/mp4" || strings.HasPrefix(l.name(), "video/") {
			l = append(l, name)
		}
	}
	return l.complete()
}

func (l lineage) complete() lineage {
	for i := 0; i < len(l); i++ {
		for _, also := range alsoContent {
			if also.name == l[i] && !l.is(also.is) {
				l = append(l, also.is)
			}
		}
	}
	return l
}

// bareContent returns the name of a type without its parameters.
func bareContent(m *mimetype.MIME) string {
	name, _, _ := strings.Cut(m.String(), ";")
	return name
}

// contentSet is canonical media types, and families such as "video/*".
type contentSet map[string]bool

// has reports whether the set has a type, one that it is a case of, or its
// family. What is unknown or empty is in no family, and text/* is every text.
func (s contentSet) has(l lineage) bool {
	if slices.ContainsFunc(l, func(name string) bool { return s[name] }) {
		return true
	}
	if l.name() == unknownContent || l.name() == emptyContent {
		return false
	}
	return s[contentFamily(l.name())] || l.is(anyText) && s["text/*"]
}

// compileContentSet returns the set of a list, nil for none, and its names in
// the list's order, each once.
func compileContentSet(key string, list []string, wrong *mistakes) (set contentSet, names []string) {
	if list == nil {
		return nil, nil
	}
	set = make(contentSet, len(list))
	for i, text := range list {
		name, err := parseContentEntry(text)
		if err != nil {
			err.At = item(key, i)
			wrong.add(err)
			continue
		}
		if !set[name] {
			set[name] = true
			names = append(names, name)
		}
	}
	return set, names
}

// parseContentEntry returns the canonical name of an entry of allow or deny.
func parseContentEntry(text string) (string, *SpecError) {
	family, subtype, slash := strings.Cut(text, "/")
	bare, _, parameters := strings.Cut(text, ";")
	switch {
	case parameters:
		return "", At("", "%q has parameters, which no head tells", text).WithHint("write %q", strings.ToLower(strings.TrimSpace(bare)))
	case text != strings.ToLower(strings.TrimSpace(text)):
		return "", At("", "a media type is written in lower case and without spaces: %q", text).WithHint("did you mean %q?", strings.ToLower(strings.TrimSpace(text)))
	case !slash || family == "" || subtype == "" || strings.Contains(subtype, "/"):
		return "", At("", "%q is not a media type, which is written family/name", text).WithHint("%s", noTypeHint(text))
	case subtype != "*" && strings.Contains(subtype, "*") || strings.Contains(family, "*"):
		return "", At("", "%q: a * stands for all types of a family, as in video/*", text)
	case subtype == "*":
		families := contentFamilies()
		if !slices.Contains(families, text) {
			return "", At("", "%q is not a family of media types; they are %s", text, strings.Join(families, ", ")).WithHint("%s", DidYouMean(text, families))
		}
		return text, nil
	}
	name := canonicalContent(text)
	if name == "" {
		return "", At("", "%q is not a media type that a file can be recognised as", text).WithHint("%s", contentHint(text))
	}
	return name, nil
}

// canonicalContent returns the name by which a type is compared, or nothing if
// it is not known.
func canonicalContent(name string) string {
	for _, a := range contentAliases {
		if a.alias == name {
			return a.name
		}
	}
	if m := mimetype.Lookup(name); m != nil {
		return bareContent(m)
	}
	if slices.Contains(strings.Fields(ownContent), name) {
		return name
	}
	return ""
}

// knownContent returns the names of all types, aliases included.
func knownContent() []string {
	names := append(strings.Fields(libraryContent), strings.Fields(ownContent)...)
	for _, a := range contentAliases {
		names = append(names, a.alias)
	}
	return names
}

func contentFamilies() (families []string) {
	for _, name := range knownContent() {
		if family := contentFamily(name); !slices.Contains(families, family) {
			families = append(families, family)
		}
	}
	slices.Sort(families)
	return families
}

// contentHint returns what was probably meant by a type that is not known: one
// of this name in another family, that of an extension of this name, or one
// whose name is near.
func contentHint(text string) string {
	family, subtype, _ := strings.Cut(text, "/")
	bare := strings.TrimPrefix(subtype, "x-")
	var same, near []string
	for _, name := range knownContent() {
		f, s, _ := strings.Cut(name, "/")
		if strings.TrimPrefix(s, "x-") == bare {
			same = append(same, name)
		}
		if f == family {
			near = append(near, s)
		}
	}
	if hint := DidYouMean(text, same); hint != "" {
		return hint
	}
	if row, ok := contentExtensionOf(bare); ok && len(same) == 0 {
		first, _, _ := strings.Cut(row.types, " ")
		same = append(same, first)
	}
	if len(same) > 0 {
		return didYouMean(same[0])
	}
	for _, s := range near {
		if hint := DidYouMean(subtype, []string{s}); hint != "" && hint == DidYouMean(subtype, near) {
			return didYouMean(family + "/" + s)
		}
	}
	if len(near) == 0 {
		return DidYouMean(text, knownContent())
	}
	return ""
}

// didYouMean is the hint of DidYouMean for an option that is known to be meant.
func didYouMean(option string) string { return DidYouMean(option, []string{option}) }

// noTypeHint returns what was probably meant by a word that is no media type: a
// family, or an extension.
func noTypeHint(text string) string {
	if family := text + "/*"; slices.Contains(contentFamilies(), family) {
		return didYouMean(family)
	}
	if row, ok := contentExtensionOf(strings.TrimPrefix(text, ".")); ok {
		first, _, _ := strings.Cut(row.types, " ")
		return didYouMean(first)
	}
	return ""
}
