package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestNoCellIsAFormula(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain": "plain", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@a": "'@a", "a=b": "a=b", "\t=1": `\u0009=1`, "a\nb": `a\u000ab`, "\xff": `\xff`,
	} {
		if got := csvCell(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestBars(t *testing.T) {
	for _, row := range []struct {
		part, whole int64
		want        string
	}{{0, 10, ""}, {10, 10, "████"}, {5, 10, "██"}, {1, 1000, "▏"}, {3, 32, "▍"}, {7, 8, "███▌"}, {1, 0, ""}} {
		if got := logBar(row.part, row.whole, 4); got != row.want {
			t.Errorf("%d of %d: %q, want %q", row.part, row.whole, got, row.want)
		}
	}
}

func TestStepsBeginWhereAReaderExpects(t *testing.T) {
	at := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC) // A Saturday.
	for step, want := range map[time.Duration]string{
		time.Minute: "2026-03-14T15:09:00Z", 15 * time.Minute: "2026-03-14T15:00:00Z", 6 * time.Hour: "2026-03-14T12:00:00Z",
		24 * time.Hour: "2026-03-14T00:00:00Z", 7 * 24 * time.Hour: "2026-03-09T00:00:00Z",
	} {
		if got := time.Unix(beginOf(at.Unix(), step), 0).UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", step, got, want)
		}
	}
}

// TestCountsOverTimeAreWhole: whatever the times are, every decision is in one of
// the few steps that are told, unless even the longest steps are too many.
func TestCountsOverTimeAreWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.SliceOfN(rapid.Int64Range(0, rapid.SampledFrom([]int64{100, 1e5, 1e7, 9e8}).Draw(t, "span")), 1, 200).Draw(t, "seconds")
		times := newLogTimes()
		from, to := time.Unix(seconds[0], 0), time.Unix(seconds[0], 0)
		for i, s := range seconds {
			at := time.Unix(s, 0)
			times.add(at, i%2 == 0)
			if at.Before(from) {
				from = at
			}
			if at.After(to) {
				to = at
			}
		}
		group := times.told(from, to)
		var total logCount
		for _, v := range group.Values {
			total.Decisions += v.Decisions
			total.Refused += v.Refused
		}
		if want := (logCount{int64(len(seconds)), int64(len(seconds)+1) / 2}); total != want || len(group.Values) > maxLogRows {
			t.Errorf("%d steps of %ds have %+v, want %+v", len(group.Values), group.Step, total, want)
		}
	})
}

func TestADrawingFitsIntoTheTerminal(t *testing.T) {
	told := &logStats{logCount: logCount{1000, 500}, From: time.Unix(0, 0).UTC(), To: time.Unix(9000, 0).UTC(), Groups: []logGroup{
		{By: "user", Values: []logValue{{strings.Repeat("long-", 40), logCount{900, 490}}, {"\x1b[31mb", logCount{100, 10}}}},
		{By: "time", Step: 60, Values: []logValue{{"2026-03-14T12:00:00Z", logCount{1000, 500}}}},
	}}
	for _, width := range []int{40, 60, 80, 200} {
		var b strings.Builder
		if err := drawStats(&b, told, width, painter{}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width && strings.HasPrefix(line, "  ") || strings.Contains(line, "\x1b") {
				t.Errorf("%d columns of %d: %q", n, width, line)
			}
		}
	}
}

func TestTheTimeOfAnID(t *testing.T) {
	if got := timeOfID("019cec37-c1b8-7000-9aa6-6d2c7ddf743f").Format(time.RFC3339Nano); got != "2026-03-14T12:00:03Z" {
		t.Error(got)
	}
	if got := timeOfID("019cec37-c1b8-4000-9aa6-6d2c7ddf743f"); !got.IsZero() {
		t.Errorf("a random id has the time %s", got)
	}
}
