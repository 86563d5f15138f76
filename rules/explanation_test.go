package rules

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestAMismatchPrints on one line with an end, whatever the client and the
// policy have written.
func TestAMismatchPrints(t *testing.T) {
	hostile := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("\n\r\x00\x1b\u009b\u202e\u2028\"\\ab"))), rapid.Just(strings.Repeat("\x1b", 1<<16)))
	rapid.Check(t, func(t *rapid.T) {
		m := Mismatch{
			Key: rapid.SampledFrom([]string{"direction", "user", "host", "client_ip", "path"}).Draw(t, "key"), Saw: hostile.Draw(t, "saw"),
			Wanted: rapid.SliceOfN(hostile, 1, 9).Draw(t, "wanted"), Unknown: rapid.Bool().Draw(t, "unknown"),
		}
		if m.Key == "direction" {
			m.Saw = Upload.String()
		}
		if text := m.String(); text != Printable(text) || len(text) > 2000 || !strings.Contains(text, m.Key) {
			t.Fatalf("%d bytes: %q", len(text), text)
		}
	})
}
