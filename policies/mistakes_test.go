package policies_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// Each file of testdata/mistakes is a policy set with a mistake that people
// make. Its file "want" holds what `sluice check` prints about it. Where what was
// meant is beyond doubt nothing is printed, and the file "events" says how the
// set decides.
func TestMistakes(t *testing.T) {
	names, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			archive := txtar.Parse(text)
			if len(archive.Comment) == 0 {
				t.Error("nothing says what the mistake is")
			}
			files, want, events := mistakenSet(archive)
			s, err := policies.Compile(files, policies.Options{Kinds: rules.Builtin(), AcceptByDefault: true})
			var faults document.Faults
			if err != nil && !errors.As(err, &faults) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, asPrinted(faults)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			if refused++; s != nil {
				refused--
				decideAll(t, s, events)
			}
		})
	}
	if refused < 30 {
		t.Errorf("found only %d sets with a mistake that is refused", refused)
	}
}

// mistakenSet takes the set and what is wanted of it out of an archive.
func mistakenSet(archive *txtar.Archive) (files fstest.MapFS, want, events string) {
	files = fstest.MapFS{}
	for _, f := range archive.Files {
		switch f.Name {
		case "want":
			want = string(f.Data)
		case "events":
			events = string(f.Data)
		default:
			files[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
		}
	}
	return files, want, events
}

// asPrinted is what `sluice check` prints about mistakes.
func asPrinted(faults document.Faults) string {
	var all strings.Builder
	for _, f := range faults {
		fmt.Fprintf(&all, "%s\n%s", f.Error(), f.Excerpt())
	}
	return all.String()
}

// decideAll holds a set to events: a line each, with whether it is accepted or
// refused, the path, and what else is known.
func decideAll(t *testing.T, s *policies.Snapshot, events string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(events), "\n")
	if len(lines) < 2 {
		t.Fatal("the set has no mistake, and too few events say what it means")
	}
	for _, line := range lines {
		words := strings.Fields(line)
		e := rules.Event{Phase: rules.PhaseStart, Direction: rules.Upload, User: "ann", File: rules.ParsePath(words[1]), Size: rules.Known(1)}
		for _, word := range words[2:] {
			setField(t, &e, word)
		}
		answer := "accepted"
		d := decide(s, e)
		if !d.Accepted() {
			answer = "refused"
		}
		if answer != words[0] || d.Err != nil {
			t.Errorf("%s: %s: %s (%v)", line, answer, d.Message, d.Err)
		}
	}
}

// setField sets what a word such as size=1 says of an event.
func setField(t *testing.T, e *rules.Event, word string) {
	t.Helper()
	var err error
	switch key, value, _ := strings.Cut(word, "="); key {
	case "phase":
		e.Phase, _ = rules.ParsePhase(value)
	case "size":
		_, err = fmt.Sscan(value, &e.Size.Value)
	case "cipher":
		e.Cipher = value
	case "rate_policy":
		e.RatePolicy = value
	case "csum":
		_, width, _ := rules.ParseAlgorithm(value)
		e.ChecksumType, e.Checksum = value, strings.Repeat("00", width)
	case "at":
		e.Received, err = time.Parse(time.RFC3339, value)
	default:
		err = errors.New("what is it?")
	}
	if err != nil {
		t.Fatalf("%s: %v", word, err)
	}
}
