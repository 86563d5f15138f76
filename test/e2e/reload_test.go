package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// onlyExtension is a policy that accepts files of one extension.
func onlyExtension(extension string) string {
	return "version: 1\npolicy: types\nrules:\n  - name: type\n    extension: {allow: [" + extension + "]}\n"
}

// still is a configuration by which a server looks at its folder only when told.
const still = "reload_interval: 24h\n"

// TestAnEditedFileDecidesTheNextEvent without a restart and without a word.
func TestAnEditedFileDecidesTheNextEvent(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "reload_interval: 20ms\n", policies: map[string]string{"types.yaml": onlyExtension("mov")}})
	first := s.revision(t)
	if a := s.post(t, event()); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s.edit(t, "types.yaml", onlyExtension("mxf"))
	var refused answer
	await(t, "the new policy decides", func() bool {
		refused = s.post(t, event())
		return refused.code == "1022"
	})
	second := s.revision(t)
	if l := s.decision(t, refused.id); l.text("revision") != second || second == first {
		t.Errorf("revision %s, then %s; in the log %s", first, second, l.text("revision"))
	}
	s.edit(t, "more.yaml", strings.NewReplacer("types", "more", "mov", "wav").Replace(onlyExtension("mov")))
	await(t, "a new file counts", func() bool { return s.metrics(t).sum("sluice_policy_rules") == 2 })
	if err := os.Remove(filepath.Join(s.dir, "more.yaml")); err != nil {
		t.Fatal(err)
	}
	await(t, "a removed file counts no more", func() bool { return s.metrics(t).sum("sluice_policy_rules") == 1 })
	s.edit(t, "types.yaml", onlyExtension("mov"))
	await(t, "the first set is back", func() bool { return s.revision(t) == first })
}

// edit replaces a file of the policy set.
func (s *server) edit(t *testing.T, name, text string) {
	t.Helper()
	if err := write(filepath.Join(s.dir, name), text); err != nil {
		t.Fatal(err)
	}
}

func TestSIGHUPReloads(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: still, policies: map[string]string{"types.yaml": onlyExtension("mov")}})
	s.edit(t, "types.yaml", onlyExtension("mxf"))
	if a := s.post(t, event()); a.status != http.StatusOK {
		t.Fatalf("before the signal: %d %s", a.status, a.body)
	}
	s.signal(t, syscall.SIGHUP)
	await(t, "the new policy decides", func() bool { return s.post(t, event()).code == "1022" })
}

// TestPOSTReloadAnswersWhenTheSetIsInForce: the very next event is decided by it.
func TestPOSTReloadAnswersWhenTheSetIsInForce(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: still, policies: map[string]string{"types.yaml": onlyExtension("mov")}})
	first := s.revision(t)
	for i, extension := range []string{"mxf", "mov", "mxf", "mxf", "mov"} {
		s.edit(t, "types.yaml", onlyExtension(extension))
		told := s.reload(t, http.StatusOK)
		if now := s.revision(t); told["revision"] != now || (now == first) != (extension == "mov") {
			t.Errorf("reload %d tells %q, in force is %s, at first it was %s", i, told, now, first)
		}
		if a := s.post(t, event()); (a.status == http.StatusOK) != (extension == "mov") {
			t.Errorf("after reload %d to %s: %d %s", i, extension, a.status, a.body)
		}
	}
	if status, _ := s.ask(t, http.MethodGet, "/-/reload"); status == http.StatusOK {
		t.Error("GET reloads")
	}
}

// reload asks for a reload and returns the members of the answer.
func (s *server) reload(t *testing.T, status int) (told map[string]string) {
	t.Helper()
	got, body := s.ask(t, http.MethodPost, "/-/reload")
	if err := json.Unmarshal([]byte(body), &told); got != status || err != nil {
		t.Fatalf("POST /-/reload: %d %s, want %d (%v)", got, body, status, err)
	}
	return told
}

// TestABrokenSetLeavesTheOldInForce: the service goes on and says degraded, with
// every mistake, until the set is right again.
func TestABrokenSetLeavesTheOldInForce(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: still, policies: map[string]string{"types.yaml": onlyExtension("mov")}})
	first := s.revision(t)
	loaded := s.metrics(t).sum("sluice_policy_last_reload_success_timestamp_seconds")
	broken := strings.Replace(onlyExtension("mov"), "extension:", "extnsion:", 1)
	s.edit(t, "types.yaml", broken)
	s.edit(t, "size.yaml", "version: 1\npolicy: sizes\nrules:\n  - name: big\n    size: {max: 5 QB}\n")
	mistakes := []string{
		filepath.Join(s.dir, "types.yaml") + ":5:5: unknown key \"extnsion\"; did you mean \"extension\"?",
		filepath.Join(s.dir, "size.yaml") + ":5:17: ",
	}
	for range 2 {
		told := s.reload(t, http.StatusUnprocessableEntity)
		status, ready := s.ready(t)
		for _, mistake := range mistakes {
			if !strings.Contains(told["error"], mistake) || !strings.Contains(ready, mistake) {
				t.Errorf("%q is not in %q or not in %q", mistake, told["error"], ready)
			}
		}
		if told["revision"] != first || status != http.StatusOK || !strings.HasPrefix(ready, "degraded: revision "+first) {
			t.Errorf("the reload tells %q, /readyz %d %q", told["revision"], status, ready)
		}
	}
	m := s.metrics(t)
	if m.sum("sluice_policy_last_reload_successful") != 0 || m.sum("sluice_policy_info", "revision", first) != 1 ||
		m.sum("sluice_policy_last_reload_success_timestamp_seconds") != loaded {
		t.Error("the metrics do not tell that the old set is in force")
	}
	if a := s.post(t, event()); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := len(s.logged(t, "policies not reloaded, the old ones stay in force", "revision", first)); n != 1 {
		t.Errorf("the same mistakes are logged %d times", n)
	}
	s.edit(t, "types.yaml", onlyExtension("mxf"))
	s.edit(t, "size.yaml", "version: 1\npolicy: sizes\nrules:\n  - name: big\n    size: {max: 5 GB}\n")
	told := s.reload(t, http.StatusOK)
	m = s.metrics(t)
	if m.sum("sluice_policy_last_reload_successful") != 1 || m.sum("sluice_policy_info", "revision", told["revision"]) != 1 ||
		len(m.with("sluice_policy_info")) != 1 || m.sum("sluice_policy_last_reload_success_timestamp_seconds") <= loaded {
		t.Error("the metrics do not tell that the new set is in force")
	}
	if status, ready := s.ready(t); status != http.StatusOK || ready != "ready: revision "+told["revision"]+"\n" {
		t.Errorf("/readyz: %d %q", status, ready)
	}
	if a := s.post(t, event()); a.code != "1022" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestAFolderThatIsGoneLeavesTheOldInForce until it is back.
func TestAFolderThatIsGoneLeavesTheOldInForce(t *testing.T) {
	t.Parallel()
	s := start(t, setup{config: "reload_interval: 20ms\n", policies: map[string]string{"types.yaml": onlyExtension("mov")}})
	if err := os.Rename(s.dir, s.dir+".away"); err != nil {
		t.Fatal(err)
	}
	await(t, "/readyz says degraded", func() bool {
		status, body := s.ready(t)
		return status == http.StatusOK && strings.HasPrefix(body, "degraded: ")
	})
	if a := s.post(t, event()); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	if err := os.Rename(s.dir+".away", s.dir); err != nil {
		t.Fatal(err)
	}
	await(t, "/readyz says ready", func() bool {
		_, body := s.ready(t)
		return strings.HasPrefix(body, "ready: ")
	})
}

// TestAListIsReadAgain: a file that a rule names decides like the policy itself.
func TestAListIsReadAgain(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("ab", 32)
	s := start(t, setup{config: "reload_interval: 20ms\n", policies: map[string]string{
		"bad.yaml":       "version: 1\npolicy: bad\nrules:\n  - name: known-bad\n    checksum: {deny: lists/a.sha256}\n",
		"lists/a.sha256": strings.Repeat("00", 32) + "\n",
	}})
	stop := event("startstop", `"stop"`, "file_csum_type", `"sha256"`, "file_csum", `"`+digest+`"`)
	if a := s.post(t, stop); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s.edit(t, "lists/a.sha256", strings.Repeat("00", 32)+"\n"+digest+"\n")
	await(t, "the list decides", func() bool { return s.post(t, stop).code == "1024" })
}
