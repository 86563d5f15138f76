package e2e

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// moved is what became of a file that sluice simulate has sent events about.
type moved struct {
	File, Verdict, Phase, Code, Message string
}

// move has sluice simulate move two files with tags, and returns what became of
// them, sorted by name.
func (s *server) move(t *testing.T, tags any, flags ...string) (files []moved) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"in/clip.mov", "in/reel/clip.mxf"} {
		if err := write(filepath.Join(dir, name), "film"); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(filepath.Join(dir, "tags.json"), marshaled(t, tags)); err != nil {
		t.Fatal(err)
	}
	args := []string{"simulate", "--to", "http://" + s.service, "--docroot", filepath.Join(dir, "in"), "--format", "json", "--all", "--tags", "@" + filepath.Join(dir, "tags.json")}
	out, err := exec.Command(binary, append(append(args, flags...), filepath.Join(dir, "in"))...).Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var m moved
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if m.File != "" {
			files = append(files, m)
		}
	}
	if len(files) != 2 || (err == nil) != (files[0].Verdict == "ok") {
		t.Fatalf("sluice simulate: %v, %s\n%s", err, out, exit.Stderr)
	}
	slices.SortFunc(files, func(a, b moved) int { return strings.Compare(a.File, b.File) })
	return files
}

// moves fails the test unless both files are accepted, or both are refused with a
// message, in which FILE stands for the path.
func (s *server) moves(t *testing.T, refusal string, tags any, flags ...string) {
	t.Helper()
	for _, m := range s.move(t, tags, flags...) {
		want := moved{File: m.File, Verdict: "ok"}
		if refusal != "" {
			want = moved{m.File, "refused", "start", "1033", strings.ReplaceAll(refusal, "FILE", m.File)}
		}
		if m != want {
			t.Errorf("%+v, want %+v", m, want)
		}
	}
}

// What is told about grants that do not hold.
const (
	noGrant    = "This transfer carries no grant of this server. Start it from the portal that asks for its token."
	forged     = "This transfer's grant was not made by this server, or has been altered. Ask for a new token."
	notCovered = "This transfer's grant does not cover FILE. Ask for a token for it."
)

// requested gets a token with sluice token request, and returns its tags.
func (g *giver) requested(t *testing.T, args ...string) (tags map[string]any) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"token", "request", "--url", g.url, "--user", "nodeuser", "--output", "spec"}, args...)...)
	cmd.Env = append(os.Environ(), "SLUICE_PASSWORD="+nodePassword)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sluice token request: %v, %s", err, out)
	}
	var spec struct {
		Tags  map[string]any
		Token string
	}
	if err := json.Unmarshal(out, &spec); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	g.keep(spec.Token, grantIn(spec.Tags))
	return spec.Tags
}

// withGrant returns tags that have another grant.
func withGrant(grant any) map[string]any {
	return map[string]any{"project": "aurora", "sluice": map[string]any{"grant": grant}}
}

// TestATransferIsHeldToItsGrant: what was granted moves, and nothing else does.
func TestATransferIsHeldToItsGrant(t *testing.T) {
	t.Parallel()
	g := give(t, "issuer: local", setup{})
	up := g.requested(t, "--upload", "/ingest/a", "--tags", `{"project":"aurora"}`)
	down := g.requested(t, "--download", "/ingest/a/")
	signed := grantIn(up)
	lion := []string{"--user", "lion"}
	for _, tc := range []struct {
		name    string
		tags    any
		flags   []string
		refusal string
	}{
		{"below the folder", up, []string{"--as", "/ingest/a"}, ""},
		{"deep below it", up, []string{"--as", "/ingest/a/2026/reel"}, ""},
		{"the grant alone", withGrant(signed), []string{"--as", "/ingest/a"}, ""},
		{"tags as text", marshaled(t, up), []string{"--as", "/ingest/a"}, ""},
		{"a download of what was granted", down, []string{"--as", "/ingest/a", "--direction", "download"}, ""},
		{"below another folder", up, []string{"--as", "/ingest/b"}, notCovered},
		{"beside the folder", up, []string{"--as", "/ingest/ab"}, notCovered},
		{"above the folder", up, []string{"--as", "/ingest"}, notCovered},
		{"in another case", up, []string{"--as", "/ingest/A"}, notCovered},
		{"tags removed", map[string]any{}, []string{"--as", "/ingest/a"}, noGrant},
		{"the grant removed", map[string]any{"aspera": up["aspera"], "project": "aurora"}, []string{"--as", "/ingest/a"}, noGrant},
		{"a grant of nothing", withGrant(""), []string{"--as", "/ingest/a"}, noGrant},
		{"a grant that is no text", withGrant(map[string]any{"jti": "x"}), []string{"--as", "/ingest/a"}, forged},
		{"a transfer token in its place", withGrant("ATV7_HtfhDa-JwWfc6RkTwhkDUqjHeLQePiOHjIS254_LJ14_7VTA"), []string{"--as", "/ingest/a"}, forged},
		{"copied to another user", up, []string{"--as", "/ingest/a", "--user", "tiger"}, "This transfer's grant is for the user lion, not for tiger. Ask for a token of your own."},
		{"used for a download", up, []string{"--as", "/ingest/a", "--direction", "download"}, "This transfer's grant is for uploads only. Ask for a token for the other direction."},
		{"used for an upload", down, []string{"--as", "/ingest/a"}, "This transfer's grant is for downloads only. Ask for a token for the other direction."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g.moves(t, tc.refusal, tc.tags, append(lion[:2:2], tc.flags...)...)
		})
	}
	t.Run("one character altered", func(t *testing.T) {
		g.altered(t, signed)
	})
	l := g.log.find("decision", "rule", "granted", "verdict", "reject")
	if len(l) < 20 || l[0].text("kind") != "grant" || l[0].text("code") != "1033" {
		t.Errorf("%d refusals are in the log: %+v", len(l), l)
	}
}

// altered fails the test unless a grant is refused with any one character of it
// altered, also where the altered text would mean the same bytes.
func (g *giver) altered(t *testing.T, signed string) {
	t.Helper()
	ask := func(grant string) answer {
		return g.post(t, file("/ingest/a/clip.mov", "user", `"lion"`, "tags", marshaled(t, withGrant(grant))))
	}
	if a := ask(signed); a.status != http.StatusOK {
		t.Fatalf("unaltered: %d %s", a.status, a.body)
	}
	for i := range len(signed) {
		other := byte('A')
		if signed[i] == other || i == len(signed)-1 && signed[i] < 'E' { // The last one has two bits that mean nothing.
			other = signed[i] + 1
		}
		if a := ask(signed[:i] + string(other) + signed[i+1:]); a.code != "1033" || a.message != forged {
			t.Errorf("character %d, %c for %c: %d %s", i, other, signed[i], a.status, a.body)
		}
	}
	for _, grant := range []string{signed + "A", signed + "=", signed[1:], signed[:len(signed)-1], " " + signed, signed + "." + signed, strings.ToUpper(signed)} {
		if a := ask(grant); a.message != forged {
			t.Errorf("%.20s…: %d %s", grant, a.status, a.body)
		}
	}
}

// TestAGrantEnds when its time is over, and not before.
func TestAGrantEnds(t *testing.T) {
	t.Parallel()
	g := give(t, "issuer: local", setup{})
	long, short := g.upload(t, wants("/ingest/a")), given{}
	ask := func() answer {
		return g.post(t, file("/ingest/a/clip.mov", "user", `"lion"`, "tags", marshaled(t, short.tags(t))))
	}
	await(t, "a grant of a second is used within it", func() bool {
		short = g.upload(t, wants("/ingest/a")+`,"token_life_seconds":1`)
		return ask().status == http.StatusOK
	})
	await(t, "it has ended", func() bool {
		a := ask()
		if a.status != http.StatusOK && !strings.HasPrefix(a.message, "This transfer's grant expired at 2") {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return a.status != http.StatusOK
	})
	for _, m := range g.move(t, short.tags(t), "--as", "/ingest/a", "--user", "lion") {
		if m.Code != "1033" || !strings.HasSuffix(m.Message, " UTC. Ask for a new token.") {
			t.Errorf("%+v", m)
		}
	}
	g.moves(t, "", long.tags(t), "--as", "/ingest/a", "--user", "lion")
}

// TestALifeIsNarrowed to what the client and the policies allow.
func TestALifeIsNarrowed(t *testing.T) {
	t.Parallel()
	set := anywhere()
	set["life.yaml"] = "version: 1\npolicy: life\napplies_to: {path: [/short/**]}\nrules:\n  - name: life\n    grant: {max_life: 1h, max_files: 3, max_size: 1 KiB}\n"
	g := give(t, "issuer: local", setup{policies: set})
	for _, tc := range []struct {
		name, members string
		want          float64
	}{
		{"by default a day", wants("/long"), 86400},
		{"as asked", wants("/long") + `,"token_life_seconds":60`, 60},
		{"in quotes", wants("/long") + `,"token_life_seconds":"60"`, 60},
		{"by the client", wants("/long") + `,"token_life_seconds":999999999999999999999`, 86400},
		{"by a policy", wants("/short/a"), 3600},
		{"by a policy that applies to a part", wants("/"), 3600},
		{"less than the policy's", wants("/short/a") + `,"token_life_seconds":60`, 60},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := g.upload(t, tc.members)
			c := claimsOf(t, grantIn(a.tags(t)))
			if life := c["exp"].(float64) - c["iat"].(float64); life != tc.want {
				t.Errorf("it holds for %v s, want %v", life, tc.want)
			}
		})
	}
	if a := g.upload(t, `"paths":[{"source":"1"},{"source":"2"},{"source":"3"},{"source":"4"}],"destination_root":"/short"`); a.why() != "403 1033: A token is given for 3 files at most. Ask for fewer files." {
		t.Errorf("%s", a.body)
	}
	tags := marshaled(t, g.upload(t, wants("/short/a")).tags(t))
	for _, name := range []string{"1", "2", "3", "1"} {
		if a := g.post(t, file("/short/a/"+name, "user", `"lion"`, "size", "9", "tags", tags)); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := g.post(t, file("/short/a/4", "user", `"lion"`, "size", "9", "tags", tags)); a.message != "This transfer's grant is for 3 files, and 4 is one more. Ask for a new token." {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := g.post(t, file("/short/a/1", "user", `"lion"`, "size", "2048", "tags", tags)); a.message != "1 is larger than this transfer's grant allows: 2 KiB of 1 KiB. Ask for a token that allows more." {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// claimsOf returns what a grant says, whoever has signed it.
func claimsOf(t *testing.T, signed string) (claims map[string]any) {
	t.Helper()
	parts := strings.Split(signed, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no signed grant", signed)
	}
	if err := json.Unmarshal(unbase64(t, parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// TestPathsOfDocroots: tokens are asked for inside the docroot, events and
// policies have it in front.
func TestPathsOfDocroots(t *testing.T) {
	t.Parallel()
	set := map[string]string{
		"clients.yaml": clientsDocument(nodeHash, "/ingest/**", "/other/**"),
		"granted.yaml": "version: 1\npolicy: granted\napplies_to: {path: [/srv/aspera/lion/ingest/**, /elsewhere/**]}\nrules:\n  - name: granted\n    grant: {required: true}\n",
	}
	g := give(t, "issuer: local", setup{policies: set, config: "docroots: {lion: /srv/aspera/lion}\n"})
	tags := g.requested(t, "--upload", "/ingest/a")
	if roots := marshaled(t, claimsOf(t, grantIn(tags))["roots"]); roots != `["/ingest/a"]` {
		t.Errorf("the grant is for %s", roots)
	}
	g.moves(t, "", tags, "--user", "lion", "--as", "/srv/aspera/lion/ingest/a")
	g.moves(t, notCovered, tags, "--user", "lion", "--as", "/srv/aspera/lion/ingest/b")
	g.moves(t, notCovered, tags, "--user", "lion", "--as", "/elsewhere/srv/aspera/lion/ingest/a")
	refused := g.upload(t, wants("/other"))
	if !strings.HasPrefix(refused.why(), "403 1000: ") {
		t.Errorf("%s", refused.body)
	}
	if l := g.decision(t, refused.header.Get("X-Sluice-Decision")); l.text("file") != "/srv/aspera/lion/other" || l.text("phase") != "request" || l.text("user") != "lion" {
		t.Errorf("in the log it is %s", l.raw)
	}
}

// newKey makes a key of grants, and returns the files of its halves.
func newKey(t *testing.T, dir, name string) (private, public string) {
	t.Helper()
	half, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKIXPublicKey(half)
	if err != nil {
		t.Fatal(err)
	}
	private, public = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".pub.pem")
	for _, f := range []struct {
		name, kind string
		bytes      []byte
	}{{private, "PRIVATE KEY", whole}, {public, "PUBLIC KEY", other}} {
		if err := os.WriteFile(f.name, pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return private, public
}

// TestKeysAreChanged: with the old key named as one to verify by, what it signed
// holds; without, it does not.
func TestKeysAreChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, old := filepath.Join(dir, "grant-key.pem"), filepath.Join(dir, "old.pem")
	tags := map[string]any{}
	holds := func(s *server, tags map[string]any, refusal string) {
		t.Helper()
		s.moves(t, refusal, tags, "--as", "/ingest/a", "--user", "lion")
	}
	t.Run("the key is made", func(t *testing.T) {
		g := give(t, "issuer: local", setup{config: "grants: {key_file: " + key + "}\n"})
		if told := g.logged(t, "made a key that signs grants; keep it, and give its public half to the other services"); told[0].text("file") != key {
			t.Errorf("%s", told[0].raw)
		}
		info, err := os.Stat(key)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		text, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		g.keep(strings.Split(string(text), "\n")[1])
		tags = g.requested(t, "--upload", "/ingest/a")
		holds(g.server, tags, "")
	})
	t.Run("it stays after a restart", func(t *testing.T) {
		g := give(t, "issuer: local", setup{config: "grants: {key_file: " + key + "}\n"})
		holds(g.server, tags, "")
		if lines := g.log.find("made a key that signs grants; keep it, and give its public half to the other services"); len(lines) > 0 {
			t.Error("a key is made once more")
		}
	})
	if err := os.Rename(key, old); err != nil {
		t.Fatal(err)
	}
	t.Run("a new key signs and the old one verifies", func(t *testing.T) {
		g := give(t, "issuer: local", setup{config: "grants: {key_file: " + key + ", verify_key_files: [" + old + "]}\n"})
		holds(g.server, tags, "")
		holds(g.server, g.requested(t, "--upload", "/ingest/a"), "")
	})
	t.Run("the old key is gone", func(t *testing.T) {
		g := give(t, "issuer: local", setup{config: "grants: {key_file: " + key + "}\n"})
		holds(g.server, tags, forged)
		holds(g.server, g.requested(t, "--upload", "/ingest/a"), "")
	})
	t.Run("a key that others can read", func(t *testing.T) {
		if err := os.Chmod(key, 0o640); err != nil {
			t.Fatal(err)
		}
		_, err := launch(t.TempDir(), setup{policies: anywhere(), config: "grants: {key_file: " + key + "}\ntokens: {listen: 127.0.0.1:0}\n"})
		if err == nil || !strings.Contains(err.Error(), "chmod 600 ") {
			t.Errorf("%v", err)
		}
	})
}

// TestServicesThatShareTheirPublicKeys take each other's grants; one that gives
// out none needs only the public halves.
func TestServicesThatShareTheirPublicKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	aKey, aPublic := newKey(t, dir, "a")
	bKey, bPublic := newKey(t, dir, "b")
	a := give(t, "issuer: local", setup{config: fmt.Sprintf("grants: {key_file: %s, verify_key_files: [%s]}\n", aKey, bPublic)})
	b := give(t, "issuer: local", setup{config: fmt.Sprintf("grants: {key_file: %s, verify_key_files: [%s]}\n", bKey, aPublic)})
	verifier := start(t, setup{policies: anywhere(), config: "grants: {verify_key_files: [" + aPublic + "]}\n"})
	ofA, ofB := a.requested(t, "--upload", "/ingest/a"), b.requested(t, "--upload", "/ingest/a")
	for _, tc := range []struct {
		name    string
		at      *server
		tags    map[string]any
		refusal string
	}{
		{"a's at a", a.server, ofA, ""},
		{"a's at b", b.server, ofA, ""},
		{"a's at who only verifies", verifier, ofA, ""},
		{"b's at a", a.server, ofB, ""},
		{"b's at b", b.server, ofB, ""},
		{"b's where b is not known", verifier, ofB, forged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.at.moves(t, tc.refusal, tc.tags, "--as", "/ingest/a", "--user", "lion")
		})
	}
	if m := a.metrics(t); m.sum("sluice_tokens_total", "endpoint", "upload_setup", "issuer", "local", "result", "granted") != 1 || m.sum("sluice_token_duration_seconds_count") != 1 {
		t.Error("the token is not counted")
	}
}

// newCertificate makes a certificate for this machine that vouches for itself, and
// returns the files of it and of its key.
func newCertificate(t *testing.T, dir string) (certificate, key string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sluice"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	made, err := x509.CreateCertificate(rand.Reader, form, form, public, private)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := errors.Join(
		os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: whole}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return certificate, key
}
