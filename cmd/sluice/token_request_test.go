package main

import (
	"encoding/base64"
	"encoding/pem"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/rules"
)

// tokenAsked is what a stand-in for a token endpoint got.
type tokenAsked struct {
	path, user, password, kind string
	body                       string
}

// tokenNode is a token endpoint over TLS that gives one answer. It returns the
// URL, a file with its certificate, and what it was asked last.
func tokenNode(t *testing.T, answer http.HandlerFunc) (url, ca string, got *tokenAsked) {
	t.Helper()
	t.Setenv(tokenPasswordVariable, "open sesame")
	got = &tokenAsked{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("the request's body: %v", err)
		}
		user, password, _ := r.BasicAuth()
		*got = tokenAsked{r.Method + " " + r.URL.Path, user, password, r.Header.Get("Content-Type"), string(body)}
		answer(w, r)
	}))
	server.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return server.URL, written(t, "ca.pem", string(certificate)), got
}

// tokenSays answers with a status and a text.
func tokenSays(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// tokenGives answers with a transfer_spec.
func tokenGives(text string) http.HandlerFunc {
	return tokenSays(200, `{"transfer_specs": [{"transfer_spec": `+text+`}]}`)
}

// uploadSpec is a transfer_spec as the local issuer makes it.
const uploadSpec = `{"token": "tok.en-1", "direction": "send", "paths": [{}], "source_root": "", "destination_root": "/in/a", "remote_host": "hst.example.com",
	"remote_user": "xfer", "ssh_port": 33001, "fasp_port": 33002, "cipher": "aes-128", "tags": {"sluice": {"grant": "g"}, "n": 1}, "http_fallback": false}`

func TestTokenRequests(t *testing.T) {
	list := written(t, "list", "/l/a\n/l/b\n")
	pairs := written(t, "pairs", "/l/a\nx/a\n")
	tags := written(t, "tags.json", `{"project": "p"}`)
	for _, tc := range []struct {
		name string
		args []string
		path string
		want string // the body
	}{
		{
			"an upload of anything below a folder",
			[]string{"--upload=/in"},
			"POST /files/upload_setup", `{"paths":[{}],"destination_root":"/in"}`,
		},
		{
			"an upload of some files",
			[]string{"--upload=/in", "--path=a,b.mov", "--path=-c"},
			"POST /files/upload_setup", `{"paths":[{"source":"a,b.mov"},{"source":"-c"}],"destination_root":"/in"}`,
		},
		{
			"an upload of a list",
			[]string{"--upload=/in", "--file-list=" + list},
			"POST /files/upload_setup", `{"paths":[{"source":"/l/a"},{"source":"/l/b"}],"destination_root":"/in"}`,
		},
		{
			"an upload of pairs",
			[]string{"--upload=/in", "--file-pair-list=" + pairs},
			"POST /files/upload_setup", `{"paths":[{"source":"/l/a","destination":"x/a"}],"destination_root":"/in"}`,
		},
		{
			"downloads",
			[]string{"--download=/out/a", "--download=/out/b"},
			"POST /files/download_setup", `{"paths":[{"source":"/out/a"},{"source":"/out/b"}]}`,
		},
		{
			"downloads from a folder",
			[]string{"--download=/out", "--path=a"},
			"POST /files/download_setup", `{"paths":[{"source":"a"}],"source_root":"/out"}`,
		},
		{
			"whatever else a request may say",
			[]string{"--upload=/in", "--life=2h", "--cookie=a b", `--tags={"b": 1.0, "a": "<ü>"}`},
			"POST /files/upload_setup", `{"paths":[{}],"destination_root":"/in","token_life_seconds":7200,"cookie":"a b","tags":{"b":1.0,"a":"<ü>"}}`,
		},
		{
			"tags of a file",
			[]string{"--upload=/in", "--tags=@" + tags},
			"POST /files/upload_setup", `{"paths":[{}],"destination_root":"/in","tags":{"project":"p"}}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url, ca, got := tokenNode(t, tokenGives(uploadSpec))
			did := runs(t, append([]string{"token", "request", "--url", url, "--user=portal", "--ca", ca}, tc.args...)...)
			if did.status != 0 || did.out != "export ASPERA_SCP_TOKEN='tok.en-1'\n" || did.err != "" {
				t.Errorf("%+v", did)
			}
			want := tokenAsked{tc.path, "portal", "open sesame", "application/json", `{"transfer_requests":[{"transfer_request":` + tc.want + `}]}`}
			if diff := cmp.Diff(want, *got, cmp.AllowUnexported(tokenAsked{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPathOfTheURLIsKept(t *testing.T) {
	url, ca, got := tokenNode(t, tokenGives(uploadSpec))
	for at, want := range map[string]string{
		"/node_api": "POST /node_api/files/upload_setup", "/node_api/": "POST /node_api/files/upload_setup", "/": "POST /files/upload_setup",
	} {
		if did := runs(t, "token", "request", "--url", url+at, "--user=portal", "--ca", ca, "--upload=/in"); did.status != 0 || got.path != want {
			t.Errorf("%s: %+v, asked %s", at, did, got.path)
		}
	}
}

// TestOutputs shows what is printed of one and the same answer.
func TestOutputs(t *testing.T) {
	list, pairs := written(t, "list", "a.mov\n"), written(t, "pairs", "a.mov\nx/a.mov\n")
	upload := "ASPERA_SCP_TOKEN='tok.en-1' ascp -P 33001 -O 33002 -c aes128 --user=xfer --host=hst.example.com --tags64=" +
		base64.StdEncoding.EncodeToString([]byte(`{"sluice":{"grant":"g"},"n":1}`)) + " --mode=send "
	for _, tc := range []struct {
		name, spec string
		args       []string
		want       string
	}{
		{"the token alone", `{"token": "a'b; $(c) TA", "ssh_port": "odd"}`, []string{"--upload=/in", "--output=token"}, `a'b; $(c) TA`},
		{"for a shell", `{"token": "a'b; $(c) TA"}`, []string{"--upload=/in", "--output=env"}, `export ASPERA_SCP_TOKEN='a'\''b; $(c) TA'`},
		{"the transfer_spec, as it came", `{"token":"t","n":1.50,"z":{},"a":["ü"]}`, []string{"--upload=/in", "--output=spec"}, "{\n  \"token\": \"t\",\n  \"n\": 1.50,\n  \"z\": {},\n  \"a\": [\n    \"ü\"\n  ]\n}"},
		{"ascp: an upload", uploadSpec, []string{"--upload=/in", "--path=a b.mov", "--path=-c", "--output=ascp"}, upload + "-d 'a b.mov' ./-c /in/a"},
		{"ascp: an upload of a list", uploadSpec, []string{"--upload=/in", "--file-list=" + list, "--output=ascp"}, upload + "--file-list=" + list + " /in/a"},
		{"ascp: an upload of pairs", uploadSpec, []string{"--upload=/in", "--file-pair-list=" + pairs, "--output=ascp"}, upload + "--file-pair-list=" + pairs + " /in/a"},
		{"ascp: an answer without the root", `{"token":"t","remote_host":"h","remote_user":"u"}`, []string{"--upload=/in", "--path=a", "--output=ascp"}, "ASPERA_SCP_TOKEN='t' ascp --user=u --host=h --mode=send -d a /in"},
		{"ascp: downloads", `{"token":"t","remote_host":"h","remote_user":"u","source_root":"","paths":[{"source":"/out/a b"},{"source":"/out/c"}]}`, []string{"--download=/out/a b", "--download=/out/c", "--output=ascp"}, "ASPERA_SCP_TOKEN='t' ascp --user=u --host=h --mode=recv '/out/a b' /out/c ."},
		{"ascp: downloads from a folder", `{"token":"t","remote_host":"h","remote_user":"u","source_root":"/out/","paths":[{"source":"a"}]}`, []string{"--download=/out", "--path=a", "--output=ascp"}, "ASPERA_SCP_TOKEN='t' ascp --user=u --host=h --mode=recv /out/a ."},
		{"ascp: an answer without paths", `{"token":"t","remote_host":"h","remote_user":"u","paths":[{}]}`, []string{"--download=/out", "--path=a", "--output=ascp"}, "ASPERA_SCP_TOKEN='t' ascp --user=u --host=h --mode=recv /out/a ."},
		{"ascp: a download of a list", `{"token":"t","remote_host":"h","remote_user":"u"}`, []string{"--download=/", "--file-list=" + list, "--output=ascp"}, "ASPERA_SCP_TOKEN='t' ascp --user=u --host=h --mode=recv --file-list=" + list + " ."},
		{"ascp: a cookie, rates, a key, a fingerprint", `{"token":"t","remote_host":"h","remote_user":"u","cookie":"it's","rate_policy":"fair","target_rate_kbps":45000,"min_rate_kbps":10,"sshfp":"AB12","cipher":"none"}`, []string{"--upload=/in", "--path=a", "--identity=my key", "--output=ascp"}, `ASPERA_SCP_TOKEN='t' ASPERA_SCP_COOKIE='it'\''s' ascp -T --policy=fair -l 45000K -m 10K -i 'my key' --check-sshfp=AB12 --user=u --host=h --mode=send -d a /in`},
		{"ascp: a mode of the cipher", `{"token":"t","remote_host":"h","remote_user":"u","cipher":"aes-256-gcm"}`, []string{"--upload=/in", "--path=a", "--output=ascp"}, "ASPERA_SCP_TOKEN='t' ascp -c aes256gcm --user=u --host=h --mode=send -d a /in"},
		{"ascp: what is not known is left out", `{"token":"t","remote_host":"h","remote_user":"u","rate_policy":"--evil","cipher":"x y"}`, []string{"--upload=/in", "--path=a", "--output=ascp"}, "ASPERA_SCP_TOKEN='t' ascp --user=u --host=h --mode=send -d a /in"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url, ca, _ := tokenNode(t, tokenGives(tc.spec))
			did := runs(t, append([]string{"token", "request", "--url", url, "--user=portal", "--ca", ca}, tc.args...)...)
			if diff := cmp.Diff(ran{0, tc.want + "\n", ""}, did, cmp.AllowUnexported(ran{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnswersWithoutAToken: refused is 1, and whatever could not be done is 2.
func TestAnswersWithoutAToken(t *testing.T) {
	const refused = `{"error": {"code": 403, "reason": "Forbidden", "user_message": "1022: no \u001b[31mprograms\u202e"}}`
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		status int
		err    string // the whole of it
	}{
		{"refused in the list", tokenSays(200, `{"transfer_specs": [`+refused+`]}`), 1, `refused: 1022: no \u001b[31mprograms\u202e`},
		{"refused as a whole", tokenSays(403, refused), 1, `refused: 1022: no \u001b[31mprograms\u202e`},
		{"an error with 200", tokenSays(200, refused), 1, `refused: 1022: no \u001b[31mprograms\u202e`},
		{"a code in quotes, no message", tokenSays(200, `{"transfer_specs": [{"error": {"code": "404", "reason": "Not Found"}}]}`), 1, `refused: "404" Not Found`},
		{"a node behind that is away", tokenSays(200, `{"transfer_specs": [{"error": {"code": 502, "user_message": "the node is away"}}]}`), 2, "sluice: no token now: the node is away"},
		{"a wrong password", tokenSays(401, `{"error": {"code": 401, "user_message": "authentication failed"}}`), 2, "sluice: the user or the password is wrong: authentication failed"},
		{"a wrong password, of a node", tokenSays(401, ``), 2, "sluice: the user or the password is wrong"},
		{"too many", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		}, 2, "sluice: too many requests, or too many wrong passwords; wait 7 seconds"},
		{"too many, for how long", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT")
			w.WriteHeader(http.StatusTooManyRequests)
		}, 2, "sluice: too many requests, or too many wrong passwords; wait a minute"},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		}, 2, "sluice: the answer leads elsewhere, to /other, and the password is not taken there: write the right place into --url"},
		{"no such place", tokenSays(404, `<html>`), 2, "sluice: there is no token endpoint (404): look at the path in --url; Shares has it below /node_api"},
		{"a fault", tokenSays(500, `{"error": {"code": 500, "user_message": "a fault"}}`), 2, "sluice: the answer is 500 Internal Server Error: a fault"},
		{"another page", tokenSays(200, `<html>`), 2, "sluice: the answer is not that of the Node API: is this a token endpoint?"},
		{"nothing", tokenSays(200, ``), 2, "sluice: the answer is not that of the Node API: is this a token endpoint?"},
		{"half", tokenSays(200, `{"transfer_specs": [`), 2, "sluice: the answer is not that of the Node API: is this a token endpoint?"},
		{"no item", tokenSays(200, `{"transfer_specs": []}`), 2, "sluice: the answer has 0 transfer_specs to one request"},
		{"two items", tokenSays(200, `{"transfer_specs": [{"transfer_spec": {}}, {"transfer_spec": {}}]}`), 2, "sluice: the answer has 2 transfer_specs to one request"},
		{"an empty item", tokenSays(200, `{"transfer_specs": [{}]}`), 2, "sluice: the answer has neither a transfer_spec nor an error"},
		{"a spec that is none", tokenSays(200, `{"transfer_specs": [{"transfer_spec": 1}]}`), 2, "sluice: the answer has neither a transfer_spec nor an error"},
		{"no token", tokenGives(`{"token": ""}`), 2, "sluice: the transfer_spec has no token; --output spec shows what there is"},
		{"a token that is none", tokenGives(`{"token": 1}`), 2, "sluice: the transfer_spec has something else than expected at /token"},
		{"a token of two lines", tokenGives(`{"token": "a\nb"}`), 2, "sluice: the token has characters in it that no token has"},
		{"more than is read", func(w http.ResponseWriter, _ *http.Request) {
			for range tokenMaxAnswer/(1<<20) + 1 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}, 2, "sluice: the answer is longer than 32 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url, ca, _ := tokenNode(t, tc.answer)
			did := runs(t, "token", "request", "--url", url, "--user=portal", "--ca", ca, "--upload=/in")
			if diff := cmp.Diff(ran{tc.status, "", tc.err + "\n"}, did, cmp.AllowUnexported(ran{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatFollowsTheAnswerIsNotLookedAt(t *testing.T) {
	url, ca, _ := tokenNode(t, tokenSays(200, `{"transfer_specs": [{"transfer_spec": `+uploadSpec+"}]}\nHTTP/1.1 500 Internal\r\n"))
	if did := runs(t, "token", "request", "--url", url, "--user=portal", "--ca", ca, "--upload=/in"); did.status != 0 {
		t.Errorf("%+v", did)
	}
}

// TestAscpLinesThatCannotBe made of an answer.
func TestAscpLinesThatCannotBe(t *testing.T) {
	list := written(t, "list", "a.mov\n")
	for _, tc := range []struct {
		name, spec string
		args       []string
		want       string
	}{
		{"where to", `{"token":"t","remote_user":"u"}`, []string{"--upload=/in", "--path=a"}, "does not say where to connect to"},
		{"a line end", `{"token":"t","remote_host":"h","remote_user":"u\nrm"}`, []string{"--upload=/in", "--path=a"}, "a control character does not belong on a command line"},
		{"a port that is none", `{"token":"t","remote_host":"h","remote_user":"u","ssh_port":"22; rm"}`, []string{"--upload=/in", "--path=a"}, "something else than expected at /ssh_port"},
		{"a list in a folder", `{"token":"t","remote_host":"h","remote_user":"u"}`, []string{"--download=/out", "--file-list=" + list}, "write whole paths into the list and use --download /"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url, ca, _ := tokenNode(t, tokenGives(tc.spec))
			did := runs(t, append([]string{"token", "request", "--url", url, "--user=portal", "--ca", ca, "--output=ascp"}, tc.args...)...)
			if did.status != 2 || did.out != "" || !strings.Contains(did.err, tc.want) {
				t.Errorf("%+v, want %s", did, tc.want)
			}
		})
	}
}

// TestWhoTheEndpointIs is looked at, and said.
func TestWhoTheEndpointIs(t *testing.T) {
	url, ca, got := tokenNode(t, tokenGives(uploadSpec))
	plain := httptest.NewServer(tokenGives(uploadSpec))
	t.Cleanup(plain.Close)
	host, named := strings.TrimPrefix(url, "https://"), strings.Replace(url, "127.0.0.1", "localhost", 1)
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		err    string // the beginning
	}{
		{"nobody vouches", []string{"--url", url}, 2, "sluice: nobody that is trusted here vouches for the certificate of " + host + ": name its authority, or the certificate itself if it is self-signed, with --ca\n"},
		{"for another name", []string{"--url", named, "--ca", ca}, 2, "sluice: the certificate of " + strings.TrimPrefix(named, "https://") + " is for another name ("},
		{"it is not looked at", []string{"--url", named, "--insecure-skip-verify"}, 0, ""},
		{"both", []string{"--url", url, "--ca", ca, "--insecure-skip-verify"}, 2, "sluice: --ca and --insecure-skip-verify exclude each other"},
		{"no authority", []string{"--url", url, "--ca", ca + "x"}, 2, "sluice: --ca: " + ca + "x cannot be read: no such file or directory"},
		{"not an authority", []string{"--url", url, "--ca", written(t, "a", "b")}, 2, "sluice: --ca: "},
		{"https of http", []string{"--url", "https" + strings.TrimPrefix(plain.URL, "http")}, 2, "sluice: " + strings.TrimPrefix(plain.URL, "http://") + " speaks http, not https: write http:// into --url if that is meant"},
		{"http of https", []string{"--url", "http" + strings.TrimPrefix(url, "https")}, 2, "sluice: the answer is 400 Bad Request and no more: if the endpoint speaks https, write https:// into --url"},
		{"http on this machine", []string{"--url", plain.URL}, 0, ""},
		{"nobody is there", []string{"--url", "http://127.0.0.1:1"}, 2, "sluice: 127.0.0.1:1 gave no answer: dial tcp 127.0.0.1:1: connect: connection refused"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			*got = tokenAsked{}
			did := runs(t, append([]string{"token", "request", "--user=portal", "--upload=/in"}, tc.args...)...)
			if did.status != tc.status || !strings.HasPrefix(did.err, tc.err) || tc.err == "" && did.err != "" {
				t.Errorf("%+v, want %s", did, tc.err)
			}
			if did.status != 0 && got.password != "" {
				t.Error("it was told the password")
			}
		})
	}
}

func TestAnEndpointThatIsSlow(t *testing.T) {
	done := make(chan struct{})
	url, ca, _ := tokenNode(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush() // The beginning comes, the rest does not.
		select {
		case <-r.Context().Done():
		case <-done:
		}
	})
	defer close(done)
	did := runs(t, "token", "request", "--url", url, "--user=portal", "--ca", ca, "--upload=/in", "--timeout=300ms")
	if want := "sluice: " + strings.TrimPrefix(url, "https://") + " gave no answer within 300ms\n"; did.status != 2 || did.err != want {
		t.Errorf("%+v, want %s", did, want)
	}
}

func TestOnlyAFarEndpointWithoutTLSIsWarnedOf(t *testing.T) {
	for url, far := range map[string]bool{
		"http://hst.example.com": true, "http://10.0.0.1:9092/x": true, "http://127.0.0.1.example.com": true, "http://[2001:db8::1]:1": true,
		"http://localhost:1": false, "http://127.9.9.9": false, "http://[::1]:1": false, "http://[::ffff:127.0.0.1]:1": false, "https://hst.example.com": false,
	} {
		if _, plain, err := tokenURL(url, true); err != nil || plain != far {
			t.Errorf("%s: %v, %v", url, plain, err)
		}
	}
	t.Setenv(tokenPasswordVariable, "open sesame")
	did := runs(t, "token", "request", "--url", "http://host.invalid", "--user=portal", "--upload=/in", "--timeout=10s")
	if !strings.HasPrefix(did.err, "sluice: warning: the URL is http: the password and the token can be read on their way; use https\n") || strings.Contains(did.err, "sesame") {
		t.Errorf("%+v", did)
	}
}

func TestRequestsThatCannotBeMade(t *testing.T) {
	t.Setenv(tokenPasswordVariable, "open sesame")
	base := []string{"token", "request", "--user=portal"}
	bad := written(t, "bad", "/a\n\n")
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"no way", []string{"--url=https://a"}, "which way? Give --upload DEST"},
		{"both ways", []string{"--url=https://a", "--upload=/a", "--download=/b"}, "give --upload or --download"},
		{"two lists", []string{"--url=https://a", "--upload=/a", "--path=x", "--file-list=y"}, "give one of --path, --file-list and --file-pair-list"},
		{"two folders", []string{"--url=https://a", "--download=/a", "--download=/b", "--path=x"}, "there is one --download"},
		{"ascp of anything", []string{"--url=https://a", "--upload=/a", "--output=ascp"}, "a line of ascp wants to know what to send"},
		{"an empty path", []string{"--url=https://a", "--upload=/a", "--path="}, "a --path is empty"},
		{"an empty source", []string{"--url=https://a", "--download="}, "a --download is empty"},
		{"an empty folder", []string{"--url=https://a", "--download=", "--path=x"}, "--download is empty"},
		{"a path that is not UTF-8", []string{"--url=https://a", "--upload=/a\xff"}, `/a\xff is not UTF-8`},
		{"a bad list", []string{"--url=https://a", "--upload=/a", "--file-list=" + bad}, "line 2 is empty"},
		{"no list", []string{"--url=https://a", "--upload=/a", "--file-pair-list=" + bad + "x"}, "cannot be read: no such file or directory"},
		{"tags that are none", []string{"--url=https://a", "--upload=/a", "--tags=[]"}, "--tags: tags are a JSON object"},
		{"tags that are no JSON", []string{"--url=https://a", "--upload=/a", "--tags={"}, "--tags: "},
		{"half a second", []string{"--url=https://a", "--upload=/a", "--life=1500ms"}, "--life is 1.5s; it is in whole seconds"},
		{"no time", []string{"--url=https://a", "--upload=/a", "--timeout=0s"}, "--timeout is 0s; it must be above 0"},
		{"a user who cannot be", []string{"--url=https://a", "--upload=/a", "--user=a:b"}, "--user has a colon in it"},
		{"a URL without a scheme", []string{"--url=hst:9092", "--upload=/a"}, "--url must be a URL with its scheme"},
		{"a URL with a secret", []string{"--url=https://u:hunter2@a", "--upload=/a"}, "--url has a user in it"},
		{"a bad URL with a secret", []string{"--url=https://u:hunter2@a:x y", "--upload=/a"}, "--url is not a URL"},
		{"a URL with a query", []string{"--url=https://a?b", "--upload=/a"}, "--url has a query"},
		{"no password file", []string{"--url=https://a", "--upload=/a", "--password-file=" + bad + "x"}, "the password file " + bad + "x cannot be read: no such file or directory"},
		{"an empty password file", []string{"--url=https://a", "--upload=/a", "--password-file", written(t, "p", "\n")}, "is empty"},
		{"two passwords", []string{"--url=https://a", "--upload=/a", "--password-file", written(t, "p", "hunter2\nhunter3\n")}, "has more than one line"},
		{"a long password", []string{"--url=https://a", "--upload=/a", "--password-file", written(t, "p", strings.Repeat("x", 5000))}, "has more than 1024 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			did := runs(t, append(base, tc.args...)...)
			if did.status != 2 || did.out != "" || !strings.Contains(did.err, tc.want) || strings.Contains(did.err, "hunter") {
				t.Errorf("%+v, want %s", did, tc.want)
			}
		})
	}
}

func TestWhereThePasswordComesFrom(t *testing.T) {
	url, ca, got := tokenNode(t, tokenGives(uploadSpec))
	args := []string{"token", "request", "--url", url, "--user=portal", "--ca", ca, "--upload=/in"}
	t.Setenv(tokenPasswordVariable, "of the environment")
	for name, tc := range map[string]struct{ file, want string }{
		"the environment": {"", "of the environment"}, "a file": {"of a file\n", "of a file"}, "a file of Windows": {"ü \r\n", "ü "},
	} {
		all := args
		if tc.file != "" {
			all = append(all, "--password-file", written(t, "p", tc.file))
		}
		if did := runs(t, all...); did.status != 0 || got.password != tc.want {
			t.Errorf("%s: %+v, the password %q", name, did, got.password)
		}
	}
	t.Setenv(tokenPasswordVariable, "")
	if did := runs(t, args...); did.status != 2 || did.err != "sluice: SLUICE_PASSWORD is set, but empty\n" {
		t.Errorf("%+v", did)
	}
	os.Unsetenv(tokenPasswordVariable)
	if did := runs(t, args...); did.status != 2 || !strings.HasPrefix(did.err, "sluice: which password? Set SLUICE_PASSWORD, ") {
		t.Errorf("%+v", did)
	}
}

// TestAShellReadsWhatIsPrinted takes the shell's word for the quotes.
func TestAShellReadsWhatIsPrinted(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"", "plain", "a b", "it's", "''", `\`, "$(id)", "`id`", "a\nb", "!", "~", "*", "-n", "ü", "a;b", `"`, "#a", "a=b", "{a,b}"} {
		out, err := exec.CommandContext(t.Context(), shell, "-c", "printf %s "+shellQuoted(word)).Output()
		if err != nil && word != "-n" || word != "-n" && string(out) != word {
			t.Errorf("%q became %q (%v)", word, out, err)
		}
	}
	secret := filepath.Join(t.TempDir(), "a'b c")
	if got := shellQuoted(secret); !strings.HasPrefix(got, "'") || rules.Printable(got) != got {
		t.Errorf("%s", got)
	}
}
