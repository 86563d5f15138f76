package rules

import (
	"bytes"
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// headFile is an open file whose content is known.
type headFile struct {
	*bytes.Reader
	changed, fails error
}

func (headFile) Close() error         { return nil }
func (f headFile) Identity() Identity { return Identity{Size: f.Size()} }
func (f headFile) Unchanged() error   { return f.changed }
func (f headFile) ReadAt(p []byte, at int64) (int, error) {
	if f.fails != nil {
		return 0, f.fails
	}
	return f.Reader.ReadAt(p, at)
}

// headSource has one file, or says why not.
type headSource struct {
	file headFile
	err  error
}

func (s headSource) Open(context.Context, *Event) (Handle, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.file, nil
}

func headOf(content string) headSource {
	return headSource{file: headFile{Reader: bytes.NewReader([]byte(content))}}
}

// stopped is an event about a file that has arrived, moving of one of a size
// that has not.
func stopped(path string) *Event {
	return file(path, func(e *Event) { e.Phase = PhaseStop })
}

func moving(path string, size int64) *Event {
	return file(path, func(e *Event) { e.Phase, e.Size = PhaseRunning, Known(size) })
}

func inspectContent(c Compiled, e *Event, s headSource) Finding {
	l := NewLook(e, &ContentEnv{Files: s, Now: time.Now})
	defer l.Close()
	return c.Inspect(context.Background(), l)
}

// contentRow is one line of the specification: a file, and what is found in it.
type contentRow struct {
	settings, path, head string
	want                 answer
}

func judgeContent(t *testing.T, rows []contentRow) {
	t.Helper()
	for i, r := range rows {
		f := inspectContent(compile(t, contentKind(), folder{}.env(".partial"), r.settings), stopped(r.path), headOf(r.head))
		got := accept()
		switch {
		case f.Objection != nil:
			got = refuse(f.Objection.Found)
		case f.Err != nil:
			got = unsure(f.Err.Error())
		}
		state := map[string]CoverageState{"accepts": Clean, "refuses": Bad}[r.want.verb]
		if got != r.want || f.Coverage.State != state || f.Coverage.Total != int64(len(r.head)) || f.Coverage.Inspected != int64(min(len(r.head), HeadSize)) {
			t.Errorf("row %d, %s about %q: %v %+v, want %v", i, r.settings, r.path, got, f.Coverage, r.want)
		}
	}
}

func TestContent(t *testing.T) {
	const (
		films      = `{"allow": ["video/*", "application/mxf"], "match_extension": true}`
		noPrograms = `{"deny": ["application/x-executable"]}`
		named      = `{"match_extension": true}`
		unknown    = "application/octet-stream (unknown)"
		pe         = "application/vnd.microsoft.portable-executable"
	)
	mov, mxf, exe, elf := ftyp("qt  "), mxfPartition+binaryNoise(900), portableExecutable(), elfFile(3)
	jpeg, pdf, html := "\xff\xd8\xff\xe0\x00\x10JFIF\x00"+binaryNoise(600), "%PDF-1.7\n"+binaryNoise(600), "<!DOCTYPE html><html></html>"
	docx := zipOf(t, 8, "[Content_Types].xml", "<Types/>", "word/document.xml", "<w/>")
	packed := zipOf(t, 8, "a.txt", "hello")
	gifScript := "GIF89a/*\x00\x00" + binaryNoise(200)
	judgeContent(t, []contentRow{
		// allow: the type, another name of it, its family, what it is a case of.
		{films, "/in/clip.mov", mov, accept()},
		{films, "/in/clip.mxf", mxf, accept()},
		{films, "/in/large.mxf", mxf + binaryNoise(HeadSize), accept()},
		{films, "/in/clip.mov", exe, refuse(pe)},
		{films, "/in/clip.mov", jpeg, refuse("image/jpeg")},
		{films, "/in/clip.mov", binaryNoise(900), refuse(unknown)},
		{films, "/in/clip.mov", "", refuse("application/x-empty (nothing)")},
		{films, "/in/photo.heic", ftyp("heic"), refuse("image/heic")},
		{`{"allow": ["audio/x-wav"]}`, "/in/a", wavHeader("RIFF"), accept()},
		{`{"allow": ["video/avi"]}`, "/in/a", "RIFF\x00\x10\x00\x00AVI LIST" + binaryNoise(99), accept()},
		{`{"allow": ["application/zip"]}`, "/in/a.docx", docx, accept()},
		{`{"allow": ["application/vnd.openxmlformats-officedocument.wordprocessingml.document"]}`, "/in/a.zip", packed, refuse("application/zip")},
		{`{"allow": ["text/plain"]}`, "/in/a.html", html, accept()},
		{`{"allow": ["text/*"]}`, "/in/a.json", `{"a": 1}`, accept()},
		{`{"allow": ["text/csv"]}`, "/in/a.txt", "Hello.", refuse("text/plain")},
		{`{"allow": ["application/*"]}`, "/in/a", pdf, accept()},

		// What is unknown or empty is allowed and denied by its own name only.
		{`{"allow": ["application/*"]}`, "/in/a", binaryNoise(900), refuse(unknown)},
		{`{"deny": ["application/*"]}`, "/in/a", binaryNoise(900), accept()},
		{`{"allow": ["application/octet-stream"]}`, "/in/a", binaryNoise(900), accept()},
		{`{"allow": ["application/octet-stream"]}`, "/in/a", pdf, refuse("application/pdf")},
		{`{"deny": ["application/octet-stream"]}`, "/in/a", binaryNoise(900), refuse(unknown)},
		{`{"deny": ["application/octet-stream"]}`, "/in/a", pdf, accept()},
		{`{"allow": ["inode/x-empty"]}`, "/in/a", "", accept()},
		{`{"allow": ["application/x-empty"]}`, "/in/a", "x", refuse("text/plain")},
		{`{"deny": ["application/x-empty"]}`, "/in/a.mov", "", refuse("application/x-empty (nothing)")},

		// deny: programs of every sort, whatever they are called.
		{noPrograms, "/in/clip.mov", mov, accept()},
		{noPrograms, "/in/clip.mov", exe, refuse(pe)},
		{noPrograms, "/in/a.exe", exe, refuse(pe)},
		{noPrograms, "/in/a", elf, refuse("application/x-sharedlib")},
		{noPrograms, "/in/a.txt", "#!/bin/sh\n", refuse("text/x-shellscript")},
		{noPrograms, "/in/a.txt", "#!/opt/unheard-of\n", refuse("text/x-script")},
		{noPrograms, "/in/a.txt", "<?php 1;", refuse("text/x-php")},
		{noPrograms, "/in/a.msi", oleFile("", installerClass), refuse("application/x-ms-installer")},
		{noPrograms, "/in/a.bat", "@echo off\r\n", accept()},
		{noPrograms, "/in/a.hta", "<html><script>1</script></html>", accept()},
		{`{"deny": ["application/x-dosexec"]}`, "/in/a.mov", exe, refuse(pe)},
		{`{"deny": ["application/x-elf"]}`, "/in/a.mov", elf, refuse("application/x-sharedlib")},
		{`{"deny": ["application/x-elf"]}`, "/in/a.mov", exe, accept()},
		{`{"deny": ["text/x-script"]}`, "/in/a.mov", exe, accept()},
		{`{"deny": ["application/zip"]}`, "/in/a.docx", docx, refuse("application/vnd.openxmlformats-officedocument.wordprocessingml.document")},
		{`{"deny": ["image/*"]}`, "/in/a.mov", jpeg, refuse("image/jpeg")},
		{`{"deny": ["video/*"]}`, "/in/a.m4a", ftyp("M4A "), accept()},
		{`{"allow": ["video/*"], "deny": ["video/quicktime"]}`, "/in/a.mov", mov, refuse("video/quicktime")},

		// match_extension: the extensions of a type, and of what it is a case of.
		{named, "/in/clip.mov", mov, accept()},
		{named, "/in/clip.MP4", mov, accept()},
		{named, "/in/clip.mov.partial", mov, accept()},
		{named, "/in/clip.mov.aspera-env.partial", mov, accept()},
		{named, "/in/clip.jpg.partial", mov, refuse("video/quicktime")},
		{named, "/in/clip.mxf", mov, refuse("video/quicktime")},
		{named, "/in/a.jpeg", jpeg, accept()},
		{named, "/in/a.JPG", jpeg, accept()},
		{named, "/in/a.png", jpeg, refuse("image/jpeg")},
		{named, "/in/a.docx", docx, accept()},
		{named, "/in/a.zip", docx, accept()},
		{named, "/in/a.docx", packed, accept()},
		{named, "/in/a.xlsx", docx, refuse("application/vnd.openxmlformats-officedocument.wordprocessingml.document")},
		{named, "/in/a.docx", oleFile("", ""), accept()},
		{named, "/in/a.pdf", packed, refuse("application/zip")},
		{named, "/in/a.csv", "Hello.", accept()},
		{named, "/in/a.txt", html, accept()},
		{named, "/in/a.txt", "#!/bin/sh\n", refuse("text/x-shellscript")},
		{named, "/in/a.py", "#!/bin/sh\n", accept()},
		{named, "/in/a.mov", "Hello.", refuse("text/plain")},

		// What no type has, or no name, contradicts nothing but a program.
		{named, "/in/clip", mov, accept()},
		{named, "/in/clip.final", mov, accept()},
		{named, "/in/clip.001", mov, accept()},
		{named, "/in/clip", exe, refuse(pe)},
		{named, "/in/clip.final", elf, refuse("application/x-sharedlib")},
		{named, "/in/configure", "#!/bin/sh\n", refuse("text/x-shellscript")},
		{named, "/in/setup.exe", exe, accept()},
		{named, "/in/setup.so", exe, refuse(pe)},
		{named, "/in/lib.so", elf, accept()},
		{named, "/in/setup.bin", elf, accept()},
		{named, "/in/firmware.bin", jpeg, accept()},
		{named, "/in/firmware.bin", oleFile("", installerClass), refuse("application/x-ms-installer")},
		{named, "/in/a.exe", mov, refuse("video/quicktime")},

		// What is unknown contradicts an extension whose files are always known.
		{named, "/in/clip.mov", binaryNoise(900), refuse(unknown)},
		{named, "/in/clip.mxf", zeros(900), refuse(unknown)},
		{named, "/in/scan.raw", binaryNoise(900), accept()},
		{named, "/in/scan.bin", binaryNoise(900), accept()},
		{named, "/in/scan.dat", binaryNoise(900), accept()},
		{named, "/in/scan.ts", binaryNoise(900), accept()},
		{named, "/in/scan", binaryNoise(900), accept()},
		{named, "/in/clip.mov", "", accept()},

		// Two types must both be allowed, and neither denied; one name is never two.
		{`{"allow": ["image/*"]}`, "/in/a.gif", gifScript, refuse("image/gif and text/javascript")},
		{`{"allow": ["image/*", "text/javascript"]}`, "/in/a.gif", gifScript, accept()},
		{`{"deny": ["text/javascript"]}`, "/in/a.gif", gifScript, refuse("image/gif and text/javascript")},
		{`{"deny": ["image/gif"]}`, "/in/a.gif", gifScript, refuse("image/gif and text/javascript")},
		{`{"deny": ["application/x-executable"]}`, "/in/a.gif", gifScript, refuse("image/gif and text/javascript")},
		{`{"deny": ["image/png"]}`, "/in/a.gif", gifScript, accept()},
		{named, "/in/a.gif", gifScript, refuse("image/gif and text/javascript")},
		{named, "/in/a.unheard-of", gifScript, refuse("image/gif and text/javascript")},
		{films, "/in/clip.mxf", exe + mxf, refuse(pe + " and application/mxf")},
	})
}

// A file that is on its way: what is not there yet is not counted as clean.
func TestContentOfAFileOnItsWay(t *testing.T) {
	const films = `{"allow": ["video/*"], "deny": ["application/x-executable"], "match_extension": true}`
	mov, exe := ftyp("qt  "), portableExecutable()
	full := mov + binaryNoise(HeadSize)
	partial := func(seen, want int64) Coverage { return Coverage{Partial, seen, want, ReasonMissing} }
	missing := func(total int64) Coverage { return Coverage{Uninspectable, 0, total, ReasonMissing} }
	for _, tc := range []struct {
		name     string
		settings string
		head     string
		event    *Event
		want     Coverage
	}{
		{"the head is there", films, full, moving("/in/a.mov", 1<<40), Coverage{State: Clean, Inspected: HeadSize, Total: int64(len(full))}},
		{"a small file is all there", films, mov, moving("/in/a.mov", int64(len(mov))), Coverage{State: Clean, Inspected: int64(len(mov)), Total: int64(len(mov))}},
		{"a small text is all there", `{"allow": ["text/*"]}`, "Hello.", moving("/in/a.txt", 6), Coverage{State: Clean, Inspected: 6, Total: 6}},
		{"nothing is there, and nothing will be", `{"deny": ["video/*"]}`, "", moving("/in/a.txt", 0), Coverage{State: Clean}},
		{"nothing is there", films, "", moving("/in/a.mov", 1<<40), missing(0)},
		{"less than a block is there", films, mov[:511], moving("/in/a.mov", 1<<40), missing(511)},
		{"a block is there", films, mov[:512], moving("/in/a.mov", 1<<40), partial(512, HeadSize)},
		{"half of a small file is there", films, mov[:1024], moving("/in/a.mov", 2000), partial(1024, 2000)},
		{"nobody knows how large it will be", films, mov, file("/in/a.mov", func(e *Event) { e.Phase = PhaseRunning }), partial(int64(len(mov)), HeadSize)},
		{"zeros stand where the beginning will be", films, zeros(512) + full, moving("/in/a.mov", 1<<40), missing(512 + int64(len(full)))},
		{"a disc begins with zeros", `{"allow": ["application/x-iso9660-image"]}`, isoImage("") + zeros(HeadSize), moving("/in/a.iso", 1<<40), Coverage{State: Clean, Inspected: HeadSize, Total: int64(len(isoImage(""))) + HeadSize}},
		// What is bad for certain is refused at once.
		{"a block of a program is there", films, exe[:600], moving("/in/a.mov", 1<<40), Coverage{State: Bad, Inspected: 600, Total: 600}},
		{"a block of what is denied is there", `{"deny": ["video/*"]}`, mov[:512], moving("/in/a.mov", 1<<40), Coverage{State: Bad, Inspected: 512, Total: 512}},
		{"a block of a program with a film's name is there", `{"match_extension": true}`, exe[:600], moving("/in/a.mov", 1<<40), Coverage{State: Bad, Inspected: 600, Total: 600}},
		// What may turn out to be something else is not.
		{"a block of what is unknown is there", films, binaryNoise(600), moving("/in/a.mov", 1<<40), partial(600, HeadSize)},
		{"a block of what is unknown is there, which is denied", `{"deny": ["application/octet-stream"]}`, binaryNoise(600), moving("/in/a.mov", 1<<40), partial(600, HeadSize)},
	} {
		f := inspectContent(compile(t, contentKind(), folder{}.env(".partial"), tc.settings), tc.event, headOf(tc.head))
		if diff := cmp.Diff(tc.want, f.Coverage); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
		if (f.Objection != nil) != (tc.want.State == Bad) || (f.Err != nil) != (tc.want.Reason != "") {
			t.Errorf("%s: %v, %v", tc.name, f.Objection, f.Err)
		}
	}
}

func TestContentCannotTell(t *testing.T) {
	broken := errors.New("input/output error")
	mov := ftyp("qt  ")
	with := func(change func(*headSource)) headSource {
		s := headOf(mov)
		change(&s)
		return s
	}
	for _, tc := range []struct {
		name   string
		source headSource
		event  *Event
		state  CoverageState
		reason string
	}{
		{"no such file", headSource{err: &UninspectableError{Reason: ReasonMissing}}, stopped("/in/a.mov"), Uninspectable, ReasonMissing},
		{"cannot be opened", headSource{err: broken}, stopped("/in/a.mov"), Failed, ReasonError},
		{"cannot be read", with(func(s *headSource) { s.file.fails = broken }), stopped("/in/a.mov"), Failed, ReasonError},
		{"out of time", with(func(s *headSource) { s.file.fails = context.DeadlineExceeded }), stopped("/in/a.mov"), TimedOut, ReasonTimeout},
		{"changed under the look", with(func(s *headSource) { s.file.changed = ErrChanged }), stopped("/in/a.mov"), Failed, ReasonChanged},
		{"changes while it moves", with(func(s *headSource) { s.file.changed = ErrChanged }), moving("/in/a.mov", int64(len(mov))), Clean, ""},
		{"no name", headOf(mov), file("", func(e *Event) { e.Phase, e.Size = PhaseStop, Known(1) }), Failed, ReasonError},
	} {
		f := inspectContent(compile(t, contentKind(), folder{}.env(""), `{"match_extension": true}`), tc.event, tc.source)
		if f.Coverage.State != tc.state || f.Coverage.Reason != tc.reason || f.Objection != nil {
			t.Errorf("%s: %+v, %v", tc.name, f.Coverage, f.Objection)
		}
	}
	// What is bad is bad, also when it has changed since.
	bad := headOf(portableExecutable())
	bad.file.changed = ErrChanged
	if f := inspectContent(compile(t, contentKind(), folder{}.env(""), `{"match_extension": true}`), stopped("/in/a.mov"), bad); f.Coverage.State != Bad {
		t.Errorf("a program that changes: %+v", f.Coverage)
	}
}

// contentObjections are a file for each message of the kind.
func contentObjections() []struct{ settings, before, after, head string } {
	return []struct{ settings, before, after, head string }{
		{`{"deny": ["video/*"]}`, "", ".mov", ftyp("qt  ")},
		{`{"allow": ["video/*", "application/mxf"]}`, "", ".mov", portableExecutable()},
		{`{"match_extension": true}`, "x", ".jpg", ftyp("qt  ")},
		{`{"match_extension": true}`, "x", ".mov", portableExecutable()},
		{`{"match_extension": true}`, "x", ".mov", binaryNoise(900)},
		{`{"match_extension": true}`, "x", ".gif", "GIF89a/*" + binaryNoise(99)},
	}
}

func renderContent(t rapid.TB, c Compiled, e *Event, head string) (string, *Objection) {
	t.Helper()
	f := inspectContent(c, e, headOf(head))
	if f.Objection == nil {
		t.Fatalf("%q is not refused: %v", e.File.Raw, f.Err)
		return "", nil
	}
	return ruleOf(contentKind(), folder{}.env(""), c).render(e, f.Objection), f.Objection
}

func TestContentMessages(t *testing.T) {
	want := []string{
		"a.mov holds video/quicktime, and that may not be transferred here. Send it in another format, or ask the server's administrator.",
		"a.mov holds application/vnd.microsoft.portable-executable. Only these may be transferred here: video/*, application/mxf. Convert it and try again.",
		"xa.jpg holds video/quicktime, and that is not what .jpg stands for. Rename it to what it is, or send the file that the name promises.",
		"xa.mov holds a program, application/vnd.microsoft.portable-executable, and its name does not say so. Rename it to what it is, or send the file that the name promises.",
		"xa.mov does not begin as a .mov file does. It may be damaged or encrypted: check that it opens, and export it again.",
		"xa.gif can be read as image/gif and text/javascript. A file must be one thing only: save it again in the program that made it.",
	}
	for i, o := range contentObjections() {
		c := compile(t, contentKind(), folder{}.env(""), o.settings)
		if got, _ := renderContent(t, c, stopped("/in/"+o.before+"a"+o.after), o.head); got != want[i] {
			t.Errorf("%s says\n%s, want\n%s", o.settings, got, want[i])
		}
	}
}

// Whatever the name is, each refusal is one printable line that fits, and all of
// the kind's messages are seen.
func TestContentMessagesFit(t *testing.T) {
	texts := map[string]bool{}
	source, err := parser.ParseFile(token.NewFileSet(), "kind_content.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(source, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && strings.Contains(literal.Value, "{name}") {
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			texts[text] = false
		}
		return true
	})
	var compiled []Compiled
	for _, o := range contentObjections() {
		compiled = append(compiled, compile(t, contentKind(), folder{}.env(""), o.settings))
	}
	rapid.Check(t, func(t *rapid.T) {
		h := hostile().Draw(t, "hostile")
		for i, o := range contentObjections() {
			text, found := renderContent(t, compiled[i], stopped("/in/"+o.before+h+o.after), o.head)
			if !isMessage(text) {
				t.Fatalf("%s says %q", o.settings, text)
			}
			if _, err := ParseTemplate(found.Message.text(), contentKind().Placeholders...); err != nil {
				t.Fatalf("%q: %v", found.Message.text(), err)
			}
			texts[found.Message.text()] = true
		}
	})
	for text, seen := range texts {
		if !seen {
			t.Errorf("no file had the message %q", text)
		}
	}
	if len(texts) == 0 {
		t.Error("the kind has no message")
	}
}

func TestContentMistakes(t *testing.T) {
	judgeMistakes(t, contentKind(), folder{}.env(""), []slip{
		{`{"match_extension": false}`, []string{"/match_extension: there is nothing to judge; add allow or deny, or write match_extension: true"}},
		{`{"allow": ["Video/MP4", " video/mp4", "text/plain; charset=utf-8"]}`, []string{
			`/allow/0: a media type is written in lower case and without spaces: "Video/MP4"; did you mean "video/mp4"?`,
			`/allow/1: a media type is written in lower case and without spaces: " video/mp4"; did you mean "video/mp4"?`,
			`/allow/2: "text/plain; charset=utf-8" has parameters, which no head tells; write "text/plain"`,
		}},
		{`{"allow": ["mov", ".exe", "video", "video/", "a/b/c", ""]}`, []string{
			`/allow/0: "mov" is not a media type, which is written family/name; did you mean "video/quicktime"?`,
			`/allow/1: ".exe" is not a media type, which is written family/name; did you mean "application/vnd.microsoft.portable-executable"?`,
			`/allow/2: "video" is not a media type, which is written family/name; did you mean "video/*"?`,
			`/allow/3: "video/" is not a media type, which is written family/name`,
			`/allow/4: "a/b/c" is not a media type, which is written family/name`,
			`/allow/5: "" is not a media type, which is written family/name`,
		}},
		{`{"deny": ["*/*", "video/m*", "*", "vidoe/*"]}`, []string{
			`/deny/0: "*/*": a * stands for all types of a family, as in video/*`,
			`/deny/1: "video/m*": a * stands for all types of a family, as in video/*`,
			`/deny/2: "*" is not a media type, which is written family/name`,
			`/deny/3: "vidoe/*" is not a family of media types; they are application/*, audio/*, drawing/*, font/*, gzip/*, image/*, inode/*, message/*, model/*, text/*, video/*; did you mean "video/*"?`,
		}},
		{`{"deny": ["video/mxf", "video/mov", "video/quiktime", "vidoe/mp4", "application/exe", "application/unheard-of"]}`, []string{
			`/deny/0: "video/mxf" is not a media type that a file can be recognised as; did you mean "application/mxf"?`,
			`/deny/1: "video/mov" is not a media type that a file can be recognised as; did you mean "video/quicktime"?`,
			`/deny/2: "video/quiktime" is not a media type that a file can be recognised as; did you mean "video/quicktime"?`,
			`/deny/3: "vidoe/mp4" is not a media type that a file can be recognised as; did you mean "video/mp4"?`,
			`/deny/4: "application/exe" is not a media type that a file can be recognised as; did you mean "application/vnd.microsoft.portable-executable"?`,
			`/deny/5: "application/unheard-of" is not a media type that a file can be recognised as`,
		}},
		{`{"allow": ["audio/wav", "video/*"], "deny": ["audio/x-wav", "video/*", "video/mp4"]}`, []string{
			`/deny/0: "audio/x-wav" is both allowed and denied`, `/deny/1: "video/*" is both allowed and denied`,
		}},
	})
	judgeSchema(t, contentKind(), `{}`, `{"allow": []}`, `{"deny": []}`, `{"allow": "video/*"}`, `{"deny": [1]}`, `{"match_extension": "yes"}`, `{"types": ["video/*"]}`)
}

func TestContentReach(t *testing.T) {
	for _, tc := range []struct {
		later, earlier string
		want           bool
	}{
		{`{"deny": ["video/mp4"]}`, `{"deny": ["video/mp4", "text/plain"]}`, true},
		{`{"deny": ["audio/x-wav"]}`, `{"deny": ["audio/wav"]}`, true},
		{`{"deny": ["video/mp4", "text/plain"]}`, `{"deny": ["video/mp4"]}`, false},
		{`{"allow": ["video/*", "text/plain"]}`, `{"allow": ["video/*"]}`, true},
		{`{"allow": ["video/*"]}`, `{"allow": ["video/*", "text/plain"]}`, false},
		{`{"allow": ["video/*"]}`, `{"deny": ["text/plain"]}`, false},
		{`{"match_extension": true}`, `{"allow": ["video/*"], "match_extension": true}`, true},
		{`{"match_extension": true}`, `{"allow": ["video/*"]}`, false},
	} {
		env := folder{}.env("")
		later, earlier := compile(t, contentKind(), env, tc.later).Reach, compile(t, contentKind(), env, tc.earlier).Reach
		if got := later.Within(earlier); got != tc.want {
			t.Errorf("%s within %s: %v", tc.later, tc.earlier, got)
		}
		if later.Within(SameReach("")) {
			t.Errorf("%s within another kind", tc.later)
		}
	}
}

// Whatever a rule objects to, one that reaches as far objects to as well.
func TestContentReachIsTrue(t *testing.T) {
	samples := append(contentSamples(t), contentPairs(t)...)
	entries := []string{"video/*", "image/*", "text/*", "application/zip", "text/plain", anyProgram, unknownContent, "application/mxf", "image/gif", "text/javascript"}
	within := 0
	draw := func(t *rapid.T, label string) *contents {
		c := &contents{match: rapid.Bool().Draw(t, label+" match")}
		for _, list := range []*contentSet{&c.allow, &c.deny} {
			if n := rapid.SliceOfN(rapid.SampledFrom(entries), 0, 6).Draw(t, label); len(n) > 0 {
				*list = contentSet{}
				for _, name := range n {
					(*list)[name] = true
				}
			}
		}
		return c
	}
	rapid.Check(t, func(t *rapid.T) {
		later, earlier := draw(t, "later"), draw(t, "earlier")
		if !later.Within(earlier) {
			return
		}
		within++
		for _, s := range samples {
			types := identifyContent([]byte(s.head[:min(len(s.head), HeadSize)]), len(s.head) <= HeadSize)
			if o, _ := later.judge(types, s.name); o == nil {
				continue
			}
			if o, _ := earlier.judge(types, s.name); o == nil {
				t.Fatalf("%s: %+v refuses, and %+v does not", s.name, later, earlier)
			}
		}
	})
	if within == 0 {
		t.Error("no pair of rules was compared")
	}
}
