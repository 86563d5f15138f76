package validator_test

import (
	"strings"
	"testing"
)

func TestOnlyTheApplicationOfACookieIsLogged(t *testing.T) {
	for _, tc := range []struct{ name, cookie, want string }{
		{"none", "", ""},
		{"Faspex", "aspera.faspex20:u:2fb0b61e-ec57-4171-b540-15eab3179a34:amRvZQ:eyJwcm9qZWN0IjoiWCJ9:UTM", "aspera.faspex20"},
		{"Aspera on Cloud", "aspera.aoc:cGFja2FnZXM=:SmFuZSBEb2U=:amFuZUBleGFtcGxlLmNvbQ==", "aspera.aoc"},
		{"Shares", "aspera.shares2:0b7d5f2e-1111-4222-8333-944455556666:amRvZQ==", "aspera.shares2"},
		{"nothing after the colon", "aspera.aoc:", "aspera.aoc"},
		{"no colon", "aspera.aoc", "…"},
		{"another maker", "acme.app:secret", "…"},
		{"a secret alone", "0123456789abcdef", "…"},
		{"a secret before a colon", "hunter2:aspera.aoc:x", "…"},
		{"only a colon", ":aspera.aoc", "…"},
		{"upper case", "aspera.AOC:x", "…"},
		{"a prefix that only looks like it", "aspera:secret", "…"},
		{"a blank", "aspera.ao c:x", "…"},
		{"a line break", "aspera.aoc\n{}:x", "…"},
		{"not ASCII", "aspera.é:x", "…"},
		{"turned around", "aspera.\u202eaoc:x", "…"},
		{"longest name", "aspera." + strings.Repeat("a", 25) + ":x", "aspera." + strings.Repeat("a", 25)},
		{"too long a name", "aspera." + strings.Repeat("a", 26) + ":x", "…"},
		{"very long", strings.Repeat("s3cr3t", 100_000), "…"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			line := logOf(t, byChain(), event("cookie", tc.cookie))
			got, found := line.fields["cookie"]
			if found != (tc.want != "") || found && got != tc.want {
				t.Errorf("%q is logged as %v, want %q", tc.cookie, got, tc.want)
			}
		})
	}
}
