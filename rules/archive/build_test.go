package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// file is a member to be packed.
type file struct {
	name string
	data string
}

// must ends the test if an archive cannot be made.
func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func zipped(tb testing.TB, files ...file) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		m, err := w.Create(f.name)
		must(tb, err)
		_, err = io.WriteString(m, f.data)
		must(tb, err)
	}
	must(tb, w.Close())
	return b.Bytes()
}

// stored is zipped without compressing.
func stored(tb testing.TB, files ...file) []byte {
	tb.Helper()
	var entries []entry
	for _, f := range files {
		entries = append(entries, entry{name: f.name, data: f.data})
	}
	return rawZip(entries...)
}

func tarred(tb testing.TB, headers ...tar.Header) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		data := ""
		if h.Typeflag == 0 || h.Typeflag == tar.TypeReg { // What Uname holds are the bytes.
			data, h.Uname = h.Uname, ""
			h.Size = int64(len(data))
		}
		if h.Typeflag != tar.TypeXGlobalHeader {
			h.Mode = 0o644
		}
		must(tb, w.WriteHeader(&h))
		_, err := io.WriteString(w, data)
		must(tb, err)
	}
	must(tb, w.Close())
	return b.Bytes()
}

// of is a regular member of a tar.
func of(name, data string) tar.Header { return tar.Header{Name: name, Uname: data} }

func link(kind byte, name, target string) tar.Header {
	return tar.Header{Typeflag: kind, Name: name, Linkname: target}
}

func gzipped(tb testing.TB, data []byte) []byte {
	tb.Helper()
	return namedGzip(tb, "", data)
}

func namedGzip(tb testing.TB, name string, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name = name
	_, err := w.Write(data)
	must(tb, err)
	must(tb, w.Close())
	return b.Bytes()
}

func zstdOf(tb testing.TB, data []byte, options ...zstd.EOption) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, options...)
	must(tb, err)
	_, err = w.Write(data)
	must(tb, err)
	must(tb, w.Close())
	return b.Bytes()
}

// wrapped is a gz of data that is not compressed, which takes no time.
func wrapped(data []byte) []byte {
	b := []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")
	rest := data
	for len(rest) > 0xffff {
		b = append(append(append(b, 0), u16(0xffff, 0)...), rest[:0xffff]...)
		rest = rest[0xffff:]
	}
	b = append(append(append(b, 1), u16(uint16(len(rest)), ^uint16(len(rest)))...), rest...)
	return append(b, u32(crc32.ChecksumIEEE(data), uint32(len(data)))...)
}

// entry is a member of a zip that need not make sense. What is empty is as it
// should be.
type entry struct {
	name, data string
	method     uint16
	flags      uint16
	extra      string // of the directory
	mode       uint32 // of Unix
	unlisted   bool   // it is not in the directory

	localName   string
	localMethod uint16
	at          int    // where the directory says it is, plus one
	unpacked    uint32 // what both headers say
	localSize   uint32 // what its own header says
	before      string // bytes before it
	behind      string // bytes behind it, such as its sizes
}

func u16(v ...uint16) (b []byte) {
	for _, n := range v {
		b = binary.LittleEndian.AppendUint16(b, n)
	}
	return b
}

func u32(v ...uint32) (b []byte) {
	for _, n := range v {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

// rawZip writes a zip of members that are not compressed.
func rawZip(entries ...entry) []byte {
	var b, directory bytes.Buffer
	listed := 0
	for _, e := range entries {
		b.WriteString(e.before)
		at := uint32(b.Len())
		sum := crc32.ChecksumIEEE([]byte(e.data))
		size, unpacked := uint32(len(e.data)), uint32(len(e.data))
		if e.unpacked != 0 {
			unpacked = e.unpacked
		}
		localName, localMethod, localSize := e.name, e.method, size
		if e.localName != "" {
			localName = e.localName
		}
		if e.localMethod != 0 {
			localMethod = e.localMethod
		}
		localSum, localUnpacked := sum, unpacked
		if e.localSize != 0 {
			localSize = e.localSize
		}
		if e.flags&zipDescribed != 0 {
			localSum, localSize, localUnpacked = 0, 0, 0
		}
		b.WriteString(zipLocal)
		b.Write(u16(20, e.flags, localMethod, 0, 0))
		b.Write(u32(localSum, localSize, localUnpacked))
		b.Write(u16(uint16(len(localName)), 0))
		b.WriteString(localName + e.data + e.behind)
		if e.unlisted {
			continue
		}
		if e.at != 0 {
			at = uint32(e.at - 1)
		}
		listed++
		directory.WriteString(zipCentral)
		directory.Write(u16(3<<8|20, 20, e.flags, e.method, 0, 0))
		directory.Write(u32(sum, size, unpacked))
		directory.Write(u16(uint16(len(e.name)), uint16(len(e.extra)), 0, 0, 0))
		directory.Write(u32(e.mode<<16, at))
		directory.WriteString(e.name + e.extra)
	}
	return append(b.Bytes(), ended(b.Len(), listed, directory.Bytes())...)
}

// ended is a directory of a zip and what ends it.
func ended(at, members int, directory []byte) []byte {
	b := append([]byte{}, directory...)
	b = append(b, zipTrailer...)
	b = append(b, u16(0, 0, uint16(members), uint16(members))...)
	b = append(b, u32(uint32(len(directory)), uint32(at))...)
	return append(b, u16(0)...)
}

// sizes are what may lie behind a member.
func sizes(data string, signature string) string {
	return signature + string(u32(crc32.ChecksumIEEE([]byte(data)), uint32(len(data)), uint32(len(data))))
}

// made is an archive that a test has made.
type made struct {
	name string
	data []byte
}

// madeArchives are the archives of the tables, for the fuzzers to begin with.
func madeArchives(tb testing.TB) (all []made) {
	tb.Helper()
	for _, r := range archives(tb) {
		if len(r.data) < 10_000 {
			all = append(all, made{r.name[strings.LastIndexByte(r.name, ' ')+1:], r.data})
		}
	}
	return all
}
