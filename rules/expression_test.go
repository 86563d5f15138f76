package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// expressionLists are the lists that the expressions of these tests name.
func expressionEnv() Env {
	return folder{
		"lists/embargo.txt": "# who may not\nmallory\n  eve  \n\n", "lists/empty.txt": "# nobody\n",
		"lists/long.txt": strings.Repeat("x", 1<<17),
	}.env(".partial")
}

func withTags(raw string) func(*Event) { return func(e *Event) { e.Tags.Raw = raw } }

func TestExpression(t *testing.T) {
	film := func(change ...func(*Event)) *Event {
		e := file("/ingest/aurora/film.MOV")
		e.User, e.UserID, e.Host, e.Cookie = "partner-7", "1007", "hst-eu-1", "aspera.faspex20:x"
		e.SessionID, e.TransferID, e.ManifestFile = "s1", "x1", "/var/manifest"
		e.Cipher, e.RatePolicy, e.FileNameEncoding = "AES-256", "fair", "utf8"
		e.TargetRateKbps, e.MinRateKbps, e.StartByte = Known(100_000), Known(10), Known(5)
		e.Received = time.Date(2026, 1, 31, 23, 30, 0, 0, time.UTC)
		from("10.1.2.3")(e)
		e.Size = Known(5 << 30)
		for _, c := range change {
			c(e)
		}
		return e
	}
	yes := accept()
	for _, r := range []struct {
		text  string
		event *Event
		want  answer
	}{
		// Every field, as policies see it.
		{`event.phase == "start" && event.direction == "upload"`, film(), yes},
		{`event.user == "partner-7" && event.user_id == "1007"`, film(), yes},
		{`event.host == "hst-eu-1" && event.client_ip == "10.1.2.3"`, film(), yes},
		{`event.path == "/ingest/aurora/film.MOV" && event.folder == "/ingest/aurora"`, film(), yes},
		{`event.name == "film.MOV" && event.extension == "mov"`, film(), yes},
		{`event.size == 5 * GiB && event.start_byte == 5`, film(), yes},
		{`event.size == 6 * GiB && event.bytes_written == 6 * GiB`, film(written(6 << 30)), yes},
		{`event.checksum == "ab" && event.checksum_type == "sha256"`, film(func(e *Event) { e.Checksum, e.ChecksumType = "AB", "SHA-256" }), yes},
		{`event.cipher == "aes-256" && event.rate_policy == "fair"`, film(), yes},
		{`event.target_rate_kbps == 100000 && event.min_rate_kbps == 10`, film(), yes},
		{`event.session_id == "s1" && event.xfer_id == "x1" && event.manifest_file == "/var/manifest"`, film(), yes},
		{`event.cookie.startsWith("aspera.faspex") && event.file_name_encoding == "utf8"`, film(), yes},
		{`event.tags.project == "aurora"`, film(withTags(`{"project": "aurora"}`)), yes},
		{`event.path == "s3://bucket/a" && event.folder == "s3://bucket"`, file("s3://KEY:SECRET@bucket/a"), yes},
		{`event.path == "C:/data/a.mov"`, file(`C:\data\a.mov`), yes},
		{`event.folder == ""`, file("/a"), yes},

		// False refuses, and says what it looked at.
		{`event.user == "guest"`, film(), refuse("user partner-7")},
		{`event.size < 1 * GiB || event.user == "x"`, film(), refuse("size 5 GiB, user partner-7")},
		{`event.tags.project == "x" && event.cookie == "y"`, film(withTags(`{"project": "secret"}`)), refuse("tags …, cookie …")},

		// Sizes, lengths of time and the clock.
		{`event.size > 1.5 * GiB && event.size > 5 * GB && event.size < 0.5 * TB && GiB * 2.0 > 2 * GB`, film(), yes},
		{`2 * hour == duration("120m") && hour * 24 == day && week == 7 * day && 90 * second > minute`, film(), unsure("")},
		{`now.getHours() == 23 && now.getHours("Europe/Zurich") == 0 && event.user != ""`, film(), yes},
		{`now - timestamp(event.tags.made) < 2 * hour`, film(withTags(`{"made": "2026-01-31T22:00:00Z"}`)), yes},
		{`now - timestamp(event.tags.made) < 2 * hour`, film(withTags(`{"made": "2026-01-31T21:00:00Z"}`)), refuse("tags …")},

		// Functions for globs, addresses, parts of paths and lists.
		{`event.path.glob("/ingest/**") && !event.path.glob("/ingest/*")`, film(), yes},
		{`event.path.glob(["/outgoing/**", "/ingest/*/*.MOV"])`, film(), yes},
		{`event.user.like("partner-*") && event.host.like(["a", "hst-{eu,us}-*"])`, film(), yes},
		{`event.client_ip.inRange("10.0.0.0/8") && !event.client_ip.inRange(["192.0.2.0/24", "2001:db8::/32"])`, film(), yes},
		{`event.client_ip.inRange("10.1.2.3")`, film(func(e *Event) { e.ClientIP = "::ffff:10.1.2.3" }), yes},
		{`event.path.segments() == ["ingest", "aurora", "film.MOV"] && event.path.segments()[1] == event.tags.project`, film(withTags(`{"project":"aurora"}`)), yes},
		{`size(event.folder.segments()) == 0`, file("/a"), yes},
		{`!event.user.inList("lists/embargo.txt")`, film(), yes},
		{`!event.user.inList("lists/embargo.txt")`, film(func(e *Event) { e.User = "eve" }), unsure("")},
		{`event.tags.all(k, event.tags[k].like("a*"))`, film(withTags(`{"x": "aurora", "y": "alps"}`)), yes},
		{`event.name.lowerAscii().endsWith(".mov") && event.name.split(".")[0] == "film" && event.name.matches("^f.*V$")`, film(), yes},

		// Tags are a map: numbers are numbers, what is missing can be asked for.
		{`event.tags.n > 2 && event.tags.n < 2.6 && event.tags.i == 7 && event.tags.b && event.tags.z == null`, film(withTags(`{"n": 2.5, "i": 7, "b": true, "z": null}`)), yes},
		{`"aurora" in event.tags.list && event.tags.deep.er[0].x == "y"`, film(withTags(`{"list": ["aurora"], "deep": {"er": [{"x": "y"}]}}`)), yes},
		{`!has(event.tags.project) && size(event.tags) == 0`, film(), yes},
		{`event.tags.?project.orValue("none") == "none"`, film(), yes},
		{`has(event.tags.project) && event.tags.project != ""`, film(withTags(`eyJwcm9qZWN0IjoieCJ9`)), unsure("")},
		{`has(event.tags.project) && event.tags.project != ""`, film(withTags(`"eyJwcm9qZWN0IjoieCJ9"`)), yes},
		{`event.tags.big == 9223372036854775807`, film(withTags(`{"big": 9223372036854775807}`)), yes},
		{`event.tags.big > 9223372036854775807`, film(withTags(`{"big": 18446744073709551616}`)), yes},

		// What is not there cannot be told, and has() asks.
		{`event.user == "x"`, file("/a"), lacks("user")},
		{`event.user != "x" || event.size == 1`, file("/a"), lacks("user")},
		{`event.size > 1`, file("/a"), lacks("size")},
		{`event.checksum != "" && event.checksum_type != ""`, file("/a"), lacks("file_csum")},
		{`event.direction == "upload"`, file("/a", func(e *Event) { e.Direction = DirectionUnknown }), lacks("direction")},
		{`!has(event.size) && !has(event.user) && event.?size.orValue(1) == 1`, file("/a"), yes},
		{`event.path.startsWith("/a")`, session(), lacks("file")},
		{`event.extension == ""`, session(), lacks("file")},
		{`event.name == "film.mov"`, file("/ingest/../etc/film.mov"), yes},
		{`event.path.startsWith("/ingest/")`, file("/ingest/../etc/film.mov"), unsure(errUp.Error())},
		{`!has(event.path) || event.path.glob("/ingest/**")`, file("/ingest/../etc/film.mov"), unsure(errUp.Error())},
		{`event.tags.a == 1`, film(withTags(`rubbish`)), unsure(ErrTags.Error())},
		{`event.tags.a == 1`, film(withTags(`{"b": 1}`)), unsure(`there is no "a" in what the expression reads`)},
		{`event.tags[event.tags.secret] == 1`, film(withTags(`{"secret": "s3cr3t"}`)), unsure(errFailed.Error())},
		{`int(event.tags.n) == 1`, film(withTags(`{"n": "s3cr3t"}`)), unsure(errFailed.Error())},
		{`event.tags.n.startsWith("a")`, film(withTags(`{"n": 1}`)), unsure(errTagType.Error())},
		{`event.client_ip.inRange("10.0.0.0/8")`, film(func(e *Event) { e.ClientIP = "nowhere" }), unsure(errNoAddress.Error())},
		{`event.tags.a ? true : event.user == "x"`, film(withTags(`{"a": 5}`)), unsure(errTagType.Error())},
		{`event.size / event.start_byte > 1`, file("/a", size(1), func(e *Event) { e.StartByte = Known(0) }), unsure(errFailed.Error())},
		{`event.size * event.size > 1`, file("/a", size(1<<40)), unsure(errFailed.Error())},
	} {
		var got answer
		c, err := expressionKind().Compile(expressionEnv(), settings(asJSON(r.text)))
		if err == nil {
			got = ask(c, r.event)
		} else {
			got = answer{"is refused", err.Error()}
		}
		if r.want != unsure("") {
			if got != r.want {
				t.Errorf("%s: %v, want %v", r.text, got, r.want)
			}
		} else if got == yes { // A row that must not be accepted, for one reason or another.
			t.Errorf("%s: accepted", r.text)
		}
	}
}

// Each mistake is told at its place: ^ stands before it in the text.
func TestExpressionMistakes(t *testing.T) {
	for _, r := range []struct {
		text string
		want []string
	}{
		{`^evnt.size > 1`, []string{`unknown name "evnt"; did you mean "event"?`}},
		{`event.direction == ^upload`, []string{`unknown name "upload"; a text stands in quotes: "upload"`}},
		{`^path.startsWith("/in")`, []string{`unknown name "path"; did you mean event.path?`}},
		{`event.size > 5 * ^GIB`, []string{`unknown name "GIB"; did you mean "GiB"?`}},
		{`event.^siz > 1`, []string{`event has no field "siz"; did you mean "size"?`}},
		{"event.user ==\n  \"ü\" &&\n  event.^zize > 5", []string{`event has no field "zize"; did you mean "size"?`}},
		{`event.path.^startswith("x")`, []string{`there is no function "startswith"; did you mean "startsWith"?`}},
		{`^startsWith(event.path, "x")`, []string{`startsWith is not used like this; write it as TEXT.startsWith(TEXT)`}},
		{`event.path.^glob("/a/**", "/b/**")`, []string{`glob is not used like this; write it as TEXT.glob(TEXT) or TEXT.glob(LIST)`}},
		{`event.name^.extension == "mov"`, []string{`a text has no fields`}},
		{`event.user ^== 5`, []string{`== does not go between a text and a whole number; write a text in quotes`}},
		{`event.size ^> "5 GB"`, []string{`> does not go between a whole number and a text; write a number without quotes`}},
		{`event.user in ["a", ^5]`, []string{`this must be a text, not a whole number`}},
		{`^!event.user`, []string{`! does not go with a text`}},
		{`event.size ^+ now > 5`, []string{`+ does not go between a whole number and a time`}},
		{`^event.path`, []string{`the expression gives a text, not true or false`}},
		{`^event.tags.ready`, []string{`the expression gives a value of the tags, not true or false; compare it with something, as in event.tags.ready == true`}},
		{`event.user ^= "x"`, []string{`a single = compares nothing; did you mean "=="?`}},
		{`event.user == "a" ^& event.size > 5`, []string{`a single & joins nothing; did you mean "&&"?`}},
		{`event.user == ^'x`, []string{`a quote without its partner`}},
		{`event.user == "a" ^and event.size > 5`, []string{`"and" is not expected here; did you mean "&&"?`}},
		{`event.user == "a" ^OR event.size > 5`, []string{`"OR" is not expected here; did you mean "||"?`}},
		{`not ^event.user == "x"`, []string{`"event" is not expected here; not is written "!", as in !(event.user == "guest")`}},
		{`event.size > 10 ^GiB`, []string{`"GiB" is not expected here; a number and its unit are multiplied, as in 10 * GiB`}},
		{`now - timestamp(event.tags.x) < 2 ^hours`, []string{`"hours" is not expected here; a number and its unit are multiplied, as in 10 * hours`}},
		{`event.user == "a" && (^`, []string{`the expression ends too early; something is missing here: a value, or a bracket's partner`}},
		{`event.size > 1 ^# more`, []string{`"#" has no meaning here`}},
		{`duration(^"5x") > hour`, []string{`this is not a length of time; write it as in duration("90m") or 2 * hour`}},
		{`now > timestamp(^"yesterday")`, []string{`this is not a time; write it as in timestamp("2026-01-31T00:00:00Z")`}},
		{`event.user.matches(^"(")`, []string{"error parsing regexp: missing closing ): `(`; patterns are written as in RE2"}},
		{`event.user.matches(^event.host)`, []string{`the pattern of matches must be written out, so that it is compiled when the policy is loaded`}},
		{`event.path.glob(^"ingest/**")`, []string{`"ingest/**" matches no path, because paths begin with a slash; did you mean "/ingest/**" or "**/ingest/**"?`}},
		{`event.path.glob(^event.user)`, []string{`what glob looks for must be written out: a glob for paths, such as "/ingest/**"`}},
		{`event.client_ip.inRange(["10.0.0.0/8", ^"10.0.0.1/8"])`, []string{`"10.0.0.1/8" has bits set behind its length; did you mean "10.0.0.0/8" or "10.0.0.1"?`}},
		{`event.user.like(^"[")`, []string{`"[" is not a glob: a bracket, brace or backslash lacks its partner`}},
		{`event.user.like(^[])`, []string{`the list is empty, so like is never true`}},
		{`event.user.inList(^"lists/none.txt")`, []string{`the list lists/none.txt cannot be used: lists/none.txt: file does not exist`}},
		{`event.user.inList(^"lists/empty.txt")`, []string{`the list lists/empty.txt cannot be used: lists/empty.txt:1: the list has no entry`}},
		{`event.user.inList(^"lists/long.txt")`, []string{`the list lists/long.txt cannot be used: lists/long.txt:1: the list has a line that is too long`}},
		{`^event == event`, []string{`event alone is no value; name one of its fields, as in event.path`, `event alone is no value; name one of its fields, as in event.path`}},
		{`event^{user: "x"}.user == "x"`, []string{`values of this kind cannot be made here`}},
		{`^event.tags.a.exists(x, event.tags.b.exists(y, event.tags.c.exists(z, x == y && y == z)))`, []string{`this could take too long: the work of loops within loops grows with the product of their lengths; look for one thing at a time, or ask the kind tags with a JSON Schema`}},
		{`^1 < 2`, []string{`this is true of every event, so the rule never refuses any`}},
		{`^1 / 0 == 1`, []string{`this cannot be told of any event: the expression's value cannot be computed for this event`}},
		{`^` + strings.Repeat("(", 100) + `true` + strings.Repeat(")", 100), []string{`the expression is nested more than 64 levels deep`}},
		{`^event.user == "` + strings.Repeat("x", maxExpression) + `"`, []string{`the expression is longer than 10000 characters`}},
		// Several mistakes of meaning are told together.
		{`event.^siz > 1 && event.usr == "x"`, []string{`event has no field "siz"; did you mean "size"?`, `event has no field "usr"; did you mean "user"?`}},
		{`event.path.glob(^"a") || event.user.like("[")`, []string{
			`"a" matches no path, because paths begin with a slash; did you mean "/a" or "**/a"?`, `"[" is not a glob: a bracket, brace or backslash lacks its partner`,
		}},
	} {
		text := strings.Replace(r.text, "^", "", 1)
		_, err := expressionKind().Compile(expressionEnv(), settings(asJSON(text)))
		faults := specsOf(err)
		var got []string
		for _, f := range faults {
			got = append(got, f.Error())
		}
		if diff := cmp.Diff(r.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
			continue
		}
		if want := len([]rune(r.text[:strings.IndexByte(r.text, '^')])); faults[0].Offset != want {
			t.Errorf("%s: the mistake is at %d, want %d", text, faults[0].Offset, want)
		}
	}
}

// asJSON writes a text as the settings of an expression.
func asJSON(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// specsOf returns the mistakes that an error joins.
func specsOf(err error) (all []*SpecError) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, specsOf(e)...)
		}
		return all
	}
	var spec *SpecError
	if errors.As(err, &spec) {
		all = append(all, spec)
	}
	return all
}

// A question that needs what a phase never has is not put in that phase, unless
// the expression asks whether it is there.
func TestExpressionScope(t *testing.T) {
	for _, r := range []struct {
		text  string
		never PhaseSet
		file  bool
		why   string
	}{
		{`event.user == "x"`, 0, false, ""},
		{`event.path == "/x"`, 0, true, ""},
		{`event.tags.a == 1 && now.getHours() > 5`, 0, false, ""},
		{`event.size > 1`, Phases(PhaseRequest), true, "event.size is not known on request"},
		{`event.cipher == "none"`, Phases(PhaseRequest), false, "event.cipher is not known on request"},
		{`event.checksum == "ab" && event.size > 1`, Phases(PhaseRequest, PhaseStart, PhaseRunning), true, "event.checksum is not known on request, start, running, event.size is not known on request"},
		{`!has(event.size) || event.size > 1`, 0, false, ""},
		{`event.?checksum.orValue("") == "" && event.path != ""`, 0, true, ""},
	} {
		c, err := CompileCondition(Env{}, r.text)
		if err != nil {
			t.Errorf("%s: %v", r.text, err)
			continue
		}
		if diff := cmp.Diff(Scope{Never: r.never, Why: r.why, NeedsFile: r.file}, c.Scope); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.text, diff)
		}
	}
}

func TestConditionsThatNeverVary(t *testing.T) {
	for text, want := range map[string]string{
		`true`:                  "this is true of every event; leave the when out",
		`1 > 2`:                 "this is true of no event, so the rule never looks at any; write `mode: off` to switch a rule off",
		`hour > minute`:         "this is true of every event; leave the when out",
		`"a" in ["a"] && false`: "this is true of no event, so the rule never looks at any; write `mode: off` to switch a rule off",
	} {
		if _, err := CompileCondition(Env{}, text); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	if _, err := expressionKind().Compile(Env{}, settings(`"false"`)); err != nil {
		t.Errorf("a rule that refuses everything is refused: %v", err)
	}
}

// An evaluation that would take too long is stopped: tags of an event can be
// far larger than usual ones.
func TestExpressionCostIsLimited(t *testing.T) {
	list := `[` + strings.TrimSuffix(strings.Repeat(`"aaaaaaaa",`, 20_000), ",") + `]`
	e := file("/a", withTags(fmt.Sprintf(`{"a": %s, "b": %s}`, list, list)))
	for _, text := range []string{
		`event.tags.a.exists(x, event.tags.b.exists(y, x != y))`,
		`event.tags.a.map(x, x + "b").exists(x, x in event.tags.b)`,
	} {
		c, err := CompileCondition(Env{}, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if _, err := c.holds(e); !errors.Is(err, errTooCostly) {
			t.Errorf("%s: got %v, want that it is stopped", text, err)
		}
	}
	if _, err := CompileCondition(Env{}, `"a"`+strings.Repeat(`.replace("a", "aaaaaaaaaa")`, 12)+` == event.user`); err == nil {
		t.Error("a text that grows without limit is accepted")
	}
}

// TestExpressionFieldsAreOfTheEvent: an event that has everything has every
// field, and one that has nothing has those only that are never absent.
func TestExpressionFieldsAreOfTheEvent(t *testing.T) {
	var none []string
	for _, f := range eventFields() {
		if _, err := f.get(&Event{}); err == nil {
			none = append(none, f.name)
		} else if missing := (MissingError{}); !errors.As(err, &missing) {
			t.Errorf("%s of an empty event: %v", f.name, err)
		}
	}
	if want := []string{"phase", "tags"}; !slices.Equal(none, want) {
		t.Errorf("an empty event has %v, want %v", none, want)
	}
}

// A usual expression allocates little: what CEL's values need, and no map.
func TestExpressionAllocations(t *testing.T) {
	e := file("/ingest/a.mov", size(5<<30), func(e *Event) { e.User = "partner-7" })
	c, err := CompileCondition(Env{}, `event.path.glob("/ingest/**") && event.size < 10 * GiB && event.user.like("partner-*")`)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if holds, err := c.holds(e); !holds || err != nil {
			t.Fatal(holds, err)
		}
	}); n > 8 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzExpression: whatever is written, compiling it and asking it never panics,
// and each mistake is inside the text.
func FuzzExpression(f *testing.F) {
	for _, text := range []string{
		`event.size > 100 * GiB`, `event.tags.all(k, event.tags[k].like("a*"))`, `event.path.glob(["/a/**", "b"])`,
		`event.?size.orValue(0) > 1.5 * GiB`, `event.user == "ü`, "a\nb", `event.name.replace("a", "bb") == "" ? true : now > timestamp("x")`,
	} {
		f.Add(text)
	}
	expressions := NewExpressions()
	events := []*Event{
		{},
		file("/ingest/../a"), file("/ingest/a.mov", size(5), from("10.0.0.1"), withTags(`{"a": [1, {"b": "c"}], "k": 2.5}`)),
		file("s3://k:s@b/x", withTags("rubbish")),
	}
	f.Fuzz(func(t *testing.T, text string) {
		env := expressionEnv()
		env.Expressions = expressions
		c, _, err := compileCondition(env, text)
		for _, fault := range specsOf(err) {
			if fault.Offset < 0 || fault.Offset > len([]rune(text)) || fault.Message == "" {
				t.Errorf("%q: a mistake at %d: %s", text, fault.Offset, fault)
			}
		}
		if err != nil {
			return
		}
		for _, e := range events {
			_, err := c.holds(e)
			if panicked := (*PanicError)(nil); errors.As(err, &panicked) {
				t.Errorf("%q about %q: %v", text, e.File.Raw, err)
			}
			_ = c.saw(e)
		}
	})
}
