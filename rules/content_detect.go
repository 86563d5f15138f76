package rules

import (
	"bytes"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// reading is what a head can be read as.
type reading struct {
	head  []byte
	types []lineage
}

// identifyContent returns what a head can be read as, what it begins as first:
// one type for nearly every file. whole says that there is no more of the file.
func identifyContent(head []byte, whole bool) []lineage {
	if len(head) == 0 {
		return []lineage{lineageOf(emptyContent)}
	}
	r := &reading{head: head}
	pdf, rest := splitPDF(head)
	r.begin(rest)
	r.addPDF(pdf)
	for _, name := range laterContent(head) {
		if !r.onlyText() {
			r.add(name)
		}
	}
	if !r.types[0].is(anyText) && isTransportStream(head) {
		r.add("video/mp2t")
	}
	if at := bytes.Index(head, []byte(mxfPartition)); at > 0 && !r.isMember(at) {
		r.add("application/mxf")
	}
	r.addActive()
	if whole && endsAsZip(head) && !r.isArchive() {
		r.add("application/zip")
	}
	return r.types
}

// vagueContent are types that the library guesses from two or three bytes, or
// from bytes anywhere: whatever has a signature is right beside them.
var vagueContent = []string{
	unknownContent, "audio/mpeg", "audio/aac", "application/x-dbf", "application/zlib", "application/cbor",
}

func isVague(l lineage) bool { return slices.Contains(vagueContent, l.name()) }

// add adds a type by its signature, unless what was found is a case of it.
func (r *reading) add(name string) {
	for _, t := range r.types {
		if t.is(name) {
			return
		}
	}
	if isVague(r.types[0]) {
		r.types[0] = lineageOf(name)
		return
	}
	r.types = append(r.types, lineageOf(name))
}

// begin finds what the head begins as. rest is the head without what the library
// would take for a PDF further in.
func (r *reading) begin(rest []byte) {
	m := mimetype.Detect(rest)
	theirs := r.refine(lineageFrom(m))
	ours := startOfContent(r.head)
	if ours == "" {
		ours = boxOfContent(r.head, m)
	}
	if ours == "" || theirs.is(ours) {
		r.types = []lineage{theirs}
		return
	}
	own := lineageOf(ours)
	r.types = []lineage{own}
	// Only programs are known by so few bytes that something else may be true too.
	if own.is(anyProgram) && !own.is(theirs.name()) && !isVague(theirs) && (ours != anyScript || !theirs.is(anyText)) {
		r.types = append(r.types, theirs)
	}
}

// refine looks at what the library sees in its first 4 KiB only.
func (r *reading) refine(l lineage) lineage {
	name := ""
	switch l.name() {
	case "application/zip":
		name = officeInZip(r.head)
	case "application/x-ole-storage":
		name = installerInOLE(r.head)
	}
	if name == "" {
		return l
	}
	return lineageOf(name)
}

// pdfReach is how far from the beginning readers look for a PDF, in bytes.
const pdfReach = 1024

// splitPDF returns where the header of a PDF is, -1 for nowhere, and the head
// without those that are not at its beginning.
func splitPDF(head []byte) (at int, rest []byte) {
	const header = "%PDF-"
	at, rest = -1, head
	for from := 0; ; from++ {
		i := bytes.Index(head[from:min(len(head), pdfReach)], []byte(header))
		if i < 0 {
			return at, rest
		}
		from += i
		if next := from + len(header); at < 0 && next < len(head) && head[next] >= '0' && head[next] <= '9' {
			at = from
		}
		if from > 0 {
			if len(rest) == len(head) {
				rest = bytes.Clone(head[:min(len(head), contentLimit)])
			}
			rest[from] = 'x'
		}
	}
}

// contentLimit is how much of a head the library looks at, in bytes.
const contentLimit = 4096

// addPDF adds a PDF whose header is not at the beginning: what stands before it
// is rubbish to readers of PDF, and may be something to others.
func (r *reading) addPDF(at int) {
	switch name := r.types[0].name(); {
	case at <= 0:
	case name == anyText:
		r.types[0] = lineageOf("application/pdf")
	case !r.isMember(at):
		r.add("application/pdf")
	}
}

// laterSignatures are types that are known by bytes further in, so that
// something else may stand before them.
var laterSignatures = []contentSignature{
	{name: "video/mp4", at: 4, more: "ftyp"},
	{name: "video/x-r3d", at: 4, more: "RED1"},
	{name: "video/x-r3d", at: 4, more: "RED2"},
	{name: "application/dicom", at: 128, more: "DICM"},
	{name: "application/x-tar", at: 257, more: "ustar"},
	{name: "application/x-iso9660-image", at: 32769, more: "CD001"},
}

// laterContent returns the types of which a head has the signature further in.
// Where a box's length stands before its name, there is nothing else.
func laterContent(head []byte) (names []string) {
	for i := range laterSignatures {
		s := &laterSignatures[i]
		if s.matches(head) && (s.at != 4 || head[0] != 0) {
			names = append(names, s.name)
		}
	}
	return names
}

// onlyText reports whether the head is text that nothing runs: it may have any
// word anywhere.
func (r *reading) onlyText() bool {
	t := r.types[0]
	return t.is(anyText) && !t.is(anyProgram) && !t.is("text/html") && !t.is("image/svg+xml") && !t.is("application/xhtml+xml")
}

// activeMarkup is what a browser or a server would run, wherever it is.
var activeMarkup = []struct{ name, tag string }{
	{"text/html", "<script"},
	{"text/html", "<html"},
	{"text/html", "<iframe"},
	{"text/html", "<!doctype"},
	{"text/x-php", "<?php"},
}

// addActive adds the programs that hide in pictures: markup anywhere in the
// head, and JavaScript that begins where the size of a picture would be.
func (r *reading) addActive() {
	if !strings.HasPrefix(r.types[0].name(), "image/") || r.types[0].is(anyText) {
		return
	}
	if r.types[0].is("image/gif") && isJavaScript(r.head[6:]) || hasAt(r.head, 0, "\xff\xd8\xff\xe0/*") {
		r.add("text/javascript")
	}
	for rest := r.head; ; rest = rest[1:] {
		at := bytes.IndexByte(rest, '<')
		if at < 0 {
			return
		}
		rest = rest[at:]
		if len(rest) < 2 || rest[1] != '!' && rest[1] != '?' && !isLetter(rest[1]) {
			continue
		}
		for _, m := range activeMarkup {
			if isTag(rest, m.tag) {
				r.add(m.name)
			}
		}
	}
}

// isTag reports whether a text begins with a tag, in any case.
func isTag(text []byte, tag string) bool {
	return len(text) > len(tag) && strings.EqualFold(string(text[:len(tag)]), tag) && strings.IndexByte(" \t\r\n/>", text[len(tag)]) >= 0
}

// isJavaScript reports whether what follows a signature makes a program of it: a
// comment up to where the code is, or an assignment to the signature.
func isJavaScript(rest []byte) bool {
	if len(rest) < 2 {
		return false
	}
	return rest[0] == '/' && (rest[1] == '*' || rest[1] == '/') || rest[0] == '=' && rest[1] > ' ' && rest[1] < 0x7f
}
