package validator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
	"github.com/sluiceproject/sluice/validator/grants"
)

// portal is the client that asks in most tests; its password is portalPassword.
func portal() *validator.Client {
	return &validator.Client{
		Name: "portal", TransferUser: "xfer", Upload: []string{"/**"}, Download: []string{"/**"}, MaxLife: 48 * time.Hour,
	}
}

const portalPassword = "kept-out-of-logs"

// tokenTime is when everything happens.
var tokenTime = time.Date(2026, 3, 1, 12, 0, 0, 500, time.UTC)

// askedFor is an event that the token endpoint had decided, as far as tests compare it.
type askedFor struct {
	File, Reason string
	Below        bool
}

// tokenDesk is a token endpoint of fakes, and what it asked them.
type tokenDesk struct {
	handler http.Handler
	// events are those that were decided, and asked the same in brief.
	events []rules.Event
	asked  []askedFor
	calls  []grants.Call
	log    *observer.ObservedLogs
	reg    *prometheus.Registry
}

// issuerFunc is an Issuer that is a function.
type issuerFunc func(ctx context.Context, call grants.Call) ([]grants.Answer, error)

// Name implements grants.Issuer.
func (issuerFunc) Name() string { return "local" }

// Issue implements grants.Issuer.
func (f issuerFunc) Issue(ctx context.Context, call grants.Call) ([]grants.Answer, error) {
	return f(ctx, call)
}

// issue answers as a node does that has been asked for what it likes.
func issue(_ context.Context, call grants.Call) ([]grants.Answer, error) {
	answers := make([]grants.Answer, len(call.Requests))
	for i, r := range call.Requests {
		spec := grants.Object{"token": "ATV7_" + r.Grant.ID, "remote_user": r.Grant.User, "source_root": ""}
		for _, name := range []string{"paths", "tags", "source_root", "destination_root"} {
			if v, given := r.Members[name]; given {
				spec[name] = v
			}
		}
		answers[i].Spec = spec
	}
	return answers, nil
}

// sign signs a grant so that a test can read it.
func sign(g *rules.Grant) (string, error) { return "signed:" + g.ID, nil }

// authenticate knows one client.
func authenticate(client *validator.Client) func(context.Context, string, string, string) (*validator.Client, error) {
	return func(_ context.Context, name, password, _ string) (*validator.Client, error) {
		if name != client.Name || password != portalPassword {
			return nil, validator.ErrCredentials
		}
		return client, nil
	}
}

// newDesk returns a token endpoint whose policies accept everything, but for what
// is changed.
func newDesk(change ...func(*validator.TokenOptions)) *tokenDesk {
	core, logs := observer.New(zapcore.DebugLevel)
	d := &tokenDesk{log: logs, reg: prometheus.NewRegistry()}
	o := validator.TokenOptions{
		Decider: byChain(), Authenticate: authenticate(portal()), Sign: sign, Issuer: issuerFunc(issue),
		Limits: validator.DefaultLimits(), ID: "5f1e7b1c", Name: "sluice", Version: "1.2.3",
		Now: func() time.Time { return tokenTime }, Log: zap.New(core), Registerer: d.reg,
	}
	for _, c := range change {
		c(&o)
	}
	decider, issuer := o.Decider, o.Issuer
	o.Decider = deciderFunc(func(ctx context.Context, e *rules.Event) rules.Decision {
		d.events = append(d.events, *e)
		a := askedFor{File: e.File.Raw, Below: e.Below}
		if e.Fault != nil {
			a.Reason = e.Fault.Reason
		}
		d.asked = append(d.asked, a)
		return decider.Decide(ctx, e)
	})
	o.Issuer = issuerFunc(func(ctx context.Context, call grants.Call) ([]grants.Answer, error) {
		d.calls = append(d.calls, call)
		return issuer.Issue(ctx, call)
	})
	d.handler = validator.NewTokens(o)
	return d
}

// send puts one request to the desk, as the portal.
func (d *tokenDesk) send(method, target, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.SetBasicAuth("portal", portalPassword)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // As curl -d does.
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

// tokenAnswer is an answer of the token endpoint.
type tokenAnswer struct {
	Specs []struct {
		Spec  map[string]any `json:"transfer_spec"`
		Error *grants.Error  `json:"error"`
	} `json:"transfer_specs"`
	Error *grants.Error `json:"error"`
}

// ask posts a body and reads the answer, which must be JSON of the known form.
func (d *tokenDesk) ask(tb testing.TB, target, body string) tokenAnswer {
	tb.Helper()
	w := d.send(http.MethodPost, target, body)
	return readAnswer(tb, w)
}

func readAnswer(tb testing.TB, w *httptest.ResponseRecorder) tokenAnswer {
	tb.Helper()
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		tb.Fatalf("Content-Type %q", got)
	}
	var a tokenAnswer
	dec := json.NewDecoder(w.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		tb.Fatalf("answer %s: %v", w.Body, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		tb.Fatalf("something follows the answer")
	}
	if (w.Code == http.StatusOK) != (a.Error == nil) || a.Error != nil && a.Error.Code != w.Code {
		tb.Fatalf("status %d with the error %v", w.Code, a.Error)
	}
	for _, s := range a.Specs {
		if (s.Spec == nil) == (s.Error == nil) {
			tb.Fatalf("neither a spec nor an error: %+v", s)
		}
		if s.Error != nil {
			checkError(tb, s.Error)
		}
	}
	if a.Error != nil {
		checkError(tb, a.Error)
	}
	return a
}

// checkError holds an error to the form that clients print.
func checkError(tb testing.TB, e *grants.Error) {
	tb.Helper()
	if e.Reason != http.StatusText(e.Code) || e.UserMessage == "" || len(e.UserMessage) > rules.MaxMessage || rules.Printable(e.UserMessage) != e.UserMessage {
		tb.Fatalf("error %+v", e)
	}
}

// requests returns the body that has these transfer_requests.
func requests(each ...string) string {
	return `{"transfer_requests":[{"transfer_request":` + strings.Join(each, `},{"transfer_request":`) + `}]}`
}

// The documented requests, with the bytes that curl sends after the JSON.
const (
	documentedUpload = `{"transfer_requests" : [{"transfer_request" : { "paths" : [{}], "destination_root" : "/" } } ] }";`
	documentedShort  = `{ "transfer_requests" : [ { "transfer_request" : { "paths" : [{}], "destination_root" : "/" } } ] }";`
	documentedPairs  = `{
   "transfer_requests" : [
      {
         "transfer_request" : {
            "destination_root" : "/",
            "paths" : [
               {
                 "destination" : "/archive/monday/texts/first_thing",
                 "source" : "/monday/first_thing.txt"
               },
               {
                 "destination" : "/archive/monday/texts/next_thing"%s
                 "source" : "/monday/next_thing.txt"
               },
               {
                 "destination" : "/archive/monday/texts/last_thing",
                 "source" : "/monday/last_thing.txt"
               }
            ]
         }
      }
   ]
}
`
)

// TestTokenDocumentedExamples sends the requests of the documentation as they
// stand.
func TestTokenDocumentedExamples(t *testing.T) {
	for _, body := range []string{documentedUpload, documentedShort} {
		for _, target := range []string{"/files/upload_setup", "/node_api/files/upload_setup"} {
			d := newDesk()
			w := d.send(http.MethodPost, target, body)
			id := d.events[0].ID.String()
			a := readAnswer(t, w)
			if len(a.Specs) != 1 || a.Specs[0].Spec == nil {
				t.Fatalf("%s %s: %d %s", target, body, w.Code, w.Body)
			}
			grant := d.calls[0].Requests[0].Grant
			want := map[string]any{
				"paths": []any{map[string]any{}}, "source_root": "", "destination_root": "/", "direction": "send",
				"token": "ATV7_" + grant.ID, "remote_user": "xfer",
				"tags": map[string]any{"aspera": map[string]any{"xfer_id": grant.ID}, "sluice": map[string]any{"grant": "signed:" + grant.ID}},
			}
			if diff := cmp.Diff(want, a.Specs[0].Spec); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if got := w.Header().Get("X-Sluice-Decision"); got != id {
				t.Errorf("X-Sluice-Decision %q, want %q", got, id)
			}
			if diff := cmp.Diff([]askedFor{{File: "/", Below: true}}, d.asked); diff != "" {
				t.Errorf("asked (-want +got)\n%s", diff)
			}
		}
	}
}

// TestTokenDocumentedPairs: as it is printed the list lacks a comma.
func TestTokenDocumentedPairs(t *testing.T) {
	d := newDesk()
	a := d.ask(t, "/files/upload_setup", fmt.Sprintf(documentedPairs, ""))
	want := &grants.Error{
		Code: 400, Reason: "Bad Request",
		UserMessage: "The request could not be read: it is not JSON, a comma or a closing brace is missing, at byte 392 (line 13, column 18).",
	}
	if diff := cmp.Diff(want, a.Error); diff != "" {
		t.Errorf("without the comma (-want +got)\n%s", diff)
	}
	if e := d.events[0]; e.Fault.Reason != "syntax" || e.Fault.Offset != 392 || e.Client != "portal" || e.Phase != rules.PhaseRequest {
		t.Errorf("event %+v", e)
	}

	d = newDesk()
	a = d.ask(t, "/files/upload_setup", fmt.Sprintf(documentedPairs, ","))
	if a.Error != nil || a.Specs[0].Spec["destination_root"] != "/" {
		t.Fatalf("with the comma: %+v", a)
	}
	files := []askedFor{{File: "/archive/monday/texts/first_thing"}, {File: "/archive/monday/texts/next_thing"}, {File: "/archive/monday/texts/last_thing"}}
	if diff := cmp.Diff(files, d.asked); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}
}

// TestTokenTargets: what each way of asking means.
func TestTokenTargets(t *testing.T) {
	const up, down = "/files/upload_setup", "/files/download_setup"
	at := func(files ...string) (list []askedFor) {
		for _, f := range files {
			folder, below := strings.CutSuffix(f, "/**")
			if folder == "" {
				folder = "/"
			}
			list = append(list, askedFor{File: folder, Below: below})
		}
		return list
	}
	for _, tc := range []struct {
		name, target, request string
		want                  []askedFor
		root, paths           string // As they are handed on.
	}{
		{"anywhere below a root", up, `{"paths":[{}],"destination_root":"/in/a"}`, at("/in/a/**"), "/in/a", `[{}]`},
		{"a root that is no plain path", up, `{"paths":[{}],"destination_root":"in//./a/"}`, at("/in/a/**"), "/in/a", `[{}]`},
		{"a root with a star", up, `{"paths":[{}],"destination_root":"/in/*"}`, at("/in/**"), "/in", `[{}]`},
		{"star", up, `{"paths":[{"destination":"*"}],"destination_root":"/in"}`, at("/in/**"), "/in", `[{"destination":"*"}]`},
		{"dot", up, `{"paths":[{"destination":"."}],"destination_root":"/in"}`, at("/in/**"), "/in", `[{"destination":"."}]`},
		{"nothing in quotes", up, `{"paths":[{"destination":""}],"destination_root":"/in"}`, at("/in/**"), "/in", `[{}]`},
		{"null", up, `{"paths":[{"destination":null,"source":null}],"destination_root":"/in"}`, at("/in/**"), "/in", `[{"source":null}]`},
		{"a folder with a slash", up, `{"paths":[{"destination":"x/"}],"destination_root":"/in"}`, at("/in/x/**"), "/in", `[{"destination":"x/"}]`},
		{"a folder with a star", up, `{"paths":[{"destination":"x/*"}],"destination_root":"/in"}`, at("/in/x/**"), "/in", `[{"destination":"x/*"}]`},
		{"a folder with a dot", up, `{"paths":[{"destination":"./x/."}],"destination_root":"/in"}`, at("/in/x/**"), "/in", `[{"destination":"x/"}]`},
		{"a star inside is a name", up, `{"paths":[{"destination":"x/*.mov"}],"destination_root":"/in"}`, at("/in/x/*.mov"), "/in", `[{"destination":"x/*.mov"}]`},
		{"root and destination", up, `{"paths":[{"source":"a.mov","destination":"b.mov"}],"destination_root":"/in"}`, at("/in/b.mov"), "/in", `[{"source":"a.mov","destination":"b.mov"}]`},
		{"a destination with a slash before it", up, `{"paths":[{"source":"a","destination":"//b//c"}],"destination_root":"/in"}`, at("/in/b/c"), "/in", `[{"source":"a","destination":"/b/c"}]`},
		{"root and source", up, `{"paths":[{"source":"/films/a.mov"}],"destination_root":"/in"}`, at("/in/a.mov"), "/in", `[{"source":"/films/a.mov"}]`},
		{"a source on Windows", up, `{"paths":[{"source":"C:\\films\\a.mov"}],"destination_root":"/in"}`, at("/in/a.mov"), "/in", `[{"source":"C:\\films\\a.mov"}]`},
		{"a server on Windows", up, `{"paths":[{"source":"\\\\nas\\films\\a.mov"}],"destination_root":"/in"}`, at("/in/a.mov"), "/in", `[{"source":"\\\\nas\\films\\a.mov"}]`},
		{"a drive on Windows", up, `{"paths":[{"source":"C:\\"}],"destination_root":"/in"}`, at("/in/**"), "/in", `[{"source":"C:\\"}]`},
		{"a source that is a folder", up, `{"paths":[{"source":"/films/"}],"destination_root":"/in"}`, at("/in/films/**"), "/in", `[{"source":"/films/"}]`},
		{"whatever is in a source", up, `{"paths":[{"source":"/films/*"},{"source":"."},{"source":"/"}],"destination_root":"/in"}`, at("/in/**"), "/in", `[{"source":"/films/*"},{"source":"."},{"source":"/"}]`},
		{"a destination alone is the root", up, `{"paths":[{"destination":"/in/a"}]}`, at("/in/a/**"), "/in/a", `[{}]`},
		{"pairs without a root", up, `{"paths":[{"source":"a","destination":"/in/a"},{"source":"b","destination":"in/b"}]}`, at("/in/a", "/in/b"), "/", `[{"source":"a","destination":"/in/a"},{"source":"b","destination":"in/b"}]`},
		{"the same path twice", up, `{"paths":[{"source":"a","destination":"b"},{"source":"c","destination":"/b"}],"destination_root":"/"}`, at("/b"), "/", `[{"source":"a","destination":"b"},{"source":"c","destination":"/b"}]`},
		{"an empty root is none", up, `{"paths":[{"destination":"/in/a"}],"destination_root":""}`, at("/in/a/**"), "/in/a", `[{}]`},
		{"percent signs are a name", up, `{"paths":[{"source":"%2e%2e/%2e%2e","destination":"%2e%2e/x%00"}],"destination_root":"/in"}`, at("/in/%2e%2e/x%00"), "/in", `[{"source":"%2e%2e/%2e%2e","destination":"%2e%2e/x%00"}]`},
		{"a backslash is part of a name", up, `{"paths":[{"source":"a","destination":"b\\c"}],"destination_root":"/in"}`, at(`/in/b\c`), "/in", `[{"source":"a","destination":"b\\c"}]`},
		{"letters of any script", up, `{"paths":[{"source":"a","destination":"e\u0301/日本"}],"destination_root":"/in"}`, at("/in/e\u0301/日本"), "/in", `[{"source":"a","destination":"é/日本"}]`},

		{"the probe of a client", down, `{"paths":[{"source":"/"}]}`, at("/**"), "", `[{"source":"/"}]`},
		{"anywhere below a root", down, `{"paths":[{}],"source_root":"/out"}`, at("/out/**"), "/out", `[{}]`},
		{"dot", down, `{"paths":[{"source":"."}],"source_root":"/out"}`, at("/out/**"), "/out", `[{"source":"."}]`},
		{"root and source", down, `{"paths":[{"source":"a.mov","destination":"b.mov"}],"source_root":"/out"}`, at("/out/a.mov"), "/out", `[{"source":"a.mov","destination":"b.mov"}]`},
		{"sources without a root", down, `{"paths":[{"source":"/out/a"},{"source":"out/b/"}]}`, at("/out/a", "/out/b/**"), "", `[{"source":"/out/a"},{"source":"out/b/"}]`},
		{"a destination on Windows", down, `{"paths":[{"source":"/out/a","destination":"C:\\films\\a"}]}`, at("/out/a"), "", `[{"source":"/out/a","destination":"C:\\films\\a"}]`},
	} {
		t.Run(strings.TrimPrefix(tc.target, "/files/")+" "+tc.name, func(t *testing.T) {
			d := newDesk()
			a := d.ask(t, tc.target, requests(tc.request))
			if a.Error != nil || a.Specs[0].Error != nil {
				t.Fatalf("%+v", a)
			}
			if diff := cmp.Diff(tc.want, d.asked); diff != "" {
				t.Errorf("asked (-want +got)\n%s", diff)
			}
			members, spec, rootName := d.calls[0].Requests[0].Members, a.Specs[0].Spec, "destination_root"
			if tc.target == down {
				rootName = "source_root"
			}
			if root, _ := members[rootName].(string); root != tc.root || spec[rootName] != tc.root {
				t.Errorf("root %q, in the answer %q, want %q", root, spec[rootName], tc.root)
			}
			var paths any
			if err := json.Unmarshal([]byte(tc.paths), &paths); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(paths, spec["paths"], cmpopts.EquateEmpty(), cmp.Transformer("nfc", func(s string) string { return strings.ReplaceAll(s, "e\u0301", "é") })); diff != "" {
				t.Errorf("paths (-want +got)\n%s", diff)
			}
			if want := map[string]string{up: "send", down: "receive"}[tc.target]; spec["direction"] != want {
				t.Errorf("direction %v, want %v", spec["direction"], want)
			}
			again := newDesk()
			text, err := json.Marshal(members)
			if err != nil {
				t.Fatal(err)
			}
			again.ask(t, tc.target, requests(string(text)))
			if diff := cmp.Diff(tc.want, again.asked); diff != "" {
				t.Errorf("what is handed on means something else (-want +got)\n%s", diff)
			}
		})
	}
}

// TestTokenItemFaults: what is wrong with one transfer_request.
func TestTokenItemFaults(t *testing.T) {
	const up, down = "/files/upload_setup", "/files/download_setup"
	for _, tc := range []struct{ name, target, item, reason, says string }{
		{"no object", up, `7`, "type", `This is not an object. Write {"transfer_request":{…}}.`},
		{"an array for an object", up, `[]`, "type", "not an object"},
		{"nothing in it", up, `{}`, "type", "no object transfer_request"},
		{"a string in it", up, `{"transfer_request":"x"}`, "type", "no object transfer_request"},
		{"no paths", up, `{"transfer_request":{"destination_root":"/"}}`, "request", "Write [{}] for anywhere below the root."},
		{"empty paths", up, `{"transfer_request":{"destination_root":"/","paths":[]}}`, "request", "Write [{}] for anywhere below the root."},
		{"an object for paths", up, `{"transfer_request":{"destination_root":"/","paths":{}}}`, "type", "paths is not an array"},
		{"a string in paths", up, `{"transfer_request":{"destination_root":"/","paths":[{},"a"]}}`, "type", "paths[1] is not an object"},
		{"a number for a source", up, `{"transfer_request":{"destination_root":"/","paths":[{"source":1}]}}`, "type", "paths[0].source is not a string."},
		{"an object for a destination", up, `{"transfer_request":{"destination_root":"/","paths":[{"destination":{}}]}}`, "type", "paths[0].destination is not a string."},
		{"an array for a root", up, `{"transfer_request":{"destination_root":["/"],"paths":[{}]}}`, "type", "destination_root is not a string."},
		{"a number for the other root", up, `{"transfer_request":{"destination_root":"/","source_root":1,"paths":[{}]}}`, "type", "source_root is not a string."},
		{"an array for a cookie", up, `{"transfer_request":{"destination_root":"/","cookie":[],"paths":[{}]}}`, "type", "cookie is not a string."},
		{"a string for tags", up, `{"transfer_request":{"destination_root":"/","tags":"{}","paths":[{}]}}`, "type", "tags is not an object."},
		{"a string for tags.aspera", up, `{"transfer_request":{"destination_root":"/","tags":{"aspera":"x"},"paths":[{}]}}`, "type", "tags.aspera is not an object."},
		{"null for tags.sluice", up, `{"transfer_request":{"destination_root":"/","tags":{"sluice":null},"paths":[{}]}}`, "type", "tags.sluice is not an object."},
		{"life 0", up, `{"transfer_request":{"destination_root":"/","token_life_seconds":0,"paths":[{}]}}`, "request", "token_life_seconds is not a whole number above 0"},
		{"a life below 0", up, `{"transfer_request":{"destination_root":"/","token_life_seconds":-1,"paths":[{}]}}`, "request", "token_life_seconds"},
		{"half a life", up, `{"transfer_request":{"destination_root":"/","token_life_seconds":0.5,"paths":[{}]}}`, "request", "token_life_seconds"},
		{"a life with an exponent", up, `{"transfer_request":{"destination_root":"/","token_life_seconds":1e3,"paths":[{}]}}`, "request", "token_life_seconds"},
		{"a life in words", up, `{"transfer_request":{"destination_root":"/","token_life_seconds":"8h","paths":[{}]}}`, "request", "token_life_seconds"},
		{"a life of the wrong type", up, `{"transfer_request":{"destination_root":"/","token_life_seconds":true,"paths":[{}]}}`, "request", "token_life_seconds"},
		{"a folder by its number", up, `{"transfer_request":{"destination_root":"/","destination_root_id":"12","paths":[{}]}}`, "request", "destination_root_id says nothing about the path"},
		{"a folder by its number", down, `{"transfer_request":{"source_root":"/","source_root_id":12,"paths":[{}]}}`, "request", "source_root_id says nothing about the path"},

		{"no root", up, `{"transfer_request":{"paths":[{}]}}`, "request", "Write destination_root, or source and destination for each path."},
		{"no root for a source", up, `{"transfer_request":{"paths":[{"source":"a"}]}}`, "request", "Write destination_root"},
		{"two destinations without sources", up, `{"transfer_request":{"paths":[{"destination":"/a"},{"destination":"/b"}]}}`, "request", "Write destination_root"},
		{"no root", down, `{"transfer_request":{"paths":[{}]}}`, "request", "Write source_root, or a source for each path."},
		{"no root for one of two", down, `{"transfer_request":{"paths":[{"source":"/a"},{"destination":"/b"}]}}`, "request", "Write source_root"},

		{"up", up, `{"transfer_request":{"destination_root":"/in","paths":[{"destination":"../x"}]}}`, "file", `paths[0].destination: "../x" has "..", so it is not known where it leads. Write the path out.`},
		{"up in the root", up, `{"transfer_request":{"destination_root":"/in/..","paths":[{}]}}`, "file", `destination_root: "/in/.." has ".."`},
		{"up with backslashes", up, `{"transfer_request":{"destination_root":"/in","paths":[{"destination":"a\\..\\..\\x"}]}}`, "file", `has ".."`},
		{"up in both slashes", up, `{"transfer_request":{"destination_root":"/in","paths":[{"destination":"a/..\\x"}]}}`, "file", `has ".."`},
		{"up, escaped in JSON", up, `{"transfer_request":{"destination_root":"/in","paths":[{"destination":"\u002e\u002e\u002fx"}]}}`, "file", `has ".."`},
		{"up in a source", up, `{"transfer_request":{"destination_root":"/in","paths":[{},{"source":"/a/.."}]}}`, "file", `paths[1].source: "/a/.." has ".."`},
		{"up", down, `{"transfer_request":{"source_root":"/out","paths":[{"source":"a/../../etc/passwd"}]}}`, "file", `has ".."`},
		{"NUL", up, `{"transfer_request":{"destination_root":"/in","paths":[{"destination":"a\u0000.mov"}]}}`, "file", `paths[0].destination: "a\u0000.mov" holds a control character. Leave it out.`},
		{"many control characters", up, `{"transfer_request":{"destination_root":"/in","paths":[{"destination":"` + strings.Repeat(`\u0001`, 4000) + `"}]}}`, "file", "holds a control character"},
		{"a line break", up, `{"transfer_request":{"destination_root":"/in","paths":[{"source":"a\nb"}]}}`, "file", "control character"},
		{"a control character of Unicode", up, `{"transfer_request":{"destination_root":"/in\u0085","paths":[{}]}}`, "file", "control character"},
		{"a URL", up, `{"transfer_request":{"destination_root":"s3://KEY:SECRET@bucket/in","paths":[{}]}}`, "file", `destination_root: "s3://***@bucket/in" is a URL`},
		{"a URL", down, `{"transfer_request":{"paths":[{"source":"file:///etc/passwd"}]}}`, "file", "is a URL"},
		{"a Windows path inside a docroot", up, `{"transfer_request":{"destination_root":"C:\\in","paths":[{}]}}`, "file", "is a whole Windows path"},
		{"a Windows path with slashes", down, `{"transfer_request":{"paths":[{"source":"c:/in/a"}]}}`, "file", "is a whole Windows path"},
		{"another server", down, `{"transfer_request":{"source_root":"\\\\nas\\x","paths":[{}]}}`, "file", "is a whole Windows path"},
		{"a path of 5,000 bytes", up, `{"transfer_request":{"destination_root":"/in","paths":[{"destination":"` + strings.Repeat("x", 5000) + `"}]}}`, "file", "is longer than 4096 bytes."},
		{"a path that is too long with its root", up, `{"transfer_request":{"destination_root":"/` + strings.Repeat("y", 3000) + `","paths":[{},{"destination":"` + strings.Repeat("x", 3000) + `"}]}}`, "file", "is longer than 4096 bytes."},
	} {
		t.Run(strings.TrimPrefix(tc.target, "/files/")+" "+tc.name, func(t *testing.T) {
			d := newDesk()
			a := d.ask(t, tc.target, `{"transfer_requests":[`+tc.item+`,{"transfer_request":{"paths":[{}],"source_root":"/","destination_root":"/"}}]}`)
			if a.Error != nil || a.Specs[0].Error == nil || a.Specs[1].Spec == nil {
				t.Fatalf("%+v", a)
			}
			e := a.Specs[0].Error
			if e.Code != 400 || e.Reason != "Bad Request" || !strings.Contains(e.UserMessage, tc.says) {
				t.Errorf("%+v does not say %q", e, tc.says)
			}
			f := d.events[0].Fault
			if f == nil || f.Reason != tc.reason || f.Code != rules.CodeMalformed || f.Message != e.UserMessage {
				t.Errorf("fault %+v, want the reason %s", f, tc.reason)
			}
			if !slices.Contains(validator.MalformedReasons(), tc.reason) {
				t.Errorf("the reason %s is not in the list", tc.reason)
			}
			if strings.Contains(e.UserMessage, "SECRET") {
				t.Error("a secret is shown")
			}
		})
	}
}

// TestTokenCallFaults: what is wrong with a call.
func TestTokenCallFaults(t *testing.T) {
	good := requests(`{"paths":[{}],"destination_root":"/"}`)
	deep := func(n int) string {
		return requests(`{"paths":[{}],"destination_root":"/","tags":` + strings.Repeat(`{"a":`, n) + `1` + strings.Repeat(`}`, n) + `}`)
	}
	for _, tc := range []struct {
		name, body   string
		status       int
		reason, says string
	}{
		{"nothing", "", 400, "empty", "it is empty"},
		{"white space", " \r\n\t", 400, "empty", "it is empty"},
		{"no JSON", "paths=/in", 400, "syntax", "it is not a JSON object"},
		{"an array", "[]", 400, "syntax", "it is not a JSON object"},
		{"only what the documentation prints of the list", "   \"transfer_requests\" : [\n", 400, "syntax", "it is not a JSON object, at byte 3 (line 1, column 4)."},
		{"null", "null", 400, "syntax", "it is not a JSON object"},
		{"a byte-order mark", "\uFEFF" + good, 400, "syntax", "byte-order mark"},
		{"a byte-order mark of UTF-16", "\xFF\xFE{\x00", 400, "syntax", "byte-order mark"},
		{"half", good[:20], 400, "truncated", "it ends too early"},
		{"no UTF-8", `{"transfer_requests":"` + "\xff" + `"}`, 400, "encoding", "bytes that are not UTF-8, at byte 22"},
		{"half a surrogate pair", `{"transfer_requests":"\ud800"}`, 400, "encoding", "surrogate"},
		{"a member twice", `{"transfer_requests":[],"transfer_requests":[]}`, 400, "duplicate", "a member is given twice, at byte 24"},
		{"a path twice", requests(`{"paths":[{"source":"/a","source":"/b"}],"destination_root":"/"}`), 400, "duplicate", "a member is given twice"},
		{"60 objects in tags", deep(60), 200, "", ""},
		{"64 objects in tags", deep(64), 400, "depth", "nested too deep"},
		{"5,000 objects in tags", deep(5000), 400, "depth", "nested too deep"},
		{"a number of 1,000 digits", requests(`{"paths":[{}],"destination_root":"/","x":1` + strings.Repeat("0", 1000) + `}`), 400, "syntax", "a number has more than 64 characters"},
		{"no requests", `{}`, 400, "request", "There are no transfer_requests. Write"},
		{"null for requests", `{"transfer_requests":null}`, 400, "request", "There are no transfer_requests."},
		{"no request", `{"transfer_requests":[]}`, 400, "request", "There are no transfer_requests."},
		{"an object for requests", `{"transfer_requests":{"transfer_request":{}}}`, 400, "type", "transfer_requests is not an array."},
		{"a string for requests", `{"transfer_requests":"x"}`, 400, "type", "transfer_requests is not an array."},
		{"1,001 requests", `{"transfer_requests":[` + strings.Repeat(`0,`, 1000) + `0]}`, 400, "request", "There are 1001 transfer_requests, and 1000 may be asked for in one call."},
		{"10,001 paths", requests(`{"destination_root":"/","paths":[`+strings.Repeat(`{},`, 5000)+`{}]}`, `{"destination_root":"/","paths":[`+strings.Repeat(`{},`, 4999)+`{}]}`), 400, "request", "There are 10001 paths"},
		{"a megabyte", `{"x":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "too_large", "larger than 1 MiB"},
		{"a second value", good + good, 200, "", ""},
		{"rubbish after it", good + "\";\xff\x00]]", 200, "", ""},
		{"a capital in the name", `{"Transfer_requests":[]}`, 400, "request", "There are no transfer_requests."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk()
			a := d.ask(t, "/files/upload_setup", tc.body)
			if tc.status == 200 {
				if a.Error != nil || len(a.Specs) != 1 || a.Specs[0].Spec == nil {
					t.Fatalf("%+v", a)
				}
				return
			}
			if a.Error == nil || a.Error.Code != tc.status || !strings.Contains(a.Error.UserMessage, tc.says) {
				t.Fatalf("%+v does not say %q", a.Error, tc.says)
			}
			if len(d.events) != 1 || d.events[0].Fault.Reason != tc.reason || d.events[0].Fault.Code != rules.CodeMalformed {
				t.Errorf("events %+v, want the reason %s", d.events, tc.reason)
			}
			if len(d.calls) > 0 {
				t.Error("the issuer was asked")
			}
		})
	}
}

// TestTokenErrorsAreWrittenInOrder: clients print the members in the order in
// which they come.
func TestTokenErrorsAreWrittenInOrder(t *testing.T) {
	d := newDesk()
	w := d.send(http.MethodPost, "/files/upload_setup", "")
	want := `{"error":{"code":400,"reason":"Bad Request","user_message":"The request could not be read: it is empty."}}` + "\n"
	if w.Code != 400 || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := w.Header().Get("X-Sluice-Decision"); got != d.events[0].ID.String() {
		t.Errorf("X-Sluice-Decision %q", got)
	}
	w = d.send(http.MethodPost, "/files/upload_setup", requests(`{}`))
	if want := `{"transfer_specs":[{"error":{"code":400,"reason":"Bad Request","user_message":"There are no paths. Write [{}] for anywhere below the root."}}]}` + "\n"; w.Body.String() != want {
		t.Errorf("%s", w.Body)
	}
}

// TestTokenEvents: what the policies are asked.
func TestTokenEvents(t *testing.T) {
	d := newDesk(func(o *validator.TokenOptions) {
		o.Docroot = func(user string) string { return map[string]string{"xfer": "/srv/xfer"}[user] }
	})
	d.ask(t, "/files/download_setup", requests(`{"paths":[{"source":"/out/a.mov"},{"source":"/"}],"cookie":"aspera.shares2:x","tags":{"b":[1,"é<"],"a":{}},"x":1}`))
	for i := range d.events {
		e := &d.events[i]
		if e.ID == (rules.ID{}) || !e.Received.Equal(tokenTime) || e.TransferID != d.calls[0].Requests[0].Grant.ID {
			t.Errorf("id %v, received %v, xfer_id %s", e.ID, e.Received, e.TransferID)
		}
		e.ID, e.Received, e.TransferID = rules.ID{}, time.Time{}, ""
		if _, err := e.Tags.Value(); err != nil || e.Tags.Raw != `{"a":{},"b":[1,"é<"]}` {
			t.Errorf("tags %s: %v", e.Tags.Raw, err)
		}
		e.Tags = rules.Tags{}
	}
	common := rules.Event{Phase: rules.PhaseRequest, Direction: rules.Download, User: "xfer", Client: "portal", Cookie: "aspera.shares2:x"}
	first, second := common, common
	first.File, second.File, second.Below = rules.ParsePath("/srv/xfer/out/a.mov"), rules.ParsePath("/srv/xfer"), true
	if diff := cmp.Diff([]rules.Event{first, second}, d.events, sameEvent()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	grant := d.calls[0].Requests[0].Grant
	if diff := cmp.Diff([]string{"/"}, grant.Roots); diff != "" {
		t.Errorf("roots are inside the docroot (-want +got)\n%s", diff)
	}
}

// TestTokenDocroots: paths of every sort of docroot are compared inside it.
func TestTokenDocroots(t *testing.T) {
	for _, tc := range []struct{ docroot, destination, file, inside string }{
		{"", "/in/a.mov", "/in/a.mov", "/in/a.mov"},
		{"/srv/xfer", "/in/a.mov", "/srv/xfer/in/a.mov", "/in/a.mov"},
		{"C:/data", "/in/a.mov", "C:/data/in/a.mov", "/in/a.mov"},
		{"C:/data", `/in\b/a.mov`, `C:/data/in\b/a.mov`, "/in/b/a.mov"},
		{"/srv/xfer", `/in\b/a.mov`, `/srv/xfer/in\b/a.mov`, `/in\b/a.mov`},
		{"s3://bucket/x", "/in/a.mov", "s3://bucket/x/in/a.mov", "/in/a.mov"},
		{"s3://bucket/x", "/in/a:b@c/d", "s3://bucket/x/in/a:b@c/d", "/in/a:b@c/d"},
	} {
		client := portal()
		client.Upload = []string{tc.inside}
		if strings.Contains(tc.inside, `\`) {
			client.Upload = []string{`/in\\b/a.mov`}
		}
		d := newDesk(func(o *validator.TokenOptions) {
			o.Docroot = func(string) string { return tc.docroot }
			o.Authenticate = authenticate(client)
		})
		body, err := json.Marshal(map[string]any{"source": "x", "destination": tc.destination})
		if err != nil {
			t.Fatal(err)
		}
		a := d.ask(t, "/files/upload_setup", requests(`{"destination_root":"/","paths":[`+string(body)+`]}`))
		if a.Error != nil || a.Specs[0].Error != nil {
			t.Fatalf("%+v: %v", tc, a.Specs[0].Error)
		}
		if diff := cmp.Diff([]askedFor{{File: tc.file}}, d.asked); diff != "" {
			t.Errorf("asked (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff([]string{tc.inside}, d.calls[0].Requests[0].Grant.Paths); diff != "" {
			t.Errorf("granted (-want +got)\n%s", diff)
		}
	}
	d := newDesk(func(o *validator.TokenOptions) { o.Docroot = func(string) string { return "s3://a:9/x" } })
	if a := d.ask(t, "/files/upload_setup", requests(`{"destination_root":"/y@z:1/","paths":[{}]}`)); a.Specs[0].Spec == nil {
		t.Errorf("%+v", a.Specs[0].Error)
	}
}

// TestTokenClientLimits: what a client may ask for at all.
func TestTokenClientLimits(t *testing.T) {
	client := portal()
	client.Upload, client.Download = []string{"/ingest/**", "/drop/*.mov"}, []string{"/outgoing/**"}
	const up, down = "/files/upload_setup", "/files/download_setup"
	for _, tc := range []struct {
		target, request string
		refused         string // The message, or nothing.
	}{
		{up, `{"paths":[{}],"destination_root":"/ingest/a"}`, ""},
		{up, `{"paths":[{}],"destination_root":"/ingest"}`, ""},
		{up, `{"paths":[{"source":"a","destination":"a.mov"}],"destination_root":"/drop"}`, ""},
		{up, `{"paths":[{}],"destination_root":"/"}`, `1006: This client may not ask for a token for "/" and everything below it. Ask the server's administrator.`},
		{up, `{"paths":[{}],"destination_root":"/drop"}`, `1006: This client may not ask for a token for "/drop" and everything below it. Ask the server's administrator.`},
		{up, `{"paths":[{"source":"a","destination":"a.exe"}],"destination_root":"/drop"}`, `1006: This client may not ask for a token for "/drop/a.exe". Ask the server's administrator.`},
		{up, `{"paths":[{"source":"a","destination":"/outgoing/a"}]}`, `1006: This client may not ask for a token for "/outgoing/a". Ask the server's administrator.`},
		{up, `{"paths":[{"source":"a","destination":"/ingest/a"},{"source":"a","destination":"/ingestion/a"}]}`, `1006: This client may not ask for a token for "/ingestion/a". Ask the server's administrator.`},
		{down, `{"paths":[{"source":"/outgoing/a"}]}`, ""},
		{down, `{"paths":[{"source":"/"}]}`, `1006: This client may not ask for a token for "/" and everything below it. Ask the server's administrator.`},
		{down, `{"paths":[{"source":"/ingest/a"}]}`, `1006: This client may not ask for a token for "/ingest/a". Ask the server's administrator.`},
	} {
		d := newDesk(func(o *validator.TokenOptions) { o.Authenticate = authenticate(client) })
		a := d.ask(t, tc.target, requests(tc.request))
		last := d.events[len(d.events)-1]
		if tc.refused == "" {
			if a.Specs[0].Error != nil || last.Fault != nil {
				t.Errorf("%s: %+v", tc.request, a.Specs[0].Error)
			}
			continue
		}
		if diff := cmp.Diff(&grants.Error{Code: 403, Reason: "Forbidden", UserMessage: tc.refused}, a.Specs[0].Error); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tc.request, diff)
		}
		if last.Fault == nil || last.Fault.Code != rules.CodeClient || last.Fault.Reason != "client_limit" {
			t.Errorf("%s: fault %+v", tc.request, last.Fault)
		}
		if len(d.calls) > 0 {
			t.Errorf("%s: the issuer was asked", tc.request)
		}
	}
}

// TestTokenSeveralRequests: each has its own answer, in its own place.
func TestTokenSeveralRequests(t *testing.T) {
	refusing := deciderFunc(func(ctx context.Context, e *rules.Event) rules.Decision {
		if strings.HasSuffix(e.File.Slash, ".exe") {
			return byChain(objecting("{name}: no programs.")).Decide(ctx, e)
		}
		return byChain().Decide(ctx, e)
	})
	d := newDesk(func(o *validator.TokenOptions) { o.Decider = refusing })
	w := d.send(http.MethodPost, "/files/upload_setup", requests(
		`{"paths":[{"source":"a.mov"}],"destination_root":"/1"}`,
		`{"paths":[{"source":"a.mov"},{"source":"b.exe"},{"source":"c.mov"}],"destination_root":"/2"}`,
		`{"paths":[]}`,
		`{"paths":[{"source":"a.mov"}],"destination_root":"/4"}`,
	), func(r *http.Request) { r.Header.Set("X-Aspera-Storage-Credentials", "for-the-node") })
	a := readAnswer(t, w)
	var got []string
	for _, s := range a.Specs {
		if s.Error != nil {
			got = append(got, s.Error.Error())
		} else {
			got = append(got, fmt.Sprint(s.Spec["destination_root"]))
		}
	}
	if diff := cmp.Diff([]string{
		"/1", "403 Forbidden: 1020: b.exe: no programs.", "400 Bad Request: There are no paths. Write [{}] for anywhere below the root.", "/4",
	}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]askedFor{{File: "/1/a.mov"}, {File: "/2/a.mov"}, {File: "/2/b.exe"}, {Reason: "request"}, {File: "/4/a.mov"}}, d.asked); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}
	if len(d.calls) != 1 || len(d.calls[0].Requests) != 2 || d.calls[0].Direction != rules.Upload || d.calls[0].StorageCredentials != "for-the-node" {
		t.Errorf("calls %+v", d.calls)
	}
	if w.Header().Get("X-Sluice-Decision") != d.events[4].ID.String() {
		t.Error("the header has another decision than the last")
	}
	d.wantResults(t, "upload_setup", map[string]int{"granted": 2, "refused": 1, "malformed": 1})
}

// wantResults compares sluice_tokens_total of an endpoint, as far as it is not 0.
func (d *tokenDesk) wantResults(t *testing.T, endpoint string, want map[string]int) {
	t.Helper()
	families, err := d.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got, timed := map[string]int{}, uint64(0)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			switch {
			case labels["endpoint"] != endpoint:
			case f.GetName() == "sluice_token_duration_seconds":
				timed = m.GetHistogram().GetSampleCount()
			case f.GetName() == "sluice_tokens_total" && labels["issuer"] == "local" && m.GetCounter().GetValue() > 0:
				got[labels["result"]] = int(m.GetCounter().GetValue())
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sluice_tokens_total (-want +got)\n%s", diff)
	}
	if endpoint != "info" && timed == 0 {
		t.Error("nothing was timed")
	}
}

// TestTokenLife: the shortest of what is asked for, what the client may have and
// what the policies allow.
func TestTokenLife(t *testing.T) {
	for _, tc := range []struct {
		asked          string
		client, policy time.Duration
		want           time.Duration
	}{
		{``, 48 * time.Hour, 0, 24 * time.Hour},
		{`null`, 48 * time.Hour, 0, 24 * time.Hour},
		{`3600`, 48 * time.Hour, 0, time.Hour},
		{`"3600"`, 48 * time.Hour, 0, time.Hour},
		{`"0060"`, 48 * time.Hour, 0, time.Minute},
		{`1`, 48 * time.Hour, 0, time.Second},
		{`259200`, 48 * time.Hour, 0, 48 * time.Hour},
		{`9223372036854775807`, 48 * time.Hour, 0, 48 * time.Hour},
		{`9223372036854775808`, 48 * time.Hour, 0, 48 * time.Hour},
		{`99999999999999999999999999999999999999999999999999999999999`, 48 * time.Hour, 0, 48 * time.Hour},
		{`9223372036854775807`, 0, 0, 720 * time.Hour},
		{`3600`, 30 * time.Minute, 0, 30 * time.Minute},
		{``, 48 * time.Hour, 8 * time.Hour, 8 * time.Hour},
		{``, 2 * time.Hour, 8 * time.Hour, 2 * time.Hour},
		{``, 90*time.Second + time.Millisecond, 0, 90 * time.Second},
		{``, time.Millisecond, 0, time.Second},
	} {
		client := portal()
		client.MaxLife = tc.client
		d := newDesk(func(o *validator.TokenOptions) {
			o.Authenticate = authenticate(client)
			o.Decider = byChain(&rules.Rule{Name: "short", Limits: rules.GrantLimits{MaxLife: tc.policy}, Check: pass})
		})
		life := ""
		if tc.asked != "" {
			life = `,"token_life_seconds":` + tc.asked
		}
		d.ask(t, "/files/upload_setup", requests(`{"paths":[{}],"destination_root":"/"`+life+`}`))
		r := d.calls[0].Requests[0]
		if got := r.Grant.Expires.Sub(r.Grant.Issued); got != tc.want || r.Members["token_life_seconds"] != json.Number(fmt.Sprint(int64(tc.want/time.Second))) {
			t.Errorf("%+v: %v, %v", tc, got, r.Members["token_life_seconds"])
		}
		if !r.Grant.Issued.Equal(tokenTime.Truncate(time.Second)) {
			t.Errorf("issued %v", r.Grant.Issued)
		}
	}
}

func pass(context.Context, *rules.Event) (*rules.Objection, error) { return nil, nil }

func fail(context.Context, *rules.Event) (*rules.Objection, error) { return nil, errors.New("no idea") }

// TestTokenLimits: a grant has the limits of every enforced rule that passed, of
// every path.
func TestTokenLimits(t *testing.T) {
	limits := func(life time.Duration, size int64, files int) rules.GrantLimits {
		return rules.GrantLimits{MaxLife: life, MaxSize: size, MaxFiles: files}
	}
	chain := []*rules.Rule{
		{Name: "none", Check: pass},
		{Name: "one", Check: pass, Limits: limits(0, 1000, 0)},
		{Name: "two", Check: pass, Limits: limits(time.Hour, 500, 9), Code: "1033"},
		{Name: "shadow", Check: pass, Mode: rules.Shadow, Limits: limits(time.Second, 1, 1)},
		{Name: "cannot tell", Check: fail, AcceptOnError: true, Limits: limits(time.Second, 1, 1)},
	}
	d := newDesk(func(o *validator.TokenOptions) { o.Decider = byChain(chain...) })
	a := d.ask(t, "/files/upload_setup", requests(`{"paths":[{}],"destination_root":"/"}`))
	if a.Specs[0].Error != nil {
		t.Fatal(a.Specs[0].Error)
	}
	grant := d.calls[0].Requests[0].Grant
	want := &rules.Grant{
		ID: grant.ID, Client: "portal", User: "xfer", Direction: rules.Upload, Roots: []string{"/"},
		Issued: tokenTime.Truncate(time.Second), Expires: tokenTime.Truncate(time.Second).Add(time.Hour),
		GrantLimits: limits(time.Hour, 500, 9), Revision: revision,
	}
	if diff := cmp.Diff(want, grant); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	list := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,{"source":"f%d"}`, i)
		}
		return requests(`{"destination_root":"/","paths":[` + b.String()[1:] + `]}`)
	}
	if a := d.ask(t, "/files/upload_setup", list(9)); a.Specs[0].Error != nil {
		t.Error(a.Specs[0].Error)
	}
	a = d.ask(t, "/files/upload_setup", list(10))
	if diff := cmp.Diff(&grants.Error{Code: 403, Reason: "Forbidden", UserMessage: "1033: A token is given for 9 files at most. Ask for fewer files."}, a.Specs[0].Error); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if last := d.events[len(d.events)-1]; last.Fault.Reason != "policy_limit" || last.Fault.Code != "1033" {
		t.Errorf("fault %+v", last.Fault)
	}
}

// TestTokenTags: the grant is put in, and nothing that the client writes takes its
// place.
func TestTokenTags(t *testing.T) {
	for _, tc := range []struct{ name, tags, issued, want string }{
		{"none", ``, ``, `{"aspera":{"xfer_id":ID},"sluice":{"grant":GRANT}}`},
		{"null", `null`, ``, `{"aspera":{"xfer_id":ID},"sluice":{"grant":GRANT}}`},
		{"others", `{"aspera":{"faspex":{"n":1.50}},"x":["<&>"]}`, ``, `{"aspera":{"faspex":{"n":1.50},"xfer_id":ID},"x":["<&>"],"sluice":{"grant":GRANT}}`},
		{"its own", `{"aspera":{"xfer_id":"mine"},"sluice":{"grant":"mine","y":1}}`, ``, `{"aspera":{"xfer_id":ID},"sluice":{"grant":GRANT}}`},
		{"the issuer has none", `{"x":1}`, `null`, `{"aspera":{"xfer_id":ID},"x":1,"sluice":{"grant":GRANT}}`},
		{"the issuer has rubbish", `{"x":1}`, `"x"`, `{"aspera":{"xfer_id":ID},"x":1,"sluice":{"grant":GRANT}}`},
		{"the issuer has others", `{"x":1}`, `{"y":2,"aspera":{"z":3,"xfer_id":"node's"},"sluice":7}`, `{"aspera":{"xfer_id":ID,"z":3},"y":2,"sluice":{"grant":GRANT}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(func(o *validator.TokenOptions) {
				o.Issuer = issuerFunc(func(ctx context.Context, call grants.Call) ([]grants.Answer, error) {
					answers, err := issue(ctx, call)
					if tc.issued != "" {
						tags, err := rules.ParseTree(tc.issued)
						if err != nil {
							t.Fatal(err)
						}
						answers[0].Spec["tags"] = tags
					}
					return answers, err
				})
			})
			request := `{"paths":[{}],"destination_root":"/"`
			if tc.tags != "" {
				request += `,"tags":` + tc.tags
			}
			w := d.send(http.MethodPost, "/files/upload_setup", requests(request+`}`))
			r := d.calls[0].Requests[0]
			want := strings.NewReplacer("ID", `"`+r.Grant.ID+`"`, "GRANT", `"`+r.Signed+`"`).Replace(tc.want)
			var tree any
			dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
			dec.UseNumber()
			if err := dec.Decode(&tree); err != nil {
				t.Fatal(err)
			}
			got := tree.(map[string]any)["transfer_specs"].([]any)[0].(map[string]any)["transfer_spec"].(map[string]any)["tags"]
			wanted, err := rules.ParseTree(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wanted, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if tc.issued == "" {
				if diff := cmp.Diff(wanted, r.Members["tags"]); diff != "" {
					t.Errorf("handed on (-want +got)\n%s", diff)
				}
			}
		})
	}
}

// TestTokenUnknownMembersTravel to the issuer as they are.
func TestTokenUnknownMembersTravel(t *testing.T) {
	d := newDesk()
	d.ask(t, "/files/upload_setup", requests(`{"paths":[{"x":{"y":[1.0]}}],"destination_root":"/","public_keys":["k"],"authentication":"token","type":"a","http_fallback":false,"target_rate_kbps":1e3}`))
	got := d.calls[0].Requests[0].Members
	delete(got, "tags")
	want := grants.Object{
		"paths": []any{grants.Object{"x": grants.Object{"y": []any{json.Number("1.0")}}}}, "destination_root": "/", "public_keys": []any{"k"},
		"authentication": "token", "type": "a", "http_fallback": false, "target_rate_kbps": json.Number("1e3"), "token_life_seconds": json.Number("86400"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
