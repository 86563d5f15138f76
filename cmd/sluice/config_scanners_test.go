package main

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/rules/scan"
)

func TestScannersAreRead(t *testing.T) {
	got, err := readConfig(written(t, "sluice.yaml", `
scanners:
  clamav: {clamd: "unix:/run/clamav/clamd.ctl"}
  far:
    clamd: tcp:[2001:db8::1]:3310
    method: stream
    max_size: 1.5 GB
    workers: 1000
    waiting: 0
    connect_timeout: 1m
    remember: 0
  near: {clamd: "unix:/clamd", method: fildes, max_size: 1024}
  other: {icap: "icap://127.0.0.1:1344/srv_clamav", max_size: 10 GiB, workers: 1}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []scanner{
		{Name: "clamav", Clamd: "unix:/run/clamav/clamd.ctl", MaxSize: 100 << 20, Workers: 4, Waiting: 32, ConnectTimeout: 2 * time.Second, Remember: 10_000},
		{Name: "far", Clamd: "tcp:[2001:db8::1]:3310", MaxSize: 1_500_000_000, Workers: 1000, ConnectTimeout: time.Minute},
		{Name: "near", Clamd: "unix:/clamd", Descriptors: true, MaxSize: 1024, Workers: 4, Waiting: 32, ConnectTimeout: 2 * time.Second, Remember: 10_000},
		{Name: "other", ICAP: "icap://127.0.0.1:1344/srv_clamav", MaxSize: 10 << 30, Workers: 1, Waiting: 32, ConnectTimeout: 2 * time.Second, Remember: 10_000},
	}
	if diff := cmp.Diff(want, got.scanners); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	set, err := got.openScanners()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range want {
		pool, err := set.named(s.Name)
		if err != nil || pool.Name() != s.Name {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		if pool.TakesDescriptor(1) != s.Descriptors {
			t.Errorf("%s is given open files: %v", s.Name, !s.Descriptors)
		}
	}
}

// TestScannerKeys: the schema, the keys that are read and their defaults are the
// same.
func TestScannerKeys(t *testing.T) {
	var schema struct {
		AdditionalProperties struct {
			Properties map[string]struct {
				Default     any
				Description string
			}
		}
	}
	if err := json.Unmarshal([]byte(scannersSchema), &schema); err != nil {
		t.Fatal(err)
	}
	properties := schema.AdditionalProperties.Properties
	known := scannerKeys()
	slices.Sort(known)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(properties)), known); diff != "" {
		t.Errorf("(-schema +known):\n%s", diff)
	}
	defaults := map[string]any{
		"method": "stream", "max_size": rules.FormatSize(scan.DefaultClamdSize), "workers": 4.0, "waiting": 32.0, "connect_timeout": "2s", "remember": 10000.0,
	}
	for key, p := range properties {
		if p.Description == "" || p.Default != defaults[key] {
			t.Errorf("%s is described as %q with the default %v", key, p.Description, p.Default)
		}
	}
}

func TestMistakesInScanners(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"none", "scanners: {}\n", []string{`1:11: "scanners" is empty; leave the key out if it says nothing`}},
		{"nothing", "scanners:\n", []string{`1:10: "scanners" must be a group of keys, not nothing; leave the key out if it says nothing`}},
		{"a list", "scanners: [a]\n", []string{`1:11: "scanners" must be a group of keys, not a list`}},
		{"an empty one", "scanners: {a: {}}\n", []string{`1:15: "a" is empty; leave the key out if it says nothing`}},
		{"an address alone", "scanners: {a: 'unix:/x'}\n", []string{`1:15: "a" must be a group of keys, not a text`}},
		{"a name", "scanners: {a b: {clamd: 'unix:/x'}}\n", []string{`1:12: a scanner cannot be called "a b": a name is up to 64 letters, digits, dots, dashes and underscores`}},
		{"no address", "scanners: {a: {workers: 1}}\n", []string{`1:12: nothing says where the scanner is; add clamd: unix:/run/clamav/clamd.ctl, or icap: icap://host:port/service`}},
		{"two addresses", "scanners: {a: {clamd: 'unix:/x', icap: 'icap://x/y'}}\n", []string{`1:34: a scanner has one address: clamd or icap; make it two scanners`}},
		{"an address of the wrong type", "scanners: {a: {clamd: 3310}}\n", []string{`1:23: "clamd" must be a text, not a whole number; write it in quotes: "3310"`}},
		{"no address of clamd", "scanners: {a: {clamd: /run/clamd}}\n", []string{`1:23: "/run/clamd" is not an address such as unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310`}},
		{"no URL", "scanners: {a: {icap: 'http://x/y'}}\n", []string{`1:22: the scheme "http" is neither icap nor icaps`}},
		{"unknown key", "scanners: {a: {clamd: 'unix:/x', metod: stream}}\n", []string{`1:34: unknown key "metod"; did you mean "method"?`}},
		{"unknown key like none", "scanners: {a: {clamd: 'unix:/x', x: 1}}\n", []string{`1:34: unknown key "x"; known here: clamd, icap, method, ca_file, max_size, workers, waiting, connect_timeout, remember`}},
		{"no method", "scanners: {a: {clamd: 'unix:/x', method: file}}\n", []string{`1:42: "method" cannot be "file"; it is one of stream, fildes; did you mean "fildes"?`}},
		{"open files over the network", "scanners: {a: {clamd: 'tcp:h:1', method: fildes}}\n", []string{`1:42: an open file can be given to a clamd at unix: only; write method: stream`}},
		{"too large for clamd", "scanners: {a: {clamd: 'unix:/x', max_size: 2 GiB}}\n", []string{`1:44: "2 GiB" is not from 1 KiB to 2047 MiB`}},
		{"no worker", "scanners: {a: {clamd: 'unix:/x', workers: 0, waiting: -1, remember: -1}}\n", []string{
			`1:43: "workers": must be greater than or equal to 1`, `1:55: "waiting": must be greater than or equal to 0`, `1:69: "remember": must be greater than or equal to 0`,
		}},
		{"no time", "scanners: {a: {clamd: 'unix:/x', connect_timeout: soon}}\n", []string{`1:51: "soon" is not a time such as 500ms or 2s, from 1ms to 1m`}},
		{"keys of clamd", "scanners: {a: {icap: 'icap://x/y', method: stream, connect_timeout: 1s}}\n", []string{
			`1:36: method is of no use to this scanner; leave it out`, `1:52: connect_timeout is of no use to this scanner; leave it out`,
		}},
		{"a key of ICAP", "scanners: {a: {clamd: 'unix:/x', ca_file: x}}\n", []string{`1:34: ca_file is of no use to this scanner; leave it out`}},
		{"a CA file without TLS", "scanners: {a: {icap: 'icap://x/y', ca_file: x}}\n", []string{`1:45: a CA file is of use with icaps:// only`}},
		{"a CA file that is not there", "scanners: {a: {icap: 'icaps://x/y', ca_file: /nowhere}}\n", []string{`1:46: reading the CA file: open /nowhere: no such file or directory`}},
		{"all at once", "scanners:\n  a: {clamd: x, workers: 0}\n  b: {workers: 1, waitin: 2}\n  c: {icap: 'icap://x/y', max_size: lots}\nlimits: {body: 1}\n", []string{
			`2:14: "x" is not an address such as unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310`, `2:26: "workers": must be greater than or equal to 1`,
			`3:3: nothing says where the scanner is; add clamd: unix:/run/clamav/clamd.ctl, or icap: icap://host:port/service`, `3:19: unknown key "waitin"; did you mean "waiting"?`,
			`4:37: "lots" is not a size; write a number and a unit of B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 500 GiB`, `5:16: "1" is not from 1 KiB to 256 MiB`,
		}},
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
				got = append(got, strings.TrimPrefix(f.Error(), file+":"))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAScannerThatIsNotConfigured is a mistake of the policy, with what was
// probably meant.
func TestAScannerThatIsNotConfigured(t *testing.T) {
	set, err := (&config{scanners: []scanner{{Name: "clamav", Clamd: "unix:/x"}, {Name: "other", Clamd: "unix:/y"}}}).openScanners()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		set        scannerSet
		name, want string
	}{
		{set, "clamv", `no scanner of the configuration is called "clamv"; did you mean "clamav"?`},
		{set, "sophos", `no scanner of the configuration is called "sophos"; configured: clamav, other`},
		{nil, "clamav", `the service's configuration has no scanners`},
	} {
		if _, err := tc.set.named(tc.name); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if _, err := (&config{scanners: []scanner{{Name: "a", Clamd: "x"}}}).openScanners(); err == nil {
		t.Error("an address that is none")
	}
}
