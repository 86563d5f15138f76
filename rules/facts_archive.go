package rules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/rules/archive"
)

// archiveFaults are the words for what ends a walk.
var archiveFaults = map[archive.Fault]string{
	archive.TooMany: "too_many", archive.TooDeep: "too_deep", archive.TooLarge: "too_large", archive.TooDense: "too_dense",
	archive.Outside: "outside", archive.Link: "link", archive.Encrypted: "encrypted", archive.Ambiguous: "ambiguous",
}

// noArchive is the format of a file that is none, and faultName what ended a walk at
// a name.
const noArchive, faultName = "none", "name"

// maxExtensions is how many extensions of one archive are kept, and maxMember how
// long the name of a member may be to be kept, in bytes.
const maxExtensions, maxMember = 1000, 1024

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
		Format: cmp.Or(r.Format, noArchive), Entries: r.Entries, Unpacked: r.Unpacked, Depth: r.Depth, Ratio: r.Ratio,
		Inspected: r.Inspected, Links: r.Links.String(), Encrypted: r.Encrypted,
	}
	var refusal *archive.Refusal
	var member memberError
	switch {
	case errors.As(err, &refusal):
		if fact.Fault = archiveFaults[refusal.Fault]; refusal.Fault == archive.TooLarge {
			fact.Unpacked = a.limits.Unpacked + 1
		}
		fact.at(archive.Member{Name: refusal.Member})
	case errors.As(err, &member):
		fact.Fault = faultName
		fact.at(member.member)
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
	if notes.extensions != nil {
		fact.Extensions = slices.AppendSeq([]string{}, maps.Keys(notes.extensions))
		slices.Sort(fact.Extensions)
	}
	l.learn(func(f *Facts) {
		if f.Archive == nil || fact.tellsMore(f.Archive) {
			f.Archive = fact
		}
	})
}

// at keeps the member at which a walk ended, if a log can tell it as it is.
func (f *ArchiveFact) at(m archive.Member) {
	if path := m.Path(); len(path) <= maxMember && utf8.ValidString(path) {
		f.Name, f.Within, f.Folder = m.Name, m.Within, m.Folder
	}
}

// tellsMore reports whether the walk of one rule tells more of a file than that of
// another, or as much.
func (f *ArchiveFact) tellsMore(old *ArchiveFact) bool {
	unsure := func(links string) bool {
		return links == archive.PassedLinks.String() || links == archive.UnsureLinks.String()
	}
	switch {
	case f.Whole != old.Whole:
		return f.Whole
	case f.Whole:
		return !unsure(f.Links) || unsure(old.Links)
	default: // The one that came further.
		return f.Entries > old.Entries || f.Entries == old.Entries && f.Unpacked >= old.Unpacked
	}
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
	if fact.Links == archive.UnsureLinks.String() {
		return Finding{}, &UndecidableError{Reason: UndecidableArchive}
	}
	if o := a.certain(fact); o != nil {
		return FoundBad(o, fact.Inspected, f.Size), nil
	}
	if !a.keeps(fact) {
		return Finding{}, &UndecidableError{Reason: UndecidableArchive}
	}
	switch gap := errors.New("not all of the archive could be looked at"); {
	case fact.Gap != "" && fact.Inspected == 0:
		return FoundNothing(&UninspectableError{Reason: fact.Gap, Detail: gap.Error()}, 0, f.Size), nil
	case fact.Gap != "":
		return FoundPart(fact.Inspected, f.Size, fact.Gap, gap), nil
	case fact.Format == noArchive && a.required:
		return FoundBad(a.object(foundNone, "no archive"), fact.Inspected, f.Size), nil
	default:
		return FoundClean(fact.Inspected, f.Size), nil
	}
}

// certain returns what the rule objects to in any case, whatever else there is in
// the archive; nil if nothing is certain.
func (a *archives) certain(f *ArchiveFact) *Objection {
	l := &a.limits
	fault, found := archive.Ambiguous, f.Format
	switch {
	case f.Entries > l.Entries:
		fault = archive.TooMany
	case f.Unpacked > l.Unpacked:
		fault = archive.TooLarge
	case f.Depth > l.Depth:
		fault, found = archive.TooDeep, fmt.Sprintf("%d deep", f.Depth)
	case f.Ratio > l.Ratio:
		fault, found = archive.TooDense, fmt.Sprintf("%d times", f.Ratio)
	case f.Fault == archiveFaults[archive.Outside]:
		fault = archive.Outside
	case f.Fault == archiveFaults[archive.Ambiguous]:
	case f.Links == archive.UnsafeLinks.String() && !l.AcceptLinks:
		fault = archive.Link
	case f.Encrypted && !l.AcceptEncrypted:
		fault = archive.Encrypted
	default:
		return a.certainName(f)
	}
	if f.Fault == archiveFaults[fault] && f.Name != "" {
		found = f.Name
	}
	return a.object(archiveFault(fault), found)
}

// certainName is certain for the names of members: of that at which the walk ended,
// and of extensions.
func (a *archives) certainName(f *ArchiveFact) *Objection {
	if f.Fault == faultName && f.Name != "" {
		var member memberError
		if errors.As(a.judge()(archive.Member{Name: f.Name, Within: f.Within, Folder: f.Folder}), &member) {
			return member.objection
		}
	}
	for i := range a.names {
		if q := &a.names[i]; q.files {
			if extension, ok := q.objects(f.Extensions); ok {
				return a.object(q.fault, cmp.Or(extension, "none"))
			}
		}
	}
	return nil
}

// objects returns the first of some extensions at which the question objects to a
// file.
func (q *memberQuestion) objects(extensions []string) (extension string, ok bool) {
	i := slices.IndexFunc(extensions, func(extension string) bool {
		name := "/x"
		if extension != "" {
			name += "." + extension
		}
		o, err := q.check(context.Background(), &Event{File: ParsePath(name)})
		return o != nil && err == nil
	})
	if i < 0 {
		return "", false
	}
	return extensions[i], true
}

// keeps reports whether all of an archive is known to keep what the rule asks,
// where nothing is certain to break it.
func (a *archives) keeps(f *ArchiveFact) bool {
	if !f.Whole || f.Links == archive.PassedLinks.String() && !a.limits.AcceptLinks {
		return false
	}
	unknown := func(q memberQuestion) bool { return !q.files || f.Extensions == nil }
	return f.Entries == 0 || !slices.ContainsFunc(a.names, unknown)
}
