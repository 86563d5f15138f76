package journal

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// noon is when the events of the tests begin; one comes each second.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// eventOf makes the event of a number, as a portal's would be.
func makeEvent(n int) *rules.Event {
	e := &rules.Event{
		Received: noon.Add(time.Duration(n) * time.Second), Phase: rules.PhaseStart, Direction: rules.Upload,
		User: fmt.Sprintf("partner-%d", n%7), UserID: "1004", Host: "hst-eu-1",
		ClientIP: fmt.Sprintf("203.0.113.%d", n%200), SessionID: makeID(n / 5), TransferID: makeID(n / 50),
		File: rules.ParsePath(fmt.Sprintf("/ingest/film-%d/clip-%04d.mov", n%11, n)), Size: rules.Known(int64(n) * 1000),
		StartByte: rules.Known(0), Cipher: "aes-256", RatePolicy: "fair", TargetRateKbps: rules.Known(300000), MinRateKbps: rules.Known(0),
		FileNameEncoding: "utf8", ChecksumType: "none", Cookie: "aspera.faspex20",
		Tags: rules.Tags{Raw: fmt.Sprintf(`{"aspera":{"xfer_id":%q,"faspex":{"metadata":{"project":"film"}}},"client_ip":"10.0.0.1"}`, makeID(n/50))},
	}
	e.ClientAddr, _ = netip.ParseAddr(e.ClientIP)
	var random [10]byte
	binary.BigEndian.PutUint64(random[2:], uint64(n)*0x9e3779b97f4a7c15)
	e.ID = rules.NewID(e.Received, random)
	return e
}

func makeID(n int) string {
	return fmt.Sprintf("%08x-8c2b-4a35-9d07-%012x", uint32(n)*0x9e3779b9, uint64(n)*0x9e3779b97f4a7c15>>16)
}

// The rules of the tests.
var (
	folderRule = &rules.Rule{Policy: "partner-ingest", Name: "ingest-folders", Kind: "path"}
	filmRule   = &rules.Rule{Policy: "partner-ingest", Name: "finished-video-only", Kind: "extension", Saw: func(e *rules.Event) string { return e.File.Name() }}
	sizeRule   = &rules.Rule{Policy: "limits", Name: "large", Kind: "size"}
)

// decisionOf decides an event as its number says: one of ten is refused.
func makeDecision(n int, e *rules.Event) *rules.Decision {
	d := &rules.Decision{ID: e.ID, Revision: "r1", Applied: 2, Took: 37 * time.Microsecond}
	d.Steps = []rules.Step{{Rule: folderRule}, {Rule: sizeRule}}
	if n%10 == 3 {
		d.Verdict = rules.Verdict{Code: "1022", Message: e.File.Name() + " is no finished video."}
		d.Policy, d.Rule, d.Kind = filmRule.Policy, filmRule.Name, filmRule.Kind
		d.Steps = append(d.Steps, rules.Step{Rule: filmRule, Outcome: rules.Refused, Detail: &rules.Detail{Verdict: d.Verdict}})
	} else {
		d.Steps = append(d.Steps, rules.Step{Rule: filmRule})
	}
	return d
}

// shape is how a log of the tests is made.
type shape struct {
	records int
	segment int64 // size of a segment
	change  func(n int, e *rules.Event, d *rules.Decision)
}

// makeLog writes a log with the service's own code, and compresses all segments but
// the last.
func makeLog(tb testing.TB, s shape) string {
	tb.Helper()
	dir := tb.TempDir()
	o := Options{
		Dir: dir, Instance: "sluice-1", Durability: Off, Interval: time.Second, Patience: time.Minute,
		SegmentSize: s.segment, SegmentAge: 1000 * time.Hour, Now: func() time.Time { return noon },
	}
	j, err := Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	for n := range s.records {
		e := makeEvent(n)
		d := makeDecision(n, e)
		if s.change != nil {
			s.change(n, e, d)
		}
		if err := j.Append(e, d); err != nil {
			tb.Fatal(err)
		}
		if (n+1)%16 == 0 { // What is written at once stays in one segment.
			j.rouse()
			for j.Stats().Records < uint64(n) {
				runtime.Gosched()
			}
		}
	}
	if err := j.Close(); err != nil {
		tb.Fatal(err)
	}
	open, _, err := segments(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range open[:len(open)-1] {
		if err := compress(dir, name, nil); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// found reads a log and returns the numbers of what is found, and the errors.
func foundIn(tb testing.TB, from string, q Query) (numbers []uint64, errs []error) {
	tb.Helper()
	for e, err := range Read(context.Background(), from, &q) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		numbers = append(numbers, e.Sequence)
	}
	return numbers, errs
}

// files lists the names in a folder that have an ending.
func filesIn(tb testing.TB, dir, ending string) []string {
	tb.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"+ending))
	if err != nil || len(all) == 0 {
		tb.Fatalf("no %s in %s (%v)", ending, dir, err)
	}
	return all
}

func readText(tb testing.TB, file string) string {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func writeText(tb testing.TB, file, text string) {
	tb.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func splitLines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }
