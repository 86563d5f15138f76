// Package archive walks archives, and those that lie in them, without unpacking
// anything to a disk. It knows nothing of events and rules.
//
// A walk tells three things apart: what is wrong with an archive (a *Refusal),
// what of it nobody could look at (a *Gap), and that it could not be read at
// all (any other error). What an archive declares about itself is never
// trusted: bytes are counted as they come, and memory is given out of a budget.
package archive

import (
	"context"
	"fmt"
	"io"
)

// Limits bounds a walk. All of them must be set.
type Limits struct {
	// Entries is how many members all levels may have together, at least 1.
	Entries int
	// Depth is how deep archives may lie in each other, 1 to 64: 1 is an archive
	// without another in it. A tar in a compressed file is one archive with it.
	Depth int
	// Unpacked is how many bytes the members of all levels may have together.
	Unpacked int64
	// Ratio is how many bytes may come out of one, for a member and for the whole
	// file. It is judged above RatioFrom bytes.
	Ratio int64
	// Memory is how many bytes dictionaries, directories and archives that have no
	// file of their own may take, beside a fixed amount for each level.
	Memory int64
	// AcceptEncrypted says that encrypted members are gaps and not refusals.
	AcceptEncrypted bool
	// AcceptLinks says that links and devices are not looked at.
	AcceptLinks bool
}

// RatioFrom is how many bytes must have come out before a ratio is judged.
const RatioFrom = 1 << 20

// Member is a file, folder or link in an archive.
type Member struct {
	// Name is the name as the archive writes it: any bytes at all.
	Name string
	// Within names the members that the archive lies in, from the outermost one,
	// each with a slash behind it. It is empty for the members of the file itself.
	Within string
	// Folder says that it is a folder.
	Folder bool
}

// Path returns the member's name behind those of the members it lies in.
func (m Member) Path() string { return m.Within + m.Name }

// Judge is asked about each member by its name. Its error ends the walk, which
// returns it.
type Judge func(m Member) error

// Report is how far a walk got.
type Report struct {
	// Known says that the file is an archive, of a format that can be taken apart
	// or of one that cannot.
	Known bool
	// Looked says that something of it was taken apart.
	Looked bool
	// Format is what the file is: tar.gz for a tar in a gz; empty for no archive.
	Format string
	// Depth is how deep archives lie in each other, 0 if none was taken apart, and
	// Ratio the smallest Limits.Ratio that the file keeps, 0 where no more than
	// RatioFrom bytes came out. Both tell of what the walk came to, that which it
	// refused included.
	Depth int
	Ratio int64
	// Encrypted says that the walk came to an encrypted member, refused or not.
	Encrypted bool
	// Links tells of links and devices.
	Links Links
	// Inspected is how many bytes of the file have been walked: for an archive its
	// size exactly if there is no gap, for any other file its beginning and end.
	Inspected int64
	// Entries is how many members there are, those of a directory that could not be
	// read included, and Unpacked how many bytes they have, over all levels.
	Entries  int
	Unpacked int64
	// Gap is the first thing that could not be looked at, nil if there is none.
	Gap *Gap
}

// Links is what a walk came to know of links and devices.
type Links uint8

// What a walk can know of links.
const (
	// NoLinks is that it came to none.
	NoLinks Links = iota
	// SafeLinks is that none leads out of the archive, and nothing lies behind one.
	SafeLinks
	// PassedLinks is that they were let pass; another walk may refuse one.
	PassedLinks
	// UnsafeLinks is that a walk that does not let them pass refuses one.
	UnsafeLinks
	// UnsureLinks is that a walk with the other Limits.AcceptLinks may have more or
	// less memory for all else, and so see something else.
	UnsureLinks
)

// String returns a word: none, safe, passed, unsafe or unsure.
func (l Links) String() string {
	return [...]string{"none", "safe", "passed", "unsafe", "unsure"}[l]
}

// Fault is what is wrong with an archive.
type Fault uint8

// The faults.
const (
	// TooMany is more members than Limits.Entries.
	TooMany Fault = iota
	// TooDeep is an archive that lies deeper than Limits.Depth.
	TooDeep
	// TooLarge is more bytes than Limits.Unpacked.
	TooLarge
	// TooDense is a higher ratio than Limits.Ratio.
	TooDense
	// Outside is a member that would be unpacked outside of the archive's folder.
	Outside
	// Link is a link that leads out of the archive's folder, a member behind a
	// link, a device or a pipe.
	Link
	// Encrypted is a member that nobody can look into.
	Encrypted
	// Ambiguous is an archive that programs read differently.
	Ambiguous
)

// String returns the fault in few words.
func (f Fault) String() string {
	return [...]string{
		"too many members", "too deep", "too large", "ratio too high", "leads outside", "unsafe link", "encrypted", "ambiguous",
	}[f]
}

// Refusal is what is wrong with an archive, and where.
type Refusal struct {
	Fault Fault
	// Member is the path of the member, empty if the file as a whole is meant.
	Member string
	// Detail says more to an administrator.
	Detail string
}

// Error implements error.
func (r *Refusal) Error() string { return fmt.Sprintf("%s: %q: %s", r.Fault, r.Member, r.Detail) }

// Reason is why something could not be looked at.
type Reason uint8

// The reasons.
const (
	// Format is a format, method or damage that cannot be read.
	Format Reason = iota
	// Memory is something for which Limits.Memory is not enough.
	Memory
	// Locked is an encrypted member.
	Locked
)

// Gap is something that could not be looked at.
type Gap struct {
	Reason Reason
	// Member is the path of the member, empty if the file as a whole is meant.
	Member string
	// Err says why.
	Err error
}

// Error implements error.
func (g *Gap) Error() string { return fmt.Sprintf("%q: %v", g.Member, g.Err) }

// Unwrap returns why.
func (g *Gap) Unwrap() error { return g.Err }

// Walk walks the size bytes of file, which lies under name. The error is a
// *Refusal, what judge returned, or why the file could not be read: that of ctx
// among them. The report is good for all of these.
func Walk(ctx context.Context, file io.ReaderAt, size int64, name string, limits Limits, judge Judge) (Report, error) {
	w := &walk{ctx: ctx, limits: limits, judge: judge, size: size, memory: limits.Memory, lowest: limits.Memory}
	w.top = &source{w: w, at: file}
	err := w.run(name)
	return w.report, err
}

func (w *walk) run(name string) error {
	err := w.look(content{at: w.top, size: w.size, name: name, whole: true})
	if w.stop != nil {
		err = w.stop
	}
	w.report.Entries, w.report.Links = max(w.report.Entries, w.declared), w.linkage()
	w.report.Inspected = w.size
	if !w.report.Known {
		w.report.Inspected = min(w.size, programSize+tailSize) // Its beginning and its end.
	}
	if w.report.Gap != nil || err != nil {
		w.report.Inspected = max(min(w.size-w.missed, w.size-1), 0)
	}
	return err
}
