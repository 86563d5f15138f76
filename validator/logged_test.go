package validator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// arrived reads an event that arrived 1.5 ms before noon.
func arrived(body string) *rules.Event {
	received := noon.Add(-1500 * time.Microsecond)
	e := &rules.Event{ID: rules.NewID(received, [10]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), Received: received}
	validator.Decoder{}.Decode(body, e)
	return e
}

// line is a line of the log.
type line struct {
	text   string
	fields map[string]any
}

// logOf returns the line that an event leaves.
func logOf(t failer, d validator.Decider, body string) line {
	t.Helper()
	return logOfEvent(t, d, arrived(body))
}

func logOfEvent(t failer, d validator.Decider, e *rules.Event) line {
	t.Helper()
	var buffer bytes.Buffer
	validator.Logged(timed{d}, zapcore.AddSync(&buffer)).Decide(context.Background(), e)
	return lineOf(t, buffer.String())
}

func lineOf(t failer, text string) line {
	t.Helper()
	l := line{text: strings.TrimSuffix(text, "\n")}
	if l.text == text || strings.ContainsAny(l.text, "\n\r") {
		t.Fatalf("not one line: %q", text)
	}
	if err := json.Unmarshal([]byte(l.text), &l.fields); err != nil {
		t.Fatalf("%v: %q", err, l.text)
	}
	return l
}

// timed measures decisions as if they were made at noon.
type timed struct{ next validator.Decider }

// Decide implements validator.Decider.
func (m timed) Decide(ctx context.Context, e *rules.Event) rules.Decision {
	d := m.next.Decide(ctx, e)
	d.Took = noon.Sub(e.Received)
	return d
}

// rule returns a rule of a policy that finds something, or cannot tell.
func rule(name string, mode rules.Mode, check rules.Check) *rules.Rule {
	return &rules.Rule{
		Policy: "ingest", Name: name, Kind: "size", Mode: mode, Code: "1023", Message: template("{name} is too large: {found}."), Check: check,
		Saw: func(e *rules.Event) string { return rules.FormatSize(e.Size.Value) },
	}
}

func passes(context.Context, *rules.Event) (*rules.Objection, error) { return nil, nil }
func finds(context.Context, *rules.Event) (*rules.Objection, error) {
	return &rules.Objection{Found: "1 MiB"}, nil
}

func cannot(context.Context, *rules.Event) (*rules.Objection, error) {
	return nil, rules.MissingError{Field: "size"}
}
func panics(context.Context, *rules.Event) (*rules.Objection, error) { panic("out\nof luck") }

// lenient returns the rule with on_error: accept.
func lenient(r *rules.Rule) *rules.Rule {
	r.AcceptOnError = true
	return r
}

const (
	// begins is what every line about the event begins with, after its level.
	begins = `,"time":"2026-03-04T12:00:00Z","msg":"decision","id":"019cb8b8-1dfe-7102-8304-05060708090a"`
	// about is what every line tells of a whole event.
	about = `,"phase":"start","direction":"upload","user":"xfer","client_ip":"203.0.113.7","host":"hst","session_id":"s-1"`
)

func TestLogLines(t *testing.T) {
	for _, tc := range []struct {
		name    string
		decider validator.Decider
		body    string
		want    string
	}{
		{
			"accepted", byChain(rule("a", rules.Enforce, passes), rule("b", rules.Enforce, passes)), event(),
			`{"level":"info"` + begins + `,"verdict":"accept","revision":"0123456789ab"` + about +
				`,"file":"/ingest/clip.mov","size":1048576,"took_us":1500,"policies":1,"asked":2}`,
		},
		{
			"refused", byChain(rule("a", rules.Enforce, passes), rule("b", rules.Enforce, finds), rule("c", rules.Enforce, passes)), event(),
			`{"level":"info"` + begins + `,"verdict":"reject","code":"1023","message":"clip.mov is too large: 1 MiB.","policy":"ingest","rule":"b","kind":"size"` +
				`,"revision":"0123456789ab"` + about + `,"file":"/ingest/clip.mov","size":1048576,"took_us":1500,"policies":1,"asked":2` +
				`,"steps":[{"policy":"ingest","rule":"b","kind":"size","mode":"enforce","outcome":"refused","code":"1023","saw":"1 MiB"}]}`,
		},
		{
			"would be refused", byChain(rule("a", rules.Shadow, finds), rule("b", rules.Enforce, passes)), event(),
			`{"level":"info"` + begins + `,"verdict":"accept","revision":"0123456789ab"` + about +
				`,"file":"/ingest/clip.mov","size":1048576,"took_us":1500,"policies":1,"asked":2` +
				`,"steps":[{"policy":"ingest","rule":"a","kind":"size","mode":"shadow","outcome":"would_refuse","code":"1023","saw":"1 MiB"}]}`,
		},
		{
			"would be refused because a rule cannot tell", byChain(rule("a", rules.Shadow, cannot)), event(),
			`{"level":"info"` + begins + `,"verdict":"accept","revision":"0123456789ab"` + about +
				`,"file":"/ingest/clip.mov","size":1048576,"took_us":1500,"policies":1,"asked":1` +
				`,"steps":[{"policy":"ingest","rule":"a","kind":"size","mode":"shadow","outcome":"would_refuse_on_error","code":"1023","saw":"1 MiB","error":"the event has no usable size"}]}`,
		},
		{
			"accepted although a rule cannot tell", byChain(lenient(rule("a", rules.Enforce, cannot))), event(),
			`{"level":"info"` + begins + `,"verdict":"accept","revision":"0123456789ab"` + about +
				`,"file":"/ingest/clip.mov","size":1048576,"took_us":1500,"policies":1,"asked":1` +
				`,"steps":[{"policy":"ingest","rule":"a","kind":"size","mode":"enforce","outcome":"accepted_on_error","saw":"1 MiB","error":"the event has no usable size"}]}`,
		},
		{
			"accepted although a rule in shadow cannot tell", byChain(lenient(rule("a", rules.Shadow, cannot))), event(),
			`{"level":"info"` + begins + `,"verdict":"accept","revision":"0123456789ab"` + about +
				`,"file":"/ingest/clip.mov","size":1048576,"took_us":1500,"policies":1,"asked":1` +
				`,"steps":[{"policy":"ingest","rule":"a","kind":"size","mode":"shadow","outcome":"accepted_on_error","saw":"1 MiB","error":"the event has no usable size"}]}`,
		},
		{
			"refused because a rule cannot tell", byChain(rule("a", rules.Enforce, cannot)), event(),
			`{"level":"info"` + begins + `,"verdict":"reject","code":"1023"` +
				`,"message":"This could not be checked by the rule a, so it is refused. Ask the server's administrator.","policy":"ingest","rule":"a","kind":"size"` +
				`,"revision":"0123456789ab"` + about + `,"file":"/ingest/clip.mov","size":1048576,"took_us":1500,"policies":1,"asked":1,"error":"the event has no usable size"` +
				`,"steps":[{"policy":"ingest","rule":"a","kind":"size","mode":"enforce","outcome":"refused_on_error","code":"1023","saw":"1 MiB","error":"the event has no usable size"}]}`,
		},
		{
			"a rule panics", byChain(lenient(rule("a", rules.Enforce, panics))), event(),
			`{"level":"error"` + begins + `,"verdict":"reject","code":"1004"` +
				`,"message":"The file validation service has a fault and refuses to be safe. Tell the server's administrator.","policy":"ingest","rule":"a","kind":"size"` +
				`,"revision":"0123456789ab"` + about + `,"file":"/ingest/clip.mov","size":1048576,"took_us":1500,"policies":1,"asked":1,"error":"panic: out\\u000aof luck"` +
				`,"steps":[{"policy":"ingest","rule":"a","kind":"size","mode":"enforce","outcome":"refused_on_error","code":"1004","saw":"1 MiB","error":"panic: out\\u000aof luck"}]}`,
		},
		{
			"the machinery panics", validator.Guarded(deciderFunc(func(context.Context, *rules.Event) rules.Decision { panic("out of luck") })), event(),
			`{"level":"error"` + begins + `,"verdict":"reject","code":"1004"` +
				`,"message":"The file validation service has a fault and refuses to be safe. Tell the server's administrator."` +
				`,"revision":""` + about + `,"file":"/ingest/clip.mov","size":1048576,"took_us":1500,"policies":0,"asked":0,"error":"panic: out of luck"}`,
		},
		{
			"malformed", byChain(), `{"startstop":"start","user":"xfer","size":-1}`,
			`{"level":"info"` + begins + `,"verdict":"reject","code":"1001"` +
				`,"message":"The Aspera server's file event could not be read: its member size is not a whole number from 0 to 9223372036854775807. Tell the server's administrator."` +
				`,"revision":"0123456789ab","phase":"unknown","direction":"unknown","user":"xfer","took_us":1500,"policies":0,"asked":0` +
				`,"error":"size: The Aspera server's file event could not be read: its member size is not a whole number from 0 to 9223372036854775807. Tell the server's administrator. (byte 42)","reason":"size"}`,
		},
		{
			"about a session", byChain(), `{"startstop":"stop","direction":"send","xfer_id":"x-1"}`,
			`{"level":"info"` + begins + `,"verdict":"accept","revision":"0123456789ab","phase":"stop","direction":"download","xfer_id":"x-1","took_us":1500,"policies":1,"asked":0}`,
		},
		{
			"a size of nothing is a size", byChain(), `{"startstop":"stop","file":"/a","size":0}`,
			`{"level":"info"` + begins + `,"verdict":"accept","revision":"0123456789ab","phase":"stop","direction":"unknown","file":"/a","size":0,"took_us":1500,"policies":1,"asked":0}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, logOf(t, tc.decider, tc.body).text); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLogLinesDoNotMix: their memory is used again, and nothing of one decision
// may be found in the line of another.
func TestLogLinesDoNotMix(t *testing.T) {
	var buffer bytes.Buffer
	chain := byChain(&rules.Rule{
		Policy: "p", Name: "r", Kind: "path", Code: "1020", Message: template("{user}"),
		Check: func(_ context.Context, e *rules.Event) (*rules.Objection, error) {
			if e.Size.Value%2 == 0 {
				return nil, nil
			}
			return &rules.Objection{}, nil
		},
	})
	d := validator.Logged(chain, zapcore.AddSync(&buffer))
	for i := range 1000 {
		buffer.Reset()
		e := arrived(fmt.Sprintf(`{"startstop":"start","file":"/f","size":%d,"user":"u%d"}`, i, i))
		decided := d.Decide(t.Context(), e)
		l := lineOf(t, buffer.String())
		if want := fmt.Sprintf("u%d", i); l.fields["user"] != want || i%2 == 1 && (l.fields["message"] != want || decided.Message != want) {
			t.Fatal(l.text)
		}
		if _, refused := l.fields["code"]; refused != (i%2 == 1) || decided.Accepted() == refused {
			t.Fatal(l.text)
		}
	}
}

// TestLogOfSeveralAtOnce shares the lines' memory between goroutines.
func TestLogOfSeveralAtOnce(t *testing.T) {
	var lines [8]bytes.Buffer
	d := validator.Logged(byChain(), zapcore.AddSync(io.Discard))
	done := make(chan struct{})
	for i := range lines {
		own := validator.Logged(byChain(), zapcore.AddSync(&lines[i]))
		go func() {
			defer func() { done <- struct{}{} }()
			for range 200 {
				d.Decide(context.Background(), arrived(event()))
				own.Decide(context.Background(), arrived(event("user", fmt.Sprint(i))))
			}
		}()
	}
	for range lines {
		<-done
	}
	for i := range lines {
		if n := strings.Count(lines[i].String(), fmt.Sprintf(`"user":"%d"`, i)); n != 200 {
			t.Errorf("%d of 200 lines", n)
		}
	}
}

// fullDisk is a log that cannot be written.
type fullDisk struct{}

// Write implements io.Writer.
func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestALogThatFailsIsNotInTheWay(t *testing.T) {
	d := validator.Logged(byChain(objecting("no")), zapcore.AddSync(fullDisk{})).Decide(t.Context(), arrived(event()))
	if d.Code != "1020" || len(d.Steps) != 1 {
		t.Errorf("%+v", d)
	}
}

const secret = "hunter2"

// TestSecretsAreNeverLogged whatever becomes of the event that has them.
func TestSecretsAreNeverLogged(t *testing.T) {
	bodies := map[string]string{
		"cookie":              event("cookie", "aspera.aoc:"+secret+":x"),
		"cookie of others":    event("cookie", secret),
		"tags":                strings.Replace(event(), "{", `{"tags":{"aspera":{"node":{"storage_credentials":{"secret":"`+secret+`"}}}},`, 1),
		"tags in a string":    event("tags", `{"a":"`+secret+`"}`),
		"rubbish tags":        event("tags", "{{"+secret),
		"object storage":      event("file", "s3://AKIAKEY:"+secret+"@bucket/in/clip.mov"),
		"a secret of slashes": event("file", "s3://AKIAKEY:"+secret+"/a/b@bucket/in/clip.mov"),
		"a key alone":         event("file", "s3://"+secret+"@bucket/in/clip.mov"),
		"Azure":               event("file", "azu://account:"+secret+"@blob.core.windows.net/in/clip.mov"),
		"manifest":            event("manifest_file", "s3://AKIAKEY:"+secret+"@bucket/manifest"),
		"unknown member":      event("password", secret),
		"not whole":           `{"startstop":"start","tags":{"a":"` + secret + `"`,
		"twice":               `{"startstop":"start","cookie":"` + secret + `","cookie":"` + secret + `"}`,
		"two of them":         `{"startstop":"start","tags":"{\"` + secret + `\":1,\"` + secret + `\":1}"}`,
		"not JSON":            secret,
		"trailing":            event() + secret,
		"a phase":             `{"startstop":"` + secret + `"}`,
		"a size":              `{"startstop":"start","size":"` + secret + `"}`,
		"a path with a NUL":   `{"startstop":"start","file":"s3://k:` + secret + `@b/\u0000"}`,
	}
	every := []*rules.Rule{}
	for _, k := range rules.Builtin() {
		every = append(every, &rules.Rule{
			Policy: "p", Name: k.Name, Kind: k.Name, Mode: rules.Shadow, Code: k.Code, Message: template("{name} {path} {extension} {user} {found}"), Saw: k.Saw,
			Check: func(_ context.Context, e *rules.Event) (*rules.Objection, error) {
				return &rules.Objection{Found: k.Saw(e)}, nil
			},
		})
		unsure := *every[len(every)-1]
		unsure.Check = func(_ context.Context, e *rules.Event) (*rules.Objection, error) {
			_, err := e.Tags.Value()
			return nil, errors.Join(err, rules.MissingError{Field: "size"})
		}
		every = append(every, &unsure)
	}
	deciders := map[string]validator.Decider{"accepted": byChain(), "every kind in shadow": byChain(every...)}
	for i, r := range every {
		enforced := *r
		enforced.Mode = rules.Enforce
		deciders[fmt.Sprintf("refused by %s, %d", r.Name, i)] = byChain(&enforced)
	}
	for where, body := range bodies {
		for how, d := range deciders {
			if l := logOf(t, d, body); strings.Contains(l.text, secret) || strings.Contains(l.text, "AKIAKEY") {
				t.Errorf("%s, %s: %s", where, how, l.text)
			}
		}
	}
}

// TestHostileTextsAreShortened so that a line has an end.
func TestHostileTextsAreShortened(t *testing.T) {
	long := strings.Repeat("0123456789", 90_000)
	var members []string
	for _, m := range []string{"session_id", "xfer_id", "host", "client_ip", "user", "file", "cookie", "cipher", "rate_policy", "file_csum", "file_csum_type", "manifest_file"} {
		members = append(members, m, "/"+long+m)
	}
	var chain []*rules.Rule
	for _, k := range rules.Builtin() {
		for _, check := range []rules.Check{
			func(_ context.Context, e *rules.Event) (*rules.Objection, error) {
				return &rules.Objection{Found: long}, nil
			},
			func(_ context.Context, e *rules.Event) (*rules.Objection, error) { return nil, errors.New(long) },
		} {
			chain = append(chain, &rules.Rule{Policy: "p", Name: k.Name, Kind: k.Name, Mode: rules.Shadow, Message: template("{path}"), Saw: k.Saw, Check: check})
		}
	}
	l := logOf(t, byChain(chain...), event(members...))
	if most := (10 + 3*len(chain)/2) * 1100; len(l.text) > most { // The event, and what two rules of each kind saw and say.
		t.Errorf("the line has %d bytes, more than %d", len(l.text), most)
	}
	for _, m := range []string{"session_id", "xfer_id", "host", "client_ip", "user", "file"} {
		text, _ := l.fields[m].(string)
		if len(text) > 1024 || !strings.HasPrefix(text, "/0123456789") || !strings.HasSuffix(text, "789"+m) || !strings.Contains(text, "…") {
			t.Errorf("%s is logged as %q", m, text)
		}
	}
	if n := len(l.fields["steps"].([]any)); n != len(chain) {
		t.Errorf("%d steps of %d", n, len(chain))
	}
}

// TestALineIsOneLine of JSON whatever the event's texts are.
func TestALineIsOneLine(t *testing.T) {
	hostile := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("\n\r\t\v\f\x00\x1b\x7f\u0085\u2028\u2029\u202e\\\"'<>&{}\ufffd"))))
	rapid.Check(t, func(t *rapid.T) {
		var members []string
		for _, m := range []string{"startstop", "session_id", "xfer_id", "host", "client_ip", "user", "file", "cookie", "cipher", "file_csum", "tags"} {
			if rapid.Bool().Draw(t, "has "+m) {
				members = append(members, m, hostile.Draw(t, m))
			}
		}
		body := event(members...)
		e := arrived(body)
		l := logOfEvent(t, byChain(rule("a", rules.Shadow, finds), rule("b", rules.Shadow, panics), objecting("{path} {user}")), e)
		if !utf8.ValidString(l.text) {
			t.Errorf("not UTF-8: %q", l.text)
		}
		if rules.Printable(l.text) != l.text {
			t.Errorf("not printable: %q", l.text)
		}
		user, _ := l.fields["user"].(string)
		if want := rules.Printable(rules.Shorten(e.User, 1024)); user != want {
			t.Errorf("the user %q is logged as %q, want %q", e.User, user, want)
		}
	})
}

// TestReferenceOfTheLog: a line that has everything has the fields of the
// README, and no other.
func TestReferenceOfTheLog(t *testing.T) {
	want := []string{"level", "msg"} // Every log has them.
	for _, row := range tables(t, "README.md")["field"] {
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[0], -1) {
			want = append(want, name[1])
		}
	}
	got := map[string]bool{}
	for _, d := range []validator.Decider{byChain(rule("a", rules.Enforce, cannot)), byChain()} {
		for _, body := range []string{event("cookie", "aspera.aoc:x", "xfer_id", "x"), "rubbish"} {
			for name := range logOf(t, d, body).fields {
				got[name] = true
			}
		}
	}
	var request bytes.Buffer // Of what only a request for a token has.
	e := &rules.Event{Phase: rules.PhaseRequest, Client: "portal", File: rules.ParsePath("/ingest"), Below: true}
	validator.Logged(byChain(), zapcore.AddSync(&request)).Decide(t.Context(), e)
	var fields map[string]any
	if err := json.Unmarshal(request.Bytes(), &fields); err != nil {
		t.Fatal(err)
	}
	for name := range fields {
		got[name] = true
	}
	slices.Sort(want)
	var names []string
	for name := range got {
		names = append(names, name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("the README's fields of the log (-want +got):\n%s", diff)
	}
}

// TestTheLogHasTheIDOfTheAnswer and of no other event.
func TestTheLogHasTheIDOfTheAnswer(t *testing.T) {
	var buffer bytes.Buffer
	h := validator.New(options(validator.Logged(byChain(), zapcore.AddSync(&buffer))))
	for _, body := range []string{event(), "rubbish", ""} {
		buffer.Reset()
		got, id := ask(h, http.MethodPost, "/validation/files", body)
		if l := lineOf(t, buffer.String()); l.fields["id"] != id || (l.fields["verdict"] == "accept") != (got.Status == 200) {
			t.Errorf("%d %s: %s", got.Status, id, l.text)
		}
	}
}
