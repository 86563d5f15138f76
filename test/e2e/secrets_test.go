package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// TestNoSecretLeavesTheService: not in an answer, not in the log, not in a
// metric, whatever becomes of the event.
func TestNoSecretLeavesTheService(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	policies := map[string]string{
		"all.yaml": `version: 1
policy: all
rules:
  - name: path
    path: {deny: ["**/denied/**"]}
    message: "{path} {name} {found} {user}"
  - name: type
    extension: {deny: [exe]}
    message: "{path} {name} {found} {extension}"
  - name: tags
    tags: {schema: tags.json}
    mode: shadow
    message: "{found}"
  - name: tags-enforced
    tags: {schema: strict.json}
    on: [stop]
    message: "{found}"
`,
		"tags.json":   `{"properties": {"aspera": {"properties": {"node": {"properties": {"storage_credentials": {"type": "number"}}}}}}}`,
		"strict.json": `{"properties": {"aspera": {"properties": {"node": {"properties": {"storage_credentials": {"properties": {"secret": {"enum": ["a"], "pattern": "^b$", "const": "c"}}}}}}}}}`,
	}
	s := start(t, setup{policies: policies})
	tags := `{"aspera":{"node":{"storage_credentials":{"type":"aws","id":"AKIA-s3cr3t","secret":"s3cr3t"}}}}`
	bodies := []string{}
	for _, path := range []string{
		"s3://AKIA:s3cr3t@bucket/in/a.mov", "s3://AKIA:s3cr3t@bucket/denied/a.mov", "s3://AKIA:s3cr3t@bucket/in/a.exe",
		"s3://AKIA:s3cr3t/with/slashes@s3.example.com/bucket/a.exe", "s3://AKIA:half/s3cr3t@s3.example.com/denied/a.mov",
		"S3://s3cr3t@bucket/in/a.exe", "azu://account:s3cr3t==@blob.example.com/denied/a.mov", "s3://AKIA:s3cr3t@bucket/../denied/a.mov",
		"s3://AKIA:s3cr3t@bucket/a\u202e\n.exe", "/s3://AKIA:s3cr3t@bucket/denied/a.mov", "s3:/AKIA:s3cr3t@bucket/a.exe", "/in/s3://AKIA:s3cr3t@bucket.exe",
	} {
		for _, phase := range []string{`"start"`, `"stop"`} {
			bodies = append(bodies, file(path, "startstop", phase, "tags", tags, "cookie", `"aspera.faspex20:u:s3cr3t"`))
		}
	}
	whole := file("s3://AKIA:s3cr3t@bucket/in/a.mov", "tags", tags, "cookie", `"s3cr3t"`)
	bodies = append(
		bodies, whole,
		event("tags", `"`+strings.ReplaceAll(tags, `"`, `\"`)+`"`, "cookie", `"s3cr3t:aspera.faspex20"`),
		event("tags", `"s3cr3t is not JSON"`, "startstop", `"stop"`),
		event("tags", `["s3cr3t"]`, "startstop", `"stop"`, "s3cr3t", `"s3cr3t"`),
		whole+"s3cr3t", whole[:len(whole)-1], "s3cr3t", "{s3cr3t", `{"s3cr3t":1,"s3cr3t":2}`,
		file("s3://AKIA:s3cr3t@bucket/\x00"), event("size", `"s3cr3t"`), event("startstop", `"s3cr3t"`), event("file", `["s3cr3t"]`),
		event("user", `["s3cr3t"]`), event("cookie", `{"s3cr3t":1}`),
	)
	seen := map[int]int{}
	for _, body := range bodies {
		a := s.post(t, body)
		seen[a.status]++
		if strings.Contains(a.body, secret) {
			t.Errorf("the answer has it: %s", a.body)
		}
		for name, values := range a.header {
			if strings.Contains(strings.Join(values, ""), secret) {
				t.Errorf("the header %s has it: %q", name, values)
			}
		}
	}
	if seen[http.StatusOK] == 0 || seen[http.StatusBadRequest] == 0 {
		t.Errorf("answers by status: %v", seen)
	}
	for _, name := range s.metrics(t).series() {
		if strings.Contains(name, secret) {
			t.Errorf("a metric has it: %s", name)
		}
	}
	await(t, "a log line for each event", func() bool { return len(s.log.find("decision")) == len(bodies) })
	for _, l := range s.log.all() {
		if strings.Contains(l.raw, secret) {
			t.Errorf("the log has it: %s", l.raw)
		}
	}
}
