package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluiceproject/sluice/rules"
)

// TestWhatAGrantCovers is told in the words of the rule.
func TestWhatAGrantCovers(t *testing.T) {
	const covered = "covered: grant 01HZY"
	limited := testGrant()
	limited.MaxSize, limited.MaxFiles = 1000, 2
	base := []string{"--user=xfer", "--direction=upload", "--at=2026-01-02T15:30:00Z"}
	for _, tc := range []struct {
		name   string
		grant  rules.Grant
		args   []string
		status int
		want   string // the beginning of the output and, behind …, a later part: the rest is the rule's
	}{
		{"a file below the folder", testGrant(), []string{"--file=/ingest/a/x.mov"}, 0, covered},
		{"the folder itself", testGrant(), []string{"--file=/ingest/a"}, 0, covered},
		{"a file elsewhere", testGrant(), []string{"--file=/ingest/b/x.mov"}, 1, "not covered: This transfer's grant does not cover /ingest/b/x.mov."},
		{"a file that climbs", testGrant(), []string{"--file=/ingest/a/../b"}, 1, "not covered: This transfer's grant does not cover /ingest/a/../b."},
		{"another user", testGrant(), []string{"--file=/ingest/a/x.mov", "--user=other"}, 1, "not covered: This transfer's grant is for the user xfer, not for other."},
		{"another direction", testGrant(), []string{"--file=/ingest/a/x.mov", "--direction=download"}, 1, "not covered: This transfer's grant is for "},
		{"later", testGrant(), []string{"--file=/ingest/a/x.mov", "--at=2026-01-02T16:02:00Z"}, 1, "not covered: This transfer's grant expired at 2026-01-02 16:00:00 UTC"},
		{"later, but within the skew", testGrant(), []string{"--file=/ingest/a/x.mov", "--at=2026-01-02T17:00:59+01:00"}, 0, covered},
		{"earlier", testGrant(), []string{"--file=/ingest/a/x.mov", "--at=2026-01-02T14:00:00Z"}, 1, "not covered: This transfer's grant does not hold before 2026-01-02 15:00:00 UTC"},
		{"with a docroot", testGrant(), []string{"--file=/srv/x/ingest/a/x.mov", "--docroot=/srv/x/"}, 0, covered},
		{"outside of the docroot", testGrant(), []string{"--file=/srv/y/ingest/a/x.mov", "--docroot=/srv/x"}, 1, "not covered: This transfer's grant does not cover /srv/y/ingest/a/x.mov."},
		{"small enough", limited, []string{"--file=/ingest/a/x.mov", "--size=1 KB"}, 0, covered + "…\n  if no more than 2 files move; they are not counted here\n"},
		{"too large", limited, []string{"--file=/ingest/a/x.mov", "--size=1 KiB"}, 1, "not covered: x.mov is larger than this transfer's grant allows: 1024 B of 1 KB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text, key, _ := signed(t, tc.grant)
			args := append(append([]string{"token", "verify", text, "--key", key}, base...), tc.args...)
			begin, later, _ := strings.Cut(tc.want, "…")
			if got := runs(t, args...); got.status != tc.status || !strings.HasPrefix(got.out, begin) || !strings.Contains(got.out, later) || got.err != "" {
				t.Errorf("%+v, want %s", got, tc.want)
			}
		})
	}
}

// TestGrantsThatAreNone of ours.
func TestGrantsThatAreNone(t *testing.T) {
	text, key, other := signed(t, testGrant())
	bearer, _ := bearerToken(t)
	const forged = "not covered: This transfer's grant was not made by this server, or has been altered. Ask for a new token.\n  because "
	for _, tc := range []struct {
		name, text, key, want string
	}{
		{"signed by a key that is not known", text, other, forged + "the grant is not signed by a key that is known here; it names the key "},
		{"altered", text[:len(text)-6] + "AAAAAA", key, forged},
		{"half", text[:len(text)/2], key, forged},
		{"rubbish", "hunter2", key, forged},
		{"a transfer token", "ATM2_x_2MTA", key, forged + "this is another kind of token. A transfer token of an Aspera node."},
		{"a bearer token", bearer, key, forged + "this is another kind of token. A node bearer token."},
		{"an event with rubbish", `{"tags": {"sluice": {"grant": "hunter2"}}}`, key, forged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := runsOn(t, tc.text, "token", "verify", "--key", tc.key, "--user=xfer", "--direction=upload", "--at=2026-01-02T15:30:00Z", "--file=/ingest/a/x")
			if got.status != 1 || !strings.HasPrefix(got.out, tc.want) || got.err != "" || strings.Contains(got.out, "hunter2") {
				t.Errorf("%+v, want %s", got, tc.want)
			}
		})
	}
}

// TestGrantsAreFoundInWhatHasThem and further keys are asked.
func TestGrantsAreFoundInWhatHasThem(t *testing.T) {
	text, key, other := signed(t, testGrant())
	for name, in := range map[string]string{
		"a transfer_spec": `{"token": "ATM2_x_2MTA", "tags": {"sluice": {"grant": "` + text + `"}}}`, "an event": `{"file": "/x", "tags": {"sluice": {"grant": "` + text + `"}}}`, "a line": text + "\n",
	} {
		got := runsOn(t, in, "token", "verify", "--key", other, "--key", key, "--user=xfer", "--direction=upload", "--at=2026-01-02T15:30:00Z", "--file=/ingest/a/x")
		if got.status != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestTheServicesConfigurationVerifies(t *testing.T) {
	text, key, other := signed(t, testGrant())
	config := written(t, "sluice.yaml", `grants: {key_file: "`+other+`", verify_key_files: ["`+key+`"], skew: 10m}
docroots: {xfer: /srv/aspera/xfer}
partial_suffix: .part
`)
	for _, tc := range []struct {
		name   string
		args   []string
		status int
	}{
		{"keys, docroots and skew", []string{"--file=/srv/aspera/xfer/ingest/a/x.part", "--at=2026-01-02T16:09:00Z"}, 0},
		{"the skew has an end", []string{"--file=/srv/aspera/xfer/ingest/a/x", "--at=2026-01-02T16:11:00Z"}, 1},
		{"outside of the docroot", []string{"--file=/ingest/a/x", "--at=2026-01-02T16:00:00Z"}, 1},
		{"another docroot", []string{"--file=/y/ingest/a/x", "--at=2026-01-02T16:00:00Z", "--docroot=/y"}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := runs(t, append([]string{"token", "verify", text, "--config", config, "--user=xfer", "--direction=upload"}, tc.args...)...)
			if got.status != tc.status || got.err != "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestBearerTokensAreVerified(t *testing.T) {
	token, key := bearerToken(t)
	_, other := bearerToken(t)
	grant, _, _ := signed(t, testGrant())
	for _, tc := range []struct {
		name, in, key, at string
		status            int
		want              string
	}{
		{"it holds", token, key, "2026-01-02T15:30:00Z", 0, "valid: signed by this key, for ann, scope node.ak1:user:all, until 2026-01-02T16:00:00Z; it is bound to no file\n"},
		{"with its word, in a transfer_spec", `{"token": "Bearer ` + token + `", "tags": {"sluice": {"grant": "` + grant + `"}}}`, key, "2026-01-02T15:30:00Z", 0, "valid: "},
		{"it has expired", token, key, "2026-01-02T16:00:00Z", 1, "not valid: it expired at 2026-01-02T16:00:00Z\n"},
		{"another key", token, other, "2026-01-02T15:30:00Z", 1, "not valid: the node bearer token is not signed by this key, or was altered\n"},
		{"a grant", grant, key, "2026-01-02T15:30:00Z", 1, "not valid: no node bearer token: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := runsOn(t, tc.in, "token", "verify", "--public-key", tc.key, "--at", tc.at)
			if got.status != tc.status || !strings.HasPrefix(got.out, tc.want) || got.err != "" {
				t.Errorf("%+v, want %s", got, tc.want)
			}
		})
	}
}

// TestWhatCannotBeVerified exits with 2.
func TestWhatCannotBeVerified(t *testing.T) {
	limited := testGrant()
	limited.MaxSize = 1000
	text, key, _ := signed(t, limited)
	open := filepath.Join(t.TempDir(), "open.pem")
	private, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(open, private, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	file := []string{"--file=/ingest/a/x", "--user=xfer", "--direction=upload", "--at=2026-01-02T15:30:00Z"}
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"no size", append([]string{"--key", key}, file...), "the grant limits the size of files: add --size"},
		{"no size that is one", append([]string{"--key", key, "--size=big"}, file...), "--size: "},
		{"no key", file, "no key file is named"},
		{"a key that is not there", append([]string{"--key", key + "x"}, file...), "no such file or directory"},
		{"a key for all to read", append([]string{"--key", open}, file...), "chmod 600"},
		{"no file", []string{"--key", key, "--user=xfer"}, "add --file, --direction"},
		{"no time", []string{"--key", key, "--at=noon"}, `--at "noon" is not a time such as`},
		{"two kinds of keys", []string{"--key", key, "--public-key", key}, "give one of them"},
		{"a docroot that climbs", append([]string{"--key", key, "--docroot=/a/../b"}, file...), "is not a plain path"},
		{"a bad configuration", append([]string{"--config", written(t, "sluice.yaml", "grant: {}\n")}, file...), `unknown key "grant"`},
		{"a direction that is none", []string{"--direction=sideways"}, "--direction must be one of"},
		{"a public key that is none", []string{"--public-key", key}, "key file "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := runs(t, append([]string{"token", "verify", text}, tc.args...)...)
			if got.status != 2 || got.out != "" || !strings.Contains(got.err, tc.want) || strings.Contains(got.err, text) {
				t.Errorf("%+v, want %s", got, tc.want)
			}
		})
	}
}
