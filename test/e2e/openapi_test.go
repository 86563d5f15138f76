package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
)

// described is validator/openapi.yaml, and what of it was seen to be so.
type described struct {
	validator.Validator
	// operations are the statuses of each method and path, and listeners the tag of
	// each path.
	operations map[string][]string
	listeners  map[string]string

	mu   sync.Mutex
	seen map[string]bool
}

// readDescription reads the document, which must be a valid one.
func readDescription(t *testing.T) *described {
	t.Helper()
	text, err := os.ReadFile(root + "/validator/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(document, config.WithFormatAssertions(), config.WithStrictMode(), config.WithStrictIgnorePaths("$.body.tags.*"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if valid, errs := v.ValidateDocument(); !valid {
		for _, err := range errs {
			t.Errorf("%s: %s %+v", err.Message, err.Reason, err.SchemaValidationErrors)
		}
		t.FailNow()
	}
	model, err := document.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	d := &described{Validator: v, operations: map[string][]string{}, listeners: map[string]string{}, seen: map[string]bool{}}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			name := strings.ToUpper(method) + " " + path
			for status := range operation.Responses.Codes.FromOldest() {
				d.operations[name] = append(d.operations[name], status)
			}
			if len(operation.Tags) != 1 || operation.Summary == "" || operation.OperationId == "" {
				t.Errorf("%s has the tags %q, the summary %q and the id %q", name, operation.Tags, operation.Summary, operation.OperationId)
				continue
			}
			d.listeners[path] = operation.Tags[0]
		}
	}
	return d
}

// call is a request that the document describes, and the status that it gets.
type call struct {
	name   string
	at     string // The address.
	path   string // As the document has it, and with a query perhaps.
	method string
	body   string
	want   int
	header []string // Pairs.
	// odd says that the request is not as the document wants it.
	odd bool
}

// hold makes a call, and holds the request and the answer against the document.
func (d *described) hold(t *testing.T, c call) string {
	t.Helper()
	path := strings.ReplaceAll(c.path, "{prefix}", "hst-1")
	send := func() *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+c.at+path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.method == http.MethodPost && c.body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
		}
		return r
	}
	response, err := http.DefaultClient.Do(send())
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || response.Body.Close() != nil {
		t.Fatal(err)
	}
	if response.StatusCode != c.want {
		t.Errorf("%s: the answer is %d %.300s, want %d", c.name, response.StatusCode, body, c.want)
	}
	d.agrees(t, c, send(), response, body)
	return string(body)
}

// agrees fails the test unless the document has such an answer, and such a request
// unless that is odd.
func (d *described) agrees(t *testing.T, c call, request *http.Request, response *http.Response, body []byte) {
	t.Helper()
	if valid, errs := d.ValidateHttpRequest(request); valid == c.odd {
		t.Errorf("%s: the request is valid: %t", c.name, valid)
		for _, err := range errs {
			t.Logf("  %s: %s %+v", err.Message, err.Reason, err.SchemaValidationErrors)
		}
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	if valid, errs := d.ValidateHttpResponse(request, response); !valid {
		for _, err := range errs {
			t.Errorf("%s: the answer %d %.300s is not as described: %s: %s %+v", c.name, response.StatusCode, body, err.Message, err.Reason, err.SchemaValidationErrors)
		}
	}
	path, _, _ := strings.Cut(c.path, "?")
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[fmt.Sprintf("%s %s %d", c.method, path, response.StatusCode)] = true
}

// TestTheServiceIsAsOpenAPIDescribesIt: every operation is called, with every
// status that it is described to have.
func TestTheServiceIsAsOpenAPIDescribesIt(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	t.Run("calls", func(t *testing.T) {
		for name, part := range map[string]func(*testing.T, *described){
			"events": describedEvents, "tokens": describedTokens, "relay": describedRelay, "admin": describedAdmin, "grants": describedGrants, "fleet": describedFleet,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				part(t, d)
			})
		}
	})
	// A fault of the service is not there to be provoked; that there are too many
	// scrapes or logins at one moment would be a matter of time, and so would be
	// 200,000 revocations.
	unseen := regexp.MustCompile(` 500$|^GET /metrics 503$|/info 503$|^POST /v1/revocations 409$`)
	var lacking []string
	for _, name := range slices.Sorted(maps.Keys(d.operations)) {
		for _, status := range d.operations[name] {
			if each := name + " " + status; !d.seen[each] && !unseen.MatchString(each) {
				lacking = append(lacking, each)
			}
		}
	}
	if len(d.operations) < 16 || len(lacking) > 0 {
		t.Errorf("of %d operations, no test has seen:\n%s", len(d.operations), strings.Join(lacking, "\n"))
	}
}

func describedEvents(t *testing.T, d *described) {
	t.Helper()
	s := start(t, setup{config: "limits: {read_time: 500ms}\n"})
	for _, path := range []string{"/validation/files", "/{prefix}/validation/files"} {
		for _, c := range []call{
			{name: "accepted", body: event(), want: 200},
			{name: "with everything", body: event("xfer_id", `"x"`, "user_id", "7", "userid", `"7"`, "cookie", `"c"`, "manifest_file", `"m"`, "end_byte", `"9"`, "file_csum", "null"), want: 200},
			{name: "refused", body: file("/ingest/clip.mov.exe"), want: 400},
			{name: "not an event", body: "[]", want: 400, odd: true},
			{name: "no phase", body: event("startstop", ""), want: 400, odd: true},
		} {
			c.at, c.path, c.method = s.service, path, http.MethodPost
			d.hold(t, c)
		}
	}
}

// login is nodeuser's.
func login(password string) []string {
	request := &http.Request{Header: http.Header{}}
	request.SetBasicAuth("nodeuser", password)
	return []string{"Authorization", request.Header.Get("Authorization")}
}

func describedTokens(t *testing.T, d *described) {
	t.Helper()
	g := give(t, "transfer: {remote_host: hst.example.com, http_fallback: true}", setup{config: "limits: {read_time: 500ms, body: 64 KiB}\n"})
	at := strings.TrimPrefix(g.url, "http://")
	for _, prefix := range []string{"", "/node_api"} {
		for path, members := range map[string]string{
			prefix + "/files/upload_setup":   wants("/ingest/a") + `,"cookie":"c","tags":{"aspera":{}},"token_life_seconds":"60"`,
			prefix + "/files/download_setup": `"paths":[{"source":"/a"},{"source":"/b","destination":"c"}]`,
		} {
			item := `{"transfer_request":{` + members + `}}`
			body := `{"transfer_requests":[` + item + `,{"transfer_request":{"paths":[{"source":"../a"}]}}]}`
			for _, c := range []call{
				{name: "one given, one not", body: body, want: 200, header: login(nodePassword)},
				{name: "with a header for the node", body: body, want: 200, header: append(login(nodePassword), "X-Aspera-Storage-Credentials", "x")},
				{name: "no JSON", body: body[:10], want: 400, header: login(nodePassword), odd: true},
				{name: "no requests", body: "{}", want: 400, header: login(nodePassword), odd: true},
				{name: "no credentials", body: body, want: 401, odd: true},
				{name: "a wrong password", body: body, want: 401, header: login("wrong")},
				{name: "too large", body: body + strings.Repeat(" ", 64<<10), want: 413, header: login(nodePassword)},
			} {
				c.at, c.path, c.method = at, path, http.MethodPost
				d.hold(t, c)
			}
			d.tooSlow(t, at, path, basic)
		}
		d.hold(t, call{name: "ping", at: at, path: prefix + "/ping", method: http.MethodGet, want: 200})
		d.hold(t, call{name: "info", at: at, path: prefix + "/info", method: http.MethodGet, want: 200, header: login(nodePassword)})
		d.hold(t, call{name: "info for nobody", at: at, path: prefix + "/info", method: http.MethodGet, want: 401, odd: true})
		d.twice(t, at, prefix+"/info")
	}
	for range 10 { // Others are not looked at any more from here on.
		g.ask(t, "/files/upload_setup", "nodeuser", "guess", "{}")
	}
	for _, prefix := range []string{"", "/node_api"} {
		d.hold(t, call{name: "throttled", at: at, path: prefix + "/info", method: http.MethodGet, want: 429, header: login(nodePassword)})
		for _, path := range []string{"/files/upload_setup", "/files/download_setup"} {
			d.hold(t, call{name: "throttled", at: at, path: prefix + path, method: http.MethodPost, want: 429, header: login(nodePassword), body: `{"transfer_requests":[{"transfer_request":{"paths":[{}]}}]}`})
		}
	}
}

// raw sends what no client would, and holds the answer against the document.
func (d *described) raw(t *testing.T, c call, said string) {
	t.Helper()
	w := (&server{service: c.at}).dial(t)
	w.say(said)
	response, err := http.ReadResponse(w.read, &http.Request{Method: c.method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != c.want {
		t.Errorf("%s: the answer is %d %s, %v", c.name, response.StatusCode, body, err)
	}
	request, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+c.at+c.path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	c.odd = true
	d.agrees(t, c, request, response, body)
}

// tooSlow sends a body that does not come.
func (d *described) tooSlow(t *testing.T, at, path string, headers ...string) {
	t.Helper()
	d.raw(t, call{name: "too slow", at: at, path: path, method: http.MethodPost, want: 408}, request(http.MethodPost, path, "{", append(headers, "Content-Length: 500")...))
}

// twice sends its credentials twice.
func (d *described) twice(t *testing.T, at, path string) {
	t.Helper()
	d.raw(t, call{name: "credentials twice", at: at, path: path, method: http.MethodGet, want: 400}, request(http.MethodGet, path, "", basic, basic))
}

// describedRelay is what goes wrong behind the token endpoint.
func describedRelay(t *testing.T, d *described) {
	t.Helper()
	n := newStandIn(t)
	g, hasty := n.relay(t, "timeout: 30s, connections: 1, waiting: 0"), n.relay(t, "timeout: 200ms")
	body := `{"transfer_requests":[{"transfer_request":{"paths":[{}],"destination_root":"/a","source_root":"/a"}}]}`
	every := func(g *giver, what string, status int) {
		t.Helper()
		for _, prefix := range []string{"", "/node_api"} {
			for _, path := range []string{"/files/upload_setup", "/files/download_setup"} {
				d.hold(t, call{name: what, at: strings.TrimPrefix(g.url, "http://"), path: prefix + path, method: http.MethodPost, body: body, want: status, header: login(nodePassword)})
			}
		}
	}
	every(g, "the node's", 200)
	n.answer(text(404, `{"error":{"code":404,"reason":"Not Found","user_message":"there is no such folder"}}`))
	every(g, "what the node does not know", 404)
	n.answer(text(500, "no"))
	every(g, "a node that fails", 502)
	hold, held, done := make(chan struct{}), make(chan struct{}, 1), make(chan struct{})
	n.answer(func(http.ResponseWriter, []byte) {
		select {
		case held <- struct{}{}:
		default:
		}
		<-hold
	})
	every(hasty, "a node that is slow", 504)
	<-held
	go func() {
		defer close(done)
		r, err := http.NewRequest(http.MethodPost, g.url+"/files/upload_setup", strings.NewReader(body))
		if err == nil {
			r.SetBasicAuth("nodeuser", nodePassword)
			if response, err := http.DefaultClient.Do(r); err == nil {
				response.Body.Close()
			}
		}
	}()
	select {
	case <-held:
	case <-done:
		t.Error("the node does not hold the call")
	}
	every(g, "a node that others wait for", 503)
	close(hold)
	<-done
}

func describedAdmin(t *testing.T, d *described) {
	t.Helper()
	s := start(t, setup{policies: map[string]string{"types.yaml": onlyExtension("mov")}, config: still + "limits: {read_time: 500ms, body: 4 KiB}\nshutdown: {delay: 1s}\n"})
	get, post := http.MethodGet, http.MethodPost
	for _, c := range []call{
		{name: "health", path: "/healthz", method: get, want: 200},
		{name: "ready", path: "/readyz", method: get, want: 200},
		{name: "metrics", path: "/metrics", method: get, want: 200},
		{name: "OpenMetrics", path: "/metrics", method: get, want: 200, header: []string{"Accept", "application/openmetrics-text"}},
		{name: "policies", path: "/v1/policies", method: get, want: 200},
		{name: "accepted", path: "/v1/explain", method: post, body: event("size", `"7"`), want: 200},
		{name: "all", path: "/v1/explain?all=true", method: post, body: file("/ingest/a.exe"), want: 200},
		{name: "malformed", path: "/v1/explain", method: post, body: `{"startstop":"start","size":-1,}`, want: 200, odd: true},
		{name: "all is perhaps", path: "/v1/explain?all=perhaps", method: post, body: event(), want: 400, odd: true},
		{name: "too large", path: "/v1/explain", method: post, body: event("cookie", `"`+strings.Repeat("c", 4<<10)+`"`), want: 413},
		{name: "reloaded", path: "/-/reload", method: post, want: 200},
	} {
		c.at = s.admin
		d.hold(t, c)
	}
	d.tooSlow(t, s.admin, "/v1/explain", "Content-Type: application/json")
	s.edit(t, "types.yaml", "version: 1\npolicy: types\nrule: []\n")
	d.hold(t, call{name: "mistakes", at: s.admin, path: "/-/reload", method: post, want: 422})
	d.hold(t, call{name: "degraded", at: s.admin, path: "/readyz", method: get, want: 200})
	d.hold(t, call{name: "policies with an error", at: s.admin, path: "/v1/policies", method: get, want: 200})
	s.signal(t, syscall.SIGTERM)
	await(t, "it says that it shuts down", func() bool {
		status, _ := s.ready(t)
		return status == http.StatusServiceUnavailable
	})
	d.hold(t, call{name: "not ready", at: s.admin, path: "/readyz", method: get, want: 503})
}

// TestNothingIsServedThatIsNotDescribed: of a listener, each path is described or
// answered 404, whatever the method.
func TestNothingIsServedThatIsNotDescribed(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	g := give(t, "listen: 127.0.0.1:0", setup{})
	listeners := map[string]string{"events": g.service, "tokens": strings.TrimPrefix(g.url, "http://"), "admin": g.admin}
	paths := slices.Sorted(maps.Keys(d.listeners))
	paths = append(
		paths, "/", "/index.html", "/favicon.ico", "/openapi.yaml", "/openapi.json", "/swagger", "/docs", "/debug/pprof/", "/debug/vars", "/metrics/x", "/health", "/ready",
		"/livez", "/-/healthy", "/-/ready", "/-/quit", "/v1", "/v1/", "/v1/policies/1", "/v1/explain/1", "/v1/tokens", "/v1/grants", "/v1/clients", "/v1/decisions", "/v2/policies",
		"/api", "/files", "/files/", "/files/browse", "/files/search", "/files/delete", "/files/create", "/files/1", "/node_api", "/node_api/", "/node_api/node_api/ping", "/node_api/files",
		"/ops/transfers", "/access_keys", "/streams", "/validation", "/validation/files/1", "/.well-known/jwks.json", "/keys", "/info/1", "/ping/1",
	)
	for listener, at := range listeners {
		for _, path := range paths {
			if d.listeners[path] == listener || listener == "events" && strings.Contains(path, "validation/files") && d.listeners[path] != "" {
				continue
			}
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
				request, err := http.NewRequestWithContext(t.Context(), method, "http://"+at+strings.ReplaceAll(path, "{prefix}", "hst-1"), strings.NewReader("{}"))
				if err != nil {
					t.Fatal(err)
				}
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				if response.StatusCode != http.StatusNotFound {
					t.Errorf("%s %s of the listener for %s is answered %d and not described", method, path, listener, response.StatusCode)
				}
			}
		}
	}
}

// TestEveryRouteInTheSourceIsDescribed: what the handlers register is in the
// document, so that a new one cannot be forgotten.
func TestEveryRouteInTheSourceIsDescribed(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	files, err := filepath.Glob(root + "/validator/*.go")
	if err != nil {
		t.Fatal(err)
	}
	route := regexp.MustCompile(`\be\.(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|Any|Add|Match|Static|File)\((?:[^"\n]*, )?"([^"]+)"|\bpath[A-Z]\w+ += "([^"]+)"`)
	got := map[string]bool{"/validation/files": true, "/{prefix}/validation/files": true} // Those are matched by hand.
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, m := range route.FindAllStringSubmatch(string(text), -1) {
			switch {
			case m[1] != "" && m[1] != "/*":
				got[m[1]] = true
			case m[2] != "":
				got["/"+m[2]], got["/node_api/"+m[2]] = true, true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(d.listeners)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("(-described +registered)\n%s", diff)
	}
}
