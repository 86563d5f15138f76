package policies_test

import (
	"testing"

	"github.com/sluiceproject/sluice/rules"
)

// TestContentOfTests: what a test says is in its file is what rules find there,
// and where it says nothing there is nothing to look into.
func TestContentOfTests(t *testing.T) {
	const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	files := set("p.yaml", "version: 1\npolicy: p\nrules: [{name: whole, checksum: {verify: true}}]\n", "samples/hello", "hello")
	s := compile(t, files)
	for _, tc := range []struct {
		name, content string
		want          rules.Outcome
		coverage      rules.Coverage
	}{
		{"a text", "content: hello, ", rules.Passed, rules.Coverage{State: rules.Clean, Inspected: 5, Total: 5}},
		{"another text", "content: hullo, ", rules.Refused, rules.Coverage{State: rules.Bad, Inspected: 5, Total: 5}},
		{"a file of the set", "content: {from: samples/hello}, ", rules.Passed, rules.Coverage{State: rules.Clean, Inspected: 5, Total: 5}},
		{"nothing", "", rules.RefusedOnError, rules.Coverage{State: rules.Uninspectable, Total: 7, Reason: rules.ReasonUnmounted}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files["x_test.yaml"] = set("x", "version: 1\ntests:\n  - name: x\n    event: {phase: stop, path: /a, size: 7, "+tc.content+"checksum_type: sha256, checksum: "+hello+"}\n    accept: true\n")["x"]
			suites := readSuites(t, files, s)
			d := suites[0].Cases[0].Run(t.Context(), s).Decision
			if len(d.Steps) != 1 || d.Steps[0].Outcome != tc.want || d.Steps[0].Looked.Coverage != tc.coverage {
				t.Errorf("got %+v, %+v", d.Steps, d.Steps[0].Looked)
			}
		})
	}
}
