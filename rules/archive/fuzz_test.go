package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tight are limits under which no input takes long.
var tight = Limits{Entries: 200, Depth: 3, Unpacked: 8 << 20, Ratio: 2000, Memory: 8 << 20}

// fuzz walks whatever comes, in the file and one level below, and holds the
// report to what it promises.
//
// What is changed nowhere but in its sums says nothing: repair makes them right
// again, so that what lies behind them is reached too.
func fuzz(f *testing.F, repair func([]byte) []byte, suffixes ...string) {
	f.Helper()
	seeds := 0
	files, err := filepath.Glob("../testdata/archive/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		for _, s := range suffixes {
			if !strings.HasSuffix(file, s) {
				continue
			}
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
			seeds++
		}
	}
	for _, made := range madeArchives(f) {
		for _, s := range suffixes {
			if strings.HasSuffix(made.name, s) {
				f.Add(made.data)
				seeds++
			}
		}
	}
	if seeds == 0 {
		f.Fatal("there is no seed")
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, limits := range []Limits{tight, accepting(tight)} {
			holds(t, data, limits)
			repaired := repair(bytes.Clone(data))
			holds(t, repaired, limits)
			holds(t, wrapped(repaired), limits) // What has no file of its own goes another way.
		}
	})
}

func accepting(l Limits) Limits {
	l.AcceptEncrypted, l.AcceptLinks = true, true
	return l
}

// holds walks data and holds the walk to what it promises.
func holds(t *testing.T, data []byte, limits Limits) {
	t.Helper()
	w := &walk{ctx: t.Context(), limits: limits, size: int64(len(data)), memory: limits.Memory}
	w.top = &source{w: w, at: bytes.NewReader(data)}
	w.judge = func(m Member) error {
		if outside(m.Name) {
			t.Errorf("%q may be judged", m.Name)
		}
		return nil
	}
	err := w.run("film.mov.gz")
	r := w.report
	if err == nil && w.memory != limits.Memory {
		t.Errorf("of %d bytes of memory, %d are left", limits.Memory, w.memory)
	}
	var refusal *Refusal
	switch {
	case err != nil && !errors.As(err, &refusal):
		t.Fatalf("neither a refusal nor a gap: %v", err)
	case r.Entries > limits.Entries+1, r.Unpacked > limits.Unpacked, r.Inspected < 0, r.Inspected > int64(len(data)):
		t.Fatalf("beyond a limit: %+v", r)
	case err == nil && r.Gap == nil && r.Known && r.Inspected != int64(len(data)):
		t.Fatalf("nothing is missing of %d bytes: %+v", len(data), r)
	case (err != nil || r.Gap != nil) && r.Inspected >= int64(len(data)) && len(data) > 0:
		t.Fatalf("something is missing: %+v, %v", r, err)
	case r.Gap != nil && !r.Known && r.Gap.Reason != Format:
		t.Fatalf("a gap in no archive: %+v", r)
	}
}

func FuzzZip(f *testing.F)        { fuzz(f, asItIs, ".zip", "setup.exe") }
func FuzzTar(f *testing.F)        { fuzz(f, repairTar, ".tar") }
func FuzzSevenZip(f *testing.F)   { fuzz(f, repairSevenZip, ".7z") }
func FuzzCompressed(f *testing.F) { fuzz(f, repairXZ, ".gz", ".bz2", ".xz", ".zst") }

func asItIs(data []byte) []byte { return data }

// repairTar gives each block that says it is a header its sum.
func repairTar(data []byte) []byte {
	for at := 0; at+tarBlock <= len(data); at += tarBlock {
		b := data[at : at+tarBlock]
		if string(b[257:262]) != "ustar" && at > 0 {
			continue
		}
		copy(b[148:156], "        ")
		sum := 0
		for _, c := range b {
			sum += int(c)
		}
		copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	}
	return data
}

func repairSevenZip(data []byte) []byte {
	if len(data) < sevenStart {
		return data
	}
	at, size := binary.LittleEndian.Uint64(data[12:]), binary.LittleEndian.Uint64(data[20:])
	if at <= uint64(len(data)-sevenStart) && size <= uint64(len(data)-sevenStart)-at {
		binary.LittleEndian.PutUint32(data[28:], crc32.ChecksumIEEE(data[sevenStart+at:][:size]))
	}
	binary.LittleEndian.PutUint32(data[8:], crc32.ChecksumIEEE(data[12:sevenStart]))
	return data
}

// repairXZ gives the headers of a stream and of its first block their sums.
func repairXZ(data []byte) []byte {
	if len(data) < 16 || data[0] != 0xfd {
		return data
	}
	binary.LittleEndian.PutUint32(data[8:], crc32.ChecksumIEEE(data[6:8]))
	if size := 12 + 4*int(data[12]); size+4 <= len(data) {
		binary.LittleEndian.PutUint32(data[size:], crc32.ChecksumIEEE(data[12:size]))
	}
	return data
}
