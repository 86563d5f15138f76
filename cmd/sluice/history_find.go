package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
)

// newestRevision is what the newest revision is called.
const newestRevision = "newest"

// revisionHelp says how revisions are named.
const revisionHelp = `A revision (REV) is its number, newest, newest~2 (the second one before the newest),
or the first four or more digits of its hash, if no other has the same.`

// revisionName matches what can be a revision: its groups are how far back from the
// newest one, and a number or the beginning of a hash.
var revisionName = regexp.MustCompile(`^(?:newest(?:~([0-9]{1,6}))?|([0-9]{1,18}|[0-9a-fA-F]{4,12}))$`)

// isRevisionName reports whether a text names a revision and not a folder.
func isRevisionName(text string) bool { return revisionName.MatchString(text) }

// findRevision returns the revision that a person means.
func findRevision(ctx context.Context, s *store.Store, text string) (store.Revision, error) {
	parts := revisionName.FindStringSubmatch(text)
	switch {
	case parts == nil:
		return store.Revision{}, fmt.Errorf("%q is no revision: name its number, newest, newest~2, or four or more digits of its hash", text)
	case parts[2] == "":
		back, _ := strconv.Atoi(parts[1]) // Nothing is none.
		return revisionBefore(ctx, s, back)
	}
	if number, err := strconv.ParseUint(text, 10, 64); err == nil {
		r, err := s.Revision(ctx, number)
		if len(text) < 4 || !errors.Is(err, store.ErrNoRevision) {
			return r, lacksRevision(text, err)
		}
	}
	return revisionByHash(ctx, s, text)
}

// revisionBefore returns the newest revision, or one so many before it.
func revisionBefore(ctx context.Context, s *store.Store, back int) (store.Revision, error) {
	if back == 0 {
		return s.Head(ctx)
	}
	list, err := s.History(ctx, back+1)
	if err != nil {
		return store.Revision{}, err
	}
	if len(list) <= back {
		return store.Revision{}, fmt.Errorf("newest~%d: %w: it has %s", back, store.ErrNoRevision, count(len(list), "revision"))
	}
	return list[back], nil
}

// revisionByHash returns the only revision whose hash begins so.
func revisionByHash(ctx context.Context, s *store.Store, text string) (store.Revision, error) {
	list, err := s.History(ctx, 0)
	if err != nil {
		return store.Revision{}, err
	}
	var found []store.Revision
	var numbers []string
	for i := range list {
		if strings.HasPrefix(list[i].Hash, strings.ToLower(text)) {
			found = append(found, list[i])
			numbers = append(numbers, strconv.FormatUint(list[i].Number, 10))
		}
	}
	switch len(found) {
	case 0:
		return store.Revision{}, lacksRevision(text, fmt.Errorf("%s: %w", text, store.ErrNoRevision))
	case 1:
		return found[0], nil
	default:
		return store.Revision{}, fmt.Errorf("%s is the hash of the revisions %s; name one by its number", text, strings.Join(numbers, ", "))
	}
}

// lacksRevision says how to find revisions, where one is not there.
func lacksRevision(text string, err error) error {
	if errors.Is(err, store.ErrNoRevision) {
		return fmt.Errorf("%w; \"sluice history\" lists what there is (a folder of that name is ./%s)", err, text)
	}
	return err
}

// revisionWords says in a few words which revision it is.
func revisionWords(r *store.Revision) string {
	subject := ""
	if r.Message != "" {
		subject = `"` + subjectOf(r.Message) + `", `
	}
	return fmt.Sprintf("revision %d (%sby %s, %s)", r.Number, subject, rules.Printable(r.Author), r.Time.UTC().Format(time.DateTime+" UTC"))
}

// subjectOf is the first line of a message, fit for a line among others.
func subjectOf(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	return rules.Printable(rules.Shorten(strings.TrimSpace(line), 100))
}
