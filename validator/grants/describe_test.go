package grants_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/validator/grants"
)

func TestDescribeGrant(t *testing.T) {
	private := newPrivate(t)
	keys := open(t, private)
	g := example()
	g.PathCount, g.PathDigest = 10_000, strings.Repeat("0a", 32)
	text, err := keys.Sign(g)
	if err != nil {
		t.Fatal(err)
	}
	want := `A grant signed by sluice. The signature was not verified.
  key          ` + keys.ID() + `
  id           0198c5a0-1111-7abc-8def-001122334455
  client       portal
  user         xfer
  direction    upload
  root         /in
  path         /a&b/ü.txt
  path         /c/\u202ed
  path_count   10000
  path_digest  ` + g.PathDigest + `
  issued       2027-01-15T08:00:00Z
  expires      2027-01-16T08:00:00Z
  max_size     1099511627776 bytes
  max_files    100
  revision     3f2a
`
	for _, token := range []string{text, " \n" + text + "\n", "Bearer " + text} {
		d := grants.Describe(token)
		if diff := cmp.Diff(want, d.String()); diff != "" || d.Kind != grants.KindGrant || d.KeyID != keys.ID() || d.Grant.ID != g.ID {
			t.Error(d.Kind, diff)
		}
	}
}

func TestDescribeBearer(t *testing.T) {
	token := foreign(t)
	want := `A node bearer token. The signature was not verified.
  user_id     ops@example.com
  scope       node.ak_Zq0-7:user:all
  access_key  ak_Zq0-7
  auth_type   access_key
  expires_at  2031-02-03T04:05:06Z
  group_ids   ["staff","42"]
  signature   2048 bits
`
	for _, text := range []string{token, "Bearer " + token, "\tbearer   " + token + "\r\n"} {
		d := grants.Describe(text)
		if diff := cmp.Diff(want, d.String()); diff != "" || d.Kind != grants.KindBearer || d.Bearer.UserID != "ops@example.com" {
			t.Error(d.Kind, diff)
		}
	}
}

func TestDescribeOthers(t *testing.T) {
	secret := base64.StdEncoding.EncodeToString([]byte("ak_1:hu:shush"))
	for _, c := range []struct {
		token string
		kind  grants.TokenKind
		want  string
	}{
		{"ATV7_HtfhDa-JwWfc6RkTwhkDUqjHeLQePiOHjIS254_LJ14_7VTA", grants.KindTransfer, "version  V7"},
		{"ATM2_ACsWF9yQ_2MTA", grants.KindTransfer, "opaque"},
		{"Bearer ATM2_ACsWF9yQ_2MTA", grants.KindTransfer, "opaque"},
		{"ATM2_ACsWF9yQ_2MT", grants.KindUnknown, "begins with AT and ends in TA"},
		{"AT_TA", grants.KindUnknown, "begins with AT"},
		{"Basic " + secret, grants.KindBasic, "access_key  ak_1\n"},
		{"basic\t" + secret, grants.KindBasic, "(not shown)"},
		{"  BASIC  " + strings.TrimRight(secret, "=") + " ", grants.KindBasic, "(not shown)"},
		{"Basic " + base64.StdEncoding.EncodeToString([]byte("hushush")), grants.KindUnknown, "colon"},
		{"Basic " + base64.StdEncoding.EncodeToString([]byte(":hushush")), grants.KindUnknown, "colon"},
		{"Basic " + base64.StdEncoding.EncodeToString([]byte("a\x1b[2J:hushush")), grants.KindBasic, `a\u001b[2J`},
		{"Basic hushush!", grants.KindUnknown, "no base64"},
		{"Basic", grants.KindUnknown, ""},
		{"Token " + secret, grants.KindUnknown, "neither Basic nor Bearer"},
		{secret, grants.KindUnknown, "not packed with zlib"},
		{"", grants.KindUnknown, "it is empty"},
		{" \n", grants.KindUnknown, "it is empty"},
		{"hushush", grants.KindUnknown, "This is no token that sluice knows"},
		{"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.e30.AAAA", grants.KindUnknown, "its header is that of something else"},
		{"a.b.c", grants.KindUnknown, "base64url"},
		{strings.Repeat("a", grants.MaxText+1), grants.KindUnknown, "longer than"},
	} {
		d := grants.Describe(c.token)
		if d.Kind != c.kind || !strings.Contains(d.String(), c.want) || strings.Contains(d.String(), "shush") {
			t.Errorf("%.60q: %s, %q\nwant %s", c.token, d.Kind, d, c.want)
		}
	}
}

// FuzzDescribe holds that whatever is given, what is said prints on a terminal,
// and no secret of a Basic token is in it.
func FuzzDescribe(f *testing.F) {
	private := newPrivate(f)
	f.Add(sign(f, open(f, private), "a"), "key", "secret")
	f.Add("Bearer "+foreign(f), "\x1b[2J", ":")
	f.Add("ATV7_HtfhDa-JwWfc6RkTwhkDUqjHeLQePiOHjIS254_LJ14_7VTA", "\u202e", "")
	f.Fuzz(func(t *testing.T, token, id, secret string) {
		packed := pack(`{"user_id":"` + id + `","scope":"` + secret + `","auth_type":"","expires_at":"2031-02-03T04:05:06Z","` + token + `":1}` + "\n==SIGNATURE==\n")
		for _, text := range []string{token, "Basic " + token, "Bearer " + token, packed, forge(private, goodHeader(private), token)} {
			d := grants.Describe(text)
			if d.Title == "" || (d.Kind == grants.KindUnknown) != (len(d.Fields) == 0) {
				t.Fatalf("%+v", d)
			}
			for _, line := range append([]grants.Field{{Name: "title", Value: d.Title}}, d.Fields...) {
				if !prints(line.Name) || !prints(line.Value) {
					t.Fatalf("%q", line)
				}
			}
		}
		d := grants.Describe("Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
		hidden := "(not shown)"
		if d.Kind == grants.KindBasic && d.Fields[1].Value != hidden {
			t.Fatalf("%+v", d)
		}
		if before, _, _ := strings.Cut(id+":", ":"); d.Kind == grants.KindBasic && utf8.ValidString(before) && len(d.Fields[0].Value) < len(before) {
			t.Fatalf("%+v", d)
		}
	})
}

func prints(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
