package rules

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/rules/archive"
)

// archiveFaults are the words for what ends a walk.
var archiveFaults = map[archive.Fault]string{
	archive.TooMany: "too_many", archive.TooDeep: "too_deep", archive.TooLarge: "too_large", archive.TooDense: "too_dense",
	archive.Outside: "outside", archive.Link: "link", archive.Encrypted: "encrypted", archive.Ambiguous: "ambiguous",
}

// noArchive is the format of a file that is none, and someArchive that of all
// others; faultName is what ended a walk at a name.
const noArchive, someArchive, faultName = "none", "archive", "name"

// maxExtensions is how many extensions of one archive are kept.
const maxExtensions = 1000

// archiveNotes are what a walk learns by the way. They are used by one goroutine.
type archiveNotes struct {
	extensions map[string]bool // nil if they are not known
}

// judging returns a judge that notes the extensions of members before it asks
// another.
func (n *archiveNotes) judging(judge archive.Judge) archive.Judge {
	n.extensions = map[string]bool{}
	return func(m archive.Member) error {
		if !m.Folder && n.extensions != nil {
			n.add(ParsePath(memberPath(m)).Name())
		}
		return judge(m)
	}
}

// memberPath is the path by which a member is judged.
func memberPath(m archive.Member) string {
	return "/" + strings.TrimPrefix(strings.ReplaceAll(m.Name, `\`, "/"), "/")
}

// add notes the extension of a name. What stands behind a colon is another file to
// some systems, which has an extension too.
func (n *archiveNotes) add(name string) {
	extension := Extension(name)
	switch {
	case name == "":
	case strings.IndexByte(name, ':') >= 0 || strings.TrimSpace(extension) != extension || len(n.extensions) == maxExtensions && !n.extensions[extension]:
		n.extensions = nil
	default:
		n.extensions[extension] = true
	}
}

// learn keeps what a walk has told that ended for a reason of the archive's own.
func (a *archives) learn(l *Look, notes *archiveNotes, r archive.Report, err error) {
	fact := &ArchiveFact{
		Format: noArchive, Entries: r.Entries, Unpacked: r.Unpacked, Depth: a.limits.Depth, Ratio: a.limits.Ratio,
		Inspected: r.Inspected, Links: a.limits.AcceptLinks, Encrypted: a.limits.AcceptEncrypted,
	}
	var refusal *archive.Refusal
	var member memberError
	switch {
	case errors.As(err, &refusal):
		if fact.Fault = archiveFaults[refusal.Fault]; refusal.Fault == archive.TooLarge {
			fact.Unpacked = a.limits.Unpacked + 1
		}
	case errors.As(err, &member):
		fact.Fault = faultName
	case err != nil:
		return
	case r.Gap != nil:
		fact.Whole, fact.Gap = true, archiveGap(r, 0).Coverage.Reason
		if !r.Looked {
			fact.Inspected = 0
		}
	default:
		fact.Whole = true
	}
	if r.Known {
		fact.Format = someArchive
	}
	if notes.extensions != nil {
		fact.Extensions = slices.AppendSeq([]string{}, maps.Keys(notes.extensions))
		slices.Sort(fact.Extensions)
	}
	l.learn(func(f *Facts) {
		if old := f.Archive; old == nil || !old.Whole || fact.Whole && (old.Links || old.Encrypted) {
			f.Archive = fact
		}
	})
}

// recall judges the summary of an archive.
func (a *archives) recall(_ *Event, f *Facts) (Finding, error) {
	if found, ok := f.unread(); ok {
		return found, nil
	}
	fact := f.Archive
	if fact == nil {
		return Finding{}, &UndecidableError{Reason: UndecidableUnseen}
	}
	if fault := a.certainFault(fact); fault >= 0 {
		return FoundBad(a.object(fault, fact.Format), fact.Inspected, f.Size), nil
	}
	none := fact.Format == noArchive && fact.Whole
	if !none && !a.keeps(fact) {
		return Finding{}, &UndecidableError{Reason: UndecidableArchive}
	}
	switch gap := errors.New("not all of the archive could be looked at"); {
	case fact.Gap != "" && fact.Inspected == 0:
		return FoundNothing(&UninspectableError{Reason: fact.Gap, Detail: gap.Error()}, 0, f.Size), nil
	case fact.Gap != "":
		return FoundPart(fact.Inspected, f.Size, fact.Gap, gap), nil
	case none && a.required:
		return FoundBad(a.object(foundNone, "no archive"), fact.Inspected, f.Size), nil
	default:
		return FoundClean(fact.Inspected, f.Size), nil
	}
}

// certainFault returns what the rule objects to in any case, whatever else there
// is in the archive; -1 if nothing is certain.
func (a *archives) certainFault(f *ArchiveFact) archiveFault {
	l := &a.limits
	switch {
	case f.Entries > l.Entries:
		return archiveFault(archive.TooMany)
	case f.Unpacked > l.Unpacked:
		return archiveFault(archive.TooLarge)
	case f.Fault == archiveFaults[archive.TooDeep] && l.Depth <= f.Depth:
		return archiveFault(archive.TooDeep)
	case f.Fault == archiveFaults[archive.TooDense] && l.Ratio <= f.Ratio:
		return archiveFault(archive.TooDense)
	case f.Fault == archiveFaults[archive.Outside]:
		return archiveFault(archive.Outside)
	case f.Fault == archiveFaults[archive.Ambiguous]:
		return archiveFault(archive.Ambiguous)
	case f.Fault == archiveFaults[archive.Link] && !l.AcceptLinks:
		return archiveFault(archive.Link)
	case f.Fault == archiveFaults[archive.Encrypted] && !l.AcceptEncrypted:
		return archiveFault(archive.Encrypted)
	}
	for i := range a.names {
		if q := &a.names[i]; q.files && q.objects(f.Extensions) {
			return q.fault
		}
	}
	return -1
}

// objects reports whether the question objects to a file with one of some
// extensions.
func (q *memberQuestion) objects(extensions []string) bool {
	return slices.ContainsFunc(extensions, func(extension string) bool {
		name := "/x"
		if extension != "" {
			name += "." + extension
		}
		o, err := q.check(context.Background(), &Event{File: ParsePath(name)})
		return o != nil && err == nil
	})
}

// keeps reports whether all of an archive is known to keep what the rule asks,
// where nothing is certain to break it.
func (a *archives) keeps(f *ArchiveFact) bool {
	l := &a.limits
	if !f.Whole || l.Depth < f.Depth || l.Ratio < f.Ratio || f.Links && !l.AcceptLinks || f.Encrypted && !l.AcceptEncrypted {
		return false
	}
	return !slices.ContainsFunc(a.names, func(q memberQuestion) bool { return !q.files || f.Extensions == nil })
}
