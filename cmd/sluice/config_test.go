package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluiceproject/sluice/files"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/validator"
	"github.com/sluiceproject/sluice/validator/journal"
	"github.com/sluiceproject/sluice/validator/journal/sinks"
)

// sameConfig compares configurations member by member.
var sameConfig = cmp.Options{
	cmp.AllowUnexported(config{}, grantsConfig{}, tokensConfig{}, filesConfig{}, gateConfig{}, mountConfig{}, storedConfig{}, stateConfig{}, pushConfig{}, pushReplay{}, pushLimits{}, pushLimit{}),
	cmpopts.IgnoreFields(mountConfig{}, "prefixAt", "dirAt"),
}

// written writes a file into a folder of its own, and returns its path.
func written(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// everyKey has another value than the default for every key.
const everyKey = `
listen: 192.0.2.1:1
admin: "[::1]:2"
policies: {from: store, cache: /var/cache/sluice, max_age: 2d, when_older: refuse, wait: 1m}
default: accept
upload_direction: send
partial_suffix: .part
reload_interval: 10ms
limits:
  body: 4096
  header: 1.5 MiB
  header_time: 1ms
  read_time: 1m30s
  idle_time: 24h
  connections: 1
  requests: 1000000
shutdown:
  delay: 0s
  timeout: 1ms
scanners:
  clamav: {clamd: "unix:/run/clamd", workers: 1}
webhooks:
  dam: {url: "https://dam.example.com/v", secret_file: /etc/dam.key, ca_file: /etc/ca.pem, timeout: 1m, workers: 1000, waiting: 0}
  mam: {url: "http://127.0.0.1:99/", secret_file: mam.key}
files:
  mounts:
    - {prefix: C:/data, dir: /srv}
    - {prefix: /, dir: /nowhere}
  read_rate: 200 MB
  heads: {workers: 3, waiting: 0}
  wholes: {workers: 1, waiting: 5}
  deadline: 10s
grants: {key_file: /var/lib/grant.pem, verify_key_files: [old.pem, other.pem], skew: 5m, revocations_file: /var/lib/revoked.jsonl, max_silence: 2d}
docroots: {xfer: /srv/aspera/xfer/, win: 'C:\aspera', s3: s3://bucket/x, root: /}
tokens:
  listen: 127.0.0.1:9092
  tls: {cert_file: a.pem, key_file: b.pem}
  issuer: bearer
  on_unregistered: issue
  transfer: {remote_host: hst.example.com, ssh_port: 22, fasp_port: 33002, http_fallback: true, http_fallback_port: 443, cipher: aes-256}
  node: {url: "https://hst:9092", user: n, password_file: n.txt, ca_file: ca.pem, pin_sha256: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f, timeout: 2s, connections: 3, waiting: 0}
  bearer: {access_key: ak, user_id: me, private_key_file: rsa.pem}
journal: {dir: /var/log/sluice, instance: eu-1, durability: interval, interval: 50ms, patience: 1s, on_error: accept, segment_size: 1 MiB, segment_age: 2d, keep_bytes: 1 GiB, keep_age: 30d, sinks: {tail: {file: /var/log/sluice.jsonl}}}
state: {dir: /var/lib/sluice, max_bytes: 1 GiB, listen: 192.0.2.1:4222, token_file: /etc/sluice/token, cert_file: c.pem, key_file: d.pem, instance: eu-2, budget: 20ms, keep_revisions: 7, keep_decisions: 2d, keep_decision_bytes: 1 MiB}
push: {require_tests: true, replay: {from: /var/log/sluice, since: 2d, max_newly_refused: 0, max_newly_accepted: 5, max_undecidable: 1%}}
`

// everyNATSKey has the keys that cannot stand beside state.dir.
const everyNATSKey = `
policies: {from: store, cache: c}
state:
  nats: {servers: ["nats://a:4222", "tls://b:4222"], credentials_file: c.creds, token_file: t, ca_file: ca.pem, cert_file: c.pem, key_file: d.pem, replicas: 5, prefix: eu}
`

func TestEveryKeyIsRead(t *testing.T) {
	got, err := readConfig(written(t, "sluice.yaml", strings.Replace(everyKey, "delay: 0s", "delay: 3s", 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		listen: "192.0.2.1:1", admin: "[::1]:2", policies: "policies", acceptByDefault: true, uploadDirection: "send",
		partialSuffix: ".part", reloadInterval: 10 * time.Millisecond, limits: validator.Limits{
			Body: 4096, Header: 3 << 19, HeaderTime: time.Millisecond, ReadTime: 90 * time.Second, IdleTime: 24 * time.Hour,
			Connections: 1, Requests: 1_000_000,
		},
		stored:        storedConfig{set: true, cache: "/var/cache/sluice", maxAge: 2 * day, refuse: true, wait: time.Minute},
		shutdownDelay: 3 * time.Second, shutdownTimeout: time.Millisecond,
		webhooks: []webhookConfig{
			{Name: "dam", URL: "https://dam.example.com/v", SecretFile: "/etc/dam.key", CAFile: "/etc/ca.pem", Timeout: time.Minute, Workers: 1000},
			{Name: "mam", URL: "http://127.0.0.1:99/", SecretFile: "mam.key", Timeout: 2 * time.Second, Workers: 8, Waiting: 64},
		},
		scanners: []scanner{{
			Name: "clamav", Clamd: "unix:/run/clamd", MaxSize: 100 << 20, Workers: 1, Waiting: 32, ConnectTimeout: 2 * time.Second, Remember: 10_000,
		}},
		files: filesConfig{
			mounts: []mountConfig{
				{Mount: files.Mount{Prefix: "C:/data", Dir: "/srv"}}, {Mount: files.Mount{Prefix: "/", Dir: "/nowhere"}},
			},
			readRate: 200_000_000, heads: gateConfig{3, 0}, wholes: gateConfig{1, 5}, deadline: 10 * time.Second,
		},
		grants: grantsConfig{
			keyFile: "/var/lib/grant.pem", verifyFiles: []string{"old.pem", "other.pem"}, skew: 5 * time.Minute, revocationsFile: "/var/lib/revoked.jsonl", maxSilence: 2 * day,
			docroots: map[string]string{"xfer": "/srv/aspera/xfer", "win": "C:/aspera", "s3": "s3://bucket/x", "root": ""},
		},
		tokens: tokensConfig{
			listen: "127.0.0.1:9092", certFile: "a.pem", keyFile: "b.pem", issuer: "bearer",
			transfer: transferConfig{"hst.example.com", 22, 33002, true, 443, "aes-256"},
			node: nodeConfig{
				URL: "https://hst:9092", User: "n", PasswordFile: "n.txt", CAFile: "ca.pem",
				PinSHA256: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", Timeout: 2 * time.Second, Connections: 3,
			},
			bearer: bearerConfig{"ak", "me", "rsa.pem"}, unregistered: true,
		},
		journal: journalConfig{
			Dir: "/var/log/sluice", Instance: "eu-1", Durability: journal.Interval, Interval: 50 * time.Millisecond, Patience: time.Second,
			AcceptOnError: true, SegmentSize: 1 << 20, SegmentAge: 2 * day, KeepBytes: 1 << 30, KeepAge: 30 * day,
			Sinks: []sinks.Sink{{Name: "tail", BatchRecords: 500, BatchBytes: 1 << 20, File: &sinks.File{Path: "/var/log/sluice.jsonl"}}},
		},
		state: stateConfig{
			engine: store.Options{
				Dir: "/var/lib/sluice", MaxBytes: 1 << 30, Listen: "192.0.2.1:4222", CertFile: "c.pem", KeyFile: "d.pem", Instance: "eu-2",
				KeepRevisions: 7, KeepDecisions: 2 * day, KeepDecisionBytes: 1 << 20,
			},
			tokenFile: "/etc/sluice/token", budget: 20 * time.Millisecond,
		},
		push: pushConfig{requireTests: true, replay: &pushReplay{from: "/var/log/sluice", since: "2d", limits: pushLimits{
			refused: pushLimit{text: "0"}, accepted: pushLimit{text: "5", most: 5}, undecidable: pushLimit{text: "1%", share: 1},
		}}},
	}
	if diff := cmp.Diff(want, got, sameConfig); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryKeyOfAnEngineElsewhereIsRead(t *testing.T) {
	got, err := readConfig(written(t, "sluice.yaml", everyNATSKey))
	if err != nil {
		t.Fatal(err)
	}
	want := stateConfig{
		engine: store.Options{
			Servers: []string{"nats://a:4222", "tls://b:4222"}, CredentialsFile: "c.creds", CAFile: "ca.pem", ClientCertFile: "c.pem", ClientKeyFile: "d.pem",
			Replicas: 5, Prefix: "eu", MaxBytes: 10 << 30, KeepDecisions: 30 * day, KeepDecisionBytes: 2 << 30,
		},
		tokenFile: "t", budget: 50 * time.Millisecond,
	}
	if got.state.engine.Instance == "" {
		t.Error("the service has no name")
	}
	got.state.engine.Instance = ""
	if diff := cmp.Diff(want, got.state, sameConfig); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEveryKeyIsInTheTest: a key that is added to the schema is read by a test.
func TestEveryKeyIsInTheTest(t *testing.T) {
	var documents []any
	for _, text := range []string{everyKey, everyNATSKey} {
		doc, faults := document.Parse("every", []byte(text))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		documents = append(documents, doc.Tree)
	}
	schema, faults := document.Parse("schema", []byte(strings.ReplaceAll(configSchema, "\t", " ")))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var compare func(at string, schema any, values []any)
	compare = func(at string, schema any, values []any) {
		properties, _ := schema.(map[string]any)["properties"].(map[string]any)
		for key, inner := range properties {
			var below []any
			for _, value := range values {
				has, _ := value.(map[string]any)
				if value, ok := has[key]; ok {
					below = append(below, value)
				}
			}
			if len(below) == 0 {
				t.Errorf("%s/%s has no other value here", at, key)
				continue
			}
			compare(at+"/"+key, inner, below)
		}
	}
	compare("", schema.Tree, documents)
}

// TestDefaultsAreThoseOfTheShippedFile, but for the policies that ship.
func TestDefaultsAreThoseOfTheShippedFile(t *testing.T) {
	const shipped = "../../deploy/sluice.yaml"
	got, err := readConfig(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if got.policies != "policies/examples" {
		t.Errorf("the shipped policies are %s", got.policies)
	}
	want := defaultConfig()
	got.policies = want.policies
	if diff := cmp.Diff(want, got, sameConfig); diff != "" {
		t.Errorf("(-defaults +shipped file):\n%s", diff)
	}
	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"listen", "admin", "policies", "default", "upload_direction", "# partial_suffix", "# scanners", "# webhooks", "# grants", "# docroots", "# tokens", "# journal", "# state", "# push", "reload_interval", "limits", "  body", "  header", "  header_time",
		"  read_time", "  idle_time", "  connections", "  requests", "shutdown", "  delay", "  timeout",
		"files", "  deadline", "  heads", "    # workers", "    waiting", "  wholes", "  # read_rate", "  # mounts",
	} {
		if !strings.Contains(string(text), "\n"+key+":") {
			t.Errorf("the shipped file lacks the key %s", key)
		}
	}
}

func TestWhatIsLeftOutIsTheDefault(t *testing.T) {
	got, err := readConfig(written(t, "sluice.yaml", "default: reject\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaultConfig(), got, sameConfig); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMistakesInTheConfiguration(t *testing.T) {
	const time = ` is not a time such as 500ms, 30s or 2m, from `
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"unknown key", "lisen: a:1\n", []string{`1:1: unknown key "lisen"; did you mean "listen"?`}},
		{"unknown key in a group", "limits:\n  bodi: 1 MiB\n", []string{`2:3: unknown key "bodi"; did you mean "body"?`}},
		{
			"unknown key that is like none", "shutdown: {x: 1}\n",
			[]string{`1:12: unknown key "x"; known here: delay, timeout`},
		},
		{"a key of another group", "timeout: 1s\n", []string{`1:1: unknown key "timeout"; known here: admin, default, docroots, files, grants, journal, limits, listen, partial_suffix, policies, push, reload_interval, scanners, shutdown, state, tokens, upload_direction, webhooks`}},
		{"a key twice", "listen: a:1\nlisten: b:1\n", []string{`2:1: the key "listen" is given twice, first in line 1`}},
		{"a choice", "default: acept\n", []string{`1:10: "default" cannot be "acept"; it is one of accept, reject; did you mean "accept"?`}},
		{"a direction", "upload_direction: upload\n", []string{`1:19: "upload_direction" cannot be "upload"; it is one of recv, send`}},
		{"nothing", "listen:\n", []string{`1:8: "listen" must be a text, not nothing; leave the key out if it says nothing`}},
		{"an empty text", "listen: ''\nadmin: ''\npolicies: ''\n", []string{`1:9: "listen" is empty`, `2:8: "admin" is empty`, `3:11: "policies" is empty`}},
		{"an empty group", "limits: {}\n", []string{`1:9: "limits" is empty; leave the key out if it says nothing`}},
		{"an empty file", "# nothing\n", []string{`the file is empty`}},
		{"a list", "- listen\n", []string{`1:1: the document must be a group of keys, not a list`}},
		{"a suffix without its dot", "partial_suffix: partial\n", []string{`1:17: "partial_suffix" cannot be "partial"; what ascp appends to the names of unfinished files, with its dot`}},

		{"no unit of time", "reload_interval: '5'\n", []string{`1:18: "5"` + time + `10ms to 24h`}},
		{"a number of what", "reload_interval: 5\n", []string{`1:18: "reload_interval" must be a text, not a whole number; write it in quotes: "5"`}},
		{"no time at all", "limits: {read_time: soon}\n", []string{`1:21: "soon"` + time + `1ms to 24h`}},
		{"an empty time", "reload_interval: ''\nlimits: {read_time: '', header_time: '', idle_time: ''}\nshutdown: {delay: '', timeout: ''}\n", []string{
			`1:18: "reload_interval" is empty`, `2:21: "read_time" is empty`, `2:38: "header_time" is empty`, `2:53: "idle_time" is empty`,
			`3:19: "delay" is empty`, `3:32: "timeout" is empty`,
		}},
		{"time that goes back", "shutdown: {delay: -1s}\n", []string{`1:19: "-1s"` + time + `0s to 24h`}},
		{"too short", "reload_interval: 9ms\nlimits: {header_time: 1us}\nshutdown: {timeout: 0s}\n", []string{`1:18: "9ms"` + time + `10ms to 24h`, `2:23: "1us"` + time + `1ms to 24h`, `3:21: "0s"` + time + `1ms to 24h`}},
		{"too long", "limits: {idle_time: 24h1s}\n", []string{`1:21: "24h1s"` + time + `1ms to 24h`}},

		{"no size", "limits: {body: big}\n", []string{`1:16: "big" is not a size; write a number and a unit of B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 500 GiB`}},
		{"a size that is not a size", "limits: {body: [1]}\n", []string{`1:16: "body" must be a whole number or a text, not a list`}},
		{"a size below nothing", "limits: {body: -1}\n", []string{`1:16: "-1" is not a size; write a number and a unit of B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 500 GiB`}},
		{"too small", "limits: {body: 1023, header: 1 KB}\n", []string{`1:16: "1023" is not from 1 KiB to 256 MiB`, `1:30: "1 KB" is not from 1 KiB to 16 MiB`}},
		{"too large", "limits: {body: 257 MiB, header: 17 MiB}\n", []string{`1:16: "257 MiB" is not from 1 KiB to 256 MiB`, `1:33: "17 MiB" is not from 1 KiB to 16 MiB`}},
		{"not a whole number of bytes", "limits: {body: 1024.5 B}\n", []string{`1:16: "1024.5 B" is not a whole number of bytes`}},

		{"no connection", "limits: {connections: 0, requests: -5}\n", []string{`1:23: "connections": must be greater than or equal to 1`, `1:36: "requests": must be greater than or equal to 1`}},
		{"too many", "limits: {connections: 1000001}\n", []string{`1:23: "connections": must be less than or equal to 1e+06`}},
		{"half a connection", "limits: {connections: 1.5}\n", []string{`1:23: "connections" must be a whole number, not a number`}},
		{"a number in quotes", "limits: {connections: '5'}\n", []string{`1:23: "connections" must be a whole number, not a text`}},
		{"a number as nobody writes it", "limits: {connections: 1.0e+3, requests: 5.0}\n", []string{`1:23: "1.0e+3" is not written as a whole number`, `1:41: "5.0" is not written as a whole number`}},
		{
			"times and sizes of the decision log", "journal: {dir: d, interval: 1h, patience: 1ms, segment_age: 31d, keep_age: -1d, segment_size: 2 GiB, keep_bytes: x}\n",
			[]string{
				`1:29: "1h" is not a time such as 100ms or 1s, from 1ms to 1m`, `1:43: "1ms" is not a time such as 500ms or 5s, from 10ms to 1m`,
				`1:61: "31d" is not a time such as 1h or 1d, from 1m to 30d`, `1:76: "-1d" is not a time such as 720h or 400d, from 1h to 36500d`,
				`1:95: "2 GiB" is not from 1 KiB to 1 GiB`, `1:114: "x" is not a size; write a number and a unit of B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 500 GiB`,
			},
		},
		{"a decision log without a folder", "journal: {on_error: accept}\n", []string{`1:10: "journal" lacks the key "dir"`}},
		{"a decision log that keeps less than it writes", "journal: {dir: d, keep_bytes: 64 MiB}\n", []string{`1:10: keep_bytes must be at least twice segment_size: the file that is written to is never removed`}},
		{"a durability", "journal: {dir: d, durability: sync}\n", []string{`1:31: "durability" cannot be "sync"; it is one of commit, interval, off`}},
		{"YAML", "listen: [a\n", []string{`1:9: the "]" of this list is missing`}},

		{
			"all at once", "lisen: a:1\nlimits:\n  connections: 0\n  body: []\ndefault: x\n",
			[]string{
				`1:1: unknown key "lisen"; did you mean "listen"?`, `3:16: "connections": must be greater than or equal to 1`,
				`4:9: "body" must be a whole number or a text, not a list`, `5:10: "default" cannot be "x"; it is one of accept, reject`,
			},
		},
		{
			"all that the schema cannot tell at once", "limits:\n  body: 1\n  read_time: x\nreload_interval: y\n",
			[]string{`2:9: "1" is not from 1 KiB to 256 MiB`, `3:14: "x"` + time + `1ms to 24h`, `4:18: "y"` + time + `10ms to 24h`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := written(t, "sluice.yaml", tc.text)
			_, err := readConfig(file)
			var faults document.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("no mistakes but %v", err)
			}
			var got []string
			for _, f := range faults {
				text := strings.TrimPrefix(f.Error(), file+":")
				got = append(got, strings.TrimPrefix(text, " "))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAConfigurationThatCannotBeRead(t *testing.T) {
	folder := t.TempDir()
	for name, want := range map[string]string{
		filepath.Join(folder, "nothing.yaml"): "nothing.yaml: the configuration cannot be read: no such file or directory",
		folder:                                ": the configuration cannot be read: is a directory",
	} {
		_, err := readConfig(name)
		var faults document.Faults
		if !errors.As(err, &faults) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want …%s", err, want)
		}
	}
}

func TestFlagsWinOverTheFile(t *testing.T) {
	text := func(s string) *string { return &s }
	file := written(t, "sluice.yaml", everyKey)
	plain, err := readConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		flags serveCmd
		want  func(*config)
	}{
		{"none", serveCmd{Config: file}, func(*config) {}},
		{"listen", serveCmd{Config: file, Listen: text(":3")}, func(c *config) { c.listen = ":3" }},
		{"admin", serveCmd{Config: file, Admin: text(":4")}, func(c *config) { c.admin = ":4" }},
		{"policies", serveCmd{Config: file, Policies: text("p")}, func(c *config) { c.policies, c.stored.set = "p", false }},
		{"default", serveCmd{Config: file, Default: "reject"}, func(c *config) { c.acceptByDefault = false }},
		{"the same as in the file", serveCmd{Config: file, Default: "accept"}, func(*config) {}},
		{"no file", serveCmd{}, func(c *config) { *c = defaultConfig() }},
		{"flags alone", serveCmd{Default: "accept", Listen: text(":5")}, func(c *config) {
			*c = defaultConfig()
			c.acceptByDefault, c.listen = true, ":5"
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := plain
			tc.want(&want)
			got, err := tc.flags.settings()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, sameConfig); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAFlagThatIsEmptyIsAMistake: it is what a variable that is not set leaves,
// and an empty address is any port of every address.
func TestAFlagThatIsEmptyIsAMistake(t *testing.T) {
	empty := ""
	for name, flags := range map[string]serveCmd{"--listen": {Listen: &empty}, "--admin": {Admin: &empty}, "--policies": {Policies: &empty}} {
		if _, err := flags.settings(); err == nil || err.Error() != name+" is empty" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMistakesOfEveryStage: a key that is unknown or of the wrong form does not
// hide a value that cannot be.
func TestMistakesOfEveryStage(t *testing.T) {
	_, err := readConfig(written(t, "sluice.yaml", "lisen: x\nlimits: {body: 5 QB, requests: 0}\nreload_interval: soon\npolicies: [a]\n"))
	var faults document.Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	var at []string
	for _, f := range faults {
		at = append(at, fmt.Sprintf("%d:%d", f.Line, f.Column))
	}
	if diff := cmp.Diff([]string{"1:1", "2:16", "2:32", "3:18", "4:11"}, at); diff != "" {
		t.Errorf("(-want +got):\n%s\n%v", diff, err)
	}
}
