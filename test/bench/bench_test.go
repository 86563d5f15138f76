//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// compileSet makes a set of n policies with a short list and compiles it.
func compileSet(tb testing.TB, n int) *policies.Snapshot {
	tb.Helper()
	dir := tb.TempDir()
	list := filepath.Join(dir, "digests")
	if err := writeDigests(list, 1_000, 32); err != nil {
		tb.Fatal(err)
	}
	set := filepath.Join(dir, "set")
	if err := writePolicies(set, n, list); err != nil {
		tb.Fatal(err)
	}
	snapshot, err := policies.Compile(os.DirFS(set), policies.Options{Kinds: rules.Builtin()})
	if err != nil {
		tb.Fatal(err)
	}
	return snapshot
}

// body returns one of the events that the benchmarks send.
func body(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "validator", "testdata", "bench", name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// What is compared with the floor has to be work: the sets accept the events by
// four policies each, however many others there are.
func TestPolicySet(t *testing.T) {
	small := body(t, "small")
	events := map[string]struct {
		body  string
		asked int
	}{
		"small":   {small, 11},
		"large":   {body(t, "large"), 11},
		"stopped": {stoppedEvent(small), 12},
	}
	for _, n := range []int{4, 10, 1_000} {
		snapshot := compileSet(t, n)
		if got, want := snapshot.RuleCount(), 3*n; got != want {
			t.Errorf("%d policies have %d rules, not %d", n, got, want)
		}
		for name, event := range events {
			e := rules.Event{Received: time.Now()}
			validator.Decoder{}.Decode(event.body, &e)
			d := snapshot.Decide(context.Background(), &e)
			got := fmt.Sprintf("accepted %t by %d policies and %d rules", d.Accepted(), d.Applied, len(d.Steps))
			if want := fmt.Sprintf("accepted true by 4 policies and %d rules", event.asked); got != want {
				t.Errorf("%d policies, %s: %s, want %s", n, name, got, want)
			}
		}
	}
}

func TestDigestsAreTheSame(t *testing.T) {
	var lists [2][]byte
	for i := range lists {
		name := filepath.Join(t.TempDir(), "list")
		if err := writeDigests(name, 100, 16); err != nil {
			t.Fatal(err)
		}
		lists[i], _ = os.ReadFile(name)
	}
	if diff := cmp.Diff(lists[0], lists[1]); diff != "" {
		t.Error(diff)
	}
	if got, want := len(lists[0]), 100*33; got != want {
		t.Errorf("the list has %d bytes, not %d", got, want)
	}
}

func TestParseCounts(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       sample
		fails      string
	}{
		{"all answered", "Running…\ncounted 200000 4000000 0 0 0 0 0 800.0 1500.5\n", sample{rate: 50_000, p50: 800, p99: 1500.5, cpu: 15}, ""},
		{"one refused", "counted 200000 4000000 0 0 0 0 1 800.0 1500.0\n", sample{}, "1 of 200000 requests failed"},
		{"connections failed", "counted 10 4000000 3 2 1 1 0 800.0 1500.0\n", sample{}, "7 of 10 requests failed"},
		{"nothing sent", "counted 0 4000000 0 0 0 0 0 0 0\n", sample{}, "it sent nothing"},
		{"no line", "Running…\n", sample{}, "it counted nothing"},
		{"cut line", "counted 10 40\n", sample{}, "unexpected newline"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseCounts(tt.text, 3*time.Second)
			if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
				t.Fatalf("error %v, want %q", err, tt.fails)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(sample{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseCPUs(t *testing.T) {
	for list, want := range map[string][]int{"0": {0}, "0-3": {0, 1, 2, 3}, "2,5-6": {2, 5, 6}} {
		got, err := parseCPUs(list)
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", list, diff)
		}
	}
	if _, err := parseCPUs(""); err == nil {
		t.Error("an empty list is no error")
	}
}

// The ratio is that of the rounds, so that what slows both servers down in one
// of them does not count.
func TestTable(t *testing.T) {
	samples := [][2]sample{{{rate: 100}, {rate: 90}}, {{rate: 10}, {rate: 8}}, {{rate: 200}, {rate: 170}}}
	var out bytes.Buffer
	printTable(&out, []row{
		compared("small", rate(target{least: 0.8}), samples),
		compared("large", rate(target{least: 0.9}), samples),
		alone("start", "exec to ready", []float64{200, 320, 250}, milliseconds, target{most: 300}),
	})
	want := `
| case  | measure       | floor¹ | sluice | ratio² | min–max       | target   | reached |
| ----- | ------------- | ------ | ------ | ------ | ------------- | -------- | ------- |
| small | throughput    | 100/s  | 90/s   | 0.85   | 0.80–0.90     | ≥ 0.80   | yes     |
| large | throughput    | 100/s  | 90/s   | 0.85   | 0.80–0.90     | ≥ 0.90   | no      |
| start | exec to ready | –      | 250 ms | –      | 200 ms–320 ms | ≤ 300 ms | yes     |
`
	got, _, _ := strings.Cut(out.String(), "\n\n")
	if diff := cmp.Diff(strings.Trim(want, "\n"), got); diff != "" {
		t.Error(diff)
	}
}

// A load with pauses and one with new connections are asked for in the script
// that wrk runs.
func TestScript(t *testing.T) {
	for _, tt := range []struct {
		name string
		load load
		want string
		not  string
	}{
		{"one after the other", load{body: "{}"}, `wrk.method = "POST"`, "delay"},
		{"pauses", load{body: "{}", pause: 8}, "function delay() return math.random(0, 8) end", "Connection"},
		{"new connections", load{body: "{}", fresh: true}, `wrk.headers["Connection"] = "close"`, "delay"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &bench{dir: t.TempDir()}
			name, err := b.writeScript(tt.load)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), tt.want) || strings.Contains(string(text), tt.not) {
				t.Errorf("the script should have %q and not %q:\n%s", tt.want, tt.not, text)
			}
		})
	}
}
