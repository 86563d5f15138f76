package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// sevenNumber is a number as a 7z has it, in its longest form.
func sevenNumber(n int) string {
	return "\xff" + string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

// sevenOf is a 7z of packed bytes and a directory.
func sevenOf(packed, directory string) []byte {
	b := []byte(sevenZipMagic + "\x00\x04\x00\x00\x00\x00")
	b = binary.LittleEndian.AppendUint64(b, uint64(len(packed)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(directory)))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(directory)))
	binary.LittleEndian.PutUint32(b[8:], crc32.ChecksumIEEE(b[12:]))
	return append(append(b, packed...), directory...)
}

// sevenStreams is what a directory says of the one stream of n bytes that are all
// packed ones, by which methods it is packed, and what more there is of it. What
// comes out of each method has as many bytes.
func sevenStreams(n int, methods []string, parts string) string {
	s := "\x04\x06" + sevenNumber(0) + sevenNumber(1) + "\x09" + sevenNumber(n) + "\x00"
	s += "\x07\x0b\x01\x00" + string([]byte{byte(len(methods))})
	sizes := ""
	for _, m := range methods {
		s += string([]byte{byte(len(m))}) + m
		sizes += sevenNumber(n)
	}
	for i := range len(methods) - 1 {
		s += string([]byte{byte(i + 1), byte(i)})
	}
	return s + "\x0c" + sizes + "\x00" + parts + "\x00"
}

// sevenNames is the property that names the members.
func sevenNamesOf(names ...string) string {
	var b []byte
	for _, name := range names {
		for _, u := range utf16.Encode([]rune(name)) {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		b = append(b, 0, 0)
	}
	return "\x11" + sevenNumber(len(b)+1) + "\x00" + string(b)
}

// sevenMembers are n members with properties.
func sevenMembers(n int, properties string) string {
	return "\x05" + sevenNumber(n) + properties + "\x00\x00"
}

func hostileSevens() []row {
	sum := "\x08\x0a\x01" + string(u32(crc32.ChecksumIEEE([]byte("aaaa")))) + "\x00"
	copies := func(n int) (list []string) {
		for range n {
			list = append(list, "\x00")
		}
		return list
	}
	one := func(methods []string, parts, properties string) []byte {
		return sevenOf("aaaa", "\x01"+sevenStreams(4, methods, parts)+sevenMembers(1, properties))
	}
	twoParts := "\x08\x0d\x02"
	two := sevenMembers(2, sevenNamesOf("a", "b"))
	huge := "\x01\x04\x06" + sevenNumber(1<<61) + sevenNumber(2) + "\x09" + sevenNumber(1<<62) + sevenNumber(1<<62) + "\x00\x00"
	attributes := func(n uint32) string { return "\x15" + sevenNumber(6) + "\x01\x00" + string(u32(n)) }
	link := attributes(0xa1ff<<16 | 0x8000)
	behind := sevenOf("d", "\x01"+sevenStreams(1, copies(1), "")+sevenMembers(2, sevenNamesOf("l", "l/x")+"\x0e"+sevenNumber(1)+"\x40"+
		"\x15"+sevenNumber(10)+"\x01\x00"+string(u32(0xa1ff<<16|0x8000, 0))))
	return []row{
		{"a member a.7z", one(copies(1), sum, sevenNamesOf("a")), nil, "clean: a"},
		{"four methods a.7z", one(copies(4), sum, sevenNamesOf("a")), nil, "clean: a"},
		{"five methods a.7z", one(copies(5), sum, sevenNamesOf("a")), nil, `gap: format "a": a`},
		{"a filter whose result has a sum a.7z", one([]string{"\x00", "\x04"}, sum, sevenNamesOf("a")), nil, "clean: a"},
		{"a filter whose result has none a.7z", one([]string{"\x00", "\x04"}, "", sevenNamesOf("a")), nil, `gap: format "a": a`},
		{"two members without their sizes a.7z", sevenOf("aaaa", "\x01"+sevenStreams(4, copies(1), twoParts+"\x00")+two), nil, `gap: format ""`},
		{"two members with theirs a.7z", sevenOf("aaaa", "\x01"+sevenStreams(4, copies(1), twoParts+"\x09"+sevenNumber(1)+"\x00")+two), nil, "clean: a b"},
		{"a member that is larger than the stream a.7z", sevenOf("aaaa", "\x01"+sevenStreams(4, copies(1), twoParts+"\x09"+sevenNumber(5)+"\x00")+two), nil, `gap: format ""`},
		{"two lists of names a.7z", one(copies(1), "", sevenNamesOf("denied.exe")+sevenNamesOf("a")), nil, `gap: format ""`},
		{"a member that says what is to be deleted a.7z", one(copies(1), "", sevenNamesOf("a")+"\x10"+sevenNumber(1)+"\x80"), nil, `gap: format ""`},
		{"sizes that make a number below nothing a.7z", sevenOf("aaaa", huge), nil, `gap: format ""`},
		{"as many members as there are numbers a.7z", sevenOf("aaaa", "\x01\x05"+sevenNumber(1<<62-1)), nil, `refused: too many members ""`},
		{"as many streams as there are numbers a.7z", sevenOf("aaaa", "\x01\x04\x06"+sevenNumber(0)+sevenNumber(1<<62-1)), nil, `gap: format ""`},
		{"as many folders as there are numbers a.7z", sevenOf("aaaa", "\x01\x04\x07\x0b"+sevenNumber(1<<62-1)), nil, `gap: format ""`},
		{"a name of 100 kB a.7z", one(copies(1), "", sevenNamesOf(strings.Repeat("a", 100_000))), nil, `gap: format ""`},
		{"a link of Windows, accepted a.7z", one(copies(1), "", sevenNamesOf("l")+attributes(0x400)), accept, `gap: format "l": l`},
		{"a link of Windows a.7z", one(copies(1), "", sevenNamesOf("l")+attributes(0x400)), nil, `refused: unsafe link "l": l`},
		{"a link a.7z", one(copies(1), "", sevenNamesOf("l")+link), nil, "clean: l"},
		{"a link whose target is an archive a.7z", sevenOf(string(wrapped(nil)), "\x01"+sevenStreams(len(wrapped(nil)), copies(1), "")+sevenMembers(1, sevenNamesOf("l")+link)), accept, `refused: ambiguous "l": l`},
		{"an empty member behind a link a.7z", behind, nil, `refused: unsafe link "l/x": l l/x/`},
	}
}

// hostileXZs are xz files that say two things about their blocks. What their sums
// are of is changed with them.
func hostileXZs(tb testing.TB) []row {
	tb.Helper()
	changed := func(name string, change func(header, index, footer []byte)) []byte {
		b := bytes.Clone(fixture(tb, name))
		footer := b[len(b)-12:]
		index := b[len(b)-12-4*(1+int(binary.LittleEndian.Uint32(footer[4:]))) : len(b)-12]
		header := b[12 : 12+4*(1+int(b[12]))]
		change(header, index, footer)
		binary.LittleEndian.PutUint32(header[len(header)-4:], crc32.ChecksumIEEE(header[:len(header)-4]))
		binary.LittleEndian.PutUint32(index[len(index)-4:], crc32.ChecksumIEEE(index[:len(index)-4]))
		binary.LittleEndian.PutUint32(footer, crc32.ChecksumIEEE(footer[4:10]))
		return b
	}
	return []row{
		{"nothing changed a.xz", changed("blocks.xz", func(_, _, _ []byte) {}), nil, "clean: a"},
		{"another packed size before a block a.xz", changed("blocks.xz", func(h, _, _ []byte) { h[2]++ }), nil, `gap: format "a": a`},
		{"another size before a block a.xz", changed("blocks.xz", func(h, _, _ []byte) { h[3]++ }), nil, `gap: format "a": a`},
		{"something behind a block's filters a.xz", changed("blocks.xz", func(h, _, _ []byte) { h[len(h)-5] = 1 }), nil, `gap: format "a": a`},
		{"another packed size in the index a.xz", changed("a-crc32.xz", func(_, i, _ []byte) { i[2]++ }), nil, `gap: format "a": a`},
		{"another size in the index a.xz", changed("a-crc32.xz", func(_, i, _ []byte) { i[3]++ }), nil, `gap: format "a": a`},
		{"an index that is elsewhere a.xz", changed("a-crc32.xz", func(_, _, f []byte) { f[4]++ }), nil, `gap: format "a": a`},
		{"an index with a wrong sum a.xz", flipped(fixture(tb, "a-crc32.xz"), -13), nil, `gap: format "a": a`},
		{"a footer with a wrong sum a.xz", flipped(fixture(tb, "a-crc32.xz"), -12), nil, `gap: format "a": a`},
		{"half a padding between two a.xz", append(append(fixture(tb, "a-crc32.xz"), 0, 0), fixture(tb, "a-crc32.xz")...), nil, `gap: format "a": a`},
		{"a padding between two a.xz", append(append(fixture(tb, "a-crc32.xz"), 0, 0, 0, 0), fixture(tb, "a-crc32.xz")...), nil, "clean: a"},
	}
}

func TestOneByteBehind(t *testing.T) {
	for _, file := range []string{"a.gz", "a.bz2", "two.bz2", "a-crc64.xz", "a.zst", "lzma2.7z", "plain.zip"} {
		for _, more := range []string{"\x00", "\n", "B", "BZ", "BZh", "\x28", "\x28\xb5\x2f", "\x1f\x8b", "\x50\x2a", "\x00\x00\x00\x00"} {
			report, members, err := walkBytes(t.Context(), file, append(fixture(t, file), more...), usual)
			if got := told(report, members, err); !strings.HasPrefix(got, "gap: format") && (!strings.HasSuffix(file, ".xz") || more != "\x00\x00\x00\x00") {
				t.Errorf("%s with %q behind it: %s", file, more, got)
			}
		}
	}
}

// What is small and takes long, or much memory, does neither.
func TestCost(t *testing.T) {
	deep := strings.Repeat("d/", 30_000) + "a"
	linked := []block{{kind: '2', name: "l", link: "a"}}
	for range 50 {
		linked = append(linked, block{kind: 'x', data: record("path", deep)}, block{kind: '0', name: "a"})
	}
	empties := sevenOf("", "\x01"+sevenMembers(100_000, sevenNamesOf(make([]string, 100_000)...)+strings.Repeat("\x0f\x00", 1_000_000)))
	names := sevenOf("", "\x01"+sevenMembers(1, sevenNamesOf(strings.Repeat("a", 4<<20))))
	dictionaries := append([]byte("\xfd7zXZ\x00\x00\x00"), u32(crc32.ChecksumIEEE([]byte{0, 0}))...)
	for range 2000 { // Blocks of 16 bytes, each of which asks for a dictionary of 64 MiB.
		head := "\x02\x00\x21\x01\x1c\x00\x00\x00"
		dictionaries = append(append(append(dictionaries, head...), u32(crc32.ChecksumIEEE([]byte(head)))...), 0, 0, 0, 0)
	}
	chain := fixture(t, "a.bz2")
	bzip2 := slices.Repeat([]string{"\x04\x02\x02"}, 4)
	for _, r := range []struct {
		name string
		data []byte
		most uint64 // in bytes, of all that is taken at any time
		late bool   // nobody waits for it any more after a while
	}{
		{"names with many folders beside a link", blocks(linked...), 64 << 20, false},
		{"a property again and again", empties, 192 << 20, false},
		{"one long name", names, 64 << 20, false},
		{"dictionaries for nothing", dictionaries, 2 << 30, true},
		{"compressed again and again", sevenOf(string(chain), "\x01"+sevenStreams(len(chain), bzip2, "")+sevenMembers(1, sevenNamesOf("a"))), 64 << 20, false},
	} {
		limits := Limits{Entries: 200_000, Depth: 3, Unpacked: 1 << 40, Ratio: 1 << 30, Memory: 192 << 20}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if r.late {
			ctx = &fleeting{Context: context.Background(), left: 20}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Walk(ctx, bytes.NewReader(r.data), int64(len(r.data)), "a", limits, func(Member) error { return nil })
		runtime.ReadMemStats(&after)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: it takes long", r.name)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > r.most {
			t.Errorf("%s: %d bytes of memory were taken", r.name, taken)
		}
	}
}

// fleeting is a context that is done when it has been asked so often.
type fleeting struct {
	context.Context //nolint:containedctx // It is one.
	left            int
}

func (f *fleeting) Err() error {
	if f.left--; f.left < 0 {
		return context.Canceled
	}
	return nil
}

// What a directory declares was held against the limit, also if the rest of it is
// damaged: it counts, and no higher than the limit allows to know.
func TestSevenDeclaredMembers(t *testing.T) {
	for declared, want := range map[int]int{0: 0, 7: 7, 1000: 1000, 1001: 1001, 1<<62 - 1: 1001} {
		r, _, _ := walkBytes(t.Context(), "a.7z", sevenOf("aaaa", "\x01\x05"+sevenNumber(declared)), usual)
		if r.Entries != want {
			t.Errorf("%d members are declared and %d counted, want %d", declared, r.Entries, want)
		}
	}
}
