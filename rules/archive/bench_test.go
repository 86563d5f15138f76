package archive

import (
	"bytes"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// prose is data that compresses as text does.
func prose(n int) []byte {
	noise := pseudo(n)
	words := []byte("transfer film reel camera take scene sound light delivery master proxy ")
	out := make([]byte, n)
	for i := range out {
		at := int(noise[i/7*7]) % len(words)
		out[i] = words[(at+i%7)%len(words)]
		if noise[i]&0x1f == 0 {
			out[i] = noise[i]
		}
	}
	return out
}

// BenchmarkWalk compares a walk with decompressing alone.
func BenchmarkWalk(b *testing.B) {
	data := prose(32 << 20)
	gz, zst := gzipped(b, data), zstdOf(b, data)
	tgz := gzipped(b, tarred(b, of("a", string(data))))
	z := zipped(b, file{"a", string(data)})
	limits := usual
	for name, file := range map[string][]byte{"gz": gz, "zst": zst, "tgz": tgz, "zip": z} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := Walk(b.Context(), bytes.NewReader(file), int64(len(file)), "a."+name, limits, func(Member) error { return nil })
				if err != nil || r.Gap != nil {
					b.Fatal(err, r.Gap)
				}
			}
		})
	}
	b.Run("gz-plain", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			r, err := gzip.NewReader(bytes.NewReader(gz))
			must(b, err)
			_, err = io.Copy(io.Discard, r)
			must(b, err)
		}
	})
	b.Run("zst-plain", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			r, err := zstd.NewReader(bytes.NewReader(zst), zstd.WithDecoderConcurrency(1))
			must(b, err)
			_, err = io.Copy(io.Discard, r)
			must(b, err)
			r.Close()
		}
	})
}
