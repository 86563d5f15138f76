package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies/document"
)

func TestMistakesInTokensAndGrants(t *testing.T) {
	const node = "node: {url: 'https://hst:9092', user: n, password_file: p}"
	for _, row := range []struct{ name, text, want string }{
		{"tokens without an address", "tokens: {issuer: local}", `1:9: "tokens" lacks the key "listen"`},
		{"TLS at the address of file events", "tokens: {listen: service, tls: {cert_file: a, key_file: b}}", `1:27: tokens that are asked for at the address of file events have no TLS of their own; give tokens.listen an address, such as 0.0.0.0:9092`},
		{"half of TLS", "tokens: {listen: a, tls: {cert_file: a}}", `1:26: "tls" lacks the key "key_file"`},
		{"an issuer that nobody knows", "tokens: {listen: a, issuer: jwt}", `1:29: "issuer" cannot be "jwt"; it is one of local, node, bearer`},
		{"an issuer without its settings", "tokens: {listen: a, issuer: node}", `1:29: the issuer node wants settings of its own; add tokens.node`},
		{"settings of an issuer that is not chosen", "tokens: {listen: a, " + node + "}", `1:21: nothing says who makes tokens; add issuer: node`},
		{"two issuers, one of them chosen", "tokens: {listen: a, issuer: bearer, bearer: {access_key: k, private_key_file: f}, " + node + "}", ""},
		{"a pin that is no digest", "tokens: {listen: a, issuer: node, node: {url: u, user: n, password_file: p, pin_sha256: ab}}", `1:89: this is not the SHA-256 of a public key, 64 hexadecimal digits`},
		{"a timeout without its unit", "tokens: {listen: a, issuer: node, node: {url: u, user: n, password_file: p, timeout: '5'}}", `1:86: "5" is not a time such as 500ms or 10s, from 1ms to 1m`},
		{"a silence of a moment", "state: {dir: d}\ngrants: {max_silence: 1s}\n", `2:23: "1s" is not a time such as 5m or 1h, from 10s to 30d`},
		{"a silence without a store", "grants: {max_silence: 1m}", `1:10: without a policy store nothing is revoked; add state`},
		{"revocations without a store", "grants: {revocations_file: f}", `1:10: without a policy store nothing is revoked; add state`},
		{"registered without a store", "tokens: {listen: service, on_unregistered: issue}", `1:27: without a policy store no token is registered; add state`},
		{"a skew of a day", "grants: {skew: 24h}", `1:16: "24h" is not a time such as 30s or 5m, up to 1h`},
		{"a docroot that is no whole path", "docroots: {xfer: srv/aspera}", `1:18: "srv/aspera" is not a whole path such as /srv/aspera/xfer, C:/aspera or s3://bucket/xfer`},
		{"a docroot that leads up", "docroots: {xfer: /srv/../aspera}", `1:18: "/srv/../aspera" is not a plain path: it has "..", "." or "//"`},
		{"a docroot of nobody", `docroots: {"": /srv}`, `1:12: the name of a transfer user is empty`},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := written(t, "sluice.yaml", row.text+"\n")
			_, err := readConfig(file)
			var faults document.Faults
			if err != nil && !errors.As(err, &faults) {
				t.Fatal(err)
			}
			var got []string
			for _, fault := range faults {
				got = append(got, strings.TrimPrefix(fault.Error(), file+":"))
			}
			if diff := cmp.Diff(row.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// guide returns the section of the operator's guide about tokens.
func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Tokens and grants\n")
	if section, _, _ = strings.Cut(section, "\n## "); !found {
		t.Fatal("the operator's guide has no section about tokens")
	}
	return section
}

// TestEveryKeyOfTokensAndGrantsIsDocumented with its default, and no other is.
func TestEveryKeyOfTokensAndGrantsIsDocumented(t *testing.T) {
	type schema struct {
		Default    any
		Properties map[string]*schema
	}
	read := func(text string) *schema {
		var s schema
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		return &s
	}
	tokens, section := read(tokensSchema), guide(t)
	for table, of := range map[string]*schema{
		"tokens": tokens, "tokens.transfer": tokens.Properties["transfer"], "tokens.node": tokens.Properties["node"],
		"tokens.bearer": tokens.Properties["bearer"], "grants": read(grantsSchema),
	} {
		t.Run(table, func(t *testing.T) {
			_, rows, found := strings.Cut(section, "\n| key of `"+table+"` | meaning | default |\n|---|---|---|\n")
			if !found {
				t.Fatal("there is no table")
			}
			rows, _, _ = strings.Cut(rows, "\n\n")
			documented := map[string]string{}
			for row := range strings.SplitSeq(rows, "\n") {
				cells := strings.Split(row, " | ")
				if len(cells) != 3 {
					t.Fatalf("the row %q has %d cells", row, len(cells))
				}
				documented[strings.Trim(cells[0], "| `")] = strings.Trim(cells[2], "| `")
			}
			if diff := cmp.Diff(slices.Sorted(maps.Keys(of.Properties)), slices.Sorted(maps.Keys(documented))); diff != "" {
				t.Fatalf("(-keys +documented):\n%s", diff)
			}
			for name, key := range of.Properties {
				if key.Default != nil && documented[name] != fmt.Sprint(key.Default) {
					t.Errorf("the default of %s is %v, and in the guide %s", name, key.Default, documented[name])
				}
			}
		})
	}
}

// TestTheGuidesExampleOfTokensIsRead as a configuration.
func TestTheGuidesExampleOfTokensIsRead(t *testing.T) {
	_, example, found := strings.Cut(guide(t), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	c, err := readConfig(written(t, "sluice.yaml", example))
	if !found || err != nil || c.tokens.issuer != issuerNode || c.grants.docroot("xfer") != "/srv/aspera/xfer" || c.tokens.node.User != "sluice" {
		t.Errorf("%v, %+v", err, c.tokens)
	}
}
