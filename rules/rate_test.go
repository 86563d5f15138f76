package rules_test

import (
	"testing"

	"github.com/sluiceproject/sluice/rules"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]int64{
		"1 kbps": 1, "500 Mbps": 500_000, "500mbps": 500_000, "2 Gbps": 2_000_000, "0 kbps": 0,
	} {
		if got, err := rules.ParseRate(text); err != nil || got != want {
			t.Errorf("%q: got %d kbps and error %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "fast", "500", "-1 Mbps", "1.5 Gbps", "9223372036854775807 Gbps", "Mbps", "5 MB"} {
		if got, err := rules.ParseRate(text); err == nil {
			t.Errorf("%q: got %d kbps, want an error", text, got)
		}
	}
}
