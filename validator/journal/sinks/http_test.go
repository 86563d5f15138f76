package sinks

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// receiver is a stand-in for a receiver of batches.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	posts  int
	got    []uint64
	bodies []string
	header http.Header
	came   chan uint64
	// answers says what to answer to a post with the numbers of its records, by the
	// count of posts from 1: a status and a text. Those below 300 are taken.
	answers func(post int, seqs []uint64, w http.ResponseWriter) (int, string)
}

func receive(t *testing.T, answers func(int, []uint64, http.ResponseWriter) (int, string)) *receiver {
	t.Helper()
	r := &receiver{came: make(chan uint64, 100_000), answers: answers}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var body io.Reader = request.Body
	if request.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			panic(err)
		}
		body = unpacked
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return // It was cut.
	}
	seqs := numbersIn(text)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.posts++
	r.bodies = append(r.bodies, request.URL.Path+" "+string(text))
	r.header = request.Header.Clone()
	status, say := http.StatusOK, `{"text":"Success","code":0}`
	if r.answers != nil {
		status, say = r.answers(r.posts, seqs, w)
	}
	if status < 300 {
		r.got = append(r.got, seqs...)
		for _, seq := range seqs {
			r.came <- seq
		}
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, say)
}

// numbersIn returns the numbers of the records of a batch, in whatever format.
func numbersIn(text []byte) (seqs []uint64) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var value any
		if err := decoder.Decode(&value); err != nil {
			return seqs
		}
		list, ok := value.([]any)
		if !ok {
			list = []any{value}
		}
		for _, one := range list {
			members := one.(map[string]any)
			if event, ok := members["event"].(map[string]any); ok && members["seq"] == nil {
				members = event
			}
			seqs = append(seqs, uint64(members["seq"].(float64)))
		}
	}
}

// until waits for a record and returns all that came so far.
func (r *receiver) until(t *testing.T, seq uint64) []uint64 {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case got := <-r.came:
			if got == seq {
				r.mu.Lock()
				defer r.mu.Unlock()
				return slices.Clone(r.got)
			}
		case <-late:
			t.Fatal("record", seq, "does not come")
		}
	}
}

func httpSink(r *receiver, change func(*HTTP)) Sink {
	h := &HTTP{URL: r.URL}
	if change != nil {
		change(h)
	}
	return Sink{Name: "siem", BatchRecords: 10, HTTP: h}
}

// TestFormatsOfBatches are those that receivers read.
func TestFormatsOfBatches(t *testing.T) {
	token := written(t, "token", "s3cr3t\n")
	one := func(l *logbook) string {
		r := record(1)
		return strings.TrimSuffix(string((&logbook{dir: l.dir, next: 1}).line(t, r)), "\n")
	}
	for _, row := range []struct {
		name   string
		change func(*HTTP)
		fields Fields
		want   func(first string) string // of the first batch, without what follows the first record
		header map[string]string
	}{
		{"lines", nil, FieldsOwn, func(first string) string { return "/ " + first + "\n{" }, map[string]string{"Content-Type": "application/x-ndjson", "User-Agent": "sluice", "Content-Encoding": ""}},
		{"an array", func(h *HTTP) { h.Format = JSONArray }, FieldsOwn, func(first string) string { return "/ [" + first + ",{" }, map[string]string{"Content-Type": "application/json"}},
		{
			"compressed, with headers", func(h *HTTP) {
				h.Gzip, h.Headers, h.HeaderFiles = true, map[string]string{"X-Tenant": "film"}, map[string]string{"Authorization": token}
			}, FieldsOwn,
			func(first string) string { return "/ " + first + "\n{" },
			map[string]string{"Content-Encoding": "gzip", "X-Tenant": "film", "Authorization": "s3cr3t"},
		},
		{
			"Splunk", func(h *HTTP) { h.Format, h.TokenFile = SplunkHEC, token }, FieldsOwn,
			func(first string) string {
				return `/services/collector/event {"time":1772366401.123456,"host":"hst-1","event":` + first + "}{"
			},
			map[string]string{"Authorization": "Splunk s3cr3t"},
		},
		{
			"Splunk, with all it may say", func(h *HTTP) {
				h.Format, h.TokenFile, h.Index, h.SourceType, h.Source, h.Gzip = SplunkHEC, token, "security", "sluice:decision", "sluice", true
			}, FieldsOwn,
			func(first string) string {
				return `/services/collector/event {"time":1772366401.123456,"host":"hst-1","source":"sluice","sourcetype":"sluice:decision","index":"security","event":` + first + "}{"
			}, nil,
		},
		{"ECS", nil, FieldsECS, func(string) string {
			return `/ {"@timestamp":"2026-03-01T12:00:01.123456Z","ecs":{"version":"8.17.0"},`
		}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLogbook(t.TempDir())
			l.write(t, 3)
			arrived := make(chan string, 10)
			var header http.Header
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				var body io.Reader = r.Body
				if r.Header.Get("Content-Encoding") == "gzip" {
					body, _ = gzip.NewReader(body)
				}
				text, _ := io.ReadAll(body)
				header = r.Header.Clone()
				arrived <- r.URL.Path + " " + string(text)
			}))
			defer server.Close()
			sink := httpSink(&receiver{Server: server}, row.change)
			sink.Fields = row.fields
			_, end := running(t, Options{Dir: l.dir, Sinks: []Sink{sink}})
			got := <-arrived
			end()
			if want := row.want(one(l)); !strings.HasPrefix(got, want) {
				t.Errorf("%s\ndoes not begin with\n%s", got, want)
			}
			for name, want := range row.header {
				if got := header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

// TestAnswersToBatches: nothing is lost but what is refused alone, and that is
// counted; order is kept; what comes again comes only after a failure.
func TestAnswersToBatches(t *testing.T) {
	const all = 45
	bad := func(seqs []uint64) bool { return slices.Contains(seqs, 17) }
	for _, row := range []struct {
		name    string
		answers func(int, []uint64, http.ResponseWriter) (int, string)
		format  HTTPFormat
		without []uint64
		told    string // begins one of what is told
	}{
		{"all is well", nil, JSONLines, nil, ""},
		{"busy", func(n int, _ []uint64, w http.ResponseWriter) (int, string) {
			if n%2 == 1 {
				w.Header().Set("Retry-After", "1")
				return 503, "busy"
			}
			return 200, ""
		}, JSONLines, nil, `records wait in the log and are sent when this works again: the receiver answers 503 Service Unavailable: "busy"`},
		{"too many", func(n int, _ []uint64, w http.ResponseWriter) (int, string) {
			if n < 4 {
				w.Header().Set("Retry-After", "Wed, 21 Oct 2065 07:28:00 GMT")
				return 429, ""
			}
			return 204, ""
		}, JSONLines, nil, `records wait in the log and are sent when this works again: the receiver answers 429 Too Many Requests`},
		{"too large", func(_ int, seqs []uint64, _ http.ResponseWriter) (int, string) {
			if len(seqs) > 3 {
				return 413, ""
			}
			return 200, ""
		}, JSONLines, nil, ""},
		{"one bad record", func(_ int, seqs []uint64, _ http.ResponseWriter) (int, string) {
			if bad(seqs) {
				return 400, "what?"
			}
			return 200, ""
		}, JSONLines, []uint64{17}, `the destination does not take this record, which is left out: record 17 is refused: the receiver answers 400 Bad Request: "what?"`},
		{"one bad record for Splunk", func(_ int, seqs []uint64, _ http.ResponseWriter) (int, string) {
			if bad(seqs) {
				return 400, `{"text":"Invalid data format","code":6,"invalid-event-number":1}`
			}
			return 200, ""
		}, SplunkHEC, []uint64{17}, `the destination does not take this record, which is left out: record 17 is refused: the receiver answers 400 Bad Request: "{\"text\":\"Invalid`},
		{"one record that is too large", func(_ int, seqs []uint64, _ http.ResponseWriter) (int, string) {
			if bad(seqs) {
				return 413, ""
			}
			return 200, ""
		}, JSONLines, []uint64{17}, `the destination does not take this record, which is left out: record 17 is refused: the receiver answers 413`},
		{"an index that the token may not use, for a while", func(n int, _ []uint64, _ http.ResponseWriter) (int, string) {
			if n < 10 {
				return 400, `{"text":"Incorrect index","code":7}`
			}
			return 200, ""
		}, SplunkHEC, nil, `records wait in the log and are sent when this works again: the receiver answers 400 Bad Request: "{\"text\":\"Incorrect index`},
		{"a token that is wrong, for a while", func(n int, _ []uint64, _ http.ResponseWriter) (int, string) {
			if n < 10 {
				return 403, ""
			}
			return 200, ""
		}, JSONLines, nil, `records wait in the log and are sent when this works again: the receiver answers 403 Forbidden`},
		{"a redirect, for a while", func(n int, _ []uint64, w http.ResponseWriter) (int, string) {
			if n < 3 {
				w.Header().Set("Location", "/elsewhere")
				return 307, ""
			}
			return 200, ""
		}, JSONLines, nil, `records wait in the log and are sent when this works again: the receiver answers 307 Temporary Redirect`},
		{"every record is bad, for a while", func(n int, _ []uint64, _ http.ResponseWriter) (int, string) {
			if n < 100 {
				return 400, ""
			}
			return 200, ""
		}, JSONLines, []uint64{1, 2, 3}, `records wait in the log and are sent when this works again: record 4 is refused: the receiver answers 400 Bad Request; so were the 3 before it, so that none more is left out until one is taken`},
		{"cut in the middle", func(n int, _ []uint64, _ http.ResponseWriter) (int, string) {
			if n%3 == 1 {
				panic(http.ErrAbortHandler)
			}
			return 200, ""
		}, JSONLines, nil, "records wait in the log and are sent when this works again: posting a batch: "},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := newLogbook(t.TempDir())
			l.write(t, all)
			r := receive(t, row.answers)
			var log told
			now := newClock()
			s, end := running(t, Options{Dir: l.dir, Told: log.tell, Now: func() time.Time { now.move(tellEvery); return now.Now() }, Sinks: []Sink{httpSink(r, func(h *HTTP) {
				h.Format, h.TokenFile = row.format, written(t, "token", "x")
			})}})
			got := r.until(t, all)
			end()
			want := slices.DeleteFunc(numbers(1, all), func(n uint64) bool { return slices.Contains(row.without, n) })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			stats := s.Stats()[0]
			if stats.Delivered != uint64(len(want)) || stats.Refused != uint64(len(row.without)) {
				t.Errorf("%d are delivered and %d refused, want %d and %d", stats.Delivered, stats.Refused, len(want), len(row.without))
			}
			if p, err := readPosition(l.dir, "siem"); err != nil || p.last().seq != all {
				t.Errorf("the position is %v (%v), want %d", p, err, all)
			}
			texts := append(log.of("failing"), log.of("refused")...)
			if row.told != "" && !slices.ContainsFunc(texts, func(text string) bool { return strings.HasPrefix(text, row.told) }) {
				t.Errorf("nothing that is told begins with %q: %q", row.told, texts)
			}
			if row.told == "" && len(texts) > 0 {
				t.Errorf("%q", texts)
			}
		})
	}
}

// TestHowLongToWait after failures: longer each time, as long as the receiver wants,
// and rarely where only a person helps.
func TestHowLongToWait(t *testing.T) {
	for _, row := range []struct {
		failures    int
		f           failure
		least, most time.Duration
	}{
		{1, failure{}, firstPause / 2, firstPause},
		{2, failure{}, firstPause, 2 * firstPause},
		{7, failure{}, mostPause / 2, mostPause},
		{1000, failure{}, mostPause / 2, mostPause},
		{1, failure{after: time.Minute}, time.Minute, time.Minute},
		{1, failure{after: time.Hour}, mostWished, mostWished},
		{1, failure{slow: true}, slowPause / 2, slowPause},
	} {
		p := &pump{failures: row.failures}
		for range 100 {
			if got := p.wait(&row.f); got < row.least || got > row.most {
				t.Errorf("%v after %d failures is %s, want %s to %s", row.f, row.failures, got, row.least, row.most)
			}
		}
	}
}

// TestRetryAfter is seconds or a time.
func TestRetryAfter(t *testing.T) {
	o := &httpOut{now: func() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }}
	for text, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "-3": 0, "99999999": mostWished, "Sun, 01 Mar 2026 00:00:09 GMT": 9 * time.Second, "Sun, 01 Mar 2020 00:00:09 GMT": 0, "soon": 0,
	} {
		if got := o.retryAfter(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// TestASecretThatIsReplaced is used from the next attempt on.
func TestASecretThatIsReplaced(t *testing.T) {
	l := newLogbook(t.TempDir())
	l.write(t, 5)
	token := written(t, "token", "old")
	r := receive(t, nil)
	r.answers = func(int, []uint64, http.ResponseWriter) (int, string) {
		if r.header.Get("Authorization") == "Splunk old" {
			if err := writeNew(token, "new"); err != nil {
				panic(err)
			}
			return 401, ""
		}
		return 200, ""
	}
	_, end := running(t, Options{Dir: l.dir, Sinks: []Sink{httpSink(r, func(h *HTTP) { h.Format, h.TokenFile = SplunkHEC, token })}})
	r.until(t, 5)
	end()
}

// TestMistakesInHTTP are found before anything is sent, and show no secret.
func TestMistakesInHTTP(t *testing.T) {
	for _, row := range []struct {
		name string
		http HTTP
		want string
	}{
		{"no URL", HTTP{URL: "siem"}, "this is no URL of the form https://host/path"},
		{"a password", HTTP{URL: "https://me:s3cr3t@siem/"}, "a user and a password do not belong here; use token_file or header_files"},
		{"not encrypted", HTTP{URL: "http://siem.example.com/"}, "http can be read and changed on the way; use https, or http for a receiver on this machine"},
		{"no token", HTTP{URL: "https://siem/", Format: SplunkHEC}, "a token is needed for Splunk"},
		{"no file", HTTP{URL: "https://siem/", TokenFile: "/nowhere"}, "reading a secret: open /nowhere: no such file or directory"},
		{"an empty file", HTTP{URL: "https://siem/", HeaderFiles: map[string]string{"X-Key": written(t, "key", " \n")}}, "is to have one line of printable ASCII, up to 8192 bytes"},
		{"two lines", HTTP{URL: "https://siem/", HeaderFiles: map[string]string{"X-Key": written(t, "key", "a\nb")}}, "is to have one line of printable ASCII, up to 8192 bytes"},
	} {
		_, err := Open(Options{Dir: t.TempDir(), Now: time.Now, Sinks: []Sink{{Name: "siem", HTTP: &row.http}}})
		if err == nil || !strings.HasPrefix(err.Error(), "the sink siem: ") || !strings.HasSuffix(err.Error(), row.want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// TestBatchesAreBounded in records and in bytes; a record that is larger goes alone.
func TestBatchesAreBounded(t *testing.T) {
	l := newLogbook(t.TempDir())
	for i := range 20 {
		r := record(l.next)
		if i == 10 {
			r.Message = strings.Repeat("x", 5000)
		}
		l.file()
		l.append(t, l.line(t, r))
	}
	var sizes []string
	r := receive(t, func(_ int, seqs []uint64, _ http.ResponseWriter) (int, string) {
		sizes = append(sizes, fmt.Sprint(len(seqs)))
		return 200, ""
	})
	sink := httpSink(r, nil)
	sink.BatchBytes = 2000
	_, end := running(t, Options{Dir: l.dir, Sinks: []Sink{sink}})
	r.until(t, 20)
	end()
	for _, body := range r.bodies {
		if records := strings.Count(body, "\n"); records > 10 || len(body)-records > 2000 && records > 1 {
			t.Errorf("a batch has %d records and %d bytes", records, len(body))
		}
	}
	if len(sizes) < 4 {
		t.Errorf("the batches have %v records", sizes)
	}
}
