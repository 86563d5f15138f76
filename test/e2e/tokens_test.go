package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode"
)

// The passwords of clients, and their hashes, at costs that only tests have. The
// first is that of the documentation.
const (
	nodePassword = "nodepassword"
	nodeHash     = "$argon2id$v=19$m=8192,t=1,p=1$PbvxEDq1PZWhxzkt3Ly3Ag$2Bikkvkp35phxItawnP9KUBebZYFwvPKSHiR3QG2CAs"
	nextPassword = "second password"
	nextHash     = "$argon2id$v=19$m=8192,t=1,p=1$ILZOegiNg5LPnbJicXz9tA$bdzR26K4nxBMJwBkRlCgQOLqV3sNxZ5mASo0A/Kd9Is"
)

// clientsDocument has nodeuser, who may ask for what globs say, both ways, for the
// account lion.
func clientsDocument(hash string, globs ...string) string {
	list, _ := json.Marshal(globs)
	return fmt.Sprintf("version: 1\nclients:\n  - {name: nodeuser, password_hash: %q, transfer_user: lion, upload: %s, download: %s, max_life: 24h}\n", hash, list, list)
}

// mustBeGranted is a policy that holds all transfers to their grants.
const mustBeGranted = "version: 1\npolicy: granted\nrules:\n  - name: granted\n    grant: {required: true}\n"

// anywhere is a policy set in which nodeuser may ask for everything.
func anywhere() map[string]string {
	return map[string]string{"clients.yaml": clientsDocument(nodeHash, "/**"), "granted.yaml": mustBeGranted}
}

// giver is a running service that gives out tokens.
type giver struct {
	*server
	url    string // Of the token endpoint.
	dir    string // Of its keys.
	client *http.Client

	mu      sync.Mutex
	secrets []string // What must not be in the log.
}

// give starts a service with a token endpoint at an address of its own. Its key is
// in a folder of its own too, unless the configuration says where. At the end the
// log is searched for the passwords, and for all tokens that were given out.
func give(t *testing.T, tokens string, o setup) *giver {
	t.Helper()
	g := &giver{dir: t.TempDir(), client: http.DefaultClient}
	g.keep(nodePassword, nodeHash, nextPassword, nextHash, "bm9kZXVzZXI6", "argon2id")
	if o.policies == nil {
		o.policies = anywhere()
	}
	if !strings.Contains(o.config, "grants:") {
		o.config += "grants: {key_file: " + filepath.Join(g.dir, "grant-key.pem") + ", skew: 0s}\n"
	}
	if !strings.Contains(tokens, "listen:") {
		tokens = "listen: 127.0.0.1:0, " + tokens
	}
	o.config += "tokens: {" + tokens + "}\n"
	t.Cleanup(func() { // After the service has ended, because that was added later.
		if g.server != nil {
			g.discreet(t)
		}
	})
	g.server = start(t, o)
	told := g.logged(t, "tokens are given out")[0]
	g.url = "http://" + told.text("listen")
	if told.text("listen") == "service" {
		g.url = "http://" + g.service
	}
	return g
}

// keep adds what must not be in the log.
func (g *giver) keep(secrets ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.secrets = append(g.secrets, secrets...)
}

// discreet fails the test if the log has a secret.
func (g *giver) discreet(t *testing.T) {
	t.Helper()
	lines := g.log.all()
	if len(lines) == 0 {
		t.Error("there is no log")
	}
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.raw + "\n")
	}
	for _, secret := range g.secrets {
		if strings.Contains(text.String(), secret) {
			t.Errorf("the log has %.40q", secret)
		}
	}
}

// nodeFault is an error in the form of the Node API, members in this order.
type nodeFault struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"user_message"`
}

// given is an answer of the token endpoint.
type given struct {
	status int
	header http.Header
	body   string
	fault  *nodeFault // Of the whole call.
	specs  []struct {
		Spec  map[string]any `json:"transfer_spec"`
		Error *nodeFault     `json:"error"`
	}
}

// why returns the first error of an answer, or nothing.
func (a given) why() string {
	switch {
	case a.fault != nil:
		return fmt.Sprintf("%d %s", a.fault.Code, a.fault.Message)
	case len(a.specs) > 0 && a.specs[0].Error != nil:
		return fmt.Sprintf("%d %s", a.specs[0].Error.Code, a.specs[0].Error.Message)
	default:
		return ""
	}
}

// tags returns those of the first transfer_spec.
func (a given) tags(t *testing.T) map[string]any {
	t.Helper()
	if len(a.specs) == 0 || a.specs[0].Spec == nil {
		t.Fatalf("there is no transfer_spec: %d %s", a.status, a.body)
	}
	tags, _ := a.specs[0].Spec["tags"].(map[string]any)
	return tags
}

// grantIn returns the signed grant of tags.
func grantIn(tags map[string]any) string {
	ours, _ := tags["sluice"].(map[string]any)
	text, _ := ours["grant"].(string)
	return text
}

// judgeGiven reads an answer, and holds it against what callers are promised: 200
// and an answer to each request, or an error of one form.
func judgeGiven(response *http.Response) (a given, err error) {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a = given{status: response.StatusCode, header: response.Header, body: string(body)}
	if err != nil {
		return a, fmt.Errorf("the answer is cut off: %w", err)
	}
	if kind := response.Header.Get("Content-Type"); kind != "application/json" {
		return a, fmt.Errorf("the answer is %q, %q", kind, a.body)
	}
	var read struct {
		Specs json.RawMessage `json:"transfer_specs"`
		Error *nodeFault      `json:"error"`
	}
	if err := json.Unmarshal(body, &read); err != nil {
		return a, fmt.Errorf("the answer is %q: %w", a.body, err)
	}
	if a.fault = read.Error; a.fault != nil || a.status != http.StatusOK {
		return a, a.isStandard()
	}
	if err := json.Unmarshal(read.Specs, &a.specs); err != nil {
		return a, fmt.Errorf("the answer is %q: %w", a.body, err)
	}
	if len(a.specs) == 0 {
		return a, fmt.Errorf("the answer has no transfer_specs: %q", a.body)
	}
	for _, s := range a.specs {
		if (s.Spec == nil) == (s.Error == nil) {
			return a, fmt.Errorf("a request is not answered by either a transfer_spec or an error: %s", a.body)
		}
		if s.Error != nil {
			if err := s.Error.isFit(); err != nil {
				return a, err
			}
		}
	}
	return a, nil
}

// isStandard says how an answer is not an error in the form of the Node API.
func (a given) isStandard() error {
	if a.fault == nil || a.status == http.StatusOK || a.fault.Code != a.status || a.status == http.StatusInternalServerError {
		return fmt.Errorf("the answer is %d %q", a.status, a.body)
	}
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]*nodeFault{"error": a.fault}); err != nil {
		return err
	}
	if want.String() != a.body {
		return fmt.Errorf("the error is %q, want %q", a.body, want.String())
	}
	return a.fault.isFit()
}

// isFit says how an error is not fit to be shown.
func (f *nodeFault) isFit() error {
	if f.Code < 400 || f.Code > 599 || f.Code == http.StatusInternalServerError || f.Reason != http.StatusText(f.Code) || f.Message == "" || len(f.Message) > 700 ||
		strings.ContainsFunc(f.Message, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("the error is %+v", f)
	}
	return nil
}

// noted keeps what must not be in the log of an answer.
func (g *giver) noted(a given) given {
	for _, s := range a.specs[:min(len(a.specs), 10)] { // Each is looked for in the whole log.
		tags, _ := s.Spec["tags"].(map[string]any)
		token, _ := s.Spec["token"].(string)
		for _, text := range []string{token, grantIn(tags)} {
			if text == "" {
				continue
			}
			g.keep(text)
			if parts := strings.Split(text, "."); len(parts) == 3 {
				g.keep(parts[1], parts[2])
			}
		}
	}
	return a
}

// ask asks for tokens. Headers come in pairs.
func (g *giver) ask(t *testing.T, path, user, password, body string, headers ...string) given {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		request.SetBasicAuth(user, password)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := g.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	a, err := judgeGiven(response)
	if err != nil {
		t.Fatal(err)
	}
	return g.noted(a)
}

// upload asks as nodeuser for one upload, by the members of a transfer_request.
func (g *giver) upload(t *testing.T, members string) given {
	t.Helper()
	return g.ask(t, "/files/upload_setup", "nodeuser", nodePassword, `{"transfer_requests":[{"transfer_request":{`+members+`}}]}`)
}

// wants are the members for anywhere below a folder.
func wants(folder string) string {
	return fmt.Sprintf(`"paths":[{}],"destination_root":%q`, folder)
}

// curl runs curl with nodeuser's credentials, as the documentation of the Node API
// has it, and returns what it prints.
func (g *giver) curl(t *testing.T, args ...string) (status string, a given) {
	t.Helper()
	args = append([]string{"-s", "-i", "-X", "POST", "-u", "nodeuser:" + nodePassword}, args...)
	out, err := exec.Command(installed(t, "curl", "curl"), args...).Output()
	if err != nil {
		t.Fatalf("curl %q: %v", args, err)
	}
	head, body, _ := strings.Cut(string(out), "\r\n\r\n")
	status, fields, _ := strings.Cut(head, "\r\n")
	a.body, a.header = body, http.Header{}
	for field := range strings.SplitSeq(fields, "\r\n") {
		name, value, _ := strings.Cut(field, ": ")
		a.header.Add(name, value)
	}
	var version string
	if _, err := fmt.Sscanf(status, "HTTP/%s %d", &version, &a.status); err != nil {
		t.Fatalf("curl %q: %q", args, out)
	}
	b, err := judgeGiven(&http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(body))})
	if err != nil {
		t.Fatal(err)
	}
	return status, g.noted(b)
}

// TestTheDocumentedExamplesGetTokens: those of the Node API, with curl, as they
// stand: what is posted is a form by its type and ends in a stray quote and
// semicolon.
func TestTheDocumentedExamplesGetTokens(t *testing.T) {
	t.Parallel()
	g := give(t, "transfer: {remote_host: hst.example.com, ssh_port: 22}", setup{})
	for _, tc := range []struct {
		name, path, data string
		want             map[string]any
	}{
		{"upload anywhere", "/files/upload_setup", "@testdata/tokens/upload_anywhere.txt", map[string]any{
			"paths": []any{map[string]any{}}, "source_root": "", "destination_root": "/", "direction": "send",
		}},
		{"download anywhere", "/files/download_setup", "@testdata/tokens/download_anywhere.txt", map[string]any{
			"paths": []any{map[string]any{}}, "source_root": "/", "direction": "receive",
		}},
		{"Shares, upload", "/node_api/files/upload_setup", "@testdata/tokens/upload_anywhere.txt", map[string]any{"direction": "send", "destination_root": "/"}},
		{"Shares, download", "/node_api/files/download_setup", "@testdata/tokens/download_anywhere.txt", map[string]any{"direction": "receive", "source_root": "/"}},
		{"a list of pairs in a file", "/files/upload_setup", "@testdata/tokens/upload_setup.json", map[string]any{"direction": "send", "destination_root": "/", "paths": []any{
			map[string]any{"destination": "/archive/monday/texts/first_thing", "source": "/monday/first_thing.txt"},
			map[string]any{"destination": "/archive/monday/texts/next_thing", "source": "/monday/next_thing.txt"},
			map[string]any{"destination": "/archive/monday/texts/last_thing", "source": "/monday/last_thing.txt"},
		}}},
		{"a list to download", "/files/download_setup", "@testdata/tokens/download_setup.json", map[string]any{"direction": "receive", "paths": []any{
			map[string]any{"source": "/archive/monday/texts/first_thing"}, map[string]any{"source": "/archive/monday/texts/next_thing"},
		}}},
		{"the same, typed", "/files/upload_setup", `{ "transfer_requests" : [ { "transfer_request" : { "paths" : [{}], "destination_root" : "/" } } ] }";`, map[string]any{"direction": "send"}},
		{"what a client probes with", "/files/download_setup", `{"transfer_requests":[{"transfer_request":{"paths":[{"source":"/"}]}}]}`, map[string]any{"direction": "receive"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, a := g.curl(t, "-d", tc.data, g.url+tc.path)
			if status != "HTTP/1.1 200 OK" || len(a.specs) != 1 {
				t.Fatalf("%s %s", status, a.body)
			}
			spec := a.specs[0].Spec
			tc.want["remote_user"], tc.want["remote_host"], tc.want["ssh_port"] = "lion", "hst.example.com", 22.0
			tc.want["rate_policy"], tc.want["cipher"] = "fair", "aes-128"
			for name, want := range tc.want {
				if got, _ := json.Marshal(spec[name]); string(got) != marshaled(t, want) {
					t.Errorf("%s is %s, want %s", name, got, marshaled(t, want))
				}
			}
			token, _ := spec["token"].(string)
			aspera, _ := a.tags(t)["aspera"].(map[string]any)
			if token == "" || token != grantIn(a.tags(t)) || !uuid7.MatchString(fmt.Sprint(aspera["xfer_id"])) || !uuid7.MatchString(a.header.Get("X-Sluice-Decision")) {
				t.Errorf("token %q in %s", token, a.body)
			}
		})
	}
}

func marshaled(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheDocumentedListLacksAComma, and the answer says where.
func TestTheDocumentedListLacksAComma(t *testing.T) {
	t.Parallel()
	g := give(t, "issuer: local", setup{})
	status, a := g.curl(t, "--data-binary", "@testdata/tokens/upload_setup_as_documented.json", g.url+"/files/upload_setup")
	const want = "400 The request could not be read: it is not JSON, a comma or a closing brace is missing, at byte 392 (line 13, column 18)."
	if status != "HTTP/1.1 400 Bad Request" || a.why() != want {
		t.Errorf("%s %s, want %s", status, a.why(), want)
	}
	if _, a := g.curl(t, "-d", `"transfer_requests" : [`, g.url+"/files/upload_setup"); a.status != http.StatusBadRequest {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestTokensAtTheAddressOfFileEvents: one listener serves both.
func TestTokensAtTheAddressOfFileEvents(t *testing.T) {
	t.Parallel()
	g := give(t, "listen: service", setup{policies: map[string]string{
		"clients.yaml": clientsDocument(nodeHash, "/ingest/**"), "films.yaml": onlyExtension("mov"),
	}})
	if a := g.upload(t, wants("/ingest/a")); a.why() != "" {
		t.Errorf("%s", a.body)
	}
	if a := g.upload(t, wants("/")); a.why() != `403 1006: This client may not ask for a token for "/" and everything below it. Ask the server's administrator.` {
		t.Errorf("%s", a.body)
	}
	if a := g.upload(t, `"paths":[{"source":"a.exe"}],"destination_root":"/ingest"`); !strings.HasPrefix(a.why(), "403 1022: ") {
		t.Errorf("%s", a.body)
	}
	if a := g.post(t, event()); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}
