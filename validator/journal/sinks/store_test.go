package sinks

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stream stands for the policy store: it takes lines as often as it is told.
type stream struct {
	text    []byte
	most    int            // how many of a batch it takes before it fails; 0 is all
	refused map[uint64]int // records that it will never take, by number, and how often they came
	calls   int
}

var errFull = errors.New("the stream is full")

func (s *stream) publish(ctx context.Context, lines [][]byte) (done int, refused map[int]error, err error) {
	if _, limited := ctx.Deadline(); !limited {
		return 0, nil, errors.New("there is no limit of time")
	}
	s.calls++
	refused = map[int]error{}
	for i, line := range lines {
		if s.most > 0 && i == s.most {
			return i, refused, errFull
		}
		if seq, _, _ := readHead(line); s.refused != nil {
			if _, wrong := s.refused[seq]; wrong {
				s.refused[seq]++
				refused[i] = errors.New("too long")
				continue
			}
		}
		s.text = append(append(s.text, line...), '\n')
	}
	return len(lines), refused, nil
}

func (s *stream) sink() Sink {
	return Sink{Name: "shared", Store: &Store{Timeout: time.Minute, Publish: s.publish}}
}

// TestTheStoreGetsTheLog line by line as it is, and a sink that starts again goes on
// where it was.
func TestTheStoreGetsTheLog(t *testing.T) {
	l, s := newLogbook(t.TempDir()), &stream{}
	for range 3 {
		l.write(t, 700)
		_, send := stepped(t, Options{Dir: l.dir, Sinks: []Sink{s.sink()}})
		send()
	}
	want, err := os.ReadFile(l.file())
	must(t, err)
	if !bytes.Equal(want, s.text) {
		t.Errorf("the stream has %v", numbersIn(s.text))
	}
}

// TestWhatTheStoreDoesNotTake waits, or is left out and told if that is for good.
func TestWhatTheStoreDoesNotTake(t *testing.T) {
	l, s := newLogbook(t.TempDir()), &stream{most: 4, refused: map[uint64]int{2: 0, 9: 0}}
	l.write(t, 10)
	var log told
	set, send := stepped(t, Options{Dir: l.dir, Sinks: []Sink{s.sink()}, Told: log.tell})
	send()
	if diff := cmp.Diff([]uint64{1, 3, 4, 5, 6, 7, 8, 10}, numbersIn(s.text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"the destination does not take this record, which is left out: too long", "the destination does not take this record, which is left out: too long",
	}, log.of("refused")); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if failing := log.of("failing"); len(failing) == 0 || !strings.Contains(failing[0], "storing decisions: the stream is full") {
		t.Errorf("told of the failure was %q", failing)
	}
	if got := set.Stats()[0]; got.Delivered != 8 || got.Refused != 2 || s.refused[2] != 1 || s.refused[9] != 1 {
		t.Errorf("%d were delivered and %d refused; they came %v times", got.Delivered, got.Refused, s.refused)
	}
}

// TestASinkToNoStore is refused before anything is promised.
func TestASinkToNoStore(t *testing.T) {
	s := &stream{}
	ecs := s.sink()
	ecs.Fields = FieldsECS
	for want, sink := range map[string]Sink{
		"the sink shared: there is no policy store":                         {Name: "shared", Store: &Store{}},
		"the sink shared: the policy store takes the log's own fields only": ecs,
	} {
		if _, err := Open(Options{Dir: t.TempDir(), Sinks: []Sink{sink}, Now: time.Now}); err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}
