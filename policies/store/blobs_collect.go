package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Visible returns the part of a policy set that a revision stores: not the files and
// folders whose names begin with a dot. What compiles without them compiles wherever
// the revision is fetched.
func Visible(set fs.FS) fs.FS { return visible{set} }

type visible struct{ fs.FS }

// Open implements fs.FS.
func (v visible) Open(name string) (fs.File, error) {
	if hidden(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return v.FS.Open(name)
}

// fileSet is the files of a set, in order of their names.
type fileSet struct {
	fsys  fs.FS
	files []collected
}

// collected is a file with the digests of its pieces.
type collected struct {
	File
	pieces [][sha256.Size]byte
}

func (s *fileSet) list() []File {
	list := make([]File, len(s.files))
	for i := range s.files {
		list[i] = s.files[i].File
	}
	return list
}

// collect reads all files of a set that a revision stores.
func collect(ctx context.Context, fsys fs.FS) (*fileSet, error) {
	set := &fileSet{fsys: Visible(fsys)}
	total, piece := int64(0), make([]byte, pieceSize)
	walk := func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case hidden(name) && entry.IsDir():
			return fs.SkipDir
		case hidden(name) || entry.IsDir():
			return nil
		}
		if regular, err := isRegular(fsys, name); !regular {
			return err
		}
		if len(set.files) == MaxFiles {
			return fmt.Errorf("%w: it has more than %d files", ErrTooLarge, MaxFiles)
		}
		f, err := collectFile(ctx, set.fsys, name, MaxBytes-total, piece)
		if err != nil {
			return err
		}
		total += f.Size
		set.files = append(set.files, f)
		return nil
	}
	if err := fs.WalkDir(fsys, ".", walk); err != nil {
		return nil, fmt.Errorf("reading the policy set: %w", err)
	}
	slices.SortFunc(set.files, func(a, b collected) int { return strings.Compare(a.Name, b.Name) }) // A walk has a.yaml after a/b.
	return set, nil
}

// isRegular reports whether a name is that of a file that is stored. Links are
// followed to files. What is neither file nor folder a set cannot use either.
func isRegular(fsys fs.FS, name string) (bool, error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // A link that leads nowhere.
		return false, nil
	case err != nil:
		return false, err
	case info.IsDir():
		return false, fmt.Errorf("%s is a link to a folder, and a revision has files only: put the folder in its place", name)
	}
	return info.Mode().IsRegular(), nil
}

// collectFile reads a file of at most limit bytes, a piece at a time.
func collectFile(ctx context.Context, fsys fs.FS, name string, limit int64, piece []byte) (f collected, err error) {
	file, err := fsys.Open(name)
	if err != nil {
		return f, err
	}
	defer file.Close() //nolint:errcheck // It was only read.
	f.Name = name
	whole := sha256.New()
	for ctx.Err() == nil {
		n, err := io.ReadFull(file, piece)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return f, err
		}
		if n > 0 {
			whole.Write(piece[:n])
			f.pieces = append(f.pieces, sha256.Sum256(piece[:n]))
		}
		if f.Size += int64(n); f.Size > limit {
			return f, fmt.Errorf("%w: its files have more than 4 GiB together", ErrTooLarge)
		}
		if n < pieceSize {
			f.SHA256 = hex.EncodeToString(whole.Sum(nil))
			return f, nil
		}
	}
	return f, ctx.Err()
}
