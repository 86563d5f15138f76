package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// What is in files is stored by its digest, in pieces, each of which is one message:
// files.DIGEST.NUMBER. To store the same again changes nothing, whoever does it and
// how far ever they come.

// pieceSize is the size of all pieces but the last one, in bytes. With a digest and
// in base 64 it fits into the megabyte that a NATS server takes by default.
const pieceSize = 512 << 10

// sideBySide is how many files are stored or fetched at once.
const sideBySide = 4

// pieceSubject returns the subject of a piece of what has a digest.
func (s *Store) pieceSubject(digest string, number int) string {
	return s.subject("files") + "." + digest + "." + strconv.Itoa(number)
}

// upload stores what is in files of a set and that no revision names which is kept.
func (s *Store) upload(ctx context.Context, set *fileSet) error {
	if _, err := s.blobStream(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	begun := map[string]bool{}
	for i := range set.files {
		f := &set.files[i]
		if begun[f.SHA256] || s.kept.has(f.SHA256) {
			continue
		}
		begun[f.SHA256] = true
		group.Go(func() error { return s.uploadFile(ctx, set.fsys, f) })
	}
	return group.Wait()
}

// uploadFile stores the pieces of a file one after the other, the first one first:
// the sweep goes by its age.
func (s *Store) uploadFile(ctx context.Context, fsys fs.FS, f *collected) error {
	file, err := fsys.Open(f.Name)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // It was only read.
	piece := make([]byte, min(f.Size, pieceSize))
	for number, digest := range f.pieces {
		n, err := io.ReadFull(file, piece)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if sha256.Sum256(piece[:n]) != digest {
			return fmt.Errorf("%s was changed while it was stored; try again when the folder is at rest", f.Name)
		}
		if err := s.uploadPiece(ctx, s.pieceSubject(f.SHA256, number), piece[:n]); err != nil {
			return away("storing "+f.Name, err)
		}
	}
	return nil
}

func (s *Store) uploadPiece(ctx context.Context, subject string, piece []byte) error {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	_, err := s.js.Publish(ctx, subject, piece)
	return err
}

// download writes what has the digest of a file of a revision. Whatever else the
// store has is ErrAltered, and some of it may have been written.
func (s *Store) download(ctx context.Context, f *File, to io.Writer) error {
	stream, err := s.blobStream(ctx)
	if err != nil {
		return err
	}
	sum, left := sha256.New(), f.Size
	for number := 0; left > 0; number++ {
		m, err := s.piece(ctx, stream, s.pieceSubject(f.SHA256, number))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return fmt.Errorf("%w: a piece of %s is missing", ErrAltered, f.Name)
		}
		if err != nil {
			return away("fetching "+f.Name, err)
		}
		if int64(len(m.Data)) != min(left, pieceSize) {
			return fmt.Errorf("%w: a piece of %s has another size", ErrAltered, f.Name)
		}
		left -= int64(len(m.Data))
		sum.Write(m.Data)
		if _, err := to.Write(m.Data); err != nil {
			return err
		}
	}
	if fmt.Sprintf("%x", sum.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("%w: %s was changed in the store", ErrAltered, f.Name)
	}
	return nil
}
