package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// grantedAt is when the grants of tests begin; they hold for an hour.
var grantedAt = time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)

// testGrant is for uploads by xfer into /ingest/a.
func testGrant() rules.Grant {
	return rules.Grant{
		ID: "01HZY", Client: "portal", User: "xfer", Direction: rules.Upload, Roots: []string{"/ingest/a"},
		Issued: grantedAt, Expires: grantedAt.Add(time.Hour), Revision: "r1",
	}
}

// signed returns a grant as it travels, and the files with the keys that signed
// it and that have not.
func signed(t *testing.T, g rules.Grant) (text, key, other string) {
	t.Helper()
	key, other = filepath.Join(t.TempDir(), "grant-key.pem"), filepath.Join(t.TempDir(), "other.pem")
	keys, _, err := grants.OpenKeys(grants.KeyOptions{KeyFile: key})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := grants.OpenKeys(grants.KeyOptions{KeyFile: other}); err != nil {
		t.Fatal(err)
	}
	if text, err = keys.Sign(&g); err != nil {
		t.Fatal(err)
	}
	return text, key, other
}

// bearerToken returns a node bearer token, and the file with its public key.
func bearerToken(t *testing.T) (token, key string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	token, err = grants.SignBearer(grants.Bearer{
		UserID: "ann", Scope: "node.ak1:user:all", AuthType: "access_key", ExpiresAt: grantedAt.Add(time.Hour),
	}, private)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return token, written(t, "ak.pub.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
}

// runsOn runs a command line with a standard input.
func runsOn(t *testing.T, in string, args ...string) ran {
	t.Helper()
	var out, errs bytes.Buffer
	status := run(t.Context(), args, &stdio{in: strings.NewReader(in), out: &out, err: &errs})
	return ran{status, out.String(), errs.String()}
}

func TestTokensAreShown(t *testing.T) {
	grant, _, _ := signed(t, testGrant())
	bearer, _ := bearerToken(t)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("ak1:hunter2"))
	tags := `{"sluice":{"grant":"` + grant + `"},"password":"hunter2"}`
	wrapped := base64.StdEncoding.EncodeToString([]byte(tags))
	for _, tc := range []struct {
		name, text string
		want       []string // parts of the output, in order
	}{
		{"a grant", grant, []string{"A grant signed by sluice. The signature was not verified.\n", "\n client portal\n", " user xfer\n", " direction upload\n", " root /ingest/a\n", " expires 2026-01-02T16:00:00Z\n", " It has expired.\n"}},
		{"with space around it", " \n" + grant + "\r\n", []string{"A grant signed by sluice."}},
		{"a node bearer token", bearer, []string{"A node bearer token. The signature was not verified.\n", " user_id ann\n", " access_key ak1\n", " It has expired.\n"}},
		{"with its word", "Bearer " + bearer, []string{"A node bearer token."}},
		{"a Basic token", basic, []string{"A Basic token", " access_key ak1\n", " secret (not shown)\n"}},
		{"a transfer token", "ATV7_HtfhDa-JwWfc6RkTwhkDUqjHeLQePiOHjIS254_LJ14_7VTA", []string{"A transfer token of an Aspera node. It is opaque"}},
		{"a transfer_spec of the local issuer", `{"token": "` + grant + `", "tags": ` + tags + `}`, []string{"token, tags.sluice.grant: A grant signed by sluice."}},
		{"a transfer_spec of a node", `{"transfer_spec": {"token": "ATM2_x_2MTA", "tags": ` + tags + `}}`, []string{"transfer_spec.token: A transfer token of an Aspera node.", "transfer_spec.tags.sluice.grant: A grant signed by sluice."}},
		{"an answer", `{"transfer_specs": [{"error": {"code": 403}}, {"transfer_spec": {"token": "Bearer ` + bearer + `"}}]}`, []string{"transfer_specs[1].transfer_spec.token: A node bearer token."}},
		{"an event", `{"startstop": "start", "file": "/a", "cookie": "hunter2", "tags": ` + tags + `}`, []string{"tags.sluice.grant: A grant signed by sluice."}},
		{"an event with tags in base64", `{"startstop": "start", "tags": "` + wrapped + `"}`, []string{"tags.sluice.grant: A grant signed by sluice."}},
		{"an event with tags in a string", `{"startstop": "start", "tags": ` + quoted(t, tags) + `}`, []string{"tags.sluice.grant: A grant signed by sluice."}},
		{"tags", tags, []string{"sluice.grant: A grant signed by sluice."}},
		{"tags in base64, as ascp takes them", wrapped, []string{"sluice.grant: A grant signed by sluice."}},
		{"one of two is known", `{"token": "x", "tags": ` + tags + `}`, []string{"token: This is no token that sluice knows", "tags.sluice.grant: A grant signed by sluice."}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := runsOn(t, tc.text, "token", "decode")
			rest := regexp.MustCompile(" +").ReplaceAllString(got.out, " ") // Columns are as wide as their names.
			for _, part := range tc.want {
				_, after, ok := strings.Cut(rest, part)
				if !ok {
					t.Errorf("not there, or not there yet: %q", part)
				}
				rest = after
			}
			if got.status != 0 || got.err != "" || strings.Contains(got.out, "hunter2") || strings.Contains(got.out, grant) {
				t.Errorf("%+v", got)
			}
			if asArgument := runs(t, "token", "decode", tc.text); asArgument != got {
				t.Errorf("as an argument %+v", asArgument)
			}
			if asDash := runsOn(t, tc.text, "token", "decode", "-"); asDash != got {
				t.Errorf("with - %+v", asDash)
			}
			var parsed struct {
				Tokens []struct{ Kind, Title string } `json:"tokens"`
			}
			asJSON := runsOn(t, tc.text, "token", "decode", "--format=json")
			if err := json.Unmarshal([]byte(asJSON.out), &parsed); err != nil || asJSON.status != 0 || len(parsed.Tokens) == 0 || parsed.Tokens[0].Kind == "" || strings.Contains(asJSON.out, "hunter2") {
				t.Errorf("%v: %+v", err, asJSON)
			}
		})
	}
}

func quoted(t *testing.T, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAGrantInJSON(t *testing.T) {
	g := testGrant()
	g.Paths, g.PathCount, g.MaxSize, g.MaxFiles = []string{"/b/c"}, 1, 5, 7
	text, _, _ := signed(t, g)
	told := tellToken(foundToken{[]string{"token"}, text}, grantedAt)
	var out bytes.Buffer
	if err := writeJSON(&out, told); err != nil {
		t.Fatal(err)
	}
	want := `{
  "at": [
    "token"
  ],
  "kind": "grant",
  "title": "A grant signed by sluice. The signature was not verified.",
  "expired": false,
  "grant": {
    "key": "` + told.said.KeyID + `",
    "id": "01HZY",
    "client": "portal",
    "user": "xfer",
    "direction": "upload",
    "roots": [
      "/ingest/a"
    ],
    "paths": [
      "/b/c"
    ],
    "path_count": 1,
    "issued": "2026-01-02T15:00:00Z",
    "expires": "2026-01-02T16:00:00Z",
    "max_size": 5,
    "max_files": 7,
    "revision": "r1"
  }
}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestABearerTokenAndATransferTokenInJSON(t *testing.T) {
	token, _ := bearerToken(t)
	told := tellToken(foundToken{nil, token}, grantedAt.Add(time.Hour))
	if !*told.Expired || told.Bearer.AccessKey != "ak1" || told.Bearer.SignatureBits != 2048 || told.Bearer.Claims["user_id"] != "ann" || told.Fields != nil {
		t.Errorf("%+v", told)
	}
	told = tellToken(foundToken{nil, "ATM2_x_2MTA"}, grantedAt)
	if told.Expired != nil || len(told.Fields) == 0 || told.Fields[0] != (toldField{"version", "M2"}) {
		t.Errorf("%+v", told)
	}
}

// TestWhatIsNoToken is said, and nothing of it shown.
func TestWhatIsNoToken(t *testing.T) {
	for _, tc := range []struct {
		name, text, want string
	}{
		{"nothing", "", "sluice: This is no token that sluice knows: it is empty."},
		{"a password", "hunter2", "sluice: This is no token that sluice knows: "},
		{"three parts", "hunter2.hunter2.hunter2", "sluice: This is no token that sluice knows: "},
		{"a word", "Digest hunter2", "sluice: This is no token that sluice knows: the word in front of it is neither Basic nor Bearer."},
		{"JSON without a token", `{"a": "hunter2"}`, "sluice: there is neither a token in this JSON nor a grant of sluice (tags.sluice.grant)"},
		{"half a JSON", `{"token": "hunter2`, "sluice: this begins like JSON, and is none: "},
		{"a token that is none", `{"token": "hunter2", "tags": 7}`, "sluice: token: This is no token that sluice knows: "},
		{"a member twice", `{"token": "a", "token": "hunter2"}`, "sluice: this begins like JSON, and is none: a member is given twice"},
		{"nested without end", strings.Repeat(`{"a":`, 1000), "sluice: this begins like JSON, and is none: nested more than 64 levels deep"},
		{"too long", strings.Repeat("a", 100_000), "sluice: This is no token that sluice knows: it is longer than 65536 bytes."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := runsOn(t, tc.text, "token", "decode")
			if got.status != 1 || got.out != "" || !strings.HasPrefix(got.err, tc.want) || strings.Contains(got.err, "hunter2") {
				t.Errorf("%+v, want %s", got, tc.want)
			}
		})
	}
}

// FuzzTokensInText holds that whatever is found is a part of what was given, and
// that no text, however odd, does harm.
func FuzzTokensInText(f *testing.F) {
	for _, text := range []string{
		"", "{", "a.b.c", "Basic YTpi", "ATM2_x_2MTA", `{"token":"a"}`, `{"tags":{"sluice":{"grant":"a.b.c"}}}`, `{"tags":"e30="}`,
		`{"transfer_specs":[{"transfer_spec":{"token":"t"}},1,null]}`, "eyJzbHVpY2UiOnsiZ3JhbnQiOiJhLmIuYyJ9fQ==", `{"transfer_spec":{"tags":"{\"sluice\":{\"grant\":\"g\"}}"}}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found, err := findTokens(text)
		if (err == nil) != (len(found) > 0) {
			t.Fatalf("%d found, error %v", len(found), err)
		}
		seen := map[string]bool{}
		for _, token := range found {
			if seen[token.text] {
				t.Fatalf("%q is found twice", token.text)
			}
			seen[token.text] = true
			told := tellToken(token, grantedAt)
			if told.Title == "" || strings.ContainsAny(strings.ReplaceAll(told.text(), "\n", ""), "\x00\x1b\r") {
				t.Fatalf("it is told as %q", told.text())
			}
		}
	})
}
