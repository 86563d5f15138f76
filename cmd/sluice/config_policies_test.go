package main

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
)

// faultsIn returns what is wrong with a configuration, each with its place.
func faultsIn(t *testing.T, text string) (config, []string) {
	t.Helper()
	file := written(t, "sluice.yaml", text)
	c, err := readConfig(file)
	var got []string
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(line, file+":"), "\n"))
		}
	}
	return c, got
}

// TestWherePoliciesAreFrom: a folder is written as it was ever, or as a group.
func TestWherePoliciesAreFrom(t *testing.T) {
	stored := func(cache string, maxAge time.Duration, refuse bool) storedConfig {
		return storedConfig{set: true, cache: cache, maxAge: maxAge, refuse: refuse, wait: 10 * time.Second}
	}
	const embedded, elsewhere = "\nstate: {dir: /var/lib/sluice}\n", "\nstate: {nats: {servers: ['nats://a:4222']}}\n"
	for _, row := range []struct {
		name, text string
		folder     string
		want       storedConfig
		wrong      []string
	}{
		{"nothing", "default: reject\n", "policies", defaultStored(), nil},
		{"a folder", "policies: p\n", "p", defaultStored(), nil},
		{"a folder in a group", "policies: {from: p}\n", "p", defaultStored(), nil},
		{"a folder that is called store", "policies: ./store\n", "./store", defaultStored(), nil},
		{"a text is always a folder", "policies: store\n", "store", defaultStored(), nil},
		{"the store of this service", "policies: {from: store}" + embedded, "policies", stored("/var/lib/sluice/policies", 0, false), nil},
		{"the store of others", "policies: {from: store, cache: c}" + elsewhere, "policies", stored("c", 0, false), nil},
		{"an age", "policies: {from: store, max_age: 1h}" + embedded, "policies", stored("/var/lib/sluice/policies", time.Hour, false), nil},
		{"an age in days", "policies: {from: store, max_age: 2d, when_older: refuse}" + embedded, "policies", stored("/var/lib/sluice/policies", 2*day, true), nil},

		{name: "no store", text: "policies: {from: store}\n", wrong: []string{`1:18: there is no policy store: say with state where it is; a folder that is called store is written ./store`}},
		{name: "no cache", text: "policies: {from: store}" + elsewhere, wrong: []string{`1:11: this lacks the key "cache": the folder in which the last good revision is kept`}},
		{name: "from nowhere", text: "policies: {cache: c}\n", wrong: []string{`1:11: "policies" lacks the key "from"`}},
		{
			name: "a folder and keys of the store", text: "policies: {from: p, cache: c, max_age: 1h, when_older: refuse, wait: 1s}\n",
			wrong: []string{
				`1:21: this is for policies from the store, and these are from the folder p`, `1:31: this is for policies from the store, and these are from the folder p`,
				`1:44: this is for policies from the store, and these are from the folder p`, `1:64: this is for policies from the store, and these are from the folder p`,
			},
		},
		{
			name: "times", text: "policies: {from: store, max_age: 9s, wait: 2h}" + embedded,
			wrong: []string{`1:34: "9s" is not a time such as 1h or 7d, from 10s to 3650d`, `1:44: "2h" is not a time such as 10s, from 1ms to 1h`},
		},
		{name: "nothing is older", text: "policies: {from: store, when_older: refuse}" + embedded, wrong: []string{`1:25: without max_age nothing is too old`}},
		{
			name: "a choice", text: "policies: {from: store, max_age: 1h, when_older: refused}" + embedded,
			wrong: []string{`1:50: "when_older" cannot be "refused"; it is one of not_ready, refuse; did you mean "refuse"?`},
		},
		{name: "an unknown key", text: "policies: {from: store, cach: c}" + embedded, wrong: []string{`1:25: unknown key "cach"; did you mean "cache"?`}},
		{name: "a list", text: "policies: [p]\n", wrong: []string{`1:11: "policies" must be a text or a group of keys, not a list`}},
		{name: "nothing in it", text: "policies: ''\n", wrong: []string{`1:11: "policies" is empty`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, wrong := faultsIn(t, row.text)
			if diff := cmp.Diff(row.wrong, wrong); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			if row.wrong != nil {
				return
			}
			if diff := cmp.Diff(row.want, c.stored, sameConfig); diff != "" || c.policies != row.folder {
				t.Errorf("the folder is %s, want %s (-want +got):\n%s", c.policies, row.folder, diff)
			}
		})
	}
}

// TestMistakesInTheState: each with its place and the way to mend it.
func TestMistakesInTheState(t *testing.T) {
	const nats = `nats: {servers: ["nats://a:4222"]`
	for _, row := range []struct {
		name, text string
		want       []string
	}{
		{"a folder", "dir: d", nil},
		{"elsewhere", nats + "}", nil},
		{"for others on this machine", "dir: d, listen: '127.0.0.1:4222', token_file: t", nil},
		{"for others beyond", "dir: d, listen: ':4222', token_file: t, cert_file: c, key_file: k", nil},

		{"no engine", "instance: i", []string{`1:8: this names no engine: write dir for one inside this service, or nats for one elsewhere`}},
		{"nothing", "", []string{`1:8: "state" is empty; leave the key out if it says nothing`}},
		{"two engines", "dir: d, " + nats + "}", []string{`1:23: dir and nats are two engines: leave out one of them`}},
		{"others may change policies", "dir: d, listen: '127.0.0.1:4222'", []string{`1:25: whoever connects could change the policies: name a token_file`}},
		{"in the clear", "dir: d, listen: '192.0.2.1:4222', token_file: t", []string{`1:25: beyond loopback the token would travel in the clear: name cert_file and key_file`}},
		{"no address", "dir: d, listen: here, token_file: t", []string{`1:25: "here" is not an address such as 127.0.0.1:4222`}},
		{"half a certificate", "dir: d, cert_file: c", []string{`1:8: cert_file and key_file go together`}},
		{"half a certificate elsewhere", nats + ", key_file: k}", []string{`1:15: cert_file and key_file go together`}},
		{
			"keys of the other engine", nats + "}, listen: 'l:1', token_file: t, cert_file: c, key_file: k, max_bytes: 1 GiB",
			[]string{
				`1:53: this is for the engine inside this service, and nats names one elsewhere`, `1:72: this is for the engine inside this service, and nats names one elsewhere`,
				`1:86: this is for the engine inside this service, and nats names one elsewhere`, `1:99: this is for the engine inside this service, and nats names one elsewhere`,
				`1:113: this is for the engine inside this service, and nats names one elsewhere`,
			},
		},
		{"no servers", "nats: {servers: []}", []string{`1:25: "servers" is empty`}},
		{"a server", `nats: {servers: ["http://a:1", "a:4222"]}`, []string{
			`1:26: this is not a URL such as nats://nats-1:4222 or tls://nats-1:4222`, `1:40: this is not a URL such as nats://nats-1:4222 or tls://nats-1:4222`,
		}},
		{"two replicas", nats + ", replicas: 2}", []string{`1:54: "replicas" cannot be "2"; it is one of 1, 3, 5`}},
		{"a prefix", nats + ", prefix: a.b}", []string{`1:52: "prefix" cannot be "a.b"; what the names of streams and buckets begin with: one for each fleet`}},
		{"times", "dir: d, budget: 11s, keep_decisions: 59m", []string{`1:25: "11s" is not a time such as 50ms, from 1ms to 10s`, `1:46: "59m" is not a time such as 720h or 30d, from 1h to 3650d`}},
		{"one revision", "dir: d, keep_revisions: 1", []string{`1:33: "keep_revisions": must be greater than or equal to 2`}},
		{"sizes", "dir: d, max_bytes: 1, keep_decision_bytes: x", []string{
			`1:28: "1" is not from 1 KiB to 1024 TiB`, `1:52: "x" is not a size; write a number and a unit of B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 500 GiB`,
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, got := faultsIn(t, "state: {"+row.text+"}\n")
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryKeyOfTheStoreIsDocumented, and no other is.
func TestEveryKeyOfTheStoreIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../deploy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## The policy store\n")
	section, _, _ = strings.Cut(section, "\n## ")
	state := keysOf(t, stateSchema)
	for of, want := range map[string][]string{"state": state, "nats": keysOf(t, stateSchema, "nats"), "policies": keysOf(t, policiesSchema)} {
		_, table, _ := strings.Cut(section, "| key of `"+of+"` |")
		table, _, _ = strings.Cut(table, "\n\n")
		var got []string
		for row := range strings.Lines(table) {
			for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(strings.Split(row, " | ")[0], -1) {
				got = append(got, name[1])
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("keys of %s (-read +documented):\n%s", of, diff)
		}
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(examples) != 2 {
		t.Errorf("there are %d examples", len(examples))
	}
	for _, example := range examples {
		if c, err := readConfig(written(t, "sluice.yaml", example[1])); err != nil || !c.stored.set || !c.state.set() {
			t.Errorf("%v in\n%s", err, example[1])
		}
	}
}

// keysOf returns the keys of a schema in order, or of what is at a key of it.
func keysOf(t *testing.T, text string, at ...string) []string {
	t.Helper()
	type schema struct{ Properties map[string]*schema }
	var s *schema
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	for _, key := range at {
		s = s.Properties[key]
	}
	return slices.Sorted(maps.Keys(s.Properties))
}

// pushFolder stores the files of a folder as a revision.
func pushFolder(t *testing.T, c *stateConfig, dir string) {
	t.Helper()
	s, err := c.open(t.Context(), true, func(store.Happening) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Push(t.Context(), store.Proposal{Files: os.DirFS(dir)}); err != nil {
		t.Fatal(err)
	}
}

// TestCommandsCompileThePoliciesOfTheStore where the configuration says so.
func TestCommandsCompileThePoliciesOfTheStore(t *testing.T) {
	c := defaultConfig()
	c.state.engine.Dir, c.stored.set = t.TempDir(), true
	o := policies.Options{Kinds: rules.Builtin()}
	if _, err := c.compilePolicies(t.Context(), o); !errors.Is(err, store.ErrEmpty) {
		t.Errorf("of an empty store: %v", err)
	}
	set := filepath.Dir(written(t, "p.yaml", "version: 1\npolicy: stored\nrules: [{name: r, extension: {deny: [exe]}}]\n"))
	pushFolder(t, &c.state, set)
	got, err := c.compilePolicies(t.Context(), o)
	if err != nil || len(got.Policies) != 1 || got.Policies[0].Name != "stored" {
		t.Errorf("got %+v, %v", got, err)
	}
}
