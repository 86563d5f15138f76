package journal

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// benchLog is a closed segment of the usual size, 64 MiB.
func benchLog(b *testing.B) (dir string, bytes int64) {
	b.Helper()
	dir = makeLog(b, shape{records: 70_000, segment: 1 << 40})
	open, _, err := segments(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range open {
		if err := compress(dir, name, nil); err != nil {
			b.Fatal(err)
		}
		x, err := ReadIndex(dir, uint64(name))
		if err != nil {
			b.Fatal(err)
		}
		bytes += x.Bytes
	}
	return dir, bytes
}

// BenchmarkSearch reads a closed segment of which few lines match. The case
// "decoding only" is what unpacking alone takes.
func BenchmarkSearch(b *testing.B) {
	dir, bytes := benchLog(b)
	file := filesIn(b, dir, closedEnding)[0]
	b.Run("decoding only", func(b *testing.B) {
		b.SetBytes(bytes)
		for b.Loop() {
			in, err := os.Open(file)
			if err != nil {
				b.Fatal(err)
			}
			r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, r); n != bytes || err != nil {
				b.Fatal(n, err)
			}
			r.Close()
			in.Close()
		}
	})
	cases := []struct {
		name string
		q    Query
		want int
	}{
		{"user", Query{User: []string{"partner-9"}}, 0},
		{"file glob", Query{File: []string{"**/clip-0007.mov"}}, 1},
		{"digest", Query{Digest: []string{"d41d8cd98f00b204e9800998ecf8427e"}}, 0},
		{"network", Query{ClientIP: []string{"198.51.100.0/24"}}, 0},
		{"rule", Query{Rule: []string{"nothing"}}, 0},
		{"window", Query{From: noon, To: noon.Add(1)}, 1},
		{"refused", Query{Verdict: []string{Reject}}, 7000},
		{"expression", Query{Where: `record.event.size > 100 && record.event.user == "partner-9"`}, 0},
		{"everything", Query{}, 70_000},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			s, err := c.q.Compile()
			if err != nil {
				b.Fatal(err)
			}
			s.segment = nil // The index would spare all of it.
			b.SetBytes(bytes)
			for b.Loop() {
				n := 0
				for _, err := range s.Read(context.Background(), dir) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != c.want {
					b.Fatalf("%d found, want %d", n, c.want)
				}
			}
		})
	}
}
