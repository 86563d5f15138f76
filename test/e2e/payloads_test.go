package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// outcome is what a server makes of an event, told by its answer and its log.
type outcome struct {
	Status                                     int
	Phase, Code, Policy, Rule, Message, Reason string
}

// TestPayloadsGetTheAnswerOfTheShippedPolicies posts every payload, and holds
// the answer and the one log line of each against what is wanted.
func TestPayloadsGetTheAnswerOfTheShippedPolicies(t *testing.T) {
	t.Parallel()
	outside := " is outside the folders that may be used. Choose another folder."
	unread := func(what string) string {
		return "The Aspera server's file event could not be read: " + what + ". Tell the server's administrator."
	}
	cases := map[string]outcome{
		"malformed-duplicate-file": {400, "unknown", "1001", "", "", unread("its member file is given twice"), "duplicate"},
		"malformed-not-utf8":       {400, "unknown", "1001", "", "", unread("it holds bytes that are not UTF-8"), "encoding"},
		"malformed-truncated":      {400, "unknown", "1001", "", "", unread("it ends too early"), "truncated"},
		"running-resumed-large": {
			400, "running", "1020", "partner-ingest", "only-ingest",
			"/faspex/asd - 2fb0b61e-ec57-4171-b540-15eab3179a34.aspera-package/PKG - asd/big.mxf" + outside, "",
		},
		"session-event-without-file": {200, "start", "", "", "", "", ""},
		"start-aoc-package":          {400, "start", "1020", "partner-ingest", "only-ingest", "/data/aoc/pkg/report.pdf" + outside, ""},
		"start-download-shares":      {400, "start", "1020", "downloads", "only-outgoing", "/shares/out/master/feature_v3.mxf" + outside, ""},
		"start-tags-base64":          {400, "start", "1020", "partner-ingest", "only-ingest", "/data/in/clip.mov" + outside, ""},
		"start-windows-quoted-numbers": {
			400, "start", "1020", "hygiene", "plain-path",
			`The path C:\data\in\..\invoice.pdf.exe is not plain: it has "..", "." or "//". Rename the folder and try again.`, "",
		},
		"stop-older-names-tags-in-string": {400, "stop", "1020", "partner-ingest", "only-ingest", "/home/testz/in/clip.MOV" + outside, ""},
		"stop-sha256-bidi-name": {
			400, "stop", "1021", "hygiene", "honest-name",
			`/data/in/invoice_\u202egpj.exe: the name has a character that reverses how it is shown. Rename the file and try again.`, "",
		},
	}
	files, err := filepath.Glob("testdata/payloads/*.json")
	if err != nil || len(files) != len(cases) {
		t.Fatalf("%d payloads for %d cases (%v)", len(files), len(cases), err)
	}
	s := start(t, setup{})
	revision := s.revision(t)
	for _, name := range files {
		stem := filepath.Base(name[:len(name)-len(".json")])
		t.Run(stem, func(t *testing.T) {
			body, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			a := s.post(t, string(body))
			l := s.decision(t, a.id)
			got := outcome{a.status, l.text("phase"), a.code, l.text("policy"), l.text("rule"), a.message, l.text("reason")}
			if diff := cmp.Diff(cases[stem], got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			verdict := map[bool]string{true: "accept", false: "reject"}[a.status == http.StatusOK]
			want := line{members: map[string]any{"verdict": verdict, "code": a.code, "message": a.message, "revision": revision}}
			for key := range want.members {
				if l.text(key) != want.text(key) {
					t.Errorf("the log line has the %s %q, want %q", key, l.text(key), want.text(key))
				}
			}
		})
	}
	if n := len(s.log.find("decision")); n != len(cases) {
		t.Errorf("%d decisions in the log for %d events", n, len(cases))
	}
}
