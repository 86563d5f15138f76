package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
)

// xzReader decodes .xz files: streams of blocks, each with a header that says
// how much memory it takes.
type xzReader struct {
	w  *walk
	in *feed

	open    bool      // within a stream
	check   byte      // the kind of sum of the stream
	block   io.Reader // the block under way, nil between blocks
	sum     hash.Hash // of the block
	header  int64     // the size of its header
	from    int64     // where the block begins in in
	out     int64     // how much has come out of it
	said    [2]int64  // the packed and the unpacked size that it says, -1 if none
	blocks  int64     // of the stream, so far
	records hash.Hash // of what the index must say of them
	release func()
}

var errXZ = errors.New("xz: it is damaged")

func (x *xzReader) close() {
	if x.release != nil {
		x.release()
		x.release = nil
	}
}

// Read implements io.Reader.
func (x *xzReader) Read(p []byte) (int, error) {
	for {
		if x.block == nil {
			if err := x.next(); err != nil {
				return 0, err
			}
		}
		n, err := x.block.Read(p)
		x.out += int64(n)
		if n > 0 && x.sum != nil {
			x.sum.Write(p[:n])
		}
		switch {
		case err == io.EOF: //nolint:errorlint // Anything that wraps it is damage.
			err = x.endBlock()
		case err != nil:
			err = fmt.Errorf("xz: %w", unexpected(err))
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// unexpected turns an end in the middle into what it is.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next goes on to the next block, which may be in another stream. The error is
// io.EOF at the end of the file.
func (x *xzReader) next() error {
	for {
		if !x.open {
			if err := x.begin(); err != nil {
				return err
			}
		}
		size, err := x.in.ReadByte()
		if err != nil {
			return unexpected(err)
		}
		if size != 0 {
			return x.beginBlock(size)
		}
		if err := x.end(); err != nil {
			return err
		}
	}
}

// begin reads the header of a stream, or the zeros between two.
func (x *xzReader) begin() error {
	var head [12]byte
	for first := x.in.taken() == 0; ; first = false {
		if n, err := fill(x.in, head[:4]); err != nil {
			if n == 0 && !first {
				return err // The end of the file.
			}
			return unexpected(err)
		}
		if first || !bytes.Equal(head[:4], make([]byte, 4)) {
			break
		}
	}
	if _, err := fill(x.in, head[4:]); err != nil {
		return unexpected(err)
	}
	if string(head[:6]) != "\xfd7zXZ\x00" || head[6] != 0 || head[7] > 15 || crc32.ChecksumIEEE(head[6:8]) != binary.LittleEndian.Uint32(head[8:]) {
		return errXZ
	}
	x.open, x.check, x.blocks, x.records = true, head[7], 0, sha256.New()
	return nil
}

// checkSizes are how many bytes the sums take, by their kinds.
var checkSizes = [16]int64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// beginBlock reads the header of a block.
func (x *xzReader) beginBlock(size byte) error {
	if err := context.Cause(x.w.ctx); err != nil { // A block may be a few bytes and take much memory.
		return x.w.halt(err)
	}
	head := make([]byte, (int(size)+1)*4)
	head[0] = size
	if _, err := fill(x.in, head[1:]); err != nil {
		return unexpected(err)
	}
	body := head[:len(head)-4]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(head[len(body):]) || body[1]&0x3c != 0 {
		return errXZ
	}
	flags, body := body[1], body[2:]
	x.said = [2]int64{-1, -1}
	for i, flag := range []byte{0x40, 0x80} {
		if flags&flag != 0 {
			v, n := binary.Uvarint(body)
			if n <= 0 || v > 1<<62 {
				return errXZ
			}
			body, x.said[i] = body[n:], int64(v)
		}
	}
	x.header, x.from, x.out, x.sum = int64(len(head)), x.in.taken(), 0, nil
	switch x.check {
	case 1:
		x.sum = crc32.NewIEEE()
	case 4:
		x.sum = crc64.New(crc64.MakeTable(crc64.ECMA))
	case 10:
		x.sum = sha256.New()
	}
	block, err := x.filters(body, int(flags&3)+1, x.said[1])
	if err != nil {
		return err
	}
	x.block = block
	x.blocks++
	return nil
}

// endBlock reads the padding and the sum of a block.
func (x *xzReader) endBlock() error {
	x.block = nil
	var tail [3 + 64]byte
	packed, size := x.in.taken()-x.from, checkSizes[x.check]
	for i, is := range [2]int64{packed, x.out} {
		if x.said[i] >= 0 && x.said[i] != is {
			return errXZ
		}
	}
	record := binary.AppendUvarint(nil, uint64(x.header+packed+size))
	x.records.Write(binary.AppendUvarint(record, uint64(x.out)))
	padding := -packed & 3
	if _, err := fill(x.in, tail[:padding+size]); err != nil {
		return unexpected(err)
	}
	if !bytes.Equal(tail[:padding], make([]byte, padding)) {
		return errXZ
	}
	if x.sum == nil {
		return nil
	}
	want := x.sum.Sum(nil)
	if x.check != 10 { // Written from the least significant byte.
		for i, j := 0, len(want)-1; i < j; i, j = i+1, j-1 {
			want[i], want[j] = want[j], want[i]
		}
	}
	if !bytes.Equal(want, tail[padding:padding+size]) {
		return errXZ
	}
	return nil
}

// end reads the index and the footer of a stream, which must say what was read:
// some programs find the blocks by them.
func (x *xzReader) end() error {
	x.open = false
	from := x.in.taken() - 1
	sum, records := crc32.NewIEEE(), sha256.New()
	count, err := binary.ReadUvarint(x.in)
	if err != nil || count != uint64(x.blocks) {
		return errXZ
	}
	sum.Write(binary.AppendUvarint([]byte{0}, count))
	var number [binary.MaxVarintLen64]byte
	for range 2 * count {
		v, err := binary.ReadUvarint(x.in)
		if err != nil {
			return errXZ
		}
		n := binary.PutUvarint(number[:], v)
		sum.Write(number[:n])
		records.Write(number[:n])
	}
	var tail [3 + 4 + 12]byte
	padding := -(x.in.taken() - from) & 3
	rest := tail[:padding+4+12]
	if _, err := fill(x.in, rest); err != nil {
		return unexpected(err)
	}
	sum.Write(rest[:padding])
	sums, foot := rest[padding:], rest[padding+4:]
	back := (x.in.taken()-12-from)/4 - 1 // How far back the index begins, as the footer says it.
	if binary.LittleEndian.Uint32(sums) != sum.Sum32() || !bytes.Equal(records.Sum(nil), x.records.Sum(nil)) ||
		binary.LittleEndian.Uint32(foot) != crc32.ChecksumIEEE(foot[4:10]) || int64(binary.LittleEndian.Uint32(foot[4:])) != back ||
		foot[8] != 0 || foot[9] != x.check || string(foot[10:]) != "YZ" {
		return errXZ
	}
	return nil
}
