package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// usual are limits that nothing small comes near.
var usual = Limits{Entries: 1000, Depth: 3, Unpacked: 1 << 30, Ratio: 100_000, Memory: 64 << 20}

// told is what a walk says, as one line.
func told(r Report, members []string, err error) string {
	var refusal *Refusal
	var denied denied
	out := ""
	switch {
	case errors.As(err, &refusal):
		out = fmt.Sprintf("refused: %s %q", refusal.Fault, refusal.Member)
	case errors.As(err, &denied):
		out = fmt.Sprintf("denied: %q", string(denied))
	case err != nil:
		out = "failed: " + err.Error()
	case r.Gap != nil:
		out = fmt.Sprintf("gap: %s %q", [...]string{"format", "memory", "locked"}[r.Gap.Reason], r.Gap.Member)
	case !r.Known:
		out = "no archive"
	default:
		out = "clean"
	}
	if len(members) > 0 {
		out += ": " + strings.Join(members, " ")
	}
	return out
}

// denied is the objection of a judge to a program.
type denied string

func (d denied) Error() string { return string(d) }

// walkBytes walks bytes and lists the members that were judged. Programs are
// denied.
func walkBytes(ctx context.Context, name string, data []byte, limits Limits) (Report, []string, error) {
	var members []string
	r, err := Walk(ctx, bytes.NewReader(data), int64(len(data)), name, limits, func(m Member) error {
		path := m.Path()
		if m.Folder {
			path += "/"
		}
		if strings.HasSuffix(path, "denied.exe") {
			return denied(path)
		}
		members = append(members, path)
		return nil
	})
	return r, members, err
}

func fixture(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile("../testdata/archive/" + name)
	must(tb, err)
	return data
}

// row is an archive, named at the end of what it is, and what is said of it.
type row struct {
	name   string
	data   []byte
	change func(*Limits)
	want   string
}

// judge walks each archive.
func judge(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		limits := usual
		if r.change != nil {
			r.change(&limits)
		}
		file := r.name[strings.LastIndexByte(r.name, ' ')+1:]
		report, members, err := walkBytes(t.Context(), file, r.data, limits)
		if got := told(report, members, err); got != r.want {
			t.Errorf("%s: %s, want %s (%v, %v)", r.name, got, r.want, err, report.Gap)
		}
	}
}

func accept(l *Limits) { l.AcceptEncrypted, l.AcceptLinks = true, true }

// Archives that other programs made.
func TestFixtures(t *testing.T) {
	const tree = ": d/ d/sub/ d/empty.txt d/a.txt d/sub/b.exe"
	const treeOfZip = ": d/ d/a.txt d/empty.txt d/sub/ d/sub/b.exe"
	rows := []row{}
	for file, want := range map[string]string{
		"a.gz": "clean: a", "a.bz2": "clean: a", "two.bz2": "clean: two", "a.zst": "clean: a",
		"a-none.xz": "clean: a-none", "a-crc32.xz": "clean: a-crc32", "a-crc64.xz": "clean: a-crc64", "a-sha256.xz": "clean: a-sha256",
		"blocks.xz": "clean: blocks", "two.xz": "clean: two",
		"x86.xz": "clean: x86", "arm.xz": "clean: arm", "armt.xz": "clean: armt", "arm64.xz": "clean: arm64", "ppc.xz": "clean: ppc",
		"sparc.xz": "clean: sparc", "delta.xz": "clean: delta",

		"copy.7z": "clean" + tree, "lzma.7z": "clean" + tree, "lzma2.7z": "clean" + tree, "bzip2.7z": "clean" + tree, "deflate.7z": "clean" + tree,
		"names-lzma2.7z": "clean" + tree, "names-copy.7z": "clean" + tree, // Their directories are not compressed.
		"x86.7z": "clean: x86.bin", "arm.7z": "clean: arm.bin", "armt.7z": "clean: armt.bin", "arm64.7z": "clean: arm64.bin",
		"ppc.7z": "clean: ppc.bin", "sparc.7z": "clean: sparc.bin", "delta.7z": "clean: delta.bin",
		"links-in.7z": "clean: in", "links-out.7z": `refused: unsafe link "out": out`,
		"locked.7z": `refused: encrypted "d/a.txt"` + tree, "locked-names.7z": `refused: encrypted ""`,
		"ppmd.7z": `gap: format "d/a.txt"` + tree, "bcj2.7z": `gap: format "s.bin": s.bin`,

		"plain.zip": "clean" + treeOfZip, "lzma.zip": "clean" + treeOfZip, "bzip2.zip": "clean" + treeOfZip, "xz.zip": "clean" + treeOfZip,
		"aes.zip": `refused: encrypted "d/a.txt"` + treeOfZip, "crypto.zip": `refused: encrypted "d/a.txt"` + treeOfZip,
		"deflate64.zip": `gap: format "s.bin": s.bin`, "ppmd.zip": `gap: format "s.bin": s.bin`,
	} {
		rows = append(rows, row{name: file, data: fixture(t, file), want: want})
	}
	judge(t, rows)
	judge(t, []row{
		{"aes.zip", fixture(t, "aes.zip"), accept, `gap: locked "d/a.txt"` + treeOfZip},
		{"locked.7z", fixture(t, "locked.7z"), accept, `gap: locked "d/a.txt"` + tree},
		{"locked-names.7z", fixture(t, "locked-names.7z"), accept, `gap: locked ""`},
		{"links-out.7z", fixture(t, "links-out.7z"), accept, "clean: out"},
	})
	files, err := os.ReadDir("../testdata/archive")
	must(t, err)
	if len(files) != len(rows) {
		t.Errorf("%d fixtures have %d rows", len(files), len(rows))
	}
}

// What is cut short anywhere is never clean.
func TestTruncated(t *testing.T) {
	files, err := os.ReadDir("../testdata/archive")
	must(t, err)
	all := archives(t)
	for _, f := range files {
		all = append(all, row{name: f.Name(), data: fixture(t, f.Name()), want: "clean"})
	}
	cut := 0
	for _, a := range all {
		if !strings.HasPrefix(a.want, "clean") || len(a.data) > 10_000 {
			continue
		}
		file := a.name[strings.LastIndexByte(a.name, ' ')+1:]
		for n := 1; n < len(a.data); n += 1 + len(a.data)/400 {
			report, members, err := walkBytes(t.Context(), file, a.data[:n], usual)
			got := told(report, members, err)
			if strings.HasPrefix(got, "clean") && !endsWell(file, a.data, n) || got == "no archive" && n > 512+512 {
				t.Errorf("%s: %d of %d bytes: %s", a.name, n, len(a.data), got)
			}
			cut++
		}
	}
	if cut < 2500 {
		t.Errorf("%d cuts only", cut)
	}
}

// endsWell reports whether a file may end after n of its bytes: between two
// streams, or within the zeros behind a tar.
func endsWell(file string, data []byte, n int) bool {
	switch {
	case strings.HasSuffix(file, ".tar"):
		return n > 512 && strings.Trim(string(data[n-512:]), "\x00") == ""
	case strings.HasSuffix(file, ".gz"):
		return bytes.HasPrefix(data[n:], []byte("\x1f\x8b\x08"))
	case strings.HasSuffix(file, ".zst"):
		return bytes.HasPrefix(data[n:], []byte("\x28\xb5\x2f\xfd"))
	case strings.HasSuffix(file, ".xz"):
		return n >= 64 && string(data[n-2:n]) == "YZ" || string(data[n-4:n]) == "\x00\x00\x00\x00" && string(data[n-6:n-4]) == "YZ"
	case file == "two.bz2":
		return string(data[n:n+3]) == "BZh"
	default:
		return false
	}
}

// What comes behind the end is not looked at, and never clean.
func TestTrailing(t *testing.T) {
	for _, file := range []string{"a.gz", "a.bz2", "a-crc64.xz", "a.zst", "lzma2.7z", "plain.zip"} {
		report, members, err := walkBytes(t.Context(), file, append(fixture(t, file), "rubbish!"...), usual)
		if got := told(report, members, err); !strings.HasPrefix(got, "gap: format") {
			t.Errorf("%s: %s", file, got)
		}
	}
}

// archives are those that can be made here, with what is said of them.
func archives(tb testing.TB) (all []row) {
	tb.Helper()
	all = append(all, plainRows(tb)...)
	all = append(all, zipRows(tb)...)
	all = append(all, tarRows(tb)...)
	all = append(all, nestedRows(tb)...)
	return append(all, hostileRows(tb)...)
}

func TestMade(t *testing.T) { judge(t, archives(t)) }

func plainRows(tb testing.TB) []row {
	tb.Helper()
	small := []byte("hello")
	return []row{
		{"nothing at all film.mov", nil, nil, "no archive"},
		{"a short file film.mov", small, nil, "no archive"},
		{"zeros film.mov", make([]byte, 4096), nil, "no archive"},
		{"a text that says PK in the middle a.txt", []byte("PK\x03 PK\x05\x06 is no zip, and what comes now is long enough for one"), nil, "no archive"},
		{"a file with the name of an archive fake.zip", bytes.Repeat(small, 100), nil, "no archive"},

		{"a rar a.rar", []byte("Rar!\x1a\x07\x01\x00 and more of it"), nil, `gap: format ""`},
		{"a cab a.cab", []byte("MSCF\x00\x00\x00\x00 and more of it"), nil, `gap: format ""`},
		{"a rar in a zip a.zip", zipped(tb, file{"x.rar", "Rar!\x1a\x07\x01\x00 and more of it"}), nil, `gap: format "x.rar": x.rar`},
		{"a package of Debian a.deb", []byte("!<arch>\ndebian-binary"), nil, `gap: format ""`},

		{"a film that is a zip film.mov", zipped(tb, file{"a.txt", "a"}), nil, "clean: a.txt"},
		{"a name by which a gz is known clip.mov.gz", gzipped(tb, small), nil, "clean: clip.mov"},
		{"a gz without it clip", gzipped(tb, small), nil, "clean: clip"},
		{"a gz of a program denied.exe.gz", gzipped(tb, small), nil, `denied: "denied.exe"`},
		{"a gz that says another name clip.mov.gz", namedGzip(tb, "denied.exe", small), nil, `denied: "denied.exe": clip.mov`},
		{"a gz that leads elsewhere clip.mov.gz", namedGzip(tb, "../clip.mov", small), nil, `refused: leads outside "../clip.mov": clip.mov`},
		{"two gz behind each other clip.mov.gz", append(gzipped(tb, small), gzipped(tb, small)...), nil, "clean: clip.mov"},
		{"a gz with a wrong sum clip.mov.gz", flipped(gzipped(tb, small), -6), nil, `gap: format "clip.mov": clip.mov`},
		{"a zst clip.mov.zst", zstdOf(tb, small), nil, "clean: clip.mov"},
		{"a zst behind a frame to be skipped clip.mov.zst", append([]byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc"), zstdOf(tb, small)...), nil, "clean: clip.mov"},
		{
			"a zst whose window is larger than the budget clip.mov.zst", zstdOf(tb, make([]byte, 1<<20), zstd.WithWindowSize(64<<20), zstd.WithSingleSegment(false)),
			func(l *Limits) { l.Memory = 32 << 20 }, `gap: memory ""`,
		},
		{"an xz whose dictionary is larger than the budget x86.xz", fixture(tb, "x86.xz"), func(l *Limits) { l.Memory = 1 << 20 }, `gap: memory "x86": x86`},
	}
}

// flipped returns data with one byte changed, counted from the end if negative.
func flipped(data []byte, at int) []byte {
	data = bytes.Clone(data)
	if at < 0 {
		at += len(data)
	}
	data[at] ^= 0x55
	return data
}

func zipRows(tb testing.TB) []row {
	tb.Helper()
	a, b := entry{name: "a.txt", data: "aaaa"}, entry{name: "b.txt", data: "bb"}
	described := entry{name: "a.txt", data: "aaaa", flags: zipDescribed}
	with := func(e entry, change func(*entry)) entry { change(&e); return e }
	good := rawZip(a, b)
	const two = ": a.txt b.txt"
	return []row{
		{"an empty one a.zip", rawZip(), nil, "clean"},
		{"members a.zip", good, nil, "clean" + two},
		{"folders a.zip", rawZip(entry{name: "d/"}, entry{name: "d/a.txt", data: "a"}), nil, "clean: d/ d/a.txt"},
		{"names with backslashes a.zip", rawZip(entry{name: `d\`}, entry{name: `d\denied.exe`, data: "a"}), nil, `denied: "d\\denied.exe": d/`},
		{"a name that is not UTF-8 a.zip", rawZip(entry{name: "a\xff.txt"}), nil, "clean: a\xff.txt a\u00a0.txt"},
		{"a program a.zip", rawZip(a, entry{name: "denied.exe", data: "MZ"}), nil, `denied: "denied.exe": a.txt`},
		{"another name in UTF-8 a.zip", rawZip(with(a, func(e *entry) { e.extra = "\x75\x70\x0f\x00\x01\x00\x00\x00\x00denied.exe" })), nil, `denied: "denied.exe": a.txt`},

		{"sizes behind a member a.zip", rawZip(with(described, func(e *entry) { e.behind = sizes(e.data, zipDescriptor) }), b), nil, "clean" + two},
		{"sizes without a signature a.zip", rawZip(with(described, func(e *entry) { e.behind = sizes(e.data, "") }), b), nil, "clean" + two},
		{"sizes left out a.zip", rawZip(described, b), nil, `refused: ambiguous "a.txt"`},
		{"other sizes behind a member a.zip", rawZip(with(described, func(e *entry) { e.behind = sizes("other", zipDescriptor) }), b), nil, `refused: ambiguous "a.txt"`},

		{"a member that the directory hides a.zip", rawZip(a, with(b, func(e *entry) { e.unlisted = true })), nil, `refused: ambiguous "": a.txt`},
		{"a hidden member at the beginning a.zip", rawZip(with(b, func(e *entry) { e.unlisted = true }), a), nil, `refused: ambiguous "": a.txt`},
		{"a hidden member behind a gap a.zip", rawZip(a, entry{name: "h", before: "....", unlisted: true}, b), nil, `refused: ambiguous "": a.txt b.txt`},
		{"a member that is not there a.zip", rawZip(a, with(b, func(e *entry) { e.at = 3 })), nil, `refused: ambiguous "b.txt": a.txt`},
		{"another name before the member a.zip", rawZip(a, with(b, func(e *entry) { e.localName = "b.exe" })), nil, `refused: ambiguous "b.txt": a.txt`},
		{"another method before the member a.zip", rawZip(with(a, func(e *entry) { e.localMethod = 8 })), nil, `refused: ambiguous "a.txt"`},
		{"another size before the member a.zip", rawZip(with(a, func(e *entry) { e.localSize = 2 }), b), nil, `refused: ambiguous "a.txt"`},
		{"two sizes of what is not compressed a.zip", rawZip(with(a, func(e *entry) { e.unpacked = 9 })), nil, `refused: ambiguous "a.txt": a.txt`},
		{"two members that are the same bytes a.zip", rawZip(a, with(a, func(e *entry) { e.at = 1 })), nil, `refused: ambiguous "": a.txt a.txt`},
		{"a member that quotes another's header a.zip", quoting(), nil, `refused: ambiguous "": a.txt b.txt`},
		{"a directory that counts wrong a.zip", flipped(flipped(good, len(good)-12), len(good)-14), nil, `refused: ambiguous "": a.txt b.txt`},
		{"a directory that counts in two ways a.zip", flipped(good, len(good)-12), nil, `gap: format ""`},
		{"two directories a.zip", append(bytes.Clone(good[:len(good)-2]), append(u16(uint16(len(good))), good...)...), nil, `refused: ambiguous ""`},
		{"two zips behind each other a.zip", append(bytes.Clone(good), rawZip(b)...), nil, `refused: ambiguous "": b.txt`},

		{"a zip behind a program setup.exe", append([]byte("MZ a program that unpacks itself"), good...), nil, "clean" + two},
		{"a zip behind a picture a.jpg", append([]byte("\xff\xd8\xff a picture"), good...), nil, "clean" + two},
		{"a 7z behind a program setup.exe", append([]byte("MZ a program that unpacks itself"), fixture(tb, "delta.7z")...), nil, "clean: delta.bin"},
		{"a rar behind a program setup.exe", append([]byte("MZ a program"), "Rar!\x1a\x07\x00 and more of it, so that it is long enough"...), nil, `gap: format ""`},
		{"a zip in which a zip lies behind a program a.zip", zipped(tb, file{"setup.exe", "MZ a program" + string(good)}), nil, `gap: format "setup.exe": setup.exe`},
		{"the same, not compressed a.zip", stored(tb, file{"setup.exe", "MZ a program" + string(good)}), nil, "clean: setup.exe setup.exe/a.txt setup.exe/b.txt"},

		{"an absolute name a.zip", rawZip(entry{name: "/etc/passwd"}), nil, `refused: leads outside "/etc/passwd"`},
		{"a name with .. a.zip", rawZip(a, entry{name: "x/../../y"}), nil, `refused: leads outside "x/../../y": a.txt`},
		{"a name with .. and backslashes a.zip", rawZip(entry{name: `..\y`}), nil, `refused: leads outside "..\\y"`},
		{"a drive a.zip", rawZip(entry{name: `C:\y`}), nil, `refused: leads outside "C:\\y"`},
		{"a name with a zero a.zip", rawZip(entry{name: "a.txt\x00.exe"}), nil, `refused: leads outside "a.txt\x00.exe"`},
		{"no name a.zip", rawZip(entry{name: ""}), nil, `refused: leads outside ""`},
		{"a link within a.zip", rawZip(a, entry{name: "d/l", data: "../a.txt", mode: 0xa1ff}), nil, "clean: a.txt d/l"},
		{"a link out a.zip", rawZip(a, entry{name: "d/l", data: "../../a.txt", mode: 0xa1ff}), nil, `refused: unsafe link "d/l": a.txt d/l`},
		{"a link out that is accepted a.zip", rawZip(a, entry{name: "d/l", data: "../../a.txt", mode: 0xa1ff}), accept, "clean: a.txt d/l"},
		{"a member behind a link a.zip", rawZip(entry{name: "l", data: "d", mode: 0xa1ff}, entry{name: "L/a"}), nil, `refused: unsafe link "L/a": l L/a`},

		{"an unknown method a.zip", rawZip(a, with(b, func(e *entry) { e.method = 77 })), nil, `gap: format "b.txt"` + two},
		{"a wrong sum a.zip", flipped(zipped(tb, file{"a.txt", "aaaaaaaaaaaaaaaa"}), 38), nil, `gap: format "a.txt": a.txt`},
		{"a program behind what cannot be read a.zip", rawZip(with(a, func(e *entry) { e.method = 77 }), entry{name: "denied.exe"}), nil, `denied: "denied.exe": a.txt`},
		{"one part of several a.zip", flipped(good, len(good)-18), nil, `gap: format ""`},
		{"many members a.zip", rawZip(a, b), func(l *Limits) { l.Entries = 1 }, `refused: too many members "b.txt": a.txt`},
	}
}

// quoting is a zip in which the first member is not compressed and has the second
// one in it: bytes count twice.
func quoting() []byte {
	inner := rawZip(entry{name: "b.txt", data: "bbbb"})
	inner, _, _ = bytes.Cut(inner, []byte(zipCentral))
	z := rawZip(entry{name: "a.txt", data: string(inner)}, entry{name: "b.txt", data: "bbbb", at: 1 + 30 + 5})
	return z
}

func tarRows(tb testing.TB) []row {
	tb.Helper()
	a := of("a.txt", "aaaa")
	good := tarred(tb, a, of("b.txt", strings.Repeat("b", 600)))
	global := tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"path": "denied.exe"}, Format: tar.FormatPAX}
	harmless := tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}, Format: tar.FormatPAX}
	long := strings.Repeat("long/", 60) + "a.txt"
	return []row{
		{"members a.tar", good, nil, "clean: a.txt b.txt"},
		{"folders a.tar", tarred(tb, tar.Header{Typeflag: tar.TypeDir, Name: "./"}, of("./a.txt", "a")), nil, "clean: ./ ./a.txt"},
		{"a long name a.tar", tarred(tb, of(long, "a")), nil, "clean: " + long},
		{"a program a.tar", tarred(tb, a, of("denied.exe", "MZ")), nil, `denied: "denied.exe": a.txt`},
		{"two behind each other a.tar", append(bytes.Clone(good), tarred(tb, of("denied.exe", ""))...), nil, `denied: "denied.exe": a.txt b.txt`},
		{"rubbish behind it a.tar", append(bytes.Clone(good), "PK rubbish"...), nil, `gap: format "": a.txt b.txt`},
		{"zeros behind it a.tar", append(bytes.Clone(good), make([]byte, 5000)...), nil, "clean: a.txt b.txt"},
		{"without its end a.tar", good[:len(good)-1024], nil, `gap: format "": a.txt b.txt`},
		{"a header for all members a.tar", tarred(tb, harmless, a), nil, "clean: a.txt"},
		{"a name for all members a.tar", tarred(tb, global, a), nil, `refused: ambiguous ""`},
		{"an absolute name a.tar", tarred(tb, of("/etc/passwd", "")), nil, `refused: leads outside "/etc/passwd"`},
		{"a name with .. a.tar", tarred(tb, of("../a", "")), nil, `refused: leads outside "../a"`},
		{"a link within a.tar", tarred(tb, a, link(tar.TypeSymlink, "d/e/l", "../../a.txt"), link(tar.TypeLink, "m", "a.txt")), nil, "clean: a.txt d/e/l m"},
		{"a link out a.tar", tarred(tb, link(tar.TypeSymlink, "d/l", "../../x")), nil, `refused: unsafe link "d/l": d/l`},
		{"an absolute link a.tar", tarred(tb, link(tar.TypeSymlink, "l", "/etc")), nil, `refused: unsafe link "l": l`},
		{"a hard link out a.tar", tarred(tb, link(tar.TypeLink, "l", "../x")), nil, `refused: unsafe link "l": l`},
		{"a link that leads up on its way a.tar", tarred(tb, link(tar.TypeSymlink, "l", "s/../x")), nil, `refused: unsafe link "l": l`},
		{"a member behind a link a.tar", tarred(tb, link(tar.TypeSymlink, "l", "d"), of("l/a", "")), nil, `refused: unsafe link "l/a": l l/a`},
		{"a hard link behind a link a.tar", tarred(tb, link(tar.TypeSymlink, "l", "d"), link(tar.TypeLink, "m", "l/a")), nil, `refused: unsafe link "l/a": l m`},
		{"a link out that is accepted a.tar", tarred(tb, link(tar.TypeSymlink, "l", "/etc")), accept, "clean: l"},
		{"a device a.tar", tarred(tb, tar.Header{Typeflag: tar.TypeChar, Name: "null"}), nil, `refused: unsafe link "null": null`},
		{"a pipe that is accepted a.tar", tarred(tb, tar.Header{Typeflag: tar.TypeFifo, Name: "p"}), accept, "clean: p"},
		{"a gz of one a.tar.gz", gzipped(tb, good), nil, "clean: a.txt b.txt"},
		{"a gz of one that was cut off a.tar.gz", gzipped(tb, good[:1000]), nil, `gap: format "a.tar": a.txt`},
		{"many members a.tar.gz", gzipped(tb, good), func(l *Limits) { l.Entries = 1 }, `refused: too many members "b.txt": a.txt`},
		{"more bytes than may be a.tar", good, func(l *Limits) { l.Unpacked = 603 }, `refused: too large "b.txt": a.txt b.txt`},
		{"as many bytes as may be a.tar", good, func(l *Limits) { l.Unpacked = 604 }, "clean: a.txt b.txt"},
	}
}

func nestedRows(tb testing.TB) []row {
	tb.Helper()
	one := zipped(tb, file{"denied.exe", "MZ"})
	ok := zipped(tb, file{"a.txt", "a"})
	two := zipped(tb, file{"two.zip", string(ok)})
	three := zipped(tb, file{"three.zip", string(two)})
	four := zipped(tb, file{"four.zip", string(three)})
	seven := fixture(tb, "delta.7z")
	big := string(pseudo(3 << 20))
	return []row{
		{"a zip in a zip in a zip a.zip", three, nil, "clean: three.zip three.zip/two.zip three.zip/two.zip/a.txt"},
		{"one more a.zip", four, nil, `refused: too deep "four.zip/three.zip/two.zip": four.zip four.zip/three.zip four.zip/three.zip/two.zip`},
		{"a program in a zip in a tar.gz a.tgz", gzipped(tb, tarred(tb, of("x.zip", string(one)))), nil, `denied: "x.zip/denied.exe": x.zip`},
		{"the same in a tar a.tar", tarred(tb, of("x.zip", string(one))), nil, `denied: "x.zip/denied.exe": x.zip`},
		{"a program in a zip that is no zip by its name a.zip", zipped(tb, file{"x.jpg", string(one)}), nil, `denied: "x.jpg/denied.exe": x.jpg`},
		{"a 7z in a zip a.zip", zipped(tb, file{"x.7z", string(seven)}), nil, "clean: x.7z x.7z/delta.bin"},
		{"a zip in a 7z in memory x.7z.gz", gzipped(tb, seven), nil, "clean: x.7z x.7z/delta.bin"},
		{"a gz of a gz of a gz a.gz.gz.gz", gzipped(tb, gzipped(tb, gzipped(tb, []byte("a")))), nil, "clean: a.gz.gz a.gz.gz/a.gz a.gz.gz/a.gz/a"},
		{"one more a.gz", gzipped(tb, gzipped(tb, gzipped(tb, gzipped(tb, []byte("a"))))), nil, `refused: too deep "a/a/a": a a/a a/a/a`},
		{"a tar.gz in a zip counts once a.zip", zipped(tb, file{"x.tgz", string(gzipped(tb, tarred(tb, of("y.zip", string(ok)))))}), nil, "clean: x.tgz x.tgz/y.zip x.tgz/y.zip/a.txt"},
		{"a tar in a tar a.tar", tarred(tb, of("x.tar", string(tarred(tb, of("a.txt", "a"))))), nil, "clean: x.tar x.tar/a.txt"},
		{"a broken zip in a zip a.zip", zipped(tb, file{"x.zip", string(ok[:len(ok)-30])}, file{"denied.exe", ""}), nil, `denied: "denied.exe": x.zip`},
		{"a broken zip in a tar a.tar", tarred(tb, of("x.zip", string(ok[:len(ok)-30])), of("y.zip", string(ok))), nil, `gap: format "x.zip": x.zip y.zip y.zip/a.txt`},
		{
			"a large zip in a tar.gz, beyond the budget a.tgz", gzipped(tb, tarred(tb, of("x.zip", string(stored(tb, file{"a", big}))), of("y", "a"))),
			func(l *Limits) { l.Memory = 2 << 20 }, `gap: memory "x.zip": x.zip y`,
		},
		{
			"the same in a tar, where it need not be kept a.tar", tarred(tb, of("x.zip", string(stored(tb, file{"a", big}))), of("y", "a")),
			func(l *Limits) { l.Memory = 2 << 20 }, "clean: x.zip x.zip/a y",
		},
	}
}

// pseudo returns bytes that do not compress and are always the same.
func pseudo(n int) []byte {
	b, state := make([]byte, n), uint64(1)
	for i := range b {
		state = state*6364136223846793005 + 1442695040888963407
		b[i] = byte(state >> 56)
	}
	return b
}

// Bombs are ended as soon as it is clear that they are some.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 8<<20)
	gz := gzipped(t, zeros)
	tower := zipped(t, file{"0", string(zeros)})
	for i := range 2 {
		var copies []file
		for k := range 10 {
			copies = append(copies, file{fmt.Sprintf("%d-%d.zip", i, k), string(tower)})
		}
		tower = zipped(t, copies...)
	}
	ratio := func(l *Limits) { l.Ratio = 200 }
	judge(t, []row{
		{"zeros a.zip", zipped(t, file{"zeros", string(zeros)}), ratio, `refused: ratio too high "zeros": zeros`},
		{"zeros a.gz", gz, ratio, `refused: ratio too high "a": a`},
		{"zeros beside what does not shrink a.tar", tarred(t, of("x.gz", string(gz)), of("y", string(pseudo(4<<20)))), ratio, `refused: ratio too high "x.gz/x": x.gz x.gz/x`},
		{"the same a.zip", stored(t, file{"y", string(pseudo(4 << 20))}, file{"x.gz", string(gz)}), ratio, `refused: ratio too high "x.gz/x": y x.gz x.gz/x`},
		{"a tower of zips a.zip", tower, func(l *Limits) { l.Ratio, l.Depth = 1100, 5 }, `refused: ratio too high "1-0.zip/0-0.zip/0": ` + strings.Join(tenOf("1-%d.zip"), " ") + " 1-0.zip/" + strings.Join(tenOf("0-%d.zip"), " 1-0.zip/") + " 1-0.zip/0-0.zip/0"},
		{"few bytes are not judged a.gz", gzipped(t, zeros[:RatioFrom]), ratio, "clean: a"},
		{"more than may come out a.gz", gz, func(l *Limits) { l.Unpacked = 8<<20 - 1 }, `refused: too large "a": a`},
		{"as much as may come out a.gz", gz, func(l *Limits) { l.Unpacked = 8 << 20 }, "clean: a"},
	})
}

func tenOf(format string) (names []string) {
	for i := range 10 {
		names = append(names, fmt.Sprintf(format, i))
	}
	return names
}

// What cannot be read is no damage of the archive, and nothing is said of it.
func TestReadErrors(t *testing.T) {
	broken := errors.New("the disk is broken")
	for _, a := range archives(t) {
		for _, at := range []int64{0, int64(len(a.data) / 2), int64(len(a.data)) - 1} {
			if at < 0 || len(a.data) == 0 {
				continue
			}
			r := faulty{bytes.NewReader(a.data), at, broken}
			report, err := Walk(t.Context(), r, int64(len(a.data)), "a", usual, func(Member) error { return nil })
			var refusal *Refusal
			if !errors.Is(err, broken) && !errors.As(err, &refusal) && (err != nil || report.Known && report.Gap == nil && at != int64(len(a.data)/2)) {
				t.Errorf("%s: broken at %d: %v, %+v", a.name, at, err, report)
			}
		}
	}
}

// faulty fails where a place is read.
type faulty struct {
	io.ReaderAt
	at  int64
	err error
}

func (f faulty) ReadAt(p []byte, at int64) (int, error) {
	if at <= f.at && f.at < at+int64(len(p)) {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(p, at)
}

// A walk ends when nobody waits for it any more.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Walk(ctx, endless{cancel}, 1<<40, "a.gz", Limits{Entries: 10, Depth: 3, Unpacked: 1 << 50, Ratio: 1 << 20, Memory: 1 << 20}, func(Member) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// endless is a gz that never ends, and cancels the walk when it has been read
// for a while.
type endless struct{ cancel func() }

func (e endless) ReadAt(p []byte, at int64) (int, error) {
	if at > 1<<20 {
		e.cancel()
	}
	head := "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00"
	for i := range p { // Blocks that are not compressed and have 65,535 zeros.
		switch n := at + int64(i) - int64(len(head)); {
		case n < 0:
			p[i] = head[at+int64(i)]
		case n%(5+0xffff) == 1, n%(5+0xffff) == 2:
			p[i] = 0xff
		default:
			p[i] = 0
		}
	}
	return len(p), nil
}

// However much comes out, a walk takes the same memory.
func TestMemory(t *testing.T) {
	const size = 256 << 20
	var gz, zst bytes.Buffer
	g, err := kgzip.NewWriterLevel(&gz, kgzip.BestSpeed)
	must(t, err)
	z, err := zstd.NewWriter(&zst, zstd.WithEncoderConcurrency(1))
	must(t, err)
	zeros := make([]byte, 1<<20)
	for range size / len(zeros) {
		_, err := io.MultiWriter(g, z).Write(zeros)
		must(t, err)
	}
	must(t, errors.Join(g.Close(), z.Close()))
	for name, data := range map[string][]byte{"zeros.gz": gz.Bytes(), "zeros.zst": zst.Bytes(), "zeros.zip": stored(t, file{"a.gz", gz.String()})} {
		limits := usual
		limits.Unpacked, limits.Ratio = 2*size, 1<<40
		most := uint64(0)
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		r, err := Walk(t.Context(), sampled{bytes.NewReader(data), func() {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}}, int64(len(data)), name, limits, func(Member) error { return nil })
		if err != nil || r.Gap != nil || r.Unpacked < size {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
		if taken := int64(most) - int64(before.HeapAlloc); taken > 32<<20 {
			t.Errorf("%s: %d bytes of memory were taken", name, taken)
		}
	}
}

// sampled calls a function at each read.
type sampled struct {
	io.ReaderAt
	sample func()
}

func (s sampled) ReadAt(p []byte, at int64) (int, error) {
	s.sample()
	return s.ReaderAt.ReadAt(p, at)
}

// What a walk came to is told, whatever it ended with.
func TestReports(t *testing.T) {
	one, zeros := of("a.txt", "a"), strings.Repeat("\x00", 4<<20)
	inner := zipped(t, file{"b.txt", "b"})
	short := func(l *Limits) { accept(l); l.Memory = 64 << 10 }
	var many []tar.Header
	for i := range 900 {
		many = append(many, link(tar.TypeSymlink, fmt.Sprintf("l%d", i), "a.txt"))
	}
	for _, r := range []struct {
		name   string
		data   []byte
		change func(*Limits)
		want   string
	}{
		{"film.mov", []byte("a film"), nil, "no archive, 0 deep, links none"},
		{"a.zip", inner, nil, "zip, 1 deep, links none"},
		{"a.tar", tarred(t, one), nil, "tar, 1 deep, links none"},
		{"a.tar.gz", gzipped(t, tarred(t, one)), nil, "tar.gz, 1 deep, links none"},
		{"a.txt.gz", gzipped(t, []byte("a film")), nil, "gz, 1 deep, links none"},
		{"a.tar.gz.zst", zstdOf(t, gzipped(t, tarred(t, one))), nil, "zst, 2 deep, links none"},
		{"a.zip", zipped(t, file{"a.tar.gz", string(gzipped(t, tarred(t, of("a.zip", string(inner)))))}), nil, "zip, 3 deep, links none"},
		{"deeper than it may be", zipped(t, file{"a.zip", string(inner)}), func(l *Limits) { l.Depth = 1 }, "zip, 2 deep, links none, too deep"},
		{"a.exe", append([]byte("MZ and a program"), inner...), nil, "zip, 1 deep, links none"},
		{"a.rar", []byte("Rar!\x1a\x07\x01\x00 and more"), nil, "rar, 0 deep, links none, a gap"},
		{"a zip with a rar in it", zipped(t, file{"a.rar", "Rar!\x1a\x07\x01\x00 and more"}), nil, "zip, 1 deep, links none, a gap"},
		{"aes.zip", fixture(t, "aes.zip"), nil, "zip, 1 deep, links none, encrypted, encrypted"},
		{"aes.zip", fixture(t, "aes.zip"), accept, "zip, 1 deep, links none, encrypted, a gap"},
		{"locked.7z", fixture(t, "locked.7z"), accept, "7z, 1 deep, links none, encrypted, a gap"},
		{"locked-names.7z", fixture(t, "locked-names.7z"), accept, "7z, 1 deep, links none, encrypted, a gap"},
		{"a safe link", tarred(t, one, link(tar.TypeSymlink, "l", "a.txt")), nil, "tar, 1 deep, links safe"},
		{"a safe link, let pass", tarred(t, one, link(tar.TypeSymlink, "l", "a.txt")), accept, "tar, 1 deep, links passed"},
		{"a link out", tarred(t, link(tar.TypeSymlink, "l", "/etc")), nil, "tar, 1 deep, links unsafe, unsafe link"},
		{"a link out, let pass", tarred(t, link(tar.TypeSymlink, "l", "/etc"), one), accept, "tar, 1 deep, links unsafe"},
		{"a device, let pass", tarred(t, link(tar.TypeFifo, "l", "")), accept, "tar, 1 deep, links unsafe"},
		{"a member behind a link", tarred(t, link(tar.TypeSymlink, "l", "d"), of("l/a.txt", "a")), nil, "tar, 1 deep, links unsafe, unsafe link"},
		{"a member behind a link, let pass", tarred(t, link(tar.TypeSymlink, "l", "d"), of("l/a.txt", "a")), accept, "tar, 1 deep, links passed"},
		{"links of a 7z", fixture(t, "links-out.7z"), accept, "7z, 1 deep, links unsafe"},
		{"as many links as the memory holds", tarred(t, many...), short, "tar, 1 deep, links passed"},
		{"more links than the memory holds", tarred(t, append(many, many...)...), func(l *Limits) { short(l); l.Entries = 2000 }, "tar, 1 deep, links unsure"},
		{"more links than it does", tarred(t, append(many, many...)...), func(l *Limits) { l.Memory, l.Entries = 64<<10, 2000 }, "tar, 1 deep, links unsure, a gap"},
		{"zeros.tar.gz", gzipped(t, tarred(t, of("zeros", zeros))), nil, "tar.gz, 1 deep, links none, dense"},
		{"more than may come out of one", zipped(t, file{"zeros", zeros}), func(l *Limits) { l.Ratio = 10 }, "zip, 1 deep, links none, dense, ratio too high"},
	} {
		limits := usual
		if r.change != nil {
			r.change(&limits)
		}
		report, _, err := walkBytes(t.Context(), r.name, r.data, limits)
		if got := reported(report, err); got != r.want {
			t.Errorf("%s: %s, want %s (%v, %v)", r.name, got, r.want, err, report.Gap)
		}
		if report.Ratio == 0 {
			continue
		}
		limits.Ratio = report.Ratio - 1
		if report, _, err := walkBytes(t.Context(), r.name, r.data, limits); !strings.Contains(reported(report, err), "ratio too high") {
			t.Errorf("%s keeps a ratio of %d", r.name, limits.Ratio)
		}
		if err != nil {
			continue // It may be higher.
		}
		limits.Ratio++
		if _, _, err := walkBytes(t.Context(), r.name, r.data, limits); err != nil {
			t.Errorf("%s does not keep a ratio of %d: %v", r.name, limits.Ratio, err)
		}
	}
}

// reported is a report as one line.
func reported(r Report, err error) string {
	text := r.Format
	if !r.Known {
		text = "no archive"
	}
	text += fmt.Sprintf(", %d deep, links %s", r.Depth, r.Links)
	if r.Encrypted {
		text += ", encrypted"
	}
	if r.Ratio > 0 {
		text += ", dense"
	}
	if r.Gap != nil {
		text += ", a gap"
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		text += ", " + refusal.Fault.String()
	}
	return text
}
