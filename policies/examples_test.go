package policies_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
)

// TestExamples holds what the policies that ship say of events, and that none
// of their rules is dead.
func TestExamples(t *testing.T) {
	s, err := policies.CheckDir("examples", policies.Options{Kinds: rules.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	const sheet = `{"project": "film", "contact": "ann@example.com"}`
	upload := func(path string, change ...func(*rules.Event)) rules.Event {
		e := rules.Event{
			Phase: rules.PhaseStart, Direction: rules.Upload, User: "partner-7", Host: "hst", ClientIP: "203.0.113.7",
			File: rules.ParsePath(path), Size: rules.Known(1 << 20), Cipher: "aes-256", RatePolicy: "fair", ChecksumType: "none", Tags: rules.Tags{Raw: sheet},
		}
		for _, c := range change {
			c(&e)
		}
		e.ClientAddr, _ = netip.ParseAddr(e.ClientIP)
		return e
	}
	download := func(path string, change ...func(*rules.Event)) rules.Event {
		return upload(path, append([]func(*rules.Event){func(e *rules.Event) { e.Direction = rules.Download }}, change...)...)
	}
	size := func(n int64) func(*rules.Event) { return func(e *rules.Event) { e.Size = rules.Known(n) } }
	cipher := func(c string) func(*rules.Event) { return func(e *rules.Event) { e.Cipher = c } }
	from := func(ip string) func(*rules.Event) { return func(e *rules.Event) { e.ClientIP = ip } }
	tags := func(raw string) func(*rules.Event) { return func(e *rules.Event) { e.Tags = rules.Tags{Raw: raw} } }
	phase := func(p rules.Phase) func(*rules.Event) { return func(e *rules.Event) { e.Phase = p } }
	stop := func(digest string) func(*rules.Event) {
		return func(e *rules.Event) { e.Phase, e.Checksum, e.ChecksumType = rules.PhaseStop, digest, "sha256" }
	}
	none := func(e *rules.Event) { e.Direction = rules.DirectionUnknown }

	const accepted = ""
	hit := map[string]bool{}
	for _, tc := range []struct {
		name  string
		event rules.Event
		rule  string // that refuses, with its policy
		code  rules.Code
		noted string // steps that neither passed nor refused
	}{
		{"a partner delivers a film", upload("/ingest/film/clip.mov"), accepted, "", ""},
		{"in capitals", upload("/ingest/film/CLIP.MXF"), accepted, "", ""},
		{"a film encrypted by the client", upload("/ingest/film/clip.mp4.aspera-env"), accepted, "", ""},
		{"the largest film", upload("/ingest/clip.mov", size(500<<30)), accepted, "", ""},
		{"a film is complete", upload("/ingest/clip.mov", stop(strings.Repeat("00", 32))), accepted, "", ""},
		{"a film is complete, without a checksum", upload("/ingest/clip.mov", phase(rules.PhaseStop)), accepted, "", "partner-ingest/known-bad accepted_on_error"},
		{"a token for a delivery", upload("/ingest/clip.mov", phase(rules.PhaseRequest), cipher("")), accepted, "", ""},
		{"a session begins", upload("", func(e *rules.Event) { e.Size = rules.Number{} }), accepted, "", ""},
		{"a picture is fetched", download("/outgoing/a/b.jpg"), accepted, "", ""},
		{"a film is fetched from inside", download("/outgoing/b.mov", from("2001:db8::7")), accepted, "", ""},
		{"a film is fetched on the server itself", download("/outgoing/b.mov", from("::1")), accepted, "", ""},
		{"an old session without encryption fetches", download("/outgoing/b.mov", cipher("none")), accepted, "", ""},

		{"a path that leads elsewhere", upload("/ingest/../etc/clip.mov"), "hygiene/plain-path", "1020", ""},
		{"a path with an empty folder", download("/outgoing//b.mov"), "hygiene/plain-path", "1020", ""},
		{"an executable in disguise", upload("/ingest/film/clip.mov.exe"), "hygiene/honest-name", "1021", ""},
		{"a name that is shown backwards", upload("/ingest/film/clip\u202evom.exe.mov"), "hygiene/honest-name", "1021", ""},
		{"a device of Windows", upload("/ingest/film/con.mov"), "hygiene/honest-name", "1021", ""},
		{"a name of 256 bytes", upload("/ingest/" + strings.Repeat("x", 252) + ".mov"), "hygiene/honest-name", "1021", ""},
		{"a program", upload("/ingest/film/setup.exe"), "hygiene/no-programs", "1022", ""},
		{"a program is fetched", download("/outgoing/setup.MSI"), "hygiene/no-programs", "1022", ""},
		{"a delivery elsewhere", upload("/home/clip.mov"), "partner-ingest/only-ingest", "1020", ""},
		{"a picture is delivered", upload("/ingest/film/still.jpg"), "partner-ingest/finished-video-only", "1022", ""},
		{"a file without an extension", upload("/ingest/film/README"), "partner-ingest/finished-video-only", "1022", ""},
		{"a film of more than 500 GiB", upload("/ingest/clip.mov", size(500<<30+1)), "partner-ingest/not-too-big", "1023", ""},
		{"an empty film", upload("/ingest/clip.mov", size(0)), "partner-ingest/not-too-big", "1023", ""},
		{"a film in the clear", upload("/ingest/clip.mov", cipher("none")), "partner-ingest/encrypted-in-transit", "1027", ""},
		{"what is known to be bad", upload("/ingest/clip.mov", stop(eicar)), "partner-ingest/known-bad", "1024", ""},
		{"a delivery without a sheet", upload("/ingest/clip.mov", tags("")), accepted, "", "partner-ingest/has-delivery-sheet would_refuse"},
		{"a delivery with half a sheet", upload("/ingest/clip.mov", tags(`{"project": "film"}`)), accepted, "", "partner-ingest/has-delivery-sheet would_refuse"},
		{"what is delivered is fetched", download("/ingest/film/clip.mov"), "downloads/only-outgoing", "1020", ""},
		{"what is in the making is fetched", download("/outgoing/a/.work/b.mov"), "downloads/only-outgoing", "1020", ""},
		{"a film is fetched from elsewhere", download("/outgoing/b.mov", from("198.51.100.1")), "downloads/known-networks", "1026", ""},
		{"a film is fetched from who knows where", download("/outgoing/b.mov", from("unknown")), "downloads/known-networks", "1026", ""},
		{"a direction that nobody knows", upload("/ingest/clip.mov", none), "partner-ingest/", rules.CodeSelector, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := decide(s, tc.event)
			refused := ""
			if !d.Accepted() {
				refused = d.Policy + "/" + d.Rule
				hit[refused] = true
			}
			var noted []string
			for _, step := range d.Steps {
				name := step.Rule.Policy + "/" + step.Rule.Name
				switch step.Outcome {
				case rules.Passed, rules.Refused, rules.RefusedOnError:
				case rules.WouldRefuse:
					hit[name] = true
					fallthrough
				default:
					noted = append(noted, name+" "+step.Outcome.String())
				}
			}
			type answer struct {
				Rule  string
				Code  rules.Code
				Noted string
			}
			want, got := answer{tc.rule, tc.code, tc.noted}, answer{refused, d.Code, strings.Join(noted, ", ")}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, d.Message)
			}
			if d.Revision != s.Revision || (d.Message == "") != d.Accepted() || len(d.Message) > rules.MaxMessage {
				t.Errorf("got revision %q and message %q", d.Revision, d.Message)
			}
		})
	}
	total := 0
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			total++
			if !hit[p.Name+"/"+r.Name] {
				t.Errorf("%s: no event is refused by the rule %s", p.File, r.Name)
			}
		}
	}
	if total == 0 || total != s.RuleCount() {
		t.Errorf("the set has %d rules, of which %d can be asked", total, s.RuleCount())
	}
}
