package main

import (
	"bufio"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/validator/journal"
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

// writes counts how often something is written.
type writes int

func (w *writes) Write(p []byte) (int, error) { *w++; return len(p), nil }

func TestRowsAreWrittenInBlocks(t *testing.T) {
	var n writes
	out := bufio.NewWriterSize(&n, 64<<10)
	table := logCSV{out: out}
	for range 1000 {
		if err := table.write(&journal.Entry{Record: journal.Record{Message: strings.Repeat("long ", 20)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil || n > 4 {
		t.Errorf("1000 rows of 150 bytes take %d writes: %v", n, err)
	}
}

// A log may come from anywhere: whatever its members are, a terminal is told nothing
// by them.
func TestNoTerminalObeysALog(t *testing.T) {
	hostile := strings.ReplaceAll(`{"seq":1,"prev":"~","id":"019cec37-c1b8-7000-9aa6-6d2c7ddf743f","time":"2026-03-14T12:00:03Z","instance":"~","revision":"~",
"event":{"phase":"~","direction":"~","user":"~","client_ip":"~","host":"~","client":"~","session_id":"~","xfer_id":"~","cookie":"~","file":"~","cipher":"~","rate_policy":"~","file_csum":"~","missing":["~"]},
"verdict":"reject","code":"~","message":"~","policy":"~","rule":"~","kind":"~","reason":"~","error":"~",
"steps":[{"policy":"~","rule":"~","kind":"~","mode":"~","outcome":"refused","code":"~","saw":"~","error":"~","coverage":"~","inspected":1,"total":2,"reason":"~","took_us":1}],
"facts":{"types":["~"],"digests":{"~":"~"},"scans":[{"scanner":"~","found":"~","engine":"~","signatures":"~"}],"archive":{"format":"~","depth":1,"fault":"~","within":"~","name":"~","gap":"~"}},"took_us":1}`, "\n", "")
	hostile += "\n" + `{"seq":2,"prev":"~","note":"~","message":"~","count":3,"time":"2026-03-14T12:00:03Z","took_us":0}` + "\n"
	log := strings.ReplaceAll(hostile, "~", `\u001b[31m\u202e\u009b\u0000\r\n`)
	list := written(t, "list.txt", "*\n")
	for _, command := range []string{
		"log show 019cec37-c1b8-7000-9aa6-6d2c7ddf743f --dir -", "log search --dir - --notes", "log stats --dir - --by policy,rule,code,kind,user,client-ip,host,instance",
		"log export --dir - --notes", "hunt --dir - --format csv " + list, "hunt --dir - " + list, "log verify --dir -",
	} {
		got := runsOn(t, log, strings.Fields(command)...)
		text := got.out + got.err
		if bad := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); bad >= 0 || !strings.Contains(text, "001b") && !strings.Contains(command, "verify") {
			t.Errorf("%s: status %d\n%q", command, got.status, text)
		}
	}
}

// A digest can be found in a record without an event.
func TestHuntInARecordWithoutAnEvent(t *testing.T) {
	const digest = "d41d8cd98f00b204e9800998ecf8427e"
	list := written(t, "list.txt", digest+"\n")
	log := `{"seq":1,"prev":"","id":"x","time":"2026-03-14T12:00:03Z","verdict":"accept","facts":{"digests":{"md5":"` + digest + `"}},"took_us":1}` + "\n"
	for _, format := range []string{"text", "json", "csv"} {
		if got := runsOn(t, log, "hunt", list, "--dir", "-", "--format", format); got.status != 1 || !strings.Contains(got.out, digest) {
			t.Errorf("%s: status %d\n%s%s", format, got.status, got.out, got.err)
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
