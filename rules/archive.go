package rules

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluiceproject/sluice/rules/archive"
)

// archives is a compiled rule of the kind archive.
type archives struct {
	limits   archive.Limits
	names    []memberQuestion
	required bool
	partial  string
	texts    map[archiveFault]*Template
}

// memberQuestion is a question about the name of a member.
type memberQuestion struct {
	fault archiveFault
	check Check
	files bool // folders are not asked about
	each  bool // each folder above it is asked about too
}

// archiveFault is what a rule of the kind archive objects to: a fault of the
// package archive, or one of those below.
type archiveFault int

const (
	foundDenied archiveFault = 100 + iota
	foundOther
	foundPath
	foundName
	foundNone
)

// archiveTexts are the messages, by what is objected to.
var archiveTexts = map[archiveFault]string{
	archiveFault(archive.TooMany):   "{name} has more than {max_entries} files in it. Split it up and try again.",
	archiveFault(archive.TooDeep):   "{name} has archives in archives, more than {max_depth} deep: {found}. Unpack those inside and try again.",
	archiveFault(archive.TooLarge):  "{name} unpacks to more than {max_unpacked}. Split it up and try again.",
	archiveFault(archive.TooDense):  "{name} unpacks to more than {max_ratio} times its size, as harmful archives do: {found}. Send the files unpacked.",
	archiveFault(archive.Outside):   "{name} has a file in it that would be unpacked elsewhere: {found}. Pack it again without folders above it.",
	archiveFault(archive.Link):      "{name} has a link in it that leads elsewhere, or a device: {found}. Leave it out and try again.",
	archiveFault(archive.Encrypted): "{name} is encrypted and cannot be looked into: {found}. Pack it again without a password.",
	archiveFault(archive.Ambiguous): "{name} says two things about what is in it: {found}. Pack it again with another program.",

	foundDenied: "{name} has a file in it of a type that may not be transferred here: {found}. Leave it out and try again.",
	foundOther:  "{name} has a file in it of a type that is not allowed here: {found}. Leave it out and try again.",
	foundPath:   "{name} has a file in it that may not be transferred here: {found}. Leave it out and try again.",
	foundName:   "{name} has a file in it whose name may not be used here: {found}. Rename it, pack again and try again.",
	foundNone:   "{name} is no archive, and only archives may be transferred here. Pack it and try again.",
}

func archiveTemplates() map[archiveFault]*Template {
	templates := make(map[archiveFault]*Template, len(archiveTexts))
	for fault, text := range archiveTexts {
		templates[fault] = builtinMessage(text)
	}
	return templates
}

// memberError is the objection to a member's name, on its way through the walk.
type memberError struct {
	objection *Objection
	member    archive.Member
}

// Error implements error.
func (m memberError) Error() string { return m.objection.Found }

// judge returns what asks the questions about the names of members. It is used
// for one walk.
func (a *archives) judge() archive.Judge {
	event := &Event{}
	return func(m archive.Member) error {
		path := memberPath(m)
		for i := range a.names {
			q := &a.names[i]
			switch {
			case q.files && m.Folder:
				continue
			case !q.each:
				if err := a.ask(q, event, path, m); err != nil {
					return err
				}
				continue
			}
			for segment := range strings.SplitSeq(path, "/") {
				if segment == "" || segment == "." {
					continue
				}
				if err := a.ask(q, event, "/"+segment, m); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// ask puts one question about a path. The event is made anew for each.
func (a *archives) ask(q *memberQuestion, event *Event, path string, m archive.Member) error {
	event.File = ParsePath(path)
	if event.File.Name() == "" { // The archive's own folder.
		return nil
	}
	o, err := q.check(context.Background(), event)
	if err != nil || o == nil {
		return err
	}
	found := m.Path()
	if q.fault != foundPath {
		found = fmt.Sprintf("%s (%s)", found, o.Found)
	}
	return memberError{a.object(q.fault, found), m}
}

func (a *archives) object(fault archiveFault, found string) *Objection {
	return &Objection{Message: a.texts[fault], Found: found}
}

// finding turns what came of a walk into what the rule has found.
func (a *archives) finding(r archive.Report, err error, size int64) Finding {
	var refusal *archive.Refusal
	var member memberError
	switch {
	case errors.As(err, &refusal):
		found := refusal.Member
		if found == "" {
			found = refusal.Detail
		}
		return FoundBad(a.object(archiveFault(refusal.Fault), found), r.Inspected, size)
	case errors.As(err, &member):
		return FoundBad(member.objection, r.Inspected, size)
	case err != nil:
		return FoundNothing(err, r.Inspected, size)
	case r.Gap != nil:
		return archiveGap(r, size)
	case !r.Known && a.required:
		return FoundBad(a.object(foundNone, "no archive"), r.Inspected, size)
	default:
		return FoundClean(r.Inspected, size)
	}
}

// archiveGap is what is found of an archive that could not all be looked at.
func archiveGap(r archive.Report, size int64) Finding {
	reason := ReasonFormat
	switch r.Gap.Reason {
	case archive.Memory:
		reason = ReasonLimit
	case archive.Locked:
		reason = ReasonEncrypted
	case archive.Format:
	}
	if !r.Looked || r.Inspected == 0 {
		return FoundNothing(&UninspectableError{Reason: reason, Detail: r.Gap.Error()}, 0, size)
	}
	return FoundPart(r.Inspected, size, reason, r.Gap)
}
