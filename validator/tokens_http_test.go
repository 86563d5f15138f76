package validator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
	"github.com/sluiceproject/sluice/validator/grants"
)

// TestTokenPaths: what is served where, and how it may be asked for.
func TestTokenPaths(t *testing.T) {
	body := requests(`{"paths":[{}],"destination_root":"/","source_root":"/"}`)
	for _, tc := range []struct {
		method, target string
		status         int
		allow          string
	}{
		{"POST", "/files/upload_setup", 200, ""},
		{"POST", "/files/download_setup", 200, ""},
		{"POST", "/node_api/files/upload_setup", 200, ""},
		{"POST", "/node_api/files/download_setup", 200, ""},
		{"POST", "//files//upload_setup/", 200, ""},
		{"POST", "/node_api//files/upload_setup//", 200, ""},
		{"POST", "/files/upload%5fsetup", 200, ""},
		{"GET", "/ping", 200, ""},
		{"GET", "/node_api/ping", 200, ""},
		{"GET", "//ping/", 200, ""},
		{"GET", "/info", 200, ""},
		{"GET", "/node_api/info", 200, ""},
		{"GET", "/files/upload_setup", 405, "POST"},
		{"HEAD", "/files/upload_setup", 405, "POST"},
		{"PUT", "/files/download_setup", 405, "POST"},
		{"BREW", "/files/download_setup", 405, "POST"},
		{"OPTIONS", "/files/download_setup", 405, "POST"},
		{"POST", "/ping", 405, "GET"},
		{"HEAD", "/ping", 405, "GET"},
		{"DELETE", "/info", 405, "GET"},
		{"POST", "/", 404, ""},
		{"POST", "/files", 404, ""},
		{"POST", "/files/upload_setup/x", 404, ""},
		{"POST", "/x/files/upload_setup", 404, ""},
		{"POST", "/node_api/node_api/files/upload_setup", 404, ""},
		{"POST", "/files/./upload_setup", 404, ""},
		{"POST", "/Files/upload_setup", 404, ""},
		{"POST", "/files/create", 404, ""},
		{"POST", "/validation/files", 404, ""},
		{"BREW", "/x", 404, ""},
	} {
		d := newDesk()
		w := d.send(tc.method, tc.target, body)
		if w.Code != tc.status || w.Header().Get("Allow") != tc.allow {
			t.Errorf("%s %s: %d, Allow %q", tc.method, tc.target, w.Code, w.Header().Get("Allow"))
		}
		switch {
		case strings.HasSuffix(strings.TrimRight(tc.target, "/"), "ping") && tc.status == 200:
			if w.Body.Len() > 0 {
				t.Errorf("%s: body %s", tc.target, w.Body)
			}
		case tc.status != 200:
			readAnswer(t, w)
			if len(d.events) > 0 {
				t.Errorf("%s %s: an event was decided", tc.method, tc.target)
			}
		}
		if got := validator.TokenPaths(httptest.NewRequest(tc.method, tc.target, nil).URL.Path); got != (tc.status != 404) {
			t.Errorf("TokenPaths(%s) = %t", tc.target, got)
		}
	}
}

func TestTokenInfo(t *testing.T) {
	d := newDesk()
	w := d.send(http.MethodGet, "/info", "")
	want := `{"id":"5f1e7b1c","name":"sluice","version":"1.2.3","current_time":"2026-03-01T12:00:00Z"}` + "\n"
	if w.Code != 200 || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	d.wantResults(t, "info", map[string]int{})
	w = d.send(http.MethodGet, "/node_api/info", "", func(r *http.Request) { r.Header.Del("Authorization") })
	if a := readAnswer(t, w); w.Code != 401 || !strings.Contains(a.Error.UserMessage, "authentication failed") {
		t.Errorf("%d %+v", w.Code, a.Error)
	}
	d.wantResults(t, "info", map[string]int{"unauthenticated": 1})
	if w := d.send(http.MethodGet, "/ping", "", func(r *http.Request) { r.Header.Del("Authorization") }); w.Code != 200 {
		t.Errorf("ping without credentials: %d", w.Code)
	}
}

// TestTokenAuthentication: who may not ask is told so before the body is read.
func TestTokenAuthentication(t *testing.T) {
	header := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["Authorization"] = values }
	}
	basic := func(name, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(name, password) }
	}
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		err    error // Of the authenticator.
		status int
		says   string
		header map[string]string
		result string
		logged string
	}{
		{"none", header(), nil, 401, "authentication failed", map[string]string{"Www-Authenticate": `Basic realm="sluice", charset="UTF-8"`}, "unauthenticated", ""},
		{"another scheme", header("Bearer eyJ"), nil, 401, "authentication failed", map[string]string{"Www-Authenticate": `Basic realm="sluice", charset="UTF-8"`}, "unauthenticated", ""},
		{"no base64", header("Basic !"), nil, 401, "authentication failed", map[string]string{"Www-Authenticate": `Basic realm="sluice", charset="UTF-8"`}, "unauthenticated", ""},
		{"an empty name", basic("", portalPassword), nil, 401, "authentication failed", nil, "unauthenticated", ""},
		{"a wrong password", basic("portal", "wrong-and-secret"), nil, 401, "authentication failed", map[string]string{"Www-Authenticate": `Basic realm="sluice", charset="UTF-8"`}, "unauthenticated", "authentication failed"},
		{"a long name", basic(strings.Repeat("n", 5000), "wrong-and-secret"), nil, 401, "authentication failed", nil, "unauthenticated", "authentication failed"},
		{"two headers", header("Basic cG9ydGFsOng=", "Basic cG9ydGFsOng="), nil, 400, "The header Authorization is there more than once. Send it once.", nil, "malformed", ""},
		{"two credentials of the storage", func(r *http.Request) { r.Header["X-Aspera-Storage-Credentials"] = []string{"wrong-and-secret", "b"} }, nil, 400, "X-Aspera-Storage-Credentials is there more than once", nil, "malformed", ""},
		{"too often", nil, &validator.TooManyFailures{RetryAfter: 1500 * time.Millisecond}, 429, "authentication failed too often; try again in 2 s", map[string]string{"Retry-After": "2"}, "throttled", "too many failed authentications"},
		{"too many logins", nil, validator.ErrBusy, 503, "too many logins at once", map[string]string{"Retry-After": "1"}, "failed", ""},
		{"wrapped", nil, fmt.Errorf("x: %w", validator.ErrCredentials), 401, "authentication failed: unknown client or wrong password", nil, "unauthenticated", "authentication failed"},
		{"a fault", nil, errors.New("the database of secrets is down"), 500, "The token service has a fault.", nil, "failed", "token request failed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(func(o *validator.TokenOptions) {
				if tc.err != nil {
					o.Authenticate = func(context.Context, string, string, string) (*validator.Client, error) { return nil, tc.err }
				}
			})
			r := httptest.NewRequest(http.MethodPost, "/files/upload_setup", unreadable{t})
			r.SetBasicAuth("portal", portalPassword)
			if tc.change != nil {
				tc.change(r)
			}
			w := httptest.NewRecorder()
			d.handler.ServeHTTP(w, r)
			a := readAnswer(t, w)
			if w.Code != tc.status || !strings.Contains(a.Error.UserMessage, tc.says) {
				t.Errorf("%d %+v", w.Code, a.Error)
			}
			for name, want := range tc.header {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if len(d.events) > 0 {
				t.Error("an event was decided")
			}
			d.wantResults(t, "upload_setup", map[string]int{tc.result: 1})
			lines := d.log.All()
			if (len(lines) > 0) != (tc.logged != "") || len(lines) > 0 && lines[0].Message != tc.logged {
				t.Errorf("logged %v, want %q", lines, tc.logged)
			}
			for _, l := range lines {
				text := fmt.Sprint(l.Message, l.ContextMap())
				if strings.Contains(text, "secret") && tc.status != 500 || strings.Contains(text, portalPassword) || len(text) > 500 {
					t.Errorf("logged %s", text)
				}
			}
		})
	}
}

// unreadable is a body that nobody may read.
type unreadable struct{ t *testing.T }

// Read implements io.Reader.
func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, errors.New("read")
}

// TestTokenAddress: failures are counted where they come from.
func TestTokenAddress(t *testing.T) {
	for remote, want := range map[string]string{"203.0.113.7:1234": "203.0.113.7", "[2001:db8::1]:1": "2001:db8::1", "@": "@"} {
		var got string
		d := newDesk(func(o *validator.TokenOptions) {
			o.Authenticate = func(_ context.Context, name, password, address string) (*validator.Client, error) {
				got = name + " " + password + " " + address
				return nil, validator.ErrCredentials
			}
		})
		d.send(http.MethodPost, "/files/upload_setup", "", func(r *http.Request) {
			r.RemoteAddr = remote
			r.Header.Set("X-Forwarded-For", "127.0.0.1")
		})
		if got != "portal "+portalPassword+" "+want {
			t.Errorf("%s: %s", remote, got)
		}
	}
}

// TestTokenFailuresAreLoggedInMeasure: guessing passwords fills no disk.
func TestTokenFailuresAreLoggedInMeasure(t *testing.T) {
	now := tokenTime
	d := newDesk(func(o *validator.TokenOptions) { o.Now = func() time.Time { return now } })
	guess := func() {
		d.send(http.MethodPost, "/files/upload_setup", "", func(r *http.Request) { r.SetBasicAuth("portal", "x") })
	}
	for range 1000 {
		guess()
	}
	before := d.log.Len()
	if before < 1 || before > 100 {
		t.Errorf("%d lines", before)
	}
	now = now.Add(time.Minute)
	guess()
	lines := d.log.All()
	if got := lines[len(lines)-1].ContextMap()["lines_left_out"]; got != int64(1000-before) {
		t.Errorf("lines left out: %v, want %d", got, 1000-before)
	}
}

// TestTokenIssuerErrors: whose fault it is decides who is told.
func TestTokenIssuerErrors(t *testing.T) {
	gateway := &grants.Error{Code: 502, Reason: "Bad Gateway", UserMessage: "The node does not answer."}
	for _, tc := range []struct {
		name   string
		issuer issuerFunc
		want   *grants.Error // Of the whole call, or of its last item.
		whole  bool
	}{
		{"of the whole call", func(context.Context, grants.Call) ([]grants.Answer, error) { return nil, fmt.Errorf("x: %w", gateway) }, gateway, true},
		{"with a status that is none", func(context.Context, grants.Call) ([]grants.Answer, error) {
			return nil, &grants.Error{Code: 200, Reason: "OK", UserMessage: "secret"}
		}, fault(), true},
		{"of a node that cannot be reached", func(context.Context, grants.Call) ([]grants.Answer, error) {
			return nil, &grants.Unreachable{Shown: gateway, Cause: errors.New("no route")}
		}, gateway, true},
		{"another error", func(context.Context, grants.Call) ([]grants.Answer, error) { return nil, errors.New("secret") }, fault(), true},
		{"too few answers", func(context.Context, grants.Call) ([]grants.Answer, error) { return nil, nil }, fault(), true},
		{"too many answers", func(context.Context, grants.Call) ([]grants.Answer, error) { return make([]grants.Answer, 2), nil }, fault(), true},
		{"a panic", func(context.Context, grants.Call) ([]grants.Answer, error) { panic("secret") }, fault(), true},
		{"what cannot be written", func(context.Context, grants.Call) ([]grants.Answer, error) {
			return []grants.Answer{{Spec: grants.Object{"x": func() {}}}}, nil
		}, fault(), true},
		{"of one", func(context.Context, grants.Call) ([]grants.Answer, error) {
			return []grants.Answer{{Err: gateway}}, nil
		}, gateway, false},
		{
			"neither a spec nor an error", func(context.Context, grants.Call) ([]grants.Answer, error) { return make([]grants.Answer, 1), nil },
			&grants.Error{Code: 500, Reason: "Internal Server Error", UserMessage: "No token was made. Tell the server's administrator."}, false,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(func(o *validator.TokenOptions) { o.Issuer = tc.issuer })
			w := d.send(http.MethodPost, "/files/upload_setup", requests(`{"paths":[]}`, `{"paths":[{}],"destination_root":"/"}`))
			a := readAnswer(t, w)
			got := a.Error
			if !tc.whole {
				got = a.Specs[1].Error
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if w.Header().Get("X-Sluice-Decision") == "" && tc.name != "a panic" {
				t.Error("no X-Sluice-Decision")
			}
		})
	}
}

func fault() *grants.Error {
	return &grants.Error{Code: 500, Reason: "Internal Server Error", UserMessage: "The token service has a fault. Tell the server's administrator."}
}

// TestTokenFaults: whatever else fails is a fault, and is written down.
func TestTokenFaults(t *testing.T) {
	for name, change := range map[string]func(*validator.TokenOptions){
		"signing": func(o *validator.TokenOptions) {
			o.Sign = func(*rules.Grant) (string, error) { return "", errors.New("no key") }
		},
		"deciding": func(o *validator.TokenOptions) {
			o.Decider = deciderFunc(func(context.Context, *rules.Event) rules.Decision { panic("decider") })
		},
	} {
		d := newDesk(change)
		w := d.send(http.MethodPost, "/files/upload_setup", documentedUpload)
		if diff := cmp.Diff(fault(), readAnswer(t, w).Error); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		if d.log.Len() != 1 || d.log.All()[0].Message != "token request failed" {
			t.Errorf("%s: logged %v", name, d.log.All())
		}
	}
}

// TestTokenCallerGoes: nothing more is decided for who has gone.
func TestTokenCallerGoes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := newDesk(func(o *validator.TokenOptions) {
		o.Decider = deciderFunc(func(ctx context.Context, e *rules.Event) rules.Decision {
			cancel()
			return byChain().Decide(ctx, e)
		})
	})
	w := d.send(http.MethodPost, "/files/upload_setup", requests(`{"paths":[{"source":"a"},{"source":"b"}],"destination_root":"/"}`, `{"paths":[{}],"destination_root":"/"}`),
		func(r *http.Request) { *r = *r.WithContext(ctx) })
	if a := readAnswer(t, w); a.Error == nil || a.Error.Code != 503 || len(d.events) != 1 || len(d.calls) > 0 {
		t.Errorf("%+v, %d events, %d calls", a.Error, len(d.events), len(d.calls))
	}
}

// TestTokenCrowd: one request too many is told so at once.
func TestTokenCrowd(t *testing.T) {
	inside, leave := make(chan bool), make(chan bool)
	d := newDesk(func(o *validator.TokenOptions) {
		o.Limits.Requests = 1
		o.Authenticate = func(context.Context, string, string, string) (*validator.Client, error) {
			inside <- true
			<-leave
			return portal(), nil
		}
	})
	var done sync.WaitGroup
	done.Go(func() { d.send(http.MethodPost, "/files/upload_setup", documentedUpload) })
	<-inside
	w := d.send(http.MethodPost, "/files/upload_setup", documentedUpload)
	if a := readAnswer(t, w); w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.Contains(a.Error.UserMessage, "busy") {
		t.Errorf("%d %+v", w.Code, a.Error)
	}
	close(leave)
	done.Wait()
	d.wantResults(t, "upload_setup", map[string]int{"failed": 1, "granted": 1})
}

// TestTokenConnections are closed when they are to be.
func TestTokenConnections(t *testing.T) {
	d := newDesk(func(o *validator.TokenOptions) { o.Close = func() bool { return true } })
	if w := d.send(http.MethodGet, "/ping", ""); w.Header().Get("Connection") != "close" {
		t.Error("the connection is kept")
	}
}

// TestTokenOverTheWire: what net/http makes of headers that play tricks.
func TestTokenOverTheWire(t *testing.T) {
	d := newDesk()
	server := httptest.NewServer(d.handler)
	defer server.Close()
	for name, change := range map[string]func(*http.Request){
		"chunks":       func(r *http.Request) { r.ContentLength = -1 },
		"expect":       func(r *http.Request) { r.Header.Set("Expect", "100-continue") },
		"no type":      func(r *http.Request) { r.Header["Content-Type"] = nil },
		"another type": func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") },
		"another host": func(r *http.Request) { r.Host = "elsewhere" },
		"lower case": func(r *http.Request) {
			r.Header.Set("Authorization", "basic"+strings.TrimPrefix(r.Header.Get("Authorization"), "Basic"))
		},
		"another query": func(r *http.Request) { r.URL.RawQuery = "path=/x" },
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/files/upload_setup", strings.NewReader(documentedUpload))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("portal", portalPassword)
		change(r)
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var a tokenAnswer
		if err := json.NewDecoder(answer.Body).Decode(&a); err != nil || answer.StatusCode != http.StatusOK || len(a.Specs) != 1 {
			t.Errorf("%s: %d %+v %v", name, answer.StatusCode, a, err)
		}
		answer.Body.Close()
	}
}
