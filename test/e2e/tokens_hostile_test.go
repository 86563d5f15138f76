package e2e

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// basic is a header with nodeuser's credentials.
var basic = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("nodeuser:"+nodePassword))

// say sends a text to the token endpoint on a connection of its own, and reads the
// answer. The text may need not be read to its end.
func (g *giver) say(t *testing.T, text string) given {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = conn.Write([]byte(text)) }()
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodPost})
	if err != nil {
		t.Fatal(err)
	}
	a, err := judgeGiven(response)
	if err != nil {
		t.Fatal(err)
	}
	return g.noted(a)
}

// gives fails the test unless the endpoint still gives out tokens, and decides.
func (g *giver) gives(t *testing.T) {
	t.Helper()
	if a := g.upload(t, wants("/ingest/a")); a.why() != "" {
		t.Errorf("no token is given out any more: %d %s", a.status, a.body)
	}
	if a := g.post(t, file("/ingest/a/clip.mov")); a.message != noGrant {
		t.Errorf("a file event is answered %d %s", a.status, a.body)
	}
}

// listed is a request for many paths.
func listed(n int, format string) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"source":"x","destination":%q}`, fmt.Sprintf(format, i)))
	}
	return `"destination_root":"/ingest","paths":[` + strings.Join(list, ",") + "]"
}

// TestHostileTokenRequestsGetAStandardError: never a 500, and the service goes on.
func TestHostileTokenRequestsGetAStandardError(t *testing.T) {
	t.Parallel()
	g := give(t, "issuer: local", setup{config: "limits: {body: 2 MiB}\n"})
	one := func(members string) string { return `{"transfer_requests":[{"transfer_request":{` + members + `}}]}` }
	in := func(path string) string {
		return one(`"paths":[{"source":"x","destination":` + path + `}],"destination_root":"/ingest"`)
	}
	for _, tc := range []struct{ name, body, want string }{
		{"10,000 paths", one(listed(10_000, "a/%d.mov")), ""},
		{"10,000 folders", one(listed(10_000, "%d/")), ""},
		{"10,001 paths", one(listed(10_001, "a/%d.mov")), "400 There are 10001 paths, and 10000 may be asked for in one call."},
		{"1,000 requests", `{"transfer_requests":[` + strings.Repeat(`{"transfer_request":{"paths":[{}],"destination_root":"/"}},`, 999) + `{"transfer_request":{"paths":[{}],"destination_root":"/"}}]}`, ""},
		{"1,001 requests", `{"transfer_requests":[` + strings.Repeat(`{},`, 1000) + `{}]}`, "400 There are 1001 transfer_requests"},
		{"tags 60 deep", one(wants("/ingest") + `,"tags":` + strings.Repeat(`{"a":`, 58) + "1" + strings.Repeat("}", 58)), ""},
		{"tags 5,000 deep", one(wants("/ingest") + `,"tags":` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)), "400 The request could not be read: it is nested too deep, at byte 392"},
		{"an array 100,000 deep", strings.Repeat("[", 100_000), "400 The request could not be read: "},
		{"nothing", "", "400 The request could not be read: it is empty."},
		{"an array", "[]", "400 The request could not be read: it is not a JSON object"},
		{"no members", "{}", "400 There are no transfer_requests."},
		{"an object for the requests", `{"transfer_requests":{"transfer_request":{}}}`, "400 transfer_requests is not an array."},
		{"null for a request", `{"transfer_requests":[null]}`, "400 This is not an object."},
		{"an array for a request", `{"transfer_requests":[{"transfer_request":[]}]}`, "400 There is no object transfer_request."},
		{"an object for the paths", one(`"paths":{"source":"a"},"destination_root":"/"`), "400 paths is not an array."},
		{"a text for a path", one(`"paths":["/a"],"destination_root":"/"`), "400 paths[0] is not an object."},
		{"an object for a source", one(`"paths":[{"source":{}}],"destination_root":"/"`), "400 paths[0].source is not a string."},
		{"an array for the root", one(`"paths":[{}],"destination_root":["/"]`), "400 destination_root is not a string."},
		{"an array for the tags", one(wants("/") + `,"tags":[]`), "400 tags is not an object."},
		{"a text for our tags", one(wants("/") + `,"tags":{"sluice":"x"}`), "400 tags.sluice is not an object."},
		{"an object for the cookie", one(wants("/") + `,"cookie":{}`), "400 cookie is not a string."},
		{"no paths", one(`"paths":[],"destination_root":"/"`), "400 There are no paths. Write [{}] for anywhere below the root."},
		{"no root", one(`"paths":[{}]`), "400 It is not said where the files go."},
		{"..", in(`"../../etc/passwd"`), `400 paths[0].destination: "../../etc/passwd" has ".."`},
		{".. in the root", one(`"paths":[{}],"destination_root":"/ingest/../.."`), `400 destination_root: "/ingest/../.." has ".."`},
		{".. between backslashes", in(`"a\\..\\..\\b"`), `400 paths[0].destination: `},
		{".. of the client's", one(`"paths":[{"source":"/x/../../y"}],"destination_root":"/ingest"`), `400 paths[0].source: "/x/../../y" has ".."`},
		{"%2e%2e is a name", in(`"%2e%2e/%2e%2e/etc"`), ""},
		{"%00 is a name", in(`"a%00b"`), ""},
		{"NUL", in(`"a\u0000.exe"`), `400 paths[0].destination: `},
		{"NUL as it is", in("\"a\x00b\""), "400 The request could not be read: "},
		{"a line break", in(`"a\nb"`), "400 paths[0].destination: "},
		{"mixed slashes", in(`"/\\//a\\b/./c"`), ""},
		{"a Windows path", in(`"C:\\data"`), "400 paths[0].destination: "},
		{"a share", in(`"\\\\host\\share"`), "400 paths[0].destination: "},
		{"object storage", in(`"s3://KEY:s3cr3t@bucket/a"`), "400 paths[0].destination: "},
		{"a path of 5,000 bytes", in(`"` + strings.Repeat("a", 5000) + `"`), "400 paths[0].destination: "},
		{"half a surrogate", in(`"\ud800"`), "400 The request could not be read: "},
		{"not UTF-8", in("\"\xff\""), "400 The request could not be read: "},
		{"turned round", in(`"a\u202egnp.exe"`), ""},
		{"a member twice", one(wants("/ingest") + `,"destination_root":"/"`), "400 The request could not be read: "},
		{"a huge lifetime", one(wants("/ingest") + `,"token_life_seconds":9999999999999999999999`), ""},
		{"a lifetime of a million digits", one(wants("/ingest") + `,"token_life_seconds":` + strings.Repeat("9", 1_000_000)), "400 "},
		{"no lifetime", one(wants("/ingest") + `,"token_life_seconds":0`), "400 token_life_seconds is not a whole number above 0"},
		{"a negative lifetime", one(wants("/ingest") + `,"token_life_seconds":-1`), "400 token_life_seconds is not a whole number above 0"},
		{"a lifetime with an exponent", one(wants("/ingest") + `,"token_life_seconds":1e99`), "400 token_life_seconds is not a whole number above 0"},
		{"a number beyond all bounds", one(wants("/ingest") + `,"target_rate_kbps":1e999999999`), "400 The request could not be read: a number has more than 64 characters"},
		{"a folder by its number", one(wants("/ingest") + `,"destination_root_id":"7"`), "400 destination_root_id says nothing about the path"},
		{"a byte-order mark", "\ufeff" + one(wants("/ingest")), "400 The request could not be read: it begins with a byte-order mark"},
		{"a body beyond the limit", strings.Repeat(" ", 3<<20), "413 The request is larger than 2 MiB."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := g.ask(t, "/files/upload_setup", "nodeuser", nodePassword, tc.body)
			if tc.want == "" != (a.why() == "") || !strings.HasPrefix(a.why(), tc.want) {
				t.Errorf("%.300s, want %s", a.why()+" "+a.body, tc.want)
			}
			if strings.Contains(a.body, "s3cr3t") {
				t.Errorf("the answer has a secret: %s", a.body)
			}
			if tags := a.body; tc.want == "" && len(a.specs) == 1 && len(grantIn(a.tags(t))) > 32<<10 {
				t.Errorf("the grant has %d bytes", len(tags))
			}
		})
	}
	g.gives(t)
}

// TestHostileHeadersOfTokenRequests: tricks with headers and framing.
func TestHostileHeadersOfTokenRequests(t *testing.T) {
	t.Parallel()
	g := give(t, "issuer: local", setup{config: "limits: {read_time: 1s, header: 16 KiB}\n"})
	body := `{"transfer_requests":[{"transfer_request":{` + wants("/ingest/a") + `}}]}`
	ask := func(body string, headers ...string) string {
		return request("POST", "/files/upload_setup", body, headers...)
	}
	wrong := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("nodeuser:wrong"))
	for _, tc := range []struct{ name, said, want string }{
		{"as it should be", ask(body, basic), ""},
		{"in chunks", ask(chunked(body, 7), basic, "Transfer-Encoding: chunked"), ""},
		{"in small letters", ask(body, strings.Replace(strings.ToLower(basic[:21]), "\x00", "", 1)+basic[21:]), ""},
		{"no credentials", ask(body), "401 authentication failed: "},
		{"right and wrong", ask(body, basic, wrong), "400 The header Authorization is there more than once."},
		{"wrong and right", ask(body, wrong, basic), "400 The header Authorization is there more than once."},
		{"the same twice", ask(body, basic, basic), "400 The header Authorization is there more than once."},
		{"storage credentials twice", ask(body, basic, "X-Aspera-Storage-Credentials: a", "X-Aspera-Storage-Credentials: b"), "400 The header X-Aspera-Storage-Credentials is there more than once."},
		{"a bearer token", ask(body, "Authorization: Bearer "+strings.Repeat("a", 100)), "401 authentication failed: "},
		{"no base64", ask(body, "Authorization: Basic !!!!"), "401 authentication failed: "},
		{"no colon", ask(body, "Authorization: Basic bm9kZXVzZXI="), "401 authentication failed: "},
		{"an empty name", ask(body, "Authorization: Basic OnBhc3N3b3Jk"), "401 authentication failed: "},
		{"a name of 8,000 bytes", ask(body, "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("n", 8000)+":p"))), "401 authentication failed: "},
		{"NUL in the password", ask(body, "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("nodeuser:"+nodePassword+"\x00"))), "401 authentication failed: "},
		{"another method by a header", ask(body, basic, "X-HTTP-Method-Override: DELETE"), ""},
		{"another path by a header", ask(body, basic, "X-Original-URL: /files/download_setup"), ""},
		{"chunks that are none", ask("zz\r\n"+body+"\r\n0\r\n\r\n", basic, "Transfer-Encoding: chunked"), "400 The request did not arrive whole. Try again."},
		{"a body that does not come", ask(body[:20], basic, "Content-Length: 5000"), "408 The request did not arrive in time. Try again."},
		{"a length of nothing", ask("", basic, "Content-Length: 0"), "400 The request could not be read: it is empty."},
		{"another method", request("GET", "/files/upload_setup", "", basic), "405 This is asked for with POST, not with GET."},
		{"a method that nobody knows", request("BREW", "/files/upload_setup", body, basic), "405 This is asked for with POST, not with BREW."},
		{"another path", request("POST", "/files/upload_setup/x", body, basic), "404 Nothing is served here."},
		{"a path with ..", request("POST", "/files/../files/upload_setup", body, basic), "404 Nothing is served here."},
		{"a path with a percent sign", request("POST", "/files%2fupload_setup", body, basic), ""},
		{"slashes in plenty", request("POST", "//node_api///files//upload_setup//", body, basic), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := g.say(t, tc.said)
			if tc.want == "" != (a.why() == "") || !strings.HasPrefix(a.why(), tc.want) {
				t.Errorf("%d %s, want %s", a.status, a.body, tc.want)
			}
			if challenge := a.header.Get("WWW-Authenticate"); (a.status == http.StatusUnauthorized) != strings.HasPrefix(challenge, `Basic realm="sluice"`) {
				t.Errorf("%d has the challenge %q", a.status, challenge)
			}
		})
	}
	g.gives(t)
}

// TestGuessingPasswordsIsSlowedDown: who fails ten times in a minute is not looked
// at for a while, and others are.
func TestGuessingPasswordsIsSlowedDown(t *testing.T) {
	t.Parallel()
	g := give(t, "issuer: local", setup{})
	body := `{"transfer_requests":[{"transfer_request":{` + wants("/ingest/a") + `}}]}`
	guess := func() given { return g.ask(t, "/files/upload_setup", "nobody", "guess", body) }
	for range 10 {
		if a := guess(); a.status != http.StatusUnauthorized || a.why() != "401 authentication failed: unknown client or wrong password" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if a := guess(); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	g.gives(t)
	await(t, "ten lines tell of failures", func() bool { return len(g.log.find("authentication failed", "client", "nobody")) == 10 })
	if m := g.metrics(t); m.sum("sluice_tokens_total", "result", "unauthenticated") != 10 || m.sum("sluice_tokens_total", "result", "throttled") != 1 {
		t.Errorf("they are counted as %+v", m.with("sluice_tokens_total", "endpoint", "upload_setup"))
	}
}

// TestClientsChangeWithoutARestart: the new password works and the old one stops,
// although it was remembered.
func TestClientsChangeWithoutARestart(t *testing.T) {
	t.Parallel()
	g := give(t, "issuer: local", setup{config: still})
	login := func(password string) int {
		t.Helper()
		return g.ask(t, "/files/upload_setup", "nodeuser", password, `{"transfer_requests":[{"transfer_request":{`+wants("/ingest/a")+`}}]}`).status
	}
	reload := func(status int) {
		t.Helper()
		if got, body := g.server.ask(t, http.MethodPost, "/-/reload"); got != status {
			t.Fatalf("%d %s", got, body)
		}
	}
	if old, next := login(nodePassword), login(nextPassword); old != http.StatusOK || next != http.StatusUnauthorized {
		t.Fatalf("before: %d and %d", old, next)
	}
	g.edit(t, "clients.yaml", strings.Replace(clientsDocument(nextHash, "/**"), "nodeuser", "node user", 1))
	reload(http.StatusUnprocessableEntity) // No client has such a name: the old ones stay.
	if old := login(nodePassword); old != http.StatusOK {
		t.Errorf("after a mistake: %d", old)
	}
	g.edit(t, "clients.yaml", clientsDocument(nextHash, "/ingest/**"))
	reload(http.StatusOK)
	if old, next := login(nodePassword), login(nextPassword); old != http.StatusUnauthorized || next != http.StatusOK {
		t.Errorf("after: %d and %d", old, next)
	}
	if a := g.ask(t, "/files/upload_setup", "nodeuser", nextPassword, `{"transfer_requests":[{"transfer_request":{`+wants("/other")+`}}]}`); !strings.HasPrefix(a.why(), "403 1006: ") {
		t.Errorf("the new globs do not hold: %s", a.body)
	}
	g.edit(t, "clients.yaml", strings.Replace(clientsDocument(nextHash, "/**"), "nodeuser", "another", 1))
	reload(http.StatusOK)
	if gone := login(nextPassword); gone != http.StatusUnauthorized {
		t.Errorf("a client that is gone: %d", gone)
	}
}

// TestTokensOverTLS: what a portal does.
func TestTokensOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, key := newCertificate(t, dir)
	g := give(t, fmt.Sprintf("tls: {cert_file: %s, key_file: %s}", certificate, key), setup{})
	g.url = strings.Replace(g.url, "http://", "https://", 1)
	tags := g.requested(t, "--upload", "/ingest/a", "--ca", certificate)
	g.moves(t, "", tags, "--as", "/ingest/a", "--user", "lion")
	status, a := g.curl(t, "--cacert", certificate, "-d", "@"+filepath.Join("testdata", "tokens", "upload_anywhere.txt"), g.url+"/files/upload_setup")
	if a.status != http.StatusOK || a.why() != "" {
		t.Errorf("%s %s", status, a.body)
	}
}
