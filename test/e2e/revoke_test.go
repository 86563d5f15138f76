package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Whatever is told about a transfer that was stopped.
const stopped = "This transfer was stopped: its token was revoked. Ask the server's administrator."

// commanded runs sluice, and returns what it printed.
func commanded(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(binary, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("sluice %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// granted is an event of a transfer with tags.
func granted(t *testing.T, tags map[string]any, phase, path string) string {
	t.Helper()
	return file(path, "tags", marshaled(t, tags), "user", `"lion"`, "startstop", `"`+phase+`"`)
}

// transferOf returns the id of a transfer, which is that of its grant.
func transferOf(tags map[string]any) string {
	aspera, _ := tags["aspera"].(map[string]any)
	id, _ := aspera["xfer_id"].(string)
	return id
}

// withoutGrantRules is a policy set that does not look at grants.
func withoutGrantRules() map[string]string {
	return map[string]string{"clients.yaml": clientsDocument(nodeHash, "/**"), "types.yaml": onlyExtension("mov")}
}

// TestARevokedTransferIsStopped in its middle, whatever the policies say of grants,
// and stays so when the service starts again.
func TestARevokedTransferIsStopped(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	config := "state: {dir: " + state + "}\n"
	g := give(t, "issuer: local", setup{config: config, policies: withoutGrantRules()})
	spec := func() map[string]any { return g.requested(t, "--upload", "/ingest/a/clip.mov") }
	tags, other := spec(), spec()
	id := transferOf(tags)
	for _, phase := range []string{"start", "running"} {
		if a := g.post(t, granted(t, tags, phase, "/ingest/a/clip.mov")); a.status != http.StatusOK {
			t.Fatalf("before it is revoked: %d %s", a.status, a.body)
		}
	}

	began := time.Now()
	if out := commanded(t, "revoke", id, "--state", state, "--reason", "wrong recipient", "--by", "ann"); out != "revoked: the grant "+id+"\n" {
		t.Errorf("sluice revoke says %q", out)
	}
	var a answer
	await(t, "it is stopped", func() bool {
		a = g.post(t, granted(t, tags, "running", "/ingest/a/clip.mov"))
		return a.status != http.StatusOK
	})
	if took := time.Since(began); took > 2*time.Second { // The command itself takes its time.
		t.Errorf("it took %s", took)
	}
	if a.status != http.StatusBadRequest || a.code != "1009" || a.message != stopped {
		t.Errorf("the answer is %d %s", a.status, a.body)
	}
	if l := g.decision(t, a.id); l.text("code") != "1009" || l.text("revision") != g.revision(t) || !strings.Contains(l.text("error"), id) {
		t.Errorf("the log has %s", l.raw)
	}
	if n := g.metrics(t).sum("sluice_decisions_total", "code", "1009", "phase", "running"); n != 1 {
		t.Errorf("%v refusals are counted", n)
	}
	if a := g.post(t, granted(t, other, "stop", "/ingest/a/clip.mov")); a.status != http.StatusOK {
		t.Errorf("another transfer of the client: %d %s", a.status, a.body)
	}
	if a := g.post(t, file("/ingest/a/clip.mov", "user", `"lion"`)); a.status != http.StatusOK {
		t.Errorf("a transfer without a grant: %d %s", a.status, a.body)
	}

	list := commanded(t, "grants", "--state", state, "--client", "nodeuser")
	for _, want := range []string{id + "  revoked  nodeuser  lion  upload /ingest/a/clip.mov", "ann: wrong recipient", transferOf(other) + "  active"} {
		if !strings.Contains(list, want) {
			t.Errorf("sluice grants lacks %q:\n%s", want, list)
		}
	}
	service := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := write(service, config+"grants: {key_file: "+filepath.Join(g.dir, "grant-key.pem")+"}\n"); err != nil {
		t.Fatal(err)
	}
	verify := []string{"token", "verify", "--config", service, "--user", "lion", "--direction", "upload", "--file", "/ingest/a/clip.mov"}
	if out, err := exec.Command(binary, append(verify, grantIn(tags))...).Output(); err == nil || !strings.HasPrefix(string(out), "not covered: it was revoked at ") {
		t.Errorf("sluice token verify: %v, %s", err, out)
	}
	if out := commanded(t, append(verify, grantIn(other))...); !strings.HasPrefix(out, "covered: ") {
		t.Errorf("sluice token verify of the other one: %s", out)
	}
	if list := commanded(t, "revoke", "--list", "--state", state); !strings.Contains(list, "grant "+id) {
		t.Errorf("sluice revoke --list: %s", list)
	}

	if status, err := g.stop(); status != 0 {
		t.Fatal(status, err)
	}
	key := "grants: {key_file: " + filepath.Join(g.dir, "grant-key.pem") + "}\n"
	again := start(t, setup{config: config + key, policies: withoutGrantRules()})
	if a := again.post(t, granted(t, tags, "stop", "/ingest/a/clip.mov")); a.code != "1009" {
		t.Errorf("after a new start: %d %s", a.status, a.body)
	}
	if a := again.post(t, granted(t, other, "stop", "/ingest/a/clip.mov")); a.status != http.StatusOK {
		t.Errorf("the other one, after a new start: %d %s", a.status, a.body)
	}
}

// TestAClientIsRevokedUpToNow: what it asks for later holds.
func TestAClientIsRevokedUpToNow(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	g := give(t, "issuer: local", setup{config: "state: {dir: " + state + "}\n", policies: withoutGrantRules()})
	before := g.requested(t, "--upload", "/ingest/a/clip.mov")
	order := `{"client":"nodeuser","reason":"its password leaked"}`
	response, err := http.Post("http://"+g.admin+"/v1/revocations", "application/json", strings.NewReader(order))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		t.Fatalf("the answer is %s", response.Status)
	}
	await(t, "it is stopped", func() bool { return g.post(t, granted(t, before, "stop", "/ingest/a/clip.mov")).code == "1009" })
	body := `{"transfer_requests":[{"transfer_request":{` + wants("/ingest/a/clip.mov") + `}}]}`
	var after given
	await(t, "a second has passed", func() bool {
		after = g.ask(t, "/files/upload_setup", "nodeuser", nodePassword, body)
		if after.status == http.StatusServiceUnavailable && (after.header.Get("Retry-After") != "60" || !strings.Contains(after.body, "revoked a moment ago")) {
			t.Errorf("the answer is %v %s", after.header, after.body)
		}
		return after.status == http.StatusOK
	})
	if a := g.post(t, granted(t, after.tags(t), "stop", "/ingest/a/clip.mov")); a.status != http.StatusOK {
		t.Errorf("what was issued later: %d %s", a.status, a.body)
	}
	var listed struct{ Grants []struct{ ID, State string } }
	if _, text := g.server.ask(t, http.MethodGet, "/v1/grants?state=revoked"); json.Unmarshal([]byte(text), &listed) != nil || len(listed.Grants) != 1 || listed.Grants[0].ID != transferOf(before) {
		t.Errorf("%+v are revoked", listed)
	}
}

// TestTokensWithoutTheStore are refused, unless the configuration says otherwise.
func TestTokensWithoutTheStore(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"refuse": http.StatusServiceUnavailable, "issue": http.StatusOK} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := give(t, "on_unregistered: "+name, setup{config: "state: {nats: {servers: [\"nats://127.0.0.1:1\"]}}\n"})
			a := g.ask(t, "/files/upload_setup", "nodeuser", nodePassword, `{"transfer_requests":[{"transfer_request":{`+wants("/ingest/a")+`}}]}`)
			if a.status != want {
				t.Errorf("the answer is %d %s", a.status, a.body)
			}
			if n := g.metrics(t).sum("sluice_grants_unregistered_total"); n != 1 {
				t.Errorf("%v are counted", n)
			}
			g.logged(t, "grants could not be registered")
		})
	}
}

// TestSilenceOfTheStore: with a limit nothing moves by a grant when nobody can say
// what is revoked.
func TestSilenceOfTheStore(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		grants string
		want   string
	}{{"", ""}, {", max_silence: 10s", "1009"}} {
		g := give(t, "on_unregistered: issue", setup{config: fmt.Sprintf(
			"state: {nats: {servers: [\"nats://127.0.0.1:1\"]}}\ngrants: {key_file: %s, revocations_file: %s%s}\n",
			filepath.Join(t.TempDir(), "key.pem"), filepath.Join(t.TempDir(), "revoked.jsonl"), row.grants)})
		tags := g.requested(t, "--upload", "/ingest/a")
		if a := g.post(t, granted(t, tags, "start", "/ingest/a/clip.mov")); a.code != row.want {
			t.Errorf("with %q: %d %s", row.grants, a.status, a.body)
		}
	}
}

// describedGrants is what the admin listener has with a policy store.
func describedGrants(t *testing.T, d *described) {
	t.Helper()
	g := give(t, "issuer: local", setup{config: "state: {dir: " + filepath.Join(t.TempDir(), "state") + "}\n"})
	away := start(t, setup{config: "state: {nats: {servers: [\"nats://127.0.0.1:1\"]}}\n"})
	id := transferOf(g.requested(t, "--upload", "/ingest/a"))
	get, post := http.MethodGet, http.MethodPost
	for _, c := range []call{
		{name: "grants", path: "/v1/grants", method: get, want: 200},
		{name: "a state that is none", path: "/v1/grants?state=lost", method: get, want: 400, odd: true},
		{name: "revoked", path: "/v1/revocations", method: post, body: `{"id":"` + id + `","reason":"r"}`, want: 201},
		{name: "a client", path: "/v1/revocations", method: post, body: `{"client":"nodeuser","by":"ann"}`, want: 201},
		{name: "grants that are revoked", path: "/v1/grants?state=revoked&client=nodeuser&user=lion&limit=7&since=2026-01-02T15:04:05Z&id=" + id, method: get, want: 200},
		{name: "revocations", path: "/v1/revocations", method: get, want: 200},
		{name: "an unknown grant", path: "/v1/revocations", method: post, body: `{"id":"mistyped"}`, want: 422},
		{name: "another member", path: "/v1/revocations", method: post, body: `{"transfer":"x"}`, want: 400, odd: true},
		{name: "another content type", path: "/v1/revocations", method: post, body: `{"id":"x"}`, header: []string{"Content-Type", "text/plain"}, want: 415, odd: true},
	} {
		c.at = g.admin
		d.hold(t, c)
	}
	for _, c := range []call{
		{name: "grants, without the store", path: "/v1/grants", method: get, want: 503},
		{name: "revocations, without the store", path: "/v1/revocations", method: get, want: 503},
		{name: "revoke, without the store", path: "/v1/revocations", method: post, body: `{"client":"a"}`, want: 503},
	} {
		c.at = away.admin
		d.hold(t, c)
	}
}
