package journal

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
)

// TestARecordedEventIsTheEvent: whatever is not said to be missing comes back as it
// was.
func TestARecordedEventIsTheEvent(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab/\\\"\n\u202eü:.@ {}1")), 0, 20, -1)
	number := rapid.Custom(func(t *rapid.T) rules.Number {
		return rules.Number{Value: rapid.Int64Min(0).Draw(t, "value"), Known: true}
	})
	numbers := rapid.OneOf(rapid.Just(rules.Number{}), number)
	rapid.Check(t, func(t *rapid.T) {
		e := &rules.Event{
			Received:  time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 1e9-1).Draw(t, "ns")).UTC(),
			Phase:     rapid.SampledFrom([]rules.Phase{rules.PhaseRequest, rules.PhaseStart, rules.PhaseRunning, rules.PhaseStop}).Draw(t, "phase"),
			Direction: rapid.SampledFrom([]rules.Direction{rules.Upload, rules.Download, rules.DirectionUnknown}).Draw(t, "direction"),
			User:      text.Draw(t, "user"), UserID: text.Draw(t, "user_id"), Client: text.Draw(t, "client"), Host: text.Draw(t, "host"),
			SessionID: text.Draw(t, "session"), TransferID: text.Draw(t, "transfer"), Below: rapid.Bool().Draw(t, "below"),
			ClientIP: rapid.SampledFrom([]string{"", "203.0.113.7", "::ffff:203.0.113.7", "2001:db8::1", "nonsense"}).Draw(t, "ip"),
			Cookie:   rapid.SampledFrom([]string{"", "aspera.faspex20", "aspera.faspex20:u:secret", "hunter2"}).Draw(t, "cookie"),
			File:     rules.ParsePath(rapid.SampledFrom([]string{"", "/a/b.mov", `C:\a\b.mov`, "s3://KEY:SECRET@bucket/a", "/a/../b"}).Draw(t, "folder") + text.Draw(t, "file")),
			Size:     numbers.Draw(t, "size"), StartByte: numbers.Draw(t, "start"), BytesWritten: numbers.Draw(t, "written"),
			TargetRateKbps: numbers.Draw(t, "target"), MinRateKbps: numbers.Draw(t, "least"),
			Cipher: text.Draw(t, "cipher"), RatePolicy: text.Draw(t, "rate policy"), ManifestFile: text.Draw(t, "manifest"),
			FileNameEncoding: text.Draw(t, "encoding"), Checksum: text.Draw(t, "checksum"), ChecksumType: text.Draw(t, "checksum type"),
			Tags: rules.Tags{Raw: rapid.SampledFrom([]string{"", "null", `{"a": [1, "x\u202e"]}`, `"{\"a\": 1}"`, `{"password":"x"}`, "rubbish"}).Draw(t, "tags")},
		}
		e.ID = rules.NewID(e.Received, [10]byte{1, 2, 3})
		if a, err := netip.ParseAddr(e.ClientIP); err == nil {
			e.ClientAddr = a.Unmap()
		}
		if e.File.Raw == "" {
			e.File = rules.Path{}
		}
		before, beforeErr := e.Tags.Value()
		d := makeDecision(rapid.IntRange(0, 20).Draw(t, "n"), e)
		line := append([]byte(`{"seq":1,"prev":"`+fmt.Sprintf("%064d", 0)+`",`), newEncoder("i").appendRecord(nil, e, d)...)
		var r Record
		if err := decodeRecord(line, &r); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		back, err := r.Recorded()
		if err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		want := *e
		for _, m := range back.Missing {
			switch m {
			case "cookie":
				want.Cookie = back.Event.Cookie
			case "file":
				want.File = back.Event.File
			case "manifest_file":
				want.ManifestFile = back.Event.ManifestFile
			case "tags":
			default:
				t.Errorf("%s is missing", m)
			}
		}
		if diff := cmp.Diff(want, back.Event, cmpopts.IgnoreUnexported(rules.Event{}), cmpopts.IgnoreFields(rules.Event{}, "Tags", "Raw"), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if !slices.Contains(back.Missing, "tags") {
			after, afterErr := back.Event.Tags.Value()
			if diff := cmp.Diff(before, after); diff != "" || (beforeErr == nil) != (afterErr == nil) {
				t.Errorf("tags: %v, %v (-want +got)\n%s", beforeErr, afterErr, diff)
			}
		}
		if back.Accepted != d.Accepted() || back.Code != d.Code || back.Policy != d.Policy || back.Rule != d.Rule || back.ID != e.ID || !back.Time.Equal(e.Received) {
			t.Errorf("%+v", back)
		}
	})
}

func TestGrantsThatWereRecorded(t *testing.T) {
	r := Record{Sequence: 1, ID: makeEvent(1).ID.String(), Verdict: Accept, Event: &Event{Phase: "start"}, Steps: []Step{
		{Policy: "p", Rule: "a", Kind: "grant", Outcome: "passed"},
		{Policy: "p", Rule: "b", Kind: "size", Outcome: "refused"},
		{Policy: "p", Rule: "c", Kind: "grant", Outcome: "would_refuse", Code: "1033"},
		{Policy: "p", Rule: "d", Kind: "grant", Outcome: "accepted_on_error"},
		{Policy: "p", Rule: "e", Kind: "grant", Outcome: "skipped"},
		{Policy: "p", Rule: "f", Kind: "quota", Outcome: "refused", Code: "1034", Saw: "2 of 1 file"},
	}}
	back, err := r.Recorded()
	if err != nil {
		t.Fatal(err)
	}
	want := []RecordedGrant{
		{Policy: "p", Rule: "a", Outcome: "passed"},
		{Policy: "p", Rule: "c", Outcome: "would_refuse", Refused: true, Code: "1033"},
		{Policy: "p", Rule: "d", Outcome: "accepted_on_error", Untold: true},
	}
	if diff := cmp.Diff(want, back.Grants); diff != "" {
		t.Error(diff)
	}
	quotas := []RecordedGrant{{Policy: "p", Rule: "f", Outcome: "refused", Refused: true, Code: "1034", Saw: "2 of 1 file"}}
	if diff := cmp.Diff(quotas, back.Quotas); diff != "" {
		t.Error(diff)
	}
}

func TestARecordThatIsNoDecision(t *testing.T) {
	good := func() Record {
		return Record{Sequence: 1, ID: makeEvent(1).ID.String(), Verdict: Accept, Event: &Event{Phase: "start"}}
	}
	for want, change := range map[string]func(*Record){
		"the record is no decision": func(r *Record) { r.Note = NoteOpened }, "the id is no UUID": func(r *Record) { r.ID = "x" },
		"the verdict is neither accept nor reject": func(r *Record) { r.Verdict = "maybe" }, "the phase is none that there is": func(r *Record) { r.Event.Phase = "begin" },
		"the facts cannot be read": func(r *Record) { r.Facts = []byte("[]") },
	} {
		r := good()
		change(&r)
		if _, err := r.Recorded(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
