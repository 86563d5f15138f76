package store

import (
	"encoding/json"
	"errors"
	"io/fs"
	"time"
)

// What may go wrong with revisions, beside ErrAway.
var (
	// ErrEmpty says that no revision was ever stored.
	ErrEmpty = errors.New("the policy store has no revision yet")
	// ErrNoRevision says that the store does not have a revision, or no longer.
	ErrNoRevision = errors.New("the policy store has no such revision")
	// ErrConflict says that somebody else stored a revision first. Nothing was stored.
	ErrConflict = errors.New("somebody else was first")
	// ErrAltered says that the store has other bytes than a revision names, or lacks
	// some of them.
	ErrAltered = errors.New("the policy store does not have what the revision names")
	// ErrTooLarge says that a set is larger than a revision may be. Nothing was stored.
	ErrTooLarge = errors.New("the policy set is too large for a revision")
)

// The most that a revision may have. Texts are in bytes.
const (
	// MaxFiles and MaxBytes are for the files of the set.
	MaxFiles = 10_000
	MaxBytes = 4 << 30
	// MaxName is for the name of a file with its folders.
	MaxName = 1024
	// MaxAuthor and MaxText are for who made it and why, and MaxReplay for what
	// became of the decisions that were asked anew.
	MaxAuthor = 256
	MaxText   = 4096
	MaxReplay = 64 << 10
)

// File is a file of a revision.
type File struct {
	// Name is its path from the folder of the set, with slashes.
	Name string `json:"name"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// SHA256 is the digest of what is in it: 64 hex digits.
	SHA256 string `json:"sha256"`
}

// Revision is a policy set as it was stored, as a whole, at one time. It never
// changes; the oldest are forgotten (Options.KeepRevisions).
type Revision struct {
	// Number says which one it is. It grows, from 1, mostly by 1.
	Number uint64 `json:"-"`
	// Parent is the number of the one before; 0 is none.
	Parent uint64 `json:"parent,omitempty"`
	// Hash is policies.Snapshot.Revision: two revisions with the same hash decide alike.
	Hash string `json:"hash"`
	// Author and Message say who made it and why, as they put it.
	Author  string `json:"author"`
	Message string `json:"message,omitempty"`
	// Time is when, by the clock of whoever made it, in UTC.
	Time time.Time `json:"time"`
	// Files are in order of their names.
	Files []File `json:"files"`
	// RollbackOf is the number of the revision whose files these are again; 0 is none.
	RollbackOf uint64 `json:"rollback_of,omitempty"`
	// Replay is what became of recent decisions that were asked anew by this set,
	// a JSON value; nil where that was not done.
	Replay json.RawMessage `json:"replay,omitempty"`
}

// Proposal is what is to become a revision.
type Proposal struct {
	// Parent is the number of the revision that must be the newest, 0 if there must
	// be none; nil is whatever is newest.
	Parent *uint64
	// Author, Message and Hash are those of Revision.
	Author, Message, Hash string
	// Files is the set. All its files are stored but those that Visible leaves out.
	Files fs.FS
	// RollbackOf and Replay are those of Revision.
	RollbackOf uint64
	Replay     json.RawMessage
}
