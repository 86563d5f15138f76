package archive

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// hostileRows are archives in which some program finds what others do not: each
// was unpacked by one of unzip, 7-Zip, bsdtar, GNU tar, gunzip and Python to
// something that the walk must see, or must not call clean.
func hostileRows(tb testing.TB) (all []row) {
	tb.Helper()
	all = append(all, hostileZips(tb)...)
	all = append(all, hostileLarge()...)
	all = append(all, hostileNames(tb)...)
	all = append(all, hostileTars(tb)...)
	all = append(all, hostilePairs(tb)...)
	all = append(all, hostileSevens()...)
	all = append(all, hostileXZs(tb)...)
	return append(all, hostileFormats(tb)...)
}

// program is a zip's member that is denied, with its header in the directory, as
// if it were at a place.
func program(at int) (member, listed string) {
	z := string(rawZip(entry{name: "denied.exe", data: "MZ", at: at + 1}))
	i := strings.Index(z, zipCentral)
	return z[:i], z[i:strings.Index(z, zipTrailer)]
}

// trailerOf is the trailer of a zip.
func trailerOf(members, size, at, comment int) string {
	return zipTrailer + string(u16(0, 0, uint16(members), uint16(members))) + string(u32(uint32(size), uint32(at))) + string(u16(uint16(comment)))
}

// carrying is a zip whose one member, of no known kind, is another zip without its
// trailer; and where the directory of that is.
func carrying() (z []byte, directory, size int) {
	const data = 30 + len("a.bin") + len("junk")
	member, listed := program(data)
	return rawZip(entry{name: "a.bin", data: "junk" + member + listed}), data + len(member), len(listed)
}

func hostileZips(tb testing.TB) []row {
	tb.Helper()
	z, directory, size := carrying()
	commented := func(comment string) []byte {
		return append(append(bytes.Clone(z[:len(z)-2]), u16(uint16(len(comment)))...), comment...)
	}
	member, listed := program(0)
	lost := rawZip(entry{name: "a.txt", data: "aaaa", flags: zipDescribed}, entry{name: "b.bin", data: "junkjunk" + member})
	outOfParts := bytes.Clone(z)
	copy(outOfParts[len(z)-18:], "\x05\x00\x05\x00")
	return []row{
		{"a trailer whose comment is cut off, in a comment a.zip", commented(trailerOf(1, size, directory, 0xfff0)), nil, `refused: ambiguous ""`},
		{"a trailer whose comment is cut off a.zip", append([]byte(member+listed), trailerOf(1, len(listed), len(member), 9)...), nil, `gap: format ""`},
		{"a trailer of another disk a.zip", outOfParts, nil, `gap: format ""`},
		{"an empty directory behind a member a.zip", append([]byte(member), trailerOf(0, 0, len(member), 0)...), nil, `refused: ambiguous ""`},
		{"members that are not counted behind a picture a.jpg", []byte("\xff\xd8\xff a picture" + member + listed + trailerOf(0, len(listed), len(member), 0)), nil, `denied: "denied.exe"`},
		{"a comment that is cut off behind a picture a.jpg", []byte("\xff\xd8\xff a picture" + member + listed + trailerOf(1, len(listed), len(member), 100)), nil, `gap: format ""`},
		{"more than a comment behind a zip behind a picture a.jpg", []byte("\xff\xd8\xff a picture" + member + listed + trailerOf(1, len(listed), len(member), 0) + strings.Repeat("x", 65_700)), nil, `denied: "denied.exe"`},
		{"a film that has a trailer's magic in it film.mov", []byte("a film" + trailerOf(7, 1000, 2000, 3) + strings.Repeat("x", 5000)), nil, "no archive"},
		{"what should lie behind a member is the next a.zip", lost, nil, `refused: ambiguous "a.txt"`},

		{"a link packed where there are none a.zip", fromSystem(rawZip(entry{name: "l", data: "/etc/passwd", mode: 0xa1ff}), 0), nil, `refused: ambiguous "l"`},
		{"the same, accepted, is a file a.zip", fromSystem(rawZip(entry{name: "l", data: string(zipped(tb, file{"denied.exe", ""})), mode: 0xa1ff}), 0), accept, `denied: "l/denied.exe": l`},
		{"a link whose target is an archive a.zip", rawZip(entry{name: "l", data: string(zipped(tb, file{"denied.exe", ""})), mode: 0xa1ff}), accept, `refused: ambiguous "l": l`},
		{"a link whose target is long a.zip", rawZip(entry{name: "l", data: strings.Repeat("x", 5000), mode: 0xa1ff}), accept, `refused: ambiguous "l": l`},
		{"a folder by its mode alone a.zip", rawZip(entry{name: "denied.exe", mode: 0x41ff}), nil, `denied: "denied.exe"`},
	}
}

// fromSystem changes the system on which a zip of one member says that it was
// packed.
func fromSystem(z []byte, system byte) []byte {
	z[bytes.LastIndex(z, []byte(zipCentral))+5] = system
	return z
}

// large is the trailer of a large zip, with what leads to it from the other one.
func large(members, size, at, where int) string {
	t := zip64Trailer + string(binary.LittleEndian.AppendUint64(nil, 44)) + string(u16(45, 45)) + string(u32(0, 0))
	for _, n := range []int{members, members, size, at} {
		t += string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	}
	return t + zip64Locator + string(u32(0)) + string(binary.LittleEndian.AppendUint64(nil, uint64(where))) + string(u32(1))
}

func hostileLarge() []row {
	z, directory, size := carrying()
	trailer := z[len(z)-22:]
	listed := int(binary.LittleEndian.Uint32(trailer[12:]))
	end := len(z) - 22
	hidden := bytes.Clone(z[:end])
	binary.LittleEndian.PutUint16(hidden[end-listed+32:], 76) // It is the comment of the last member in the directory.
	hidden = append(append(hidden, large(1, size, directory, end)...), trailerOf(1, listed+76, end-listed, 0)...)
	with := func(t64, t string) []byte { return append(append(bytes.Clone(z[:end]), t64...), t...) }
	z = rawZip(entry{name: "a.bin", data: strings.Repeat(".", end-listed-30-len("a.bin"))}) // Of the same size.
	full := trailerOf(0xffff, 1<<32-1, 1<<32-1, 0)
	return []row{
		{"large, though it need not be a.zip", with(large(1, listed, end-listed, end), string(trailer)), nil, "clean: a.bin"},
		{"large a.zip", with(large(1, listed, end-listed, end), full), nil, "clean: a.bin"},
		{"large, behind a picture a.jpg", append([]byte("\xff\xd8\xff"), with(large(1, listed, end-listed, end), full)...), nil, "clean: a.bin"},
		{"a large trailer that only some programs go by a.zip", hidden, nil, `refused: ambiguous ""`},
		{"two trailers that say two things a.zip", with(large(1, size, directory, end), string(trailer)), nil, `refused: ambiguous ""`},
		{"a large trailer that is said to be elsewhere a.zip", with(large(1, listed, end-listed, directory), full), nil, `refused: ambiguous ""`},
	}
}

func hostileNames(tb testing.TB) []row {
	tb.Helper()
	unicode := func(name string) string {
		return string(u16(0x7075, uint16(5+len(name)))) + "\x01" + string(u32(crc32.ChecksumIEEE([]byte("a.txt")))) + name
	}
	local := func(extra string) []byte { // What the directory does not say.
		member, listed := program(0)
		member = strings.Replace(member, "denied.exe", "a.txt"+extra, 1)
		b := []byte(member)
		copy(b[26:], u16(5, uint16(len(extra))))
		listed = strings.Replace(listed, "denied.exe", "a.txt", 1)
		d := []byte(listed)
		copy(d[28:], u16(5))
		return append(append(b, d...), trailerOf(1, len(d), len(b), 0)...)
	}
	late := string(u16(0x6c78, 9)) + "\x07" + string(u16(3<<8|20, 0)) + string(u32(0xa1ff<<16))
	return []row{
		{"no other name at all a.zip", local(""), nil, "clean: a.txt"},
		{"another name before the member alone a.zip", local(unicode("denied.exe")), nil, `refused: ambiguous "a.txt"`},
		{"a link before the member alone a.zip", local(late), nil, `refused: ambiguous "a.txt"`},
		{"two other names a.zip", rawZip(entry{name: "a.txt", extra: unicode("denied.exe") + unicode("b.txt")}), nil, `denied: "denied.exe": a.txt`},
		{"a name of MS-DOS a.zip", rawZip(entry{name: "\x81bung.txt"}), nil, "clean: \x81bung.txt übung.txt"},
		{"the same name, in UTF-8 a.zip", rawZip(entry{name: "übung.txt", flags: zipUnicode}), nil, "clean: übung.txt"},
		{"dots that Windows takes for the folder above a.zip", rawZip(entry{name: `x\.. .\y`}), nil, `refused: leads outside "x\\.. .\\y"`},
		{"a member behind a link, as Windows has it a.zip", rawZip(entry{name: "l", data: "d", mode: 0xa1ff}, entry{name: "L. /a"}), nil, `refused: unsafe link "L. /a": l L. /a`},
		{"a compressed program that gunzip names itself denied.exe.z", wrapped([]byte("MZ")), nil, `denied: "denied.exe"`},
		{"a compressed tar with an old name a.taz", wrapped(tarred(tb, of("a.txt", ""))), nil, "clean: a.txt"},
	}
}

// block is a header of a tar, or of a note in it, with what follows it.
type block struct {
	kind         byte
	name, data   string
	prefix, link string
	size         string // what it says, if that is not the size of data
	magic, foot  string
	sum          func(sum int) string
}

// blocks writes a tar of headers that need not make sense.
func blocks(list ...block) []byte {
	var b []byte
	for _, m := range list {
		h := make([]byte, tarBlock)
		copy(h, m.name)
		copy(h[100:], "0000644\x000000000\x000000000\x00")
		if m.size == "" {
			m.size = fmt.Sprintf("%011o", len(m.data))
		}
		copy(h[124:], m.size)
		copy(h[136:], "00000000000\x00        ")
		h[156] = m.kind
		copy(h[157:], m.link)
		if m.magic == "" {
			m.magic = "ustar\x0000"
		}
		copy(h[257:], m.magic)
		copy(h[345:], m.prefix)
		copy(h[508:], m.foot)
		sum := 0
		for _, c := range h {
			sum += int(c)
		}
		text := fmt.Sprintf("%06o\x00 ", sum)
		if m.sum != nil {
			text = m.sum(sum)
		}
		copy(h[148:], text)
		b = append(append(b, h...), m.data...)
		b = append(b, make([]byte, upToBlock(int64(len(m.data))))...)
	}
	return append(b, make([]byte, 2*tarBlock)...)
}

// record is a record of a note of POSIX.
func record(key, value string) string {
	for n := len(key) + len(value) + 4; ; n++ {
		if s := fmt.Sprintf("%d %s=%s\n", n, key, value); len(s) == n {
			return s
		}
	}
}

func hostileTars(tb testing.TB) []row {
	tb.Helper()
	a := block{kind: '0', name: "a.txt", data: "aaaa"}
	evil := string(blocks(block{kind: '0', name: "denied.exe"})[:tarBlock])
	note := func(kind byte, text string) block { return block{kind: kind, name: "note", data: text} }
	path := func(name string) block { return note('x', record("path", name)) }
	long := strings.Repeat("d/", 40_000) + "a"
	return []row{
		{"what a tar is made of here a.tar", blocks(a, path("b.txt"), a, note('L', "c.txt\x00"), a), nil, "clean: a.txt b.txt c.txt"},
		{"a folder with bytes, which hide a header a.tar", blocks(block{kind: '5', name: "d/", size: "00000001000"}, block{kind: '0', name: "b.bin", data: evil}), nil, `refused: ambiguous "d/": d/`},
		{"the same without a kind a.tar", blocks(block{name: "d/", size: "00000001000"}, block{kind: '0', name: "b.bin", data: evil}), nil, `refused: ambiguous "d/": d/`},
		{"a hard link with bytes a.tar", blocks(a, block{kind: '1', name: "l", link: "a.txt", data: "aaaa"}), nil, `refused: ambiguous "l": a.txt l`},
		{"a note of Solaris a.tar", blocks(note('X', record("path", "denied.exe")), a), nil, `gap: format "note": note a.txt`},
		{"two notes on a member a.tar", blocks(path("denied.exe"), note('x', record("mtime", "1")), a), nil, `refused: ambiguous "note"`},
		{"two long names a.tar", blocks(note('L', "denied.exe\x00"), note('L', "b\x00"), a), nil, `refused: ambiguous "note"`},
		{"a long name and another of POSIX a.tar", blocks(path("denied.exe"), note('L', "b\x00"), a), nil, `refused: ambiguous "b"`},
		{"one note that names twice a.tar", blocks(note('x', record("path", "denied.exe")+record("path", "b")), a), nil, `refused: ambiguous "b"`},
		{"a note on all between a note and its member a.tar", blocks(path("denied.exe"), note('g', record("comment", "x")), a), nil, `refused: ambiguous "note"`},
		{"a note on all that says that members have holes a.tar", blocks(note('g', record("GNU.sparse.name", "denied.exe")), a), nil, `refused: ambiguous ""`},
		{"a note that tells another size a.tar", blocks(note('x', record("size", "512")), block{kind: '0', name: "a", size: "00000000000", data: evil}), nil, `refused: ambiguous "a"`},
		{"a note without its member a.tar", blocks(a, path("b")), nil, `gap: format "": a.txt`},
		{"a note that is damaged a.tar", blocks(note('x', "9 path=b\n0"), a), nil, `gap: format ""`},
		{"a header of no known version a.tar", blocks(block{kind: '0', name: "a", magic: "ustar!!!", prefix: "../.."}), nil, `refused: ambiguous "a"`},
		{"a folder before a name where GNU tar has times a.tar", blocks(block{kind: '0', name: "tools/a", magic: "ustar  \x00", prefix: "x"}), nil, `refused: ambiguous "tools/a"`},
		{"a folder before a name of old a.tar", blocks(block{kind: '0', name: "tools/a", magic: "\x00", prefix: "x"}), nil, `refused: ambiguous "tools/a"`},
		{"a name of star that goes on a.tar", blocks(block{kind: '0', name: "a", prefix: strings.Repeat("p", 140), foot: "tar\x00"}), nil, `refused: ambiguous "` + strings.Repeat("p", 140) + `/a"`},
		{"a note without a name at the beginning a.tar", blocks(block{kind: 'x', data: record("path", "denied.exe")}, a), nil, `denied: "denied.exe"`},
		{"a sum with something behind it a.tar", blocks(block{kind: '0', name: "denied.exe", sum: func(sum int) string { return fmt.Sprintf("%06o\x00x", sum) }}), nil, `denied: "denied.exe"`},
		{"a sum to the base of 256 a.tar", blocks(block{kind: '0', name: "denied.exe", sum: func(sum int) string {
			return "\x80\x00\x00\x00\x00\x00" + string([]byte{byte(sum >> 8), byte(sum)})
		}}), nil, `denied: "denied.exe"`},
		{"a size that some programs cut off a.tar", blocks(block{kind: '0', name: "a", size: "0000001000x", data: evil}), nil, `gap: format ""`},
		{"a size to the base of 256 a.tar", blocks(block{kind: '0', name: "a", size: "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04", data: "aaaa"}, a), nil, "clean: a a.txt"},
		{"a size below nothing a.tar", blocks(block{kind: '0', name: "a", size: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"}, a), nil, `gap: format ""`},
		{"a size beyond the end a.tar", blocks(block{kind: '0', name: "a", size: "\x80\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff"}, a), nil, `gap: format "": a`},
		{"a member with holes a.tar", blocks(note('x', record("GNU.sparse.major", "1")), block{kind: '0', name: "s", data: "1\n0\n1\n"}, a), nil, `gap: format "s": s a.txt`},
		{"a member with holes, of old a.tar", blocks(block{kind: 'S', name: "s", data: "1234", magic: "ustar  \x00"}, a), nil, `gap: format "s": s a.txt`},
		{"a name that nobody can store a.tar", blocks(path(long), a, a), nil, `gap: format "": a.txt`},
		{"zeros between the headers of one member a.tar", append(blocks(path("b"))[:1024], blocks(a)...), nil, "clean: b"},
		{"all of this in a gz a.tar.gz", wrapped(blocks(path("denied.exe"), note('x', record("mtime", "1")), a)), nil, `refused: ambiguous "note"`},
		{"a member with holes in a gz a.tar.gz", wrapped(blocks(block{kind: 'S', name: "s", data: "1234", magic: "ustar  \x00"}, a)), nil, `gap: format "s": s a.txt`},
		{"a large member by a note a.tar", blocks(note('x', record("size", "8589934592")), block{kind: '0', name: "a", size: "00000000000"}), nil, `gap: format "": a`},
		{"a link with a note a.tar", blocks(note('x', record("linkpath", "/etc")), block{kind: '2', name: "l", link: "a"}), nil, `refused: unsafe link "l": l`},
		{"a link with a long target a.tar", blocks(note('K', "/etc\x00"), block{kind: '2', name: "l", link: "a"}), nil, `refused: unsafe link "l": l`},
	}
}

// Files that are two archives, by their beginning and by their end.
func hostilePairs(tb testing.TB) []row {
	tb.Helper()
	evil := zipped(tb, file{"denied.exe", "MZ"})
	good := zipped(tb, file{"a.txt", "a"})
	extra := func(b []byte) []byte { // A gz with a zip in a field that gunzip leaves out.
		g := append([]byte("\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff"), u16(uint16(len(b)))...)
		return append(append(g, b...), wrapped([]byte("hello"))[10:]...)
	}
	padded := func(b []byte) []byte { // A tar with a zip in what fills a block.
		t := tarred(tb, of("a.bin", "junk"))
		copy(t[tarBlock+4:], b)
		return t
	}
	asTar := func() []byte { // A zip whose first member's header is one of a tar as well.
		h := blocks(block{kind: '0', name: zipLocal, data: "x"})[:2*tarBlock]
		return append(h, evil...)
	}()
	skipped := append(append([]byte("\x50\x2a\x4d\x18"), u32(uint32(len(evil)))...), evil...)
	return []row{
		{"a gz that ends as a zip a.zip", extra(evil), nil, `denied: "denied.exe": a.zip`},
		{"a gz that ends as a good zip a.zip", extra(good), nil, "clean: a.zip a.txt"},
		{"a gz that ends as a zip, in a zip x.zip", zipped(tb, file{"a.zip", string(extra(evil))}), nil, `gap: format "a.zip": a.zip a.zip/a.zip`},
		{"a gz that ends as a zip, in a tar x.tar", tarred(tb, of("a.zip", string(extra(evil)))), nil, `denied: "a.zip/denied.exe": a.zip a.zip/a.zip`},
		{"a zst that ends as a zip a.zip", append(bytes.Clone(zstdOf(tb, []byte("a"))), skipped...), nil, `denied: "denied.exe": a.zip`},
		{"a tar that ends as a zip a.zip", padded(evil), nil, `denied: "denied.exe": a.bin`},
		{"a tar in a gz that ends as a zip a.tar.gz", gzipped(tb, padded(evil)), nil, `gap: format "a.tar": a.bin`},
		{"a tar whose last member is a zip a.tar", tarred(tb, of("x.zip", string(good))), nil, "clean: x.zip x.zip/a.txt"},
		{"the same in a gz a.tar.gz", gzipped(tb, tarred(tb, of("x.zip", string(good)))), nil, "clean: x.zip x.zip/a.txt"},
		{"the same in a zip that is not compressed a.zip", stored(tb, file{"a.tar", string(tarred(tb, of("x.zip", string(good))))}), nil, "clean: a.tar a.tar/x.zip a.tar/x.zip/a.txt"},
		{"the same, not compressed, is a zip besides a.tar.gz", wrapped(tarred(tb, of("x.zip", string(good)))), nil, "clean: x.zip x.zip/a.txt a.txt"},
		{"the same, behind a program a.tar.gz", gzipped(tb, tarred(tb, of("x.exe", "MZ a program"+string(good)))), nil, `gap: format "x.exe": x.exe`},
		{"a zip and a tar a.tar", asTar, nil, `refused: ambiguous ""`},
		{"a 7z that ends as a zip a.zip", append(fixture(tb, "copy.7z"), evil...), nil, `denied: "denied.exe": d/ d/sub/ d/empty.txt d/a.txt d/sub/b.exe`},
	}
}

func hostileFormats(tb testing.TB) (all []row) {
	tb.Helper()
	image := func(at int, magic string) []byte {
		b := append(make([]byte, at), magic...)
		return append(b, make([]byte, 4096)...)
	}
	for _, f := range []struct {
		name string
		data []byte
	}{
		{"a CD a.iso", image(isoAt, "\x01CD001\x01")},
		{"a disk of another kind a.iso", image(isoAt, "\x00BEA01\x01")},
		{"a disk of a Mac a.dmg", append(make([]byte, 5000), image(0, "koly\x00\x00\x00\x04\x00\x00\x02\x00")[:512]...)},
		{"a disk of a machine a.vhd", append(make([]byte, 5000), image(0, "conectix\x00\x00")[:512]...)},
		{"LZMA alone a.lzma", append([]byte("\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x05"), make([]byte, 99)...)},
		{"LZMA alone, of a known size a.lzma", append([]byte("\x5d\x00\x00\x80\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x05"), make([]byte, 99)...)},
		{"an old zst a.zst", append([]byte("\x27\xb5\x2f\xfd"), make([]byte, 99)...)},
		{"an old gz a.gz", append([]byte("\x1f\x9e\x08"), make([]byte, 99)...)},
		{"an arj a.arj", append([]byte("\x60\xea\x2a\x00\x1e\x07\x01\x00\x10\x00\x02"), make([]byte, 99)...)},
		{"an old cpio a.cpio", append(append([]byte("\xc7\x71"), make([]byte, 18)...), "\x02\x00\x00\x00\x00\x00a\x00bytes"...)},
		{"a rar behind a picture a.jpg", append([]byte("\xff\xd8\xff a picture"), "Rar!\x1a\x07\x00 and more of it, so that it is long enough"...)},
	} {
		all = append(all, row{f.name, f.data, nil, `gap: format ""`})
	}
	seven := fixture(tb, "delta.7z")
	member, listed := program(7)
	good := rawZip(entry{name: "a.txt"})
	return append(all, []row{
		{"a 7z behind a picture a.jpg", append(pseudo(200_000), seven...), nil, "clean: delta.bin"},
		{"the same, compressed a.zip", zipped(tb, file{"a.jpg", string(append(pseudo(200_000), seven...))}), nil, `gap: format "a.jpg": a.jpg`},
		{"a zip behind a picture, without its end a.jpg", append([]byte("\xff\xd8\xff a picture"), rawZip(entry{name: "a.txt", data: "aaaa"})[:40]...), nil, `gap: format ""`},
		{"a tar behind a picture a.jpg", append(pseudo(70_000), tarred(tb, of("denied.exe", ""))...), nil, `gap: format ""`},
		{"a gz behind a picture a.jpg", append(pseudo(70_000), gzipped(tb, tarred(tb, of("denied.exe", "")))...), nil, `gap: format ""`},
		{"a named gz behind a picture, in a zip a.zip", zipped(tb, file{"a.jpg", string(append(pseudo(70_000), namedGzip(tb, "a", nil)...))}), nil, `gap: format "a.jpg": a.jpg`},
		{"a zst behind a picture a.jpg", append(pseudo(70_000), zstdOf(tb, tarred(tb, of("denied.exe", "")))...), nil, `gap: format ""`},
		{"an xz behind a picture a.jpg", append(pseudo(70_000), fixture(tb, "a-crc32.xz")...), nil, `gap: format ""`},
		{"a bz2 behind a picture a.jpg", append(pseudo(70_000), fixture(tb, "a.bz2")...), nil, `gap: format ""`},
		{"a zip behind another one behind a picture a.jpg", append(append([]byte("\xff\xd8\xff a picture"), rawZip(entry{name: "denied.exe"})...), good...), nil, `gap: format "": a.txt`},
		{"a zip behind a 7z behind a picture a.jpg", append(append([]byte("\xff\xd8\xff a picture"), seven...), good...), nil, `gap: format "": a.txt`},
		{"the magics of archives in a program a.exe", []byte("MZ a program PK\x03\x04\x75\x0f and 7z\xbc\xaf\x27\x1c, \xfd7zXZ\x00\x00, ustar, BZh91, \x1f\x8b\x08 and \x28\xb5\x2f\xfd" + strings.Repeat(".", 1000)), nil, "no archive"},
		{"a trailer of nothing that leads to a large one a.jpg", []byte("picture" + member + listed + large(1, len(listed), len(member)+7, len(member)+len(listed)+7) + trailerOf(0, 0, 0, 0)), nil, `refused: ambiguous ""`},
		{"a CD and a zip a.iso", append(stored(tb, file{"a", string(make([]byte, isoAt-31)) + "\x01CD001\x01" + string(make([]byte, 4096))}), ""...), nil, `refused: ambiguous ""`},
		{"numbers that begin a file film.raw", append([]byte("\x01\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00"), make([]byte, 99)...), nil, "no archive"},
		{"a zst cut after its first byte a.zst", zstdOf(tb, []byte("a"), zstd.WithEncoderCRC(true))[:1], nil, "no archive"},
	}...)
}
