package archive

import (
	"archive/tar"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// draw packs some files and archives in one of several ways, and lists what a
// walk must see in it.
func draw(t *testing.T, rt *rapid.T, depth int) (name string, data []byte, seen []string) {
	t.Helper()
	var files []file
	var inside [][]string
	for i := range rapid.IntRange(0, 3).Draw(rt, "files") {
		f := file{fmt.Sprintf("f%d.txt", i), rapid.StringN(0, 50, 100).Draw(rt, "data")}
		var below []string
		if depth > 1 && rapid.Bool().Draw(rt, "nested") {
			suffix, data, seen := draw(t, rt, depth-1)
			f, below = file{fmt.Sprintf("f%d%s", i, suffix), string(data)}, seen
		}
		files, inside = append(files, f), append(inside, below)
	}
	way := rapid.SampledFrom([]string{".zip", ".stored.zip", ".tar", ".tar.gz", ".tar.zst"}).Draw(rt, "way")
	for i, f := range files {
		seen = append(seen, f.name)
		for _, member := range inside[i] {
			seen = append(seen, f.name+"/"+member)
		}
	}
	switch way {
	case ".zip":
		data = zipped(t, files...)
	case ".stored.zip":
		data = stored(t, files...)
	default:
		headers := []tar.Header{of("first.txt", "")} // A tar without a member cannot be told from zeros.
		for _, f := range files {
			headers = append(headers, of(f.name, f.data))
		}
		seen = append([]string{"first.txt"}, seen...)
		data = tarred(t, headers...)
		switch {
		case strings.HasSuffix(way, ".gz"):
			data = gzipped(t, data)
		case strings.HasSuffix(way, ".zst"):
			data = zstdOf(t, data)
		}
	}
	return way, data, seen
}

// However archives lie in each other, each member is seen once, and only then is
// anything clean; and one byte less is not clean.
func TestEachMemberIsSeen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		name, data, want := draw(t, rt, 3)
		r, members, err := walkBytes(t.Context(), "a"+name, data, usual)
		if err != nil || r.Gap != nil || !r.Known || r.Inspected != int64(len(data)) {
			rt.Fatalf("%v, %+v", err, r)
		}
		slices.Sort(want)
		slices.Sort(members)
		if diff := cmp.Diff(want, members); diff != "" {
			rt.Fatal(diff)
		}
		cut := rapid.IntRange(1, max(len(data)/2, 1)).Draw(rt, "cut")
		r, _, err = walkBytes(t.Context(), "a"+name, data[:len(data)-cut], usual)
		short := len(data)-cut < headSize || strings.HasSuffix(name, ".tar") && cut <= 512 // Of two blocks of zeros, one is enough.
		if err == nil && r.Gap == nil && !short {
			rt.Fatalf("%d of %d bytes are clean: %+v", len(data)-cut, len(data), r)
		}
	})
}
