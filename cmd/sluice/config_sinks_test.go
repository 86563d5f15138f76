package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/validator/journal/sinks"
)

// TestSinksAreRead with every key, and with the defaults.
func TestSinksAreRead(t *testing.T) {
	c, err := readConfig(written(t, "sluice.yaml", `journal:
  dir: /var/log/sluice
  sinks:
    tail: {file: /var/log/sluice.jsonl, fsync: true, begin: newest}
    together: {store: {}, timeout: 10s, filter: {verdict: reject}}
    siem:
      syslog: tls://siem.example.com:6514
      facility: local3
      app_name: gate
      msgid: phase
      structured_data: sluice@32473
      ca_file: ca.pem
      cert_file: cert.pem
      key_file: key.pem
      timeout: 5s
      fields: ecs
      filter: {verdict: reject, phases: [start, stop], policies: [a, b]}
      batch: {records: 10, bytes: 64 KiB}
    splunk:
      http:
        url: https://splunk.example.com:8088
        format: splunk_hec
        gzip: true
        token_file: token
        index: security
        sourcetype: sluice
        source: gate
        headers: {X-A: b}
        header_files: {X-Key: key}
    lines: {http: {url: "http://127.0.0.1:9000/in", layout: lines}}
    array: {http: {url: "http://127.0.0.1:9000/in", format: json, layout: array}}
state: {dir: /var/lib/sluice/state}
`))
	if err != nil {
		t.Fatal(err)
	}
	batch := func(s sinks.Sink) sinks.Sink {
		s.BatchRecords, s.BatchBytes = 500, 1<<20
		return s
	}
	want := []sinks.Sink{
		batch(sinks.Sink{Name: "array", HTTP: &sinks.HTTP{URL: "http://127.0.0.1:9000/in", Format: sinks.JSONArray, Timeout: 30 * time.Second}}),
		batch(sinks.Sink{Name: "lines", HTTP: &sinks.HTTP{URL: "http://127.0.0.1:9000/in", Timeout: 30 * time.Second}}),
		{
			Name: "siem", Fields: sinks.FieldsECS, BatchRecords: 10, BatchBytes: 64 << 10,
			Filter: sinks.Filter{Verdict: "reject", Phases: []string{"start", "stop"}, Policies: []string{"a", "b"}},
			Syslog: &sinks.Syslog{
				Address: "tls://siem.example.com:6514", Facility: "local3", AppName: "gate", ByPhase: true, DataID: "sluice@32473",
				CAFile: "ca.pem", CertFile: "cert.pem", KeyFile: "key.pem", Timeout: 5 * time.Second,
			},
		},
		batch(sinks.Sink{Name: "splunk", HTTP: &sinks.HTTP{
			URL: "https://splunk.example.com:8088", Format: sinks.SplunkHEC, Gzip: true, TokenFile: "token", Index: "security", SourceType: "sluice", Source: "gate",
			Headers: map[string]string{"X-A": "b"}, HeaderFiles: map[string]string{"X-Key": "key"}, Timeout: 30 * time.Second,
		}}),
		batch(sinks.Sink{Name: "tail", OnlyNew: true, File: &sinks.File{Path: "/var/log/sluice.jsonl", Fsync: true}}),
		batch(sinks.Sink{Name: "together", Filter: sinks.Filter{Verdict: "reject"}, Store: &sinks.Store{Timeout: 10 * time.Second}}),
	}
	if diff := cmp.Diff(want, c.journal.Sinks); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMistakesInSinks: each with its place and the way to mend it, and nothing of a
// password.
func TestMistakesInSinks(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       []string
	}{
		{"all that is needed", `a: {file: /x}`, nil},
		{"no place", `a: {fields: ecs}`, []string{`4:5: the sink a must have one of file, syslog, http and store`}},
		{"two places", `a: {file: /x, syslog: "tcp://h:1"}`, []string{`4:5: the sink a must have one of file, syslog, http and store`}},
		{"a name", `"a b": {file: /x}`, []string{`4:5: a sink cannot be called "a b": a name is up to 64 letters, digits, dots, dashes and underscores`}},
		{"of another sink", `a: {file: /x, facility: mail}`, []string{`4:19: facility is not for a sink with file; leave facility out`}},
		{"UDP", `a: {syslog: "udp://h:1"}`, []string{`4:17: this is neither tcp://host:port nor tls://host:port; such as tls://siem.example.com:6514`}},
		{"an authority without TLS", `a: {syslog: "tcp://h:1", ca_file: x}`, []string{`4:30: tcp:// is not encrypted, and verifies nobody; write tls://h:1`}},
		{"structured data", `a: {syslog: "tcp://h:1", structured_data: yes it is}`, []string{`4:47: "yes it is" is no id of structured data: a name, @ and an enterprise number, such as sluice@32473, up to 32 characters`}},
		{"half a pair", `a: {syslog: "tls://h:1", cert_file: x}`, []string{`4:5: cert_file and key_file go together`}},
		{"a password", `a: {http: {url: "https://me:s3cr3t@h/"}}`, []string{`4:21: a user and a password do not belong here; use token_file or header_files`}},
		{"not encrypted", `a: {http: {url: "http://h/"}}`, []string{`4:21: http can be read and changed on the way; use https, or http for a receiver on this machine`}},
		{"no URL", `a: {http: {gzip: true}}`, []string{`4:15: "http" lacks the key "url"`}},
		{"no token", `a: {http: {url: "https://h/", format: splunk_hec}}`, []string{`4:43: Splunk's event collector wants a token; add token_file: FILE`}},
		{"a token for JSON", `a: {http: {url: "https://h/", token_file: x}}`, []string{`4:35: token_file is for the format splunk_hec; add format: splunk_hec, or leave token_file out`}},
		{"a header of the sink's", `a: {http: {url: "https://h/", headers: {Content-Type: x}}}`, []string{`4:45: the header Content-Type is set by the sink itself`}},
		{"a header that is none", `a: {http: {url: "https://h/", headers: {"X Y": x}}}`, []string{`4:45: "X Y" is no name of a header`}},
		{"a header of two lines", `a: {http: {url: "https://h/", headers: {X: "a\nb"}}}`, []string{`4:48: a header has one line, of text that prints`}},
		{"a time", `a: {syslog: "tcp://h:1", timeout: 1h}`, []string{`4:39: "1h" is not a time such as 500ms or 30s, from 1ms to 5m`}},
		{"no record", `a: {file: /x, batch: {records: 0}}`, []string{`4:36: "records": must be greater than or equal to 1`}},
		{"no policy store", `a: {store: {}}`, []string{`4:9: there is no policy store; write state, which names it`}},
		{"twice to the policy store", "a: {store: {}}\n    b: {store: {}}\nstate: {dir: /s}", []string{
			`4:9: several sinks with store would send the same log to one stream; leave one of them`,
			`5:9: several sinks with store would send the same log to one stream; leave one of them`,
		}},
		{"of the policy store", `a: {store: {}, gzip: true, fields: ecs}`, []string{
			`4:9: there is no policy store; write state, which names it`,
			`4:20: unknown key "gzip"`,
			`4:40: the policy store takes the log's own fields only, so that it can be searched like the log; leave fields out`,
		}},
		{"a small batch", `a: {file: /x, batch: {bytes: 5}}`, []string{`4:34: "5" is not from 1 KiB to 64 MiB`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := written(t, "sluice.yaml", "journal:\n  dir: /log\n  sinks:\n    "+row.text+"\n")
			_, err := readConfig(file)
			var got []string
			if err != nil {
				if strings.Contains(err.Error(), "s3cr3t") {
					t.Error(err)
				}
				for line := range strings.Lines(err.Error()) {
					if rest, ok := strings.CutPrefix(line, file+":"); ok {
						got = append(got, strings.TrimSuffix(rest, "\n"))
					}
				}
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
