package rules

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/FastFilter/xorfilter"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// digestWidths are all that a list can have.
func digestWidths() []int { return []int{16, 20, 32, 48, 64} }

func readDigests(t *testing.T, text string) *Digests {
	t.Helper()
	d, err := ReadDigests("lists/malware", strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// digestFaults returns each mistake in an error as "line: message".
func digestFaults(t *testing.T, err error) []string {
	t.Helper()
	var lines []string
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, e := range all {
		var fault *FileError
		if !errors.As(e, &fault) {
			t.Fatalf("%v is no *FileError", e)
		}
		if fault.File != "lists/malware" {
			t.Errorf("the mistake is in %q, want lists/malware", fault.File)
		}
		lines = append(lines, fmt.Sprintf("%d: %s", fault.Line, fault.Message))
	}
	return lines
}

func TestReadDigestsAccepts(t *testing.T) {
	const (
		md5    = "d41d8cd98f00b204e9800998ecf8427e"
		other  = "900150983cd24fb0d6963f7d28e17f72"
		sha1   = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
		sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	)
	sha384, sha512 := strings.Repeat("0a", 48), strings.Repeat("f9", 64)
	tests := []struct {
		name, text string
		want       []string
	}{
		{"md5", md5 + "\n", []string{md5}},
		{"sha1", sha1 + "\n", []string{sha1}},
		{"sha256", sha256 + "\n", []string{sha256}},
		{"sha384", sha384 + "\n", []string{sha384}},
		{"sha512", sha512 + "\n", []string{sha512}},
		{"a last line without an end", md5 + "\n" + other, []string{md5, other}},
		{"a last line that ends in CR", md5 + "\n" + other + "\r", []string{md5, other}},
		{"lines that end in CRLF", md5 + "\r\n" + other + "\r\n", []string{md5, other}},
		{"upper case", strings.ToUpper(md5) + "\n", []string{md5}},
		{"mixed case", "D41d8CD98f00b204e9800998ecf8427E\n", []string{md5}},
		{"one digest twice", md5 + "\n" + md5 + "\n", []string{md5}},
		{"one digest in two cases, not side by side", md5 + "\n" + other + "\n" + strings.ToUpper(md5) + "\n", []string{md5, other}},
		{"blank lines", "\n\n" + md5 + "\n\r\n \t\n" + other + "\n\n", []string{md5, other}},
		{"comments", "# malware\n#" + other + "\n" + md5 + "\n  # more\n", []string{md5}},
		{"a comment as long as a line may be", "#" + strings.Repeat("x", maxDigestLine-1) + "\r\n" + md5 + "\n", []string{md5}},
		{"file names after a text mark", md5 + "  a.txt\n" + other + "  b c\n", []string{md5, other}},
		{"file names after a binary mark", md5 + " *a.txt\n" + other + " *b\n", []string{md5, other}},
		{"file names after a tab", md5 + "\ta.txt\n" + other + "\tb\n", []string{md5, other}},
		{"a file name that sha256sum escaped", `\` + md5 + `  a\nb` + "\n" + other + "\n" + `\` + other + "  c\n", []string{md5, other}},
		{"a file name that is a digest of another width", md5 + " " + sha256 + "\n", []string{md5}},
		{"a file name as long as a line may be", md5 + " " + strings.Repeat("x", maxDigestLine-33) + "\n", []string{md5}},
		{"spaces around a digest", "  " + md5 + "\t\n " + other + " \n", []string{md5, other}},
		{"a byte order mark", "\uFEFF" + md5 + "\n", []string{md5}},
		{"a byte order mark before a comment", "\uFEFF# malware\n" + md5 + "\n", []string{md5}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := readDigests(t, test.text)
			if d.Len() != len(test.want) || d.Width() != len(test.want[0])/2 {
				t.Errorf("%d digests of %d bytes, want %d of %d", d.Len(), d.Width(), len(test.want), len(test.want[0])/2)
			}
			for _, text := range test.want {
				if digest, err := hex.DecodeString(text); err != nil || !d.Contains(digest) {
					t.Errorf("%s is not in the list (%v)", text, err)
				}
			}
			if d.Contains(make([]byte, d.Width())) {
				t.Error("a digest of zeros is in the list")
			}
		})
	}
}

func TestReadDigestsRefuses(t *testing.T) {
	const (
		md5  = "d41d8cd98f00b204e9800998ecf8427e\n"
		sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709\n"
	)
	tests := []struct {
		name, text string
		want       []string
	}{
		{"an empty file", "", []string{"1: the list has no digest"}},
		{"a byte order mark alone", "\uFEFF", []string{"1: the list has no digest"}},
		{"comments alone", "# nothing\n\n# yet\n", []string{"1: the list has no digest"}},
		{"a word", md5 + "\nmalware.exe\n", []string{`3: "malware.exe" is not a digest in hexadecimal digits`}},
		{"the form of BSD", "MD5 (a) = " + md5, []string{`1: "MD5" is not a digest in hexadecimal digits`}},
		{"a letter after f", md5 + "g41d8cd98f00b204e9800998ecf8427e\n", []string{`2: "g41d8cd98f00b204e9800998ecf8427e" is not a digest in hexadecimal digits`}},
		{"a letter after f at the end", md5 + "d41d8cd98f00b204e9800998ecf8427G a\n", []string{`2: "d41d8cd98f00b204e9800998ecf8427G" is not a digest in hexadecimal digits`}},
		{"a file name without a space", "d41d8cd98f00b204e9800998ecf8427e*a\n", []string{`1: "d41d8cd98f00b204e9800998ecf8427e*a" is not a digest in hexadecimal digits`}},
		{"a backslash alone", `\` + "\n", []string{`1: "" is not a digest in hexadecimal digits`}},
		{"bytes of no text", "\x00\xff\x1b[2J\n", []string{`1: "\x00\xff\x1b[2J" is not a digest in hexadecimal digits`}},
		{"a long word", strings.Repeat("x", 100) + "\n", []string{`1: "` + strings.Repeat("x", 64) + `…" is not a digest in hexadecimal digits`}},
		{"a second byte order mark", md5 + "\uFEFF" + md5, []string{`2: "\ufeffd41d8cd98f00b204e9800998ecf8427e" is not a digest in hexadecimal digits`}},
		{"an odd number of digits", md5 + "d41d8cd98f00b204e9800998ecf8427\n", []string{"2: the digest has an odd number of hexadecimal digits, 31"}},
		{"a length of no algorithm", "d41d8cd98f00\n", []string{"1: the digest has 12 hexadecimal digits; md5 has 32, sha1 40, sha256 64, sha384 96 and sha512 128"}},
		{"another width", md5 + md5 + sha1, []string{"3: the digest is of sha1, those before it are of md5"}},
		{"another width that is less", sha1 + md5, []string{"2: the digest is of md5, those before it are of sha1"}},
		{"a line one byte too long", md5 + "#" + strings.Repeat("x", maxDigestLine) + "\n", []string{"2: the line is longer than 4096 bytes"}},
		{"a file name that makes the line too long", md5 + md5[:32] + strings.Repeat(" ", maxDigestLine) + "\n", []string{"2: the line is longer than 4096 bytes"}},
		{"a line longer than the buffer", md5 + strings.Repeat("d", 3*digestBuffer) + "\nx\n", []string{"2: the line is longer than 4096 bytes", `3: "x" is not a digest in hexadecimal digits`}},
		{"a last line longer than the buffer", strings.Repeat("d", 3*digestBuffer), []string{"1: the line is longer than 4096 bytes"}},
		{
			"several mistakes", "x\n" + md5 + "d41\n" + sha1 + "# end\n",
			[]string{
				`1: "x" is not a digest in hexadecimal digits`,
				"3: the digest has an odd number of hexadecimal digits, 3",
				"4: the digest is of sha1, those before it are of md5",
			},
		},
		{
			"more mistakes than are reported", strings.Repeat("x\n", 12),
			[]string{
				`1: "x" is not a digest in hexadecimal digits`, `2: "x" is not a digest in hexadecimal digits`,
				`3: "x" is not a digest in hexadecimal digits`, `4: "x" is not a digest in hexadecimal digits`,
				`5: "x" is not a digest in hexadecimal digits`, `6: "x" is not a digest in hexadecimal digits`,
				`7: "x" is not a digest in hexadecimal digits`, `8: "x" is not a digest in hexadecimal digits`,
				`9: "x" is not a digest in hexadecimal digits`, `10: "x" is not a digest in hexadecimal digits`,
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := ReadDigests("lists/malware", strings.NewReader(test.text), int64(len(test.text)))
			if err == nil || d != nil {
				t.Fatalf("got %v and the error %v, want an error alone", d, err)
			}
			if diff := cmp.Diff(test.want, digestFaults(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadDigestsRefusesMoreThanTheLimit(t *testing.T) {
	const text = "d41d8cd98f00b204e9800998ecf8427e\n# of two\nd41d8cd98f00b204e9800998ecf8427e\n"
	read := func(text string) error {
		p := digestParser{file: "lists/malware", limit: 2, in: bufio.NewReaderSize(strings.NewReader(text), digestBuffer)}
		return p.readAll()
	}
	if err := read(text); err != nil {
		t.Errorf("as many digests as the limit are refused: %v", err)
	}
	for name, more := range map[string]string{
		"that is like the others": "d41d8cd98f00b204e9800998ecf8427e a\nx\nx\n",
		"that is not":             "  900150983cd24fb0d6963f7d28e17f72",
	} {
		err := read(text + more)
		if err == nil {
			t.Errorf("a digest more than the limit, %s, is accepted", name)
			continue
		}
		if diff := cmp.Diff([]string{"4: the list has more than 2 digests"}, digestFaults(t, err)); diff != "" {
			t.Errorf("a digest more than the limit, %s: %s", name, diff)
		}
	}
}

func TestReadDigestsReportsTheReadersError(t *testing.T) {
	broken := errors.New("input/output error")
	for _, text := range []string{"", "d41d8cd98f00b204e9800998ecf8427e\n", "d41d8cd9", strings.Repeat("d", 2*digestBuffer)} {
		d, err := ReadDigests("lists/malware", io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), 0)
		if d != nil || !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "lists/malware: ") {
			t.Errorf("after %d bytes: got %v and the error %v, want the reader's error with the file's name", len(text), d, err)
		}
	}
}

// TestDigestsOfOtherWidths holds on to the promise that the width is compared.
func TestDigestsOfOtherWidths(t *testing.T) {
	for _, width := range digestWidths() {
		d := readDigests(t, strings.Repeat("00", width)+"\n")
		for length := range 100 {
			if got := d.Contains(make([]byte, length)); got != (length == width) {
				t.Errorf("a list of %d zeros: contains %d zeros is %v", width, length, got)
			}
		}
		if d.Contains(nil) {
			t.Errorf("a list of %d zeros contains nil", width)
		}
	}
}

// digestPatterns are ways in which the digests of a list may lie, of which all
// but the first are those of somebody who means harm. Each returns distinct
// digests for distinct numbers.
func digestPatterns() map[string]func(digest []byte, number uint32) {
	return map[string]func([]byte, uint32){
		"random": func(digest []byte, number uint32) {
			seed := [32]byte{1}
			binary.BigEndian.PutUint32(seed[4:], number)
			_, _ = rand.NewChaCha8(seed).Read(digest)
		},
		"sequential at the end": func(digest []byte, number uint32) {
			binary.BigEndian.PutUint32(digest[len(digest)-4:], number)
		},
		"sequential at the start": func(digest []byte, number uint32) {
			binary.BigEndian.PutUint32(digest, number)
		},
		"sequential in the middle": func(digest []byte, number uint32) {
			binary.LittleEndian.PutUint32(digest[len(digest)/2:], number)
		},
		"different in the first 32 bits alone": func(digest []byte, number uint32) {
			binary.BigEndian.PutUint32(digest, number*2654435761)
		},
		"the same in the first 64 bits": func(digest []byte, number uint32) {
			seed := [32]byte{2}
			binary.BigEndian.PutUint32(seed[4:], number)
			_, _ = rand.NewChaCha8(seed).Read(digest[8:])
		},
		"the same in all but the last 32 bits, of ones": func(digest []byte, number uint32) {
			for i := range digest {
				digest[i] = 0xff
			}
			binary.BigEndian.PutUint32(digest[len(digest)-4:], ^number*2654435761)
		},
	}
}

// TestDigestsOfManyDigests takes lists that are long enough for several filters
// and for every step of the sort.
func TestDigestsOfManyDigests(t *testing.T) {
	const listed = 40_000
	for name, pattern := range digestPatterns() {
		for _, width := range []int{20, 64} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, width), func(t *testing.T) {
				order := rand.New(rand.NewPCG(1, uint64(width))).Perm(listed)
				order = append(order, order[:listed/3]...) // again
				var text bytes.Buffer
				digest := make([]byte, width)
				for _, number := range order {
					clear(digest)
					pattern(digest, uint32(2*number))
					fmt.Fprintf(&text, "%x  file %d\n", digest, number)
				}
				d := readDigests(t, text.String())
				if d.Len() != listed {
					t.Errorf("%d digests, want %d", d.Len(), listed)
				}
				for number := range uint32(2 * listed) {
					clear(digest)
					pattern(digest, number)
					if got := d.Contains(digest); got != (number%2 == 0) {
						t.Fatalf("contains %x is %v", digest, got)
					}
				}
			})
		}
	}
}

// TestDigestsAgreesWithAMap takes short lists in every order and form, and asks
// for digests that are nearly those listed.
func TestDigestsAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.SampledFrom(digestWidths()).Draw(t, "width")
		// Few values for a byte make digests with a long common beginning, and
		// equal ones.
		value := rapid.SampledFrom([]*rapid.Generator[byte]{
			rapid.Byte(), rapid.SampledFrom([]byte{0, 1}), rapid.SampledFrom([]byte{0xff, 0xfe}), rapid.Just(byte(0)),
		}).Draw(t, "values")
		varied := rapid.SampledFrom([]int{1, 2, width}).Draw(t, "varied")
		at := rapid.IntRange(0, width-varied).Draw(t, "at")
		n := rapid.SampledFrom([]int{1, 2, 3, insertDigests, insertDigests + 1, 4 * insertDigests}).Draw(t, "n")
		variants := rapid.SliceOfN(rapid.SliceOfN(value, varied, varied), n, n).Draw(t, "digests")
		list := make([][]byte, len(variants))
		for i, v := range variants {
			list[i] = make([]byte, width)
			copy(list[i][at:], v)
		}
		switch rapid.SampledFrom([]string{"as drawn", "ascending", "descending"}).Draw(t, "order") {
		case "ascending":
			slices.SortFunc(list, bytes.Compare)
		case "descending":
			slices.SortFunc(list, func(a, b []byte) int { return bytes.Compare(b, a) })
		}
		form := rapid.SampledFrom([]string{"%x\n", "%X\n", "%x\r\n", "%x  a file\n", "\n# next\n%X *a file\n", " %x\t\n"}).Draw(t, "form")
		var text strings.Builder
		want := map[string]bool{}
		for _, digest := range list {
			fmt.Fprintf(&text, form, digest)
			want[string(digest)] = true
		}
		hint := rapid.Int64Range(-1, int64(3*text.Len())).Draw(t, "hint")
		d, err := ReadDigests("list", strings.NewReader(text.String()), hint)
		if err != nil {
			t.Fatal(err)
		}
		if d.Len() != len(want) || d.Width() != width {
			t.Fatalf("%d digests of %d bytes, want %d of %d", d.Len(), d.Width(), len(want), width)
		}
		bare := *d
		bare.filters = make([]xorfilter.BinaryFuse[uint8], len(d.filters))
		for _, digest := range list {
			for bit := -1; bit < 8*width; bit++ {
				asked := bytes.Clone(digest)
				if bit >= 0 {
					asked[bit/8] ^= 1 << (bit % 8)
				}
				if got := d.Contains(asked); got != want[string(asked)] {
					t.Fatalf("contains %x is %v", asked, got)
				}
				if got := bare.Contains(asked); got != want[string(asked)] {
					t.Fatalf("without a filter, contains %x is %v", asked, got)
				}
			}
		}
	})
}

// TestDigestsWithoutFilters makes the construction of filters fail, and finds
// that the set is as right as with them.
func TestDigestsWithoutFilters(t *testing.T) {
	iterations := xorfilter.MaxIterations
	t.Cleanup(func() { xorfilter.MaxIterations = iterations })
	xorfilter.MaxIterations = 0

	random := digestPatterns()["random"]
	digests, digest := make([]byte, 0, 16*100_000), make([]byte, 16)
	for number := range uint32(100_000) {
		random(digest, 2*number)
		digests = append(digests, digest...)
	}
	d := newDigests(digests, 16, false)
	for i := range d.filters {
		if d.filters[i].Fingerprints != nil {
			t.Fatal("a filter was built; the test needs that none is")
		}
	}
	for number := range uint32(200_000) {
		random(digest, number)
		if got := d.Contains(digest); got != (number%2 == 0) {
			t.Fatalf("contains %x is %v", digest, got)
		}
	}
}

// TestBuildFilterOfEqualKeys holds on to it that different digests may have
// equal keys.
func TestBuildFilterOfEqualKeys(t *testing.T) {
	var builder xorfilter.BinaryFuseBuilder
	if filter := buildFilter(&builder, nil); filter.Fingerprints != nil {
		t.Error("no key has a filter")
	}
	for _, test := range []struct{ keys, different int }{
		{1, 1}, {2, 1}, {5000, 1}, {5000, 25}, {5000, 2500}, {5000, 4999}, {5000, 5000},
	} {
		keys := make([]uint64, test.keys)
		for i := range keys {
			keys[i] = uint64(i % test.different)
		}
		filter := buildFilter(&builder, keys)
		if filter.Fingerprints == nil {
			t.Errorf("%d keys of which %d differ have no filter", test.keys, test.different)
			continue
		}
		for key := range uint64(test.different) {
			if !filter.Contains(key) {
				t.Errorf("%d keys of which %d differ: the filter is without %d", test.keys, test.different, key)
			}
		}
	}
}

func TestReadDigestsTakesNoMoreMemoryThanItNeeds(t *testing.T) {
	const lines, width = 20_000, 32
	random := digestPatterns()["random"]
	var plain, named strings.Builder
	digest := make([]byte, width)
	plain.WriteString("# A comment, which no digest is.\n")
	for number := range uint32(lines) {
		random(digest, number)
		fmt.Fprintf(&plain, "%x\n", digest)
		fmt.Fprintf(&named, "%x  %s\n", digest, strings.Repeat("n", int(number)%40))
	}
	for _, test := range []struct {
		name, text string
		hint       int
	}{
		{"lines of one length, the size is known", plain.String(), plain.Len()},
		{"lines of one length, no last line end", strings.TrimSuffix(plain.String(), "\n"), plain.Len() - 1},
		{"lines of one length, the size is not known", plain.String(), 0},
		{"the size is said to be less", plain.String(), plain.Len() / 3},
		{"the size is said to be more", plain.String(), 1 << 40},
		{"lines of many lengths", named.String(), named.Len()},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := ReadDigests("list", strings.NewReader(test.text), int64(test.hint))
			if err != nil {
				t.Fatal(err)
			}
			if d.Len() != lines {
				t.Errorf("%d digests, want %d", d.Len(), lines)
			}
			// Digests, an eighth that may be spare, filters and index.
			if most := int64(lines*width*9/8 + lines*2 + 16_384); d.Bytes() < lines*width || d.Bytes() > most {
				t.Errorf("the set holds %d bytes, want %d to %d", d.Bytes(), lines*width, most)
			}
		})
	}
}

func TestReadDigestsMakesRoomOnce(t *testing.T) {
	text := strings.Repeat("d41d8cd98f00b204e9800998ecf8427e  a\n900150983cd24fb0d6963f7d28e17f72  b\n", 5000)
	for name, text := range map[string]string{"ended": text, "not ended": strings.TrimSuffix(text, "\n")} {
		p := digestParser{file: "list", limit: MaxDigests, in: bufio.NewReaderSize(strings.NewReader(text), digestBuffer), size: int64(len(text))}
		if err := p.readAll(); err != nil {
			t.Fatal(err)
		}
		if got := cap(p.digests) / 16; p.lines != 10_000 || got < p.lines || got > p.lines+1 {
			t.Errorf("%s: room for %d digests in %d lines", name, got, p.lines)
		}
	}
}

func TestDigestsContainsAllocatesNothing(t *testing.T) {
	d := readDigests(t, "d41d8cd98f00b204e9800998ecf8427e\n900150983cd24fb0d6963f7d28e17f72\n")
	hit, miss, other := bytes.Clone(d.at(1)), make([]byte, 16), make([]byte, 20)
	found := 0
	allocations := testing.AllocsPerRun(100, func() {
		for _, digest := range [][]byte{hit, miss, other} {
			if d.Contains(digest) {
				found++
			}
		}
	})
	if allocations != 0 || found != 101 { // AllocsPerRun runs once more, to warm up
		t.Errorf("%v allocations and %d hits, want 0 and 101", allocations, found)
	}
}

func TestDigestsIsSafeForConcurrentUse(t *testing.T) {
	random := digestPatterns()["random"]
	digests, digest := []byte{}, make([]byte, 20)
	for number := range uint32(1000) {
		random(digest, 2*number)
		digests = append(digests, digest...)
	}
	d := newDigests(digests, 20, false)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			digest := make([]byte, 20)
			for number := range uint32(2000) {
				random(digest, number)
				if got := d.Contains(digest); got != (number%2 == 0) {
					t.Errorf("contains %x is %v", digest, got)
				}
			}
		})
	}
	group.Wait()
}

// naiveDigests reads a list as plainly as can be: the digests, and the first
// ten lines that have a mistake.
func naiveDigests(data []byte) (set map[string]bool, width int, faults []int) {
	set = map[string]bool{}
	text := strings.TrimSuffix(string(data), "\n")
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		long := len(line) > 4096
		if i == 0 {
			line = strings.TrimPrefix(line, "\uFEFF")
		}
		line = strings.Trim(line, " \t")
		if !long && (line == "" || strings.HasPrefix(line, "#")) {
			continue
		}
		word := strings.TrimPrefix(strings.Split(strings.ReplaceAll(line, "\t", " "), " ")[0], `\`)
		digest, err := hex.DecodeString(word)
		if long || err != nil || !slices.Contains(digestWidths(), len(digest)) || width != 0 && len(digest) != width {
			faults = append(faults, i+1)
			continue
		}
		width = len(digest)
		set[string(digest)] = true
	}
	if len(set) == 0 && len(faults) == 0 {
		faults = []int{1}
	}
	return set, width, faults[:min(len(faults), 10)]
}

func FuzzReadDigests(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte, hint uint16, small bool) {
		want, width, faults := naiveDigests(data)
		var r io.Reader = bytes.NewReader(data)
		if small {
			r = iotest.OneByteReader(r)
		}
		d, err := ReadDigests("lists/malware", r, int64(hint))
		if err != nil {
			var got []int
			for _, fault := range digestFaults(t, err) {
				line := 0
				if _, err := fmt.Sscanf(fault, "%d:", &line); err != nil {
					t.Fatal(err)
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(faults, got); diff != "" {
				t.Fatalf("the lines with a mistake: %s", diff)
			}
			return
		}
		if len(faults) > 0 {
			t.Fatalf("the mistakes in lines %v are accepted", faults)
		}
		if d.Len() != len(want) || d.Width() != width {
			t.Fatalf("%d digests of %d bytes, want %d of %d", d.Len(), d.Width(), len(want), width)
		}
		for digest := range want {
			if !d.Contains([]byte(digest)) {
				t.Fatalf("%x is not in the list", digest)
			}
			for bit := range 8 * width {
				near := []byte(digest)
				near[bit/8] ^= 1 << (bit % 8)
				if got := d.Contains(near); got != want[string(near)] {
					t.Fatalf("contains %x is %v", near, got)
				}
			}
		}
	})
}

// randomDigests returns so many digests one after the other.
func randomDigests(n, width int, seed byte) []byte {
	digests := make([]byte, n*width)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(digests)
	return digests
}

func benchmarkContains(b *testing.B, hits bool) {
	b.Helper()
	for _, size := range []struct {
		name     string
		n, width int
	}{{"1M-sha256", 1_000_000, 32}, {"10M-md5", 10_000_000, 16}} {
		b.Run(size.name, func(b *testing.B) {
			const asked = 1 << 20
			d := newDigests(randomDigests(size.n, size.width, 1), size.width, false)
			// Those asked for are apart, so that the set's memory is met cold.
			questions := randomDigests(asked, size.width, 2)
			if hits {
				order := rand.New(rand.NewPCG(1, 2))
				for i := range asked {
					copy(questions[i*size.width:(i+1)*size.width], d.at(order.IntN(d.Len())))
				}
			}
			i := 0
			for b.Loop() {
				if d.Contains(questions[i:i+size.width]) != hits {
					b.Fatal("wrong")
				}
				if i += size.width; i == len(questions) {
					i = 0
				}
			}
			b.ReportMetric(float64(d.Bytes())/1e6, "MB")
		})
	}
}

func BenchmarkDigestsMiss(b *testing.B) { benchmarkContains(b, false) }

func BenchmarkDigestsHit(b *testing.B) { benchmarkContains(b, true) }

// BenchmarkReadDigests reads a file of a million SHA-256 digests.
func BenchmarkReadDigests(b *testing.B) {
	const n, width = 1_000_000, 32
	digests := randomDigests(n, width, 1)
	name := filepath.Join(b.TempDir(), "malware.sha256")
	file, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	for i := range n {
		fmt.Fprintf(out, "%x\n", digests[i*width:(i+1)*width])
	}
	if err := out.Flush(); err != nil {
		b.Fatal(err)
	}
	const size = n * (2*width + 1)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		if d, err := ReadDigests(name, file, size); err != nil || d.Len() != n {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*float64(time.Second/time.Millisecond)/float64(b.N), "ms/op")
}
