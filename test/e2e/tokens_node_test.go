package e2e

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// What sluice asks a node by, and what the stand-in gives.
const (
	relayPassword = "password of sluice at the node"
	storageSecret = "eyJ0eXBlIjoiYXdzIiwic2VjcmV0IjoiczNjcjN0In0="
	nodeToken     = "ATM2_ACsJ2eXwGDUhkhIRWtbtCnbD5DS_2MTA"
)

// standIn is an Aspera node of the tests, by TLS. It fails the test if it is asked
// otherwise than a node may be.
type standIn struct {
	*httptest.Server
	t        *testing.T
	asked    atomic.Int64
	requests atomic.Pointer[[]map[string]any] // Of the last call.
	storage  atomic.Pointer[string]           // The header of the last call.
	answers  atomic.Pointer[func(http.ResponseWriter, []byte)]
}

// newStandIn starts a node that answers well.
func newStandIn(t *testing.T) *standIn {
	t.Helper()
	n := &standIn{t: t}
	n.answer(plain(http.StatusOK))
	n.Server = httptest.NewUnstartedServer(http.HandlerFunc(n.serve))
	n.Config.ErrorLog = log.New(io.Discard, "", 0) // Callers that do not trust it are meant to be there.
	n.StartTLS()
	t.Cleanup(n.Close)
	return n
}

// answer sets how the node answers: by a func that gets what would be a good
// answer.
func (n *standIn) answer(how func(w http.ResponseWriter, good []byte)) { n.answers.Store(&how) }

// plain answers with a status and the good body.
func plain(status int) func(http.ResponseWriter, []byte) {
	return func(w http.ResponseWriter, good []byte) {
		w.Header().Set("Content-Type", "application/x-javascript")
		w.WriteHeader(status)
		_, _ = w.Write(good)
	}
}

// text answers with a status and a text.
func text(status int, body string) func(http.ResponseWriter, []byte) {
	return func(w http.ResponseWriter, _ []byte) { plain(status)(w, []byte(body)) }
}

// raw writes bytes on the connection and ends it.
func raw(format string) func(http.ResponseWriter, []byte) {
	return func(w http.ResponseWriter, good []byte) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, strings.NewReplacer("\n", "\r\n", "GOOD", string(good), "LENGTH", fmt.Sprint(len(good))).Replace(format))
	}
}

// serve checks what the node is asked, and answers.
func (n *standIn) serve(w http.ResponseWriter, r *http.Request) {
	n.asked.Add(1)
	body, err := io.ReadAll(r.Body)
	user, password, _ := r.BasicAuth()
	storage := r.Header.Get("X-Aspera-Storage-Credentials")
	n.storage.Store(&storage)
	if user != "sluice" || password != relayPassword || r.TLS == nil || err != nil || r.Header.Get("Cookie") != "" || r.Header.Get("X-Forwarded-For") != "" {
		n.t.Errorf("the node is asked by %s, %v", user, err)
	}
	direction := map[string]string{"/node_api/files/upload_setup": "send", "/node_api/files/download_setup": "receive"}[r.URL.Path]
	if r.Method != http.MethodPost || direction == "" || r.Header.Get("Content-Type") != "application/json" {
		n.t.Errorf("the node is asked with %s %s, %v", r.Method, r.URL.Path, r.Header)
	}
	var call struct {
		Requests []struct {
			Request map[string]any `json:"transfer_request"`
		} `json:"transfer_requests"`
	}
	if err := json.Unmarshal(body, &call); err != nil || len(call.Requests) == 0 {
		n.t.Errorf("the node is asked %q: %v", body, err)
	}
	var requests, specs []map[string]any
	for _, c := range call.Requests {
		tags, _ := c.Request["tags"].(map[string]any)
		if grantIn(tags) == "" {
			n.t.Errorf("the node gets no grant: %s", body)
		}
		requests = append(requests, c.Request)
		spec := map[string]any{
			"paths": c.Request["paths"], "source_root": "", "destination_root": "", "token": nodeToken, "direction": direction,
			"remote_user": "lion", "remote_host": "hst.example.com", "ssh_port": 22, "fasp_port": 33001, "cipher": "aes-128", "tags": tags,
		}
		for _, root := range []string{"source_root", "destination_root"} {
			if c.Request[root] != nil {
				spec[root] = c.Request[root]
			}
		}
		specs = append(specs, map[string]any{"transfer_spec": spec})
	}
	n.requests.Store(&requests)
	good, _ := json.Marshal(map[string]any{"transfer_specs": specs})
	(*n.answers.Load())(w, good)
}

// relay starts a service in front of a node.
func (n *standIn) relay(t *testing.T, settings string) *giver {
	t.Helper()
	dir := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.Certificate().Raw})
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600), os.WriteFile(filepath.Join(dir, "password"), []byte(relayPassword+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	g := give(t, fmt.Sprintf("issuer: node, node: {url: '%s/node_api', user: sluice, password_file: %s/password, ca_file: %s/ca.pem, %s}", n.URL, dir, dir, settings), setup{})
	g.keep(relayPassword, storageSecret, nodeToken, "s3cr3t", "c2x1aWNlOn")
	return g
}

// TestTheNodeIsAskedForWhatIsAllowed, and what it answers is given back with the
// grant.
func TestTheNodeIsAskedForWhatIsAllowed(t *testing.T) {
	t.Parallel()
	n := newStandIn(t)
	g := n.relay(t, "timeout: 30s")
	a := g.ask(t, "/node_api/files/upload_setup", "nodeuser", nodePassword, `{"transfer_requests":[
		{"transfer_request":{"paths":[{"source":"a.mov"}],"destination_root":"//ingest/./a/","token_life_seconds":999999,"unknown":{"n":12345678901234567890},"tags":{"project":"aurora"}}},
		{"transfer_request":{"paths":[{"source":"../a.mov"}],"destination_root":"/ingest"}},
		{"transfer_request":{"paths":[{}],"destination_root":"/ingest/b"}}]}`, "X-Aspera-Storage-Credentials", storageSecret)
	if len(a.specs) != 3 || a.specs[0].Spec["token"] != nodeToken || a.specs[2].Spec["token"] != nodeToken || a.specs[1].Error == nil || a.specs[1].Error.Code != http.StatusBadRequest {
		t.Fatalf("%d %s", a.status, a.body)
	}
	asked := *n.requests.Load()
	if len(asked) != 2 || asked[0]["destination_root"] != "/ingest/a" || asked[0]["token_life_seconds"] != 86400.0 || asked[0]["unknown"] == nil || asked[1]["destination_root"] != "/ingest/b" {
		t.Errorf("the node is asked %s", marshaled(t, asked))
	}
	if *n.storage.Load() != storageSecret {
		t.Errorf("the header X-Aspera-Storage-Credentials is %q", *n.storage.Load())
	}
	for i, folder := range map[int]string{0: "/ingest/a/a.mov", 2: "/ingest/b"} {
		tags, _ := a.specs[i].Spec["tags"].(map[string]any)
		g.moves(t, "", tags, "--as", folder, "--user", "lion")
		g.moves(t, notCovered, tags, "--as", "/ingest/c", "--user", "lion")
	}
	a = g.ask(t, "/files/download_setup", "nodeuser", nodePassword, `{"transfer_requests":[{"transfer_request":{"paths":[{"source":"/out/a.mov"}]}}]}`)
	if a.why() != "" || a.specs[0].Spec["direction"] != "receive" || a.specs[0].Spec["token"] != nodeToken || *n.storage.Load() != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	before := n.asked.Load()
	if a := g.upload(t, `"paths":[{"source":"a"}],"destination_root":"s3://KEY:s3cr3t@bucket"`); !strings.HasPrefix(a.why(), "400 ") || n.asked.Load() != before {
		t.Errorf("the node is asked about what is refused: %s", a.body)
	}
	if status, body := g.ready(t); status != http.StatusOK || !strings.HasPrefix(body, "ready: ") {
		t.Errorf("%d %s", status, body)
	}
}

// TestANodeThatFails is not the caller's fault, and shows in readiness until it
// answers again.
func TestANodeThatFails(t *testing.T) {
	t.Parallel()
	n := newStandIn(t)
	g := n.relay(t, "timeout: 30s")
	const bad = "502 The transfer server behind this service could not be asked, or gave no usable answer. Try again later, or tell the server's administrator."
	const head = "HTTP/1.1 200 OK\nContent-Type: application/json\n"
	for _, tc := range []struct {
		name   string
		how    func(http.ResponseWriter, []byte)
		want   string // What the caller gets; nothing is a token.
		status int
	}{
		{"good", plain(http.StatusOK), "", 200},
		{"a second status line after the body, and the end", raw(head + "Connection: close\n\nGOODHTTP/1.1 500 Internal Server Error\nContent-Length: 0\n\n"), "", 200},
		{"the same with a length", raw(head + "Content-Length: LENGTH\n\nGOODHTTP/1.1 500 Internal Server Error\nContent-Length: 0\n\n"), "", 200},
		{"a text after the answer", raw(head + "Connection: close\n\nGOOD\";\n"), "", 200},
		{"twice in one body", raw(head + "Connection: close\n\nGOODGOOD"), "", 200},
		{"twice on the connection", raw(head + "Content-Length: LENGTH\n\nGOOD" + head + "Content-Length: LENGTH\n\nGOOD"), "", 200},
		{"half of it", raw(head + "Content-Length: LENGTH\n\n{\"transfer_specs\":[{\"trans"), bad, 502},
		{"half of it, and no length", raw(head + "Connection: close\n\n{\"transfer_specs\":[{\"trans"), bad, 502},
		{"nothing", raw(""), bad, 502},
		{"no HTTP", raw("SSH-2.0-OpenSSH_9.2\n"), bad, 502},
		{"no JSON", text(200, "<html>"), bad, 502},
		{"an empty list", text(200, `{"transfer_specs":[]}`), bad, 502},
		{"two answers to one request", text(200, `{"transfer_specs":[{"error":{"code":403}},{"error":{"code":403}}]}`), bad, 502},
		{"another direction", func(w http.ResponseWriter, good []byte) {
			text(200, strings.Replace(string(good), `"direction":"send"`, `"direction":"receive"`, 1))(w, nil)
		}, bad, 502},
		{"another user", func(w http.ResponseWriter, good []byte) {
			text(200, strings.Replace(string(good), `"remote_user":"lion"`, `"remote_user":"root"`, 1))(w, nil)
		}, bad, 502},
		{"another folder", func(w http.ResponseWriter, good []byte) {
			text(200, strings.Replace(string(good), `"destination_root":"/ingest/a"`, `"destination_root":"/"`, 1))(w, nil)
		}, bad, 502},
		{"a fault", text(500, `{"error":{"code":500,"reason":"Internal Server Error","user_message":"core dumped `+relayPassword+`"}}`), bad, 502},
		{"our password is wrong", text(401, `{"error":{"code":401,"reason":"Unauthorized","user_message":"authentication failed"}}`), bad, 502},
		{"a redirect", func(w http.ResponseWriter, _ []byte) {
			w.Header().Set("Location", "https://elsewhere.example.com/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, bad, 502},
		{"a refusal", text(200, `{"transfer_specs":[{"error":{"code":404,"reason":"Not Found","user_message":"no such folder"}}]}`), "404 no such folder", 200},
		{"a refusal of all", text(400, `{"error":{"code":400,"reason":"Bad Request","user_message":"no such\nfolder"}}`), "400 no such", 400},
		{"good again", plain(http.StatusOK), "", 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n.answer(tc.how)
			a := g.upload(t, wants("/ingest/a"))
			if a.status != tc.status || tc.want == "" != (a.why() == "") || !strings.HasPrefix(a.why(), tc.want) {
				t.Fatalf("%d %s, want %s", a.status, a.body, tc.want)
			}
			if tc.want == "" {
				g.moves(t, "", a.tags(t), "--as", "/ingest/a", "--user", "lion")
			}
			status, body := g.ready(t)
			if wanted := map[bool]string{true: "degraded: ", false: "ready: "}[tc.status == 502]; status != http.StatusOK || !strings.HasPrefix(body, wanted) {
				t.Errorf("/readyz: %d %s, want %s", status, body, wanted)
			}
			if tc.status == 502 && !strings.Contains(body, "\nthe node that makes tokens has not answered since 2") {
				t.Errorf("/readyz: %s", body)
			}
			if tc.status == 502 && len(g.logged(t, "no tokens from the node")) == 0 {
				t.Error("the log does not say why")
			}
		})
	}
	if m := g.metrics(t); m.sum("sluice_tokens_total", "issuer", "node", "result", "failed") == 0 || m.sum("sluice_tokens_total", "issuer", "node", "result", "granted") != 7 {
		t.Errorf("the tokens are counted as %+v", m.with("sluice_tokens_total"))
	}
}

// TestASlowNode costs its caller the time limit, and nobody else anything.
func TestASlowNode(t *testing.T) {
	t.Parallel()
	n := newStandIn(t)
	ended := make(chan struct{})
	n.answer(func(http.ResponseWriter, []byte) { <-ended })
	g := n.relay(t, "timeout: 200ms")
	defer close(ended)
	if a := g.upload(t, wants("/ingest/a")); !strings.HasPrefix(a.why(), "504 The transfer server behind this service did not answer in time.") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if status, body := g.ready(t); status != http.StatusOK || !strings.HasPrefix(body, "degraded: ") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if a := g.post(t, file("/ingest/a/clip.mov")); a.message != noGrant {
		t.Errorf("a file event: %d %s", a.status, a.body)
	}
}

// TestANodeThatIsAnother is not asked: its certificate must hold.
func TestANodeThatIsAnother(t *testing.T) {
	t.Parallel()
	n := newStandIn(t)
	for name, settings := range map[string]string{
		"a pin of another key":        "pin_sha256: " + strings.Repeat("ab", 32),
		"authorities of the system":   "timeout: 30s",
		"nobody listens at that port": "url: 'https://127.0.0.1:1'",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "password"), []byte(relayPassword), 0o600); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(settings, "url:") {
				settings += ", url: '" + n.URL + "'"
			}
			g := give(t, fmt.Sprintf("issuer: node, node: {user: sluice, password_file: %s/password, %s}", dir, settings), setup{})
			if a := g.upload(t, wants("/ingest/a")); a.status != http.StatusBadGateway {
				t.Errorf("%d %s", a.status, a.body)
			}
			if n.asked.Load() != 0 {
				t.Error("it is asked")
			}
		})
	}
}
