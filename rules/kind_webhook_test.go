package rules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// hook is a Webhook that is a function.
type hook func(ctx context.Context, id string, body []byte) (int, []byte, error)

func (h hook) Ask(ctx context.Context, id string, body []byte) (int, []byte, error) {
	return h(ctx, id, body)
}

// dam has one webhook, called dam.
func dam(h hook) Env {
	return Env{Webhooks: func(name string) (Webhook, error) {
		if name != "dam" {
			return nil, At("", "no webhook of the configuration is called %q", name).WithHint("configured: dam")
		}
		return h, nil
	}}
}

// answers is a webhook with one answer.
func answers(status int, text string) hook {
	return func(context.Context, string, []byte) (int, []byte, error) { return status, []byte(text), nil }
}

// asked decides an event by a webhook rule.
func asked(t *testing.T, env Env, settings string, e *Event, change ...func(*Rule)) *Decision {
	t.Helper()
	k := webhookKind()
	c := compile(t, k, env, settings)
	r := &Rule{Policy: "p", Name: "r", Kind: k.Name, Phases: k.Phases, NeedsFile: k.NeedsFile, Cost: k.Cost, Code: k.Code, Inspect: c.Inspect, Values: c.Values, Saw: k.Saw}
	for _, f := range change {
		f(r)
	}
	d := Begin(e, "")
	l := NewLook(e, &ContentEnv{Now: time.Now})
	Chain{r}.Look(t.Context(), l, e, &d)
	l.Close()
	return &d
}

func delivery() *Event {
	return &Event{
		ID: NewID(time.UnixMilli(1_800_000_000_000), [10]byte{1}), Received: time.Unix(1_800_000_000, 5000), Phase: PhaseStop, Direction: Upload,
		SessionID: "s-1", TransferID: "x-1", Host: "hst-1", ClientIP: "203.0.113.7", User: "partner-7", UserID: "1001",
		Cookie: "s3cr3t cookie", TargetRateKbps: Known(1000), MinRateKbps: Known(0), RatePolicy: "fair", Cipher: "AES-128",
		ManifestFile: "s3://KEY:s3cr3t@bucket/manifest", File: ParsePath("s3://KEY:s3cr3t@bucket/<a>/film & co.mov"), Size: Known(7),
		StartByte: Known(0), BytesWritten: Known(7), FileNameEncoding: "utf8", Checksum: "ABCDEF", ChecksumType: "SHA-256",
		Tags: Tags{Raw: `{"project": "aurora", "n": 1.50, "aspera": {"xfer_id": "x-1", "node": {"access_key": "k", "storage_credentials": {"secret": "s3cr3t"}}}}`},
	}
}

// TestWebhookAnswers: what each answer means.
func TestWebhookAnswers(t *testing.T) {
	const couldNot = "This could not be checked by the rule r, so it is refused. Ask the server's administrator."
	failing := func(err error) hook {
		return func(context.Context, string, []byte) (int, []byte, error) { return 0, nil, err }
	}
	for _, row := range []struct {
		name string
		hook hook
		want string // the message; empty accepts
		err  string
	}{
		{"no objection", answers(200, ""), "", ""},
		{"no objection, whatever it says", answers(200, `{"error":{"code":"1","message":"no"}}`), "", ""},
		{"no content", answers(204, ""), "", ""},
		{"an objection", answers(400, `{"error":{"code":"7","message":"The DAM does not know this title."}}`), "The DAM does not know this title.", ""},
		{"one with more than that", answers(400, ` {"error":{"message":"No.","detail":{}},"trace":1} `), "No.", ""},
		{"one with braces", answers(400, `{"error":{"message":"{name} {{user}} {"}}`), "{name} {{user}} {", ""},
		{"one of several lines", answers(400, `{"error":{"message":" One.\r\n\tTwo. "}}`), "One. Two.", ""},
		{"one that turns the direction around", answers(400, `{"error":{"message":"a\u202eb\u0000"}}`), `a\u202eb\u0000`, ""},
		{"a long one", answers(400, `{"error":{"message":"`+strings.Repeat("x", 1000)+`"}}`), strings.Repeat("x", 198) + "…" + strings.Repeat("x", 99), ""},

		{"an objection without a message", answers(400, `{"error":{"code":"7"}}`), couldNot, "the webhook dam answered 400 with what is no refusal: it has no error.message"},
		{"an empty message", answers(400, `{"error":{"message":" "}}`), couldNot, "the webhook dam answered 400 with what is no refusal: it has no error.message"},
		{"a message that is a number", answers(400, `{"error":{"message":1}}`), couldNot, "the webhook dam answered 400 with what is no refusal: it has no error.message"},
		{"a message elsewhere", answers(400, `{"message":"s3cr3t"}`), couldNot, "the webhook dam answered 400 with what is no refusal: it has no error.message"},
		{"a list", answers(400, `[]`), couldNot, "the webhook dam answered 400 with what is no refusal: it has no error.message"},
		{"nothing", answers(400, ``), couldNot, "the webhook dam answered 400 with what is no refusal: not JSON"},
		{"a page", answers(400, `<h1>s3cr3t</h1>`), couldNot, "the webhook dam answered 400 with what is no refusal: not JSON at byte 0"},
		{"two objections", answers(400, `{"error":{"message":"a"}} {}`), couldNot, "the webhook dam answered 400 with what is no refusal: there is more after the value"},
		{"a message twice", answers(400, `{"error":{"message":"a","message":"b"}}`), couldNot, "the webhook dam answered 400 with what is no refusal: a member is given twice"},
		{"bytes that are no text", answers(400, "{\"error\":{\"message\":\"\xff\"}}"), couldNot, "the webhook dam answered 400 with what is no refusal: not JSON at byte 21"},
		{"deep rubbish", answers(400, strings.Repeat("[", 100)), couldNot, "the webhook dam answered 400 with what is no refusal: nested more than 64 levels deep"},
		{"created", answers(201, ""), couldNot, "the webhook dam answered HTTP status 201"},
		{"a redirect", answers(302, ""), couldNot, "the webhook dam answered HTTP status 302"},
		{"no permission", answers(401, `{"error":{"message":"No."}}`), couldNot, "the webhook dam answered HTTP status 401"},
		{"a fault", answers(500, ""), couldNot, "the webhook dam answered HTTP status 500"},
		{"no answer", failing(errors.New("asking the webhook: EOF")), couldNot, "the webhook dam: asking the webhook: EOF"},
		{"out of time", failing(context.DeadlineExceeded), couldNot, "the webhook dam: context deadline exceeded"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := asked(t, dam(row.hook), `{"ask": "dam"}`, delivery())
			told := ""
			if d.Err != nil {
				told = d.Err.Error()
			}
			if d.Message != row.want || told != row.err || d.Accepted() != (row.want == "") {
				t.Errorf("%q %q %q, want %q %q", d.Code, d.Message, told, row.want, row.err)
			}
			if !d.Accepted() && d.Code != "1035" {
				t.Errorf("the code is %q", d.Code)
			}
			looked := d.Steps[0].Looked
			if diff := cmp.Diff(Coverage{}, looked.Coverage); diff != "" || looked.Uninspected() != 0 {
				t.Errorf("something is said of a file that nobody looked into (-want +got):\n%s", diff)
			}
			if strings.Contains(d.Message+told, "s3cr3t") {
				t.Error("a secret is shown")
			}
		})
	}
}

// TestWebhookOnError and in shadow, like any other rule.
func TestWebhookOnError(t *testing.T) {
	fault, no := dam(answers(500, "")), dam(answers(400, `{"error":{"message":"No."}}`))
	accept := func(r *Rule) { r.AcceptOnError = true }
	shadow := func(r *Rule) { r.Mode = Shadow }
	for name, row := range map[string]struct {
		got  *Decision
		want Outcome
	}{
		"could not tell":                   {asked(t, fault, `{"ask": "dam"}`, delivery()), RefusedOnError},
		"could not tell, on_error: accept": {asked(t, fault, `{"ask": "dam"}`, delivery(), accept), AcceptedOnError},
		"could not tell, in shadow":        {asked(t, fault, `{"ask": "dam"}`, delivery(), shadow), WouldRefuseOnError},
		"an objection":                     {asked(t, no, `{"ask": "dam"}`, delivery()), Refused},
		"an objection, on_error: accept":   {asked(t, no, `{"ask": "dam"}`, delivery(), accept), Refused},
		"an objection, in shadow":          {asked(t, no, `{"ask": "dam"}`, delivery(), shadow), WouldRefuse},
		"no configuration":                 {asked(t, Env{}, `{"ask": "dam"}`, delivery()), RefusedOnError},
		"a panic, whatever on_error says":  {asked(t, dam(func(context.Context, string, []byte) (int, []byte, error) { panic("x") }), `{"ask": "dam"}`, delivery(), accept), RefusedOnError},
		"out of the rule's own time": {asked(t, dam(func(ctx context.Context, _ string, _ []byte) (int, []byte, error) {
			<-ctx.Done()
			return 0, nil, ctx.Err()
		}), `{"ask": "dam"}`, delivery(), func(r *Rule) { r.Timeout = time.Millisecond }), RefusedOnError},
		"a message of the policy's own {found}": {asked(t, no, `{"ask": "dam"}`, delivery(), func(r *Rule) {
			r.Message, _ = ParseTemplate("{webhook} says: {found}", webhookKind().Placeholders...)
		}), Refused},
	} {
		if got := row.got.Steps[0].Outcome; got != row.want {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
		if strings.Contains(name, "{found}") && row.got.Message != "dam says: No." {
			t.Errorf("%s: %q", name, row.got.Message)
		}
	}
	session := &Event{Phase: PhaseStart, User: "u"}
	if d := asked(t, no, `{"ask": "dam"}`, session); len(d.Steps) != 0 {
		t.Error("it is asked about a session")
	}
}

// TestWebhookThatIsNotConfigured is a mistake of the policy, if there is a
// configuration.
func TestWebhookThatIsNotConfigured(t *testing.T) {
	_, err := webhookKind().Compile(dam(nil), settings(`{"ask": "mam"}`))
	var spec *SpecError
	if !errors.As(err, &spec) || spec.At != "/ask" || spec.Error() != `no webhook of the configuration is called "mam"; configured: dam` {
		t.Error(err)
	}
}

func TestWebhookSettings(t *testing.T) {
	for _, s := range []string{`{}`, `{"send_tags": true}`, `{"ask": ""}`, `{"ask": ["dam"]}`, `{"ask": "dam", "send_tags": "yes"}`, `{"ask": "dam", "url": "https://dam"}`} {
		if schemaFaults(t, webhookKind(), s) == nil {
			t.Errorf("%s is taken", s)
		}
	}
}

// TestWebhookBody: what a service gets, byte for byte.
func TestWebhookBody(t *testing.T) {
	e := delivery()
	all := `{"version":1,"id":"` + e.ID.String() + `","received":"2027-01-15T08:00:00.000005Z","phase":"stop","direction":"upload",` +
		`"user":"partner-7","user_id":"1001","host":"hst-1","client_ip":"203.0.113.7","session_id":"s-1","xfer_id":"x-1",` +
		`"path":"s3://***@bucket/<a>/film & co.mov","name":"film & co.mov","size":7,"start_byte":0,"bytes_written":7,` +
		`"checksum":"abcdef","checksum_type":"sha256","cipher":"aes-128","rate_policy":"fair","target_rate_kbps":1000,"min_rate_kbps":0,` +
		`"manifest_file":"s3://***@bucket/manifest","file_name_encoding":"utf8"`
	little := &Event{Phase: PhaseRequest, File: ParsePath("/a"), Tags: Tags{Raw: "rubbish"}}
	bare := `{"version":1,"id":"00000000-0000-0000-0000-000000000000","received":"0001-01-01T00:00:00Z","phase":"request","direction":"unknown","path":"/a","name":"a"`
	for _, row := range []struct {
		name, settings string
		event          *Event
		want           string
	}{
		{"all that there is", `{"ask": "dam"}`, e, all + "}"},
		{"with its tags", `{"ask": "dam", "send_tags": true}`, e, all + `,"tags":{"aspera":{"node":{"access_key":"k"},"xfer_id":"x-1"},"n":1.50,"project":"aurora"}}`},
		{"the same again", `{"ask": "dam", "send_tags": false}`, e, all + "}"},
		{"what is not known is left out", `{"ask": "dam"}`, little, bare + "}"},
		{"tags that cannot be read", `{"ask": "dam", "send_tags": true}`, little, bare + `,"tags":null}`},
		{"no tags", `{"ask": "dam", "send_tags": true}`, &Event{Phase: PhaseRequest, File: ParsePath("/a")}, bare + "}"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := row.event.Tags.Value(); err == nil { // Some other rule may have read them.
				defer func(before string) {
					tree, _ := row.event.Tags.Value()
					if after := fmt.Sprint(tree); after != before {
						t.Errorf("the event's own tags have become %s", after)
					}
				}(func() string { tree, _ := row.event.Tags.Value(); return fmt.Sprint(tree) }())
			}
			var got, id string
			asked(t, dam(func(_ context.Context, asked string, body []byte) (int, []byte, error) {
				id, got = asked, string(body)
				return 200, nil, nil
			}), row.settings, row.event)
			if diff := cmp.Diff(row.want, got); diff != "" || id != row.event.ID.String() {
				t.Errorf("%s (-want +got):\n%s", id, diff)
			}
			if strings.Contains(got, "s3cr3t") {
				t.Error("a secret is sent")
			}
		})
	}
}

// TestWebhookBodyHasWhatExpressionsHave, but for what is a secret or follows from
// the rest: a field that is added there is added here, or not for a reason.
func TestWebhookBodyHasWhatExpressionsHave(t *testing.T) {
	want := []string{"version", "id", "received"}
	for _, f := range eventFields() {
		if !slices.Contains([]string{"cookie", "folder", "extension"}, f.name) {
			want = append(want, f.name)
		}
	}
	body, err := webhookBody(delivery(), true)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("(-expressions +webhook):\n%s", diff)
	}
}

// TestWebhookBodyIsJSON whatever the event holds, and the same for the same event.
func TestWebhookBodyIsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		e := delivery()
		e.User, e.Host, e.Cipher = text.Draw(t, "user"), text.Draw(t, "host"), text.Draw(t, "cipher")
		e.File = ParsePath(text.Draw(t, "path"))
		e.Tags = Tags{Raw: rapid.SampledFrom([]string{``, `{}`, `{"aspera": 1}`, `{"aspera": {"node": []}}`, `{"a": 1e99}`, `"eyJhIjoxfQ=="`, `[`}).Draw(t, "tags")}
		first, err := webhookBody(e, true)
		if err != nil {
			t.Fatal(err)
		}
		second, _ := webhookBody(e, true)
		tree, err := ParseTree(string(first))
		if err != nil || string(first) != string(second) {
			t.Fatalf("%v\n%s\n%s", err, first, second)
		}
		if object, _ := tree.(map[string]any); object["user"] != nil && object["user"] != e.User {
			t.Fatalf("%q has become %q", e.User, object["user"])
		}
	})
}

// FuzzWebhookRefusal: whatever a service sends becomes one short line, or an
// error that shows nothing of it.
func FuzzWebhookRefusal(f *testing.F) {
	for _, text := range []string{`{"error":{"code":"7","message":"No."}}`, `{"error":{"message":"a\nb"}}`, `{"error":null}`, `[]`, ``, `{"error":{"message":"` + strings.Repeat("é", 400) + `"}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		message, err := parseRefusal(text)
		switch {
		case err != nil && (message != "" || len(err.Error()) > 100):
			t.Errorf("%q, %v", message, err)
		case err == nil && (message == "" || len(message) > MaxMessage || strings.ContainsAny(message, "\r\n\t") || !utf8.ValidString(message)):
			t.Errorf("%q", message)
		}
	})
}
