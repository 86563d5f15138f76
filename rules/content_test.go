package rules

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gabriel-vasile/mimetype"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// libraryNode is one type of the library, which does not list them: how it keeps
// them is read here, and a new version that keeps them otherwise fails here.
type libraryNode struct {
	name, extension string
	aliases         []string
	parents         []string
}

func libraryNodes(tb testing.TB) (all []libraryNode) {
	tb.Helper()
	var walk func(v reflect.Value, parents []string)
	walk = func(v reflect.Value, parents []string) {
		v = v.Elem()
		n := libraryNode{name: v.FieldByName("mime").String(), extension: v.FieldByName("extension").String(), parents: parents}
		for i := range v.FieldByName("aliases").Len() {
			n.aliases = append(n.aliases, v.FieldByName("aliases").Index(i).String())
		}
		all = append(all, n)
		for i := range v.FieldByName("children").Len() {
			walk(v.FieldByName("children").Index(i), append(slices.Clone(parents), n.name))
		}
	}
	walk(reflect.ValueOf(mimetype.Lookup(unknownContent)), nil)
	if len(all) < 100 {
		tb.Fatalf("the library has %d types only", len(all))
	}
	return all
}

// The names that a policy may use are those that the library has, and ours.
func TestContentNames(t *testing.T) {
	var library []string
	for _, n := range libraryNodes(t) {
		library = append(library, n.name)
		library = append(library, n.aliases...)
	}
	slices.Sort(library)
	library = slices.Compact(library)
	if diff := cmp.Diff(library, strings.Fields(libraryContent)); diff != "" {
		t.Errorf("(-library +libraryContent):\n%s", diff)
	}
	for _, name := range strings.Fields(ownContent) {
		if slices.Contains(library, name) {
			t.Errorf("the library knows %s too", name)
		}
	}
	for _, a := range contentAliases {
		if slices.Contains(library, a.alias) {
			t.Errorf("the library knows %s too", a.alias)
		}
		if canonicalContent(a.name) != a.name {
			t.Errorf("%s stands for %s, which is not known", a.alias, a.name)
		}
	}
	known := knownContent()
	for _, name := range known {
		if canonical := canonicalContent(name); canonicalContent(canonical) != canonical || canonical == "" {
			t.Errorf("%s is compared as %q", name, canonical)
		}
	}
	var own []string
	for _, s := range slices.Concat(contentStarts, laterSignatures) {
		own = append(own, s.name)
	}
	for _, a := range alsoContent {
		own = append(own, a.name, a.is)
	}
	for _, m := range activeMarkup {
		own = append(own, m.name)
	}
	for _, f := range officeFolders {
		own = append(own, f.name)
	}
	own = slices.Concat(own, archiveContent, vagueContent)
	for _, name := range own {
		if canonicalContent(name) != name {
			t.Errorf("a table has %s, which no policy can name", name)
		}
	}
}

func TestContentExtensions(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range slices.Concat(mediaExtensions, fileExtensions) {
		for _, extension := range strings.Split(row.extensions, " ") {
			if extension == "" || seen[extension] || extension != strings.ToLower(extension) {
				t.Errorf("the extension %q is in two rows, or malformed", extension)
			}
			seen[extension] = true
		}
		if row.signed && row.loose {
			t.Errorf("%s: any data may have it, and none", row.extensions)
		}
		for _, name := range strings.Split(row.types, " ") {
			if canonicalContent(name) != name {
				t.Errorf("%s: the type %q is not known", row.extensions, name)
			}
		}
	}
	for _, n := range libraryNodes(t) {
		if n.extension == "" || n.name == "application/x-shockwave-flash" {
			continue
		}
		if message := contradiction(lineageOf(n.name), strings.TrimPrefix(n.extension, ".")); message != "" {
			t.Errorf("%s under its own extension: %s", n.name, message)
		}
		if !seen[strings.TrimPrefix(n.extension, ".")] {
			t.Errorf("no row has %s", n.extension)
		}
	}
}

func TestLineage(t *testing.T) {
	const docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	for name, want := range map[string]lineage{
		unknownContent:            {unknownContent},
		emptyContent:              {emptyContent},
		"application/mxf":         {"application/mxf"},
		docx:                      {docx, "application/zip"},
		"text/x-python":           {"text/x-python", anyText, anyScript, anyProgram},
		"application/x-sharedlib": {"application/x-sharedlib", "application/x-elf", anyProgram},
		"application/x-aaf":       {"application/x-aaf", "application/x-ole-storage"},
		"video/3gpp":              {"video/3gpp", "video/mp4"},
		// Pictures and songs are no films.
		"image/heic":  {"image/heic"},
		"audio/x-m4a": {"audio/x-m4a"},
	} {
		if diff := cmp.Diff(want, lineageOf(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// checkReading holds what is said of a head to what must be true of any.
func checkReading(t rapid.TB, head []byte, whole bool) {
	t.Helper()
	before := bytes.Clone(head)
	types := identifyContent(head, whole)
	if !bytes.Equal(before, head) {
		t.Fatalf("the head was changed")
	}
	if diff := cmp.Diff(types, identifyContent(head, whole)); diff != "" {
		t.Fatalf("asked twice it says another thing:\n%s", diff)
	}
	if len(types) == 0 {
		t.Fatalf("a head of no type")
	}
	for i, l := range types {
		if canonicalContent(l.name()) != l.name() {
			t.Fatalf("%s, which no policy can name", l.name())
		}
		for j, other := range types {
			if i != j && (l.is(other.name()) || l.name() == unknownContent || l.name() == emptyContent) {
				t.Fatalf("%v and %v are one type", l, other)
			}
		}
	}
	if len(head) > 1 && (string(head[:2]) == "MZ" || hasAt(head, 0, "\x7fELF")) && !slices.ContainsFunc(types, func(l lineage) bool { return l.is(anyProgram) }) {
		t.Fatalf("a program is said to be %v", types)
	}
}

// Random heads: the beginning of one sample, with pieces of others in it.
func TestAnyHeadHasAType(t *testing.T) {
	samples := append(contentSamples(t), contentPairs(t)...)
	rapid.Check(t, func(t *rapid.T) {
		sample := rapid.SampledFrom(samples)
		head := []byte(sample.Draw(t, "begins as").head)
		for range rapid.IntRange(0, 4).Draw(t, "pieces") {
			piece := sample.Draw(t, "piece").head
			piece = piece[:min(len(piece), rapid.IntRange(0, 64).Draw(t, "of it"))]
			if at := rapid.IntRange(0, 1100).Draw(t, "at"); at < len(head) {
				copy(head[at:], piece)
			}
		}
		head = head[:min(len(head), HeadSize, rapid.IntRange(0, 2*HeadSize).Draw(t, "length"))]
		checkReading(t, head, rapid.Bool().Draw(t, "whole"))
	})
}

func FuzzContent(f *testing.F) {
	for _, s := range append(contentSamples(f), contentPairs(f)...) {
		f.Add([]byte(s.head[:min(len(s.head), 2048)]), true)
	}
	f.Fuzz(func(t *testing.T, head []byte, whole bool) {
		checkReading(t, head[:min(len(head), HeadSize)], whole)
	})
}

// BenchmarkContent tells what this package adds to the library, for heads as
// long as they are read.
func BenchmarkContent(b *testing.B) {
	for _, name := range []string{"a.mov", "a.mxf", "far.mxf", "a.ts", "a.jpg", "a.docx", "a.exe", "a.txt", "a.raw"} {
		samples := contentSamples(b)
		i := slices.IndexFunc(samples, func(s sample) bool { return s.name == name })
		head := []byte(samples[i].head)
		if name == "a.txt" {
			head = bytes.Repeat(head, HeadSize/len(head))
		}
		head = append(head, binaryNoise(HeadSize)...)[:HeadSize]
		b.Run(name+"/ours", func(b *testing.B) {
			b.SetBytes(HeadSize)
			b.ReportAllocs()
			for b.Loop() {
				identifyContent(head, false)
			}
		})
		b.Run(name+"/library", func(b *testing.B) {
			b.SetBytes(HeadSize)
			b.ReportAllocs()
			for b.Loop() {
				mimetype.Detect(head)
			}
		})
	}
}
