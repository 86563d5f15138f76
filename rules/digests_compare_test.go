package rules_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/rules"
)

func TestDigestDifferences(t *testing.T) {
	t.Parallel()
	list := func(width int, digests string) *rules.Digests {
		if digests == "" {
			return nil
		}
		var text strings.Builder
		for _, d := range strings.Fields(digests) {
			text.WriteString(strings.Repeat(d, width) + "\n")
		}
		l, err := rules.ReadDigests("list", strings.NewReader(text.String()), int64(text.Len()))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for _, c := range []struct {
		name          string
		first, second *rules.Digests
		want          []string
	}{
		{"both have none", nil, nil, nil},
		{"the same", list(32, "0a 0b"), list(32, "0b 0a 0a"), nil},
		{"one has none", nil, list(32, "0b 0a"), []string{"+0a", "+0b"}},
		{"the other has none", list(32, "0b 0a"), nil, []string{"-0a", "-0b"}},
		{"some of both", list(32, "0a 0c 0d ff"), list(32, "0b 0c 0e"), []string{"-0a", "+0b", "-0d", "+0e", "-ff"}},
		{"of another width", list(16, "0a"), list(32, "0a"), []string{"-0a", "+0a"}},
	} {
		var got []string
		for digest, added := range rules.DigestDifferences(c.first, c.second) {
			got = append(got, map[bool]string{false: "-", true: "+"}[added]+hex.EncodeToString(digest[:1]))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	for range rules.DigestDifferences(list(32, "0a 0b"), nil) {
		break // Whoever has seen enough may go.
	}
}
