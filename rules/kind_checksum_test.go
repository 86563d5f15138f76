package rules

import (
	"strings"
	"testing"
)

func TestChecksum(t *testing.T) {
	sum := func(algorithm, digest string) *Event {
		return file("/in/a", func(e *Event) { e.ChecksumType, e.Checksum = algorithm, digest })
	}
	const md5Bad, md5Good = "d41d8cd98f00b204e9800998ecf8427e", "00000000000000000000000000000001"
	env := folder{
		"bad.sha256": badDigest + "  eicar.com\n", "good.sha256": strings.ToUpper(goodDigest) + "\n", "bad.md5": md5Bad,
	}.env("")
	const denied, allowed, sha256 = `{"deny": "bad.sha256"}`, `{"allow": "good.sha256"}`, `{"require": ["sha256"]}`
	sha1, sha384, sha512 := strings.Repeat("a1", 20), strings.Repeat("a1", 48), strings.Repeat("a1", 64)
	bad, good := "sha256 "+badDigest, "sha256 "+goodDigest
	judge(t, checksumKind(), env, []row{
		{denied, sum("sha256", goodDigest), accept()},
		{denied, sum("sha256", badDigest), refuse(bad)},
		{denied, sum("sha256", strings.ToUpper(badDigest)), refuse(bad)},
		{allowed, sum("sha256", goodDigest), accept()},
		{allowed, sum("sha256", badDigest), refuse(bad)},
		{`{"allow": "good.sha256", "deny": "good.sha256"}`, sum("sha256", goodDigest), refuse(good)},

		// Every spelling of an algorithm is known.
		{denied, sum("sha-256", badDigest), refuse(bad)},
		{denied, sum("sha2-256", badDigest), refuse(bad)},
		{denied, sum("SHA2_256", badDigest), refuse(bad)},
		{denied, sum("SHA-256", badDigest), refuse(bad)},
		{sha256, sum("sha2-256", goodDigest), accept()},
		{`{"require": ["sha384"]}`, sum("sha-384", sha384), accept()},
		{`{"require": ["sha512"]}`, sum("sha2-512", sha512), accept()},
		{`{"require": ["sha1"]}`, sum("SHA-1", sha1), accept()},
		{`{"require": ["md5"]}`, sum("MD5", md5Good), accept()},

		// Where the server names none, the width tells.
		{denied, sum("any", badDigest), refuse(bad)},
		{denied, sum("none", badDigest), refuse(bad)},
		{denied, sum("", badDigest), refuse(bad)},
		{`{"require": ["sha1"]}`, sum("any", sha1), accept()},
		{`{"require": ["sha256", "sha512"]}`, sum("any", sha384), refuse("sha384")},

		{sha256, sum("md5", md5Good), refuse("md5")},
		{sha256, sum("none", ""), refuse("none")},
		{sha256, sum("any", ""), refuse("none")},
		{sha256, sum("", ""), refuse("none")},
		{`{"require": ["md5", "sha256"]}`, sum("md5", md5Good), accept()},
		{`{"require": ["sha256"], "deny": "bad.sha256"}`, sum("sha256", badDigest), refuse(bad)},

		// A digest that is not what it is said to be tells nothing.
		{denied, sum("sha256", md5Good), lacks("file_csum")},
		{denied, sum("sha256", "not hex at all"), lacks("file_csum")},
		{denied, sum("any", badDigest[:63]), lacks("file_csum")},
		{denied, sum("any", badDigest[:62]), lacks("file_csum")},
		{denied, sum("sha256", strings.Repeat("a", 1000)), lacks("file_csum")},
		{denied, sum("sha256", ""), lacks("file_csum")},
		{denied, sum("none", ""), lacks("file_csum")},
		{sha256, sum("sha256", ""), lacks("file_csum")},
		{sha256, sum("md5", "not hex at all"), lacks("file_csum")},

		// A list of other widths cannot tell, unless another list can.
		{denied, sum("md5", md5Bad), unsure("no list in deny has digests of md5")},
		{allowed, sum("md5", md5Bad), unsure("no list in allow has digests of md5")},
		{`{"deny": ["bad.sha256", "bad.md5"]}`, sum("md5", md5Bad), refuse("md5 " + md5Bad)},
		{`{"deny": ["bad.sha256", "bad.md5"]}`, sum("md5", md5Good), accept()},
		{`{"deny": ["bad.sha256", "bad.md5"]}`, sum("sha1", sha1), unsure("no list in deny has digests of sha1")},
		{`{"allow": ["bad.sha256", "good.sha256"]}`, sum("sha256", goodDigest), accept()},
		{`{"deny": ["bad.md5"], "allow": ["good.sha256"]}`, sum("sha256", goodDigest), unsure("no list in deny has digests of sha256")},
	})
	judgeMessages(t, checksumKind(), env, []reads{
		{`{"require": ["sha256", "sha512"]}`, sum("none", ""), "a came with no sha256 or sha512 checksum. Switch checksums on and try again."},
		{denied, sum("sha256", badDigest), "a is known to be bad and may not be transferred."},
		{allowed, sum("sha256", badDigest), "a is not one of the files approved for transfer."},
	})
}

func TestChecksumMistakes(t *testing.T) {
	env := folder{"good": goodDigest, "empty": "", "mixed": goodDigest + "\n\nxyz\n"}.env("")
	judgeMistakes(t, checksumKind(), env, []slip{
		{`{"deny": "gone"}`, []string{"/deny: the list gone cannot be used: gone: file does not exist"}},
		{`{"allow": ["good", "gone"], "deny": ["lost", "good"]}`, []string{
			"/allow/1: the list gone cannot be used: gone: file does not exist",
			"/deny/0: the list lost cannot be used: lost: file does not exist",
		}},
		{`{"deny": "mixed"}`, []string{"/deny: the list mixed cannot be used: " + listFault(t, env, "mixed")}},
		{`{"deny": "empty"}`, []string{"/deny: the list empty cannot be used: " + listFault(t, env, "empty")}},
	})
	judgeMistakes(t, checksumKind(), Env{}, []slip{
		{`{"deny": "good"}`, []string{"/deny: the list good cannot be used: there are no lists here"}},
	})
	judgeSchema(t, checksumKind(), `{}`, `{"require": []}`, `{"require": ["crc32"]}`, `{"require": ["any"]}`, `{"require": "sha256"}`,
		`{"deny": ""}`, `{"deny": []}`, `{"deny": [""]}`, `{"deny": 1}`, `{"verify": "yes"}`)
}

func listFault(t *testing.T, env Env, name string) string {
	t.Helper()
	_, err := env.Digests(name)
	if err == nil {
		t.Fatalf("the list %s is good", name)
	}
	return err.Error()
}

func TestParseAlgorithm(t *testing.T) {
	for _, row := range []struct {
		spelled, canonical string
		width              int
	}{
		{"md5", "md5", 16},
		{"MD5", "md5", 16},
		{"md-5", "md5", 16},
		{"sha1", "sha1", 20},
		{"SHA-1", "sha1", 20},
		{"sha256", "sha256", 32},
		{"sha-256", "sha256", 32},
		{"sha2-256", "sha256", 32},
		{"SHA2_256", "sha256", 32},
		{"sha2256", "sha256", 32},
		{"sha384", "sha384", 48},
		{"sha2-384", "sha384", 48},
		{"sha512", "sha512", 64},
		{"sha2-512", "sha512", 64},
		{"", "", 0},
		{"none", "", 0},
		{"any", "", 0},
		{"sha2", "", 0},
		{"sha3-256", "", 0},
		{"sha224", "", 0},
		{"sha2-224", "", 0},
		{"sha2-md5", "", 0},
		{"sha2---1", "", 0},
		{"sha256 ", "", 0},
		{strings.Repeat("-", 1000), "", 0},
	} {
		canonical, width, ok := ParseAlgorithm(row.spelled)
		if canonical != row.canonical || width != row.width || ok != (row.width > 0) {
			t.Errorf("%q is %q of %d bytes (%v), want %q of %d", row.spelled, canonical, width, ok, row.canonical, row.width)
		}
	}
}
