package rules_test

import (
	"testing"

	"github.com/sluiceproject/sluice/rules"
)

func TestDidYouMean(t *testing.T) {
	rule := []string{"name", "mode", "message", "on", "on_error", "timeout", "extension", "size"}
	for _, tc := range []struct {
		word    string
		options []string
		want    string
	}{
		{"naem", rule, `did you mean "name"?`},
		{"mesage", rule, `did you mean "message"?`},
		{"onerror", rule, `did you mean "on_error"?`},
		{"on-error", rule, `did you mean "on_error"?`},
		{"extensions", rule, `did you mean "extension"?`},
		{"EXTENSION", rule, `did you mean "extension"?`},
		{"Mode", rule, `did you mean "mode"?`},
		{"time_out", rule, `did you mean "timeout"?`},
		{"sise", rule, `did you mean "size"?`},
		{"no", rule, ""},
		{"on", []string{"enforce", "shadow", "off"}, ""}, // The opposite is not what was meant.
		{"apply_to", []string{"applies_to", "policy"}, `did you mean "applies_to"?`},
		{"x", rule, ""},
		{"checksum", rule, ""},
		{"", rule, ""},
		{"größe", []string{"größen", "x"}, `did you mean "größen"?`},
		{"anything", nil, ""},
		{"ab", []string{"xy"}, ""},
		{"aab", []string{"aaa", "aac"}, `did you mean "aaa"?`},
	} {
		if got := rules.DidYouMean(tc.word, tc.options); got != tc.want {
			t.Errorf("DidYouMean(%q) = %q, want %q", tc.word, got, tc.want)
		}
	}
}
