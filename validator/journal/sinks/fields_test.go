package sinks

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// fill gives every field below a value one that is not its zero value, and calls
// leaf for each that it filled.
func fill(t fatal, v reflect.Value, path string, n *int64, leaf func(path string, v reflect.Value)) {
	t.Helper()
	*n++
	switch {
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.SetBytes(fmt.Appendf(nil, `{"raw":%d}`, *n))
	case v.Type() == reflect.TypeOf(began):
		v.Set(reflect.ValueOf(began))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), path+"."+v.Type().Field(i).Name, n, leaf)
		}
		return
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), path, n, func(string, reflect.Value) {})
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0), path+"[0]", n, leaf)
	case v.Kind() == reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case v.CanInt():
		v.SetInt(*n)
	case v.CanUint():
		v.SetUint(uint64(*n))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	default:
		t.Fatal("fields of the kind", v.Kind(), "are not known here:", path)
	}
	leaf(path, v)
}

// TestEveryFieldHasAnECSName: whatever field of a record, its event or its steps is
// not there, what is sent is another text; a field that nobody has mapped is found.
func TestEveryFieldHasAnECSName(t *testing.T) {
	for _, note := range []bool{false, true} {
		var e entry
		n := int64(0)
		leaves := 0
		fill(t, reflect.ValueOf(&e.record).Elem(), "Record", &n, func(string, reflect.Value) {})
		if !note {
			e.record.Note = ""
		}
		whole := string(ecs(&e))
		check := func(path string, v reflect.Value) {
			if path == "Record.Note" && !note {
				return
			}
			leaves++
			kept := reflect.New(v.Type()).Elem()
			kept.Set(v)
			v.SetZero()
			if string(ecs(&e)) == whole {
				t.Errorf("%s is not in what is sent", path)
			}
			v.Set(kept)
		}
		visit(reflect.ValueOf(&e.record).Elem(), "Record", check)
		if leaves < 60 {
			t.Errorf("only %d fields were looked at", leaves)
		}
	}
}

// visit calls leaf for every field below a value.
func visit(v reflect.Value, path string, leaf func(string, reflect.Value)) {
	switch {
	case v.Type() == reflect.TypeFor[json.RawMessage](), v.Type() == reflect.TypeOf(began):
		leaf(path, v)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			visit(v.Field(i), path+"."+v.Type().Field(i).Name, leaf)
		}
	case v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct:
		visit(v.Elem(), path, leaf)
	case v.Kind() == reflect.Slice && v.Len() > 0:
		leaf(path, v)
		visit(v.Index(0), path+"[0]", leaf)
	default:
		leaf(path, v)
	}
}

// TestECSNames are those that receivers know.
func TestECSNames(t *testing.T) {
	size := int64(1234)
	facts, err := json.Marshal(rules.Facts{Types: []string{"video/mp4", "application/octet-stream"}, Digests: map[string]string{"sha256": "abc1"}})
	must(t, err)
	for _, row := range []struct {
		name   string
		record journal.Record
		want   map[string]any
		absent []string
	}{
		{
			"a refusal",
			journal.Record{
				Sequence: 7, ID: "id-7", Time: began, Instance: "hst-1", Revision: "r1", Verdict: "reject", Code: "2001", Message: "only video",
				Policy: "ingest", Rule: "video-only", Kind: "extension", Error: "it broke", TookMicros: 1500, Facts: facts,
				Event: &journal.Event{
					Phase: "stop", Direction: "upload", User: "xfer", ClientIP: "203.0.113.7", Host: "aspera-1", File: "/in/a.b.mov", Size: &size,
					Checksum: "FFEE", ChecksumType: "sha-256", Tags: json.RawMessage(`{"a":1}`),
				},
			},
			map[string]any{
				"@timestamp": "2026-03-01T12:00:00.123456Z", "ecs.version": "8.17.0", "event.id": "id-7", "event.sequence": 7.0, "event.kind": "event",
				"event.category.0": "file", "event.type.0": "access", "event.type.1": "denied", "event.outcome": "failure", "event.action": "validate-stop",
				"event.code": "2001", "message": "only video", "rule.ruleset": "ingest", "rule.name": "video-only", "rule.category": "extension",
				"rule.version": "r1", "error.message": "it broke", "event.duration": 1500000.0, "user.name": "xfer", "client.ip": "203.0.113.7",
				"client.address": "203.0.113.7", "host.name": "aspera-1", "service.node.name": "hst-1", "file.path": "/in/a.b.mov", "file.name": "a.b.mov",
				"file.extension": "mov", "file.size": 1234.0, "file.hash.sha256": "abc1", "file.mime_type": "video/mp4", "sluice.file_csum": "FFEE",
				"sluice.tags": `{"a":1}`,
			},
			nil,
		},
		{
			"an acceptance of a session",
			journal.Record{Verdict: "accept", Time: began, Event: &journal.Event{Phase: "start", Session: true, ClientIP: "unknown"}},
			map[string]any{"event.category.0": "session", "event.type.0": "info", "event.type.1": "allowed", "event.outcome": "success", "client.address": "unknown"},
			[]string{"client.ip", "file.path", "rule.name"},
		},
		{
			"a digest of the event alone",
			journal.Record{Verdict: "accept", Event: &journal.Event{Checksum: "FFEE", ChecksumType: "md5"}},
			map[string]any{"file.hash.md5": "ffee"},
			nil,
		},
		{
			"a Windows path",
			journal.Record{Verdict: "accept", Event: &journal.Event{File: `C:\in\a.mov`}},
			map[string]any{"file.path": `C:\in\a.mov`, "file.name": "a.mov"},
			nil,
		},
		{
			"the log's own note",
			journal.Record{Note: "lost", Count: 3, Message: "three are lost"},
			map[string]any{"event.category.0": "process", "event.type.0": "info", "event.action": "log-lost", "event.outcome": "failure", "sluice.note": "lost", "sluice.count": 3.0},
			[]string{"sluice.verdict"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := map[string]any{}
			var tree any
			must(t, json.Unmarshal(ecs(&entry{record: row.record}), &tree))
			flatten("", tree, got)
			for name, want := range row.want {
				if diff := cmp.Diff(want, got[name]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			for _, name := range row.absent {
				if value, ok := got[name]; ok {
					t.Errorf("%s is %v", name, value)
				}
			}
		})
	}
}

// flatten lists the members of a JSON tree by their names with dots.
func flatten(before string, value any, to map[string]any) {
	join := func(name string) string { return strings.TrimPrefix(before+"."+name, ".") }
	switch value := value.(type) {
	case map[string]any:
		for name, below := range value {
			flatten(join(name), below, to)
		}
	case []any:
		for i, below := range value {
			flatten(join(fmt.Sprint(i)), below, to)
		}
	default:
		to[before] = value
	}
}

// TestECSIsOneLineOfJSON, whatever users wrote.
func TestECSIsOneLineOfJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		r := journal.Record{
			Sequence: 1, Time: began, Verdict: "reject", Message: text.Draw(t, "message"), Rule: text.Draw(t, "rule"),
			Event: &journal.Event{File: text.Draw(t, "file"), User: text.Draw(t, "user"), ChecksumType: text.Draw(t, "type"), Checksum: text.Draw(t, "sum")},
		}
		line := ecs(&entry{record: r})
		var tree map[string]any
		if json.Unmarshal(line, &tree) != nil || strings.ContainsAny(string(line), "\n\r") {
			t.Fatalf("%q", line)
		}
	})
}

// TestFilters: who gets what.
func TestFilters(t *testing.T) {
	accept := journal.Record{Verdict: "accept", Event: &journal.Event{Phase: "start"}, Steps: []journal.Step{{Policy: "a"}, {Policy: "b"}}}
	reject := journal.Record{Verdict: "reject", Policy: "c", Event: &journal.Event{Phase: "stop"}}
	lost := journal.Record{Note: "lost"}
	for _, row := range []struct {
		name   string
		filter Filter
		want   [3]bool // accept, reject, lost
	}{
		{"none", Filter{}, [3]bool{true, true, true}},
		{"refusals", Filter{Verdict: "reject"}, [3]bool{false, true, true}},
		{"acceptances", Filter{Verdict: "accept"}, [3]bool{true, false, true}},
		{"a phase", Filter{Phases: []string{"start", "running"}}, [3]bool{true, false, true}},
		{"a policy that had a rule asked", Filter{Policies: []string{"b"}}, [3]bool{true, false, true}},
		{"a policy that refused", Filter{Policies: []string{"c", "d"}}, [3]bool{false, true, true}},
		{"a policy that had nothing to do with it", Filter{Policies: []string{"d"}}, [3]bool{false, false, true}},
		{"all of them", Filter{Verdict: "reject", Phases: []string{"start"}, Policies: []string{"c"}}, [3]bool{false, false, true}},
	} {
		got := [3]bool{row.filter.takes(&accept), row.filter.takes(&reject), row.filter.takes(&lost)}
		if got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
