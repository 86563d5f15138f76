package validator_test

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// This file decodes events a second time, as plainly as a JSON library allows,
// and holds the hand-written decoder equal to it.

// plainMember is a member of the event: a value's first byte as its kind, its
// raw text, and what it says if it is a string.
type plainMember struct {
	name, raw, says string
	kind            jsontext.Kind
}

var (
	errTooDeep = errors.New("too deep")
	errNoName  = errors.New("another value than a string is where a name belongs")
)

// anyEscape stands for the reasons between which the library does not tell
// apart when an escape is bad.
const anyEscape = "encoding, syntax or truncated"

// plainDecode returns the event without Raw and Fault, or the reason for which
// it is malformed.
func plainDecode(uploadIs, body string) (e rules.Event, reason string) {
	members, reason := plainMembers(body)
	if reason != "" {
		return rules.Event{}, reason
	}
	by := map[string]plainMember{}
	for _, m := range members {
		by[m.name] = m
	}
	if reason := plainRefusal(members, by); reason != "" {
		return rules.Event{}, reason
	}
	text := func(names ...string) string {
		for _, name := range names {
			if s := by[name].text(); s != "" {
				return s
			}
		}
		return ""
	}
	number := func(names ...string) rules.Number {
		for _, name := range names {
			if n := by[name].number(); n.Known {
				return n
			}
		}
		return rules.Number{}
	}
	e = rules.Event{
		SessionID: text("session_id"), TransferID: text("xfer_id"), Host: text("host"),
		ClientIP: text("client_ip"), User: text("user"), UserID: text("user_id", "userid"),
		Cookie: text("cookie"), RatePolicy: text("rate_policy"), Cipher: text("cipher"),
		ManifestFile: text("manifest_file"), FileNameEncoding: text("file_name_encoding"),
		Checksum: text("file_csum"), ChecksumType: text("file_csum_type"),
		TargetRateKbps: number("target_rate_kbps"), MinRateKbps: number("min_rate_kbps"),
		Size: number("size"), StartByte: number("start_byte"),
		BytesWritten: number("bytes_written", "end_byte"),
		Phase:        plainPhases[text("startstop")],
		Tags:         rules.Tags{Raw: by["tags"].raw},
	}
	if _, given := by["file"]; given {
		e.File = rules.ParsePath(text("file"))
	}
	if addr, err := netip.ParseAddr(e.ClientIP); err == nil {
		e.ClientAddr = addr.Unmap()
	}
	e.Direction = map[string]rules.Direction{"recv": rules.Upload, "send": rules.Download}[text("direction")]
	if uploadIs == "send" && e.Direction != rules.DirectionUnknown {
		e.Direction = rules.Upload + rules.Download - e.Direction
	}
	return e, ""
}

var plainPhases = map[string]rules.Phase{"start": rules.PhaseStart, "running": rules.PhaseRunning, "stop": rules.PhaseStop}

// plainRefusal returns why the first member that cannot be accepted cannot be.
func plainRefusal(members []plainMember, by map[string]plainMember) string {
	texts := regexp.MustCompile(`^(session_id|xfer_id|host|client_ip|user|user_?id|direction|cookie|rate_policy|` +
		`cipher|manifest_file|file_name_encoding|file_csum|file_csum_type)$`)
	nul := regexp.MustCompile(`\x00`)
	for _, m := range members {
		composed := m.kind == '{' || m.kind == '['
		switch {
		case m.name == "startstop" && (composed || plainPhases[m.text()] == rules.PhaseUnknown):
			return "startstop"
		case m.name == "file" && (m.kind != '"' || m.says == "" || nul.MatchString(m.says)):
			return "file"
		case m.name == "size" && (composed || m.text() != "" && !m.number().Known || m.number().Value < 0):
			return "size"
		case texts.MatchString(m.name) && composed:
			return "type"
		}
	}
	if _, given := by["startstop"]; !given {
		return "startstop"
	}
	return ""
}

func (m plainMember) text() string {
	switch m.kind {
	case '"':
		return m.says
	case '0', 't', 'f':
		return m.raw
	default:
		return ""
	}
}

var plainWhole = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

func (m plainMember) number() rules.Number {
	n, err := strconv.ParseInt(m.text(), 10, 64)
	if err != nil || !plainWhole.MatchString(m.text()) {
		return rules.Number{}
	}
	return rules.Known(n)
}

// plainMembers returns the members of an event that is well formed.
func plainMembers(body string) (members []plainMember, reason string) {
	if hasPrefix(body, "\xEF\xBB\xBF", "\xFE\xFF", "\xFF\xFE") {
		return nil, "syntax"
	}
	n := 0 // What is before the first byte that is not UTF-8.
	for n < len(body) {
		r, size := utf8.DecodeRuneInString(body[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	members, reason = plainObject(body[:n])
	if n < len(body) && (reason == "" || reason == "empty" || reason == "truncated") {
		reason = "encoding"
	}
	return members, reason
}

func hasPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

const plainSpace = " \t\r\n"

func plainObject(body string) (members []plainMember, reason string) {
	switch text := strings.Trim(body, plainSpace); {
	case text == "":
		return nil, "empty"
	case text[0] != '{':
		return nil, "syntax"
	}
	dec := jsontext.NewDecoder(strings.NewReader(body))
	if _, err := plainToken(dec); err != nil {
		return nil, plainReason(err)
	}
	for {
		name, err := plainToken(dec)
		if err != nil {
			return nil, plainReason(err)
		}
		if name.Kind() == '}' {
			break
		}
		m := plainMember{name: name.String()}
		start := dec.InputOffset()
		if m.kind, m.says, err = plainValue(dec); err != nil {
			return nil, plainReason(err)
		}
		m.raw = strings.TrimLeft(body[start:dec.InputOffset()], ":"+plainSpace)
		members = append(members, m)
	}
	if strings.Trim(body[dec.InputOffset():], plainSpace) != "" {
		return nil, "trailing"
	}
	return members, ""
}

// plainValue reads a whole value token by token, to see how deep it is.
func plainValue(dec *jsontext.Decoder) (kind jsontext.Kind, says string, err error) {
	outside := dec.StackDepth()
	for {
		token, err := plainToken(dec)
		if err != nil {
			return 0, "", err
		}
		if kind == 0 {
			kind = token.Kind()
			if kind == '"' {
				says = token.String()
			}
		}
		if dec.StackDepth() > rules.MaxDepth {
			return 0, "", errTooDeep
		}
		if dec.StackDepth() == outside {
			return kind, says, nil
		}
	}
}

// plainToken reads a token. Where a name belongs the library would read another
// value to its end before it complains, or say that it has none.
func plainToken(dec *jsontext.Decoder) (jsontext.Token, error) {
	around, before := dec.StackIndex(dec.StackDepth())
	switch dec.PeekKind() {
	case '[', '{', '0', 'n', 't', 'f':
		if around == '{' && before%2 == 0 {
			return jsontext.Token{}, errNoName
		}
	}
	return dec.ReadToken()
}

func plainReason(err error) string {
	switch {
	case errors.Is(err, errTooDeep):
		return "depth"
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "duplicate"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "truncated"
	case strings.Contains(err.Error(), "escape sequence"), strings.Contains(err.Error(), "surrogate pair"):
		return anyEscape
	default:
		return "syntax"
	}
}

// sameEvent compares what rules can read of two events.
func sameEvent() cmp.Options {
	return cmp.Options{
		cmpopts.IgnoreUnexported(rules.Event{}, rules.Tags{}),
		cmpopts.EquateComparable(netip.Addr{}),
	}
}

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// agree fails unless both decoders say the same of a body.
func agree(t failer, uploadIs, body string) {
	t.Helper()
	var got rules.Event
	validator.Decoder{UploadIs: uploadIs}.Decode(body, &got)
	want, reason := plainDecode(uploadIs, body)
	switch {
	case got.Fault == nil && reason != "":
		t.Fatalf("Decode(%q) accepts what is malformed: %s", body, reason)
	case got.Fault != nil && reason == "":
		t.Fatalf("Decode(%q) refuses what is well formed: %v", body, got.Fault)
	case got.Fault != nil:
		if reason != anyEscape && got.Fault.Reason != reason || !strings.Contains(reason, got.Fault.Reason) {
			t.Fatalf("Decode(%q) says %v, want the reason %q", body, got.Fault, reason)
		}
		if got.Fault.Offset < 0 || got.Fault.Offset > int64(len(body)) {
			t.Fatalf("Decode(%q) places the fault at byte %d", body, got.Fault.Offset)
		}
	case !jsontext.Value(body).IsValid():
		t.Fatalf("Decode(%q) accepts what is not strict JSON", body)
	default:
		want.Raw = body
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("Decode(%q) (-want +got):\n%s", body, cmp.Diff(want, got, sameEvent()))
		}
	}
}

// FuzzDecode holds the decoder equal to the plain one on whatever bytes.
func FuzzDecode(f *testing.F) {
	for _, folder := range []string{"events", "bench"} {
		files, err := filepath.Glob(filepath.Join("testdata", folder, "*.json"))
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds in %s: %v", folder, err)
		}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(body))
		}
	}
	for _, h := range hostile() {
		if len(h.body) < 1000 {
			f.Add(h.body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		agree(t, "recv", body)
		agree(t, "send", body)
	})
}

// TestDecodeAgrees holds the decoders equal on bodies that are nearly events:
// what bytes at random seldom are.
func TestDecodeAgrees(t *testing.T) {
	pick := func(choices ...string) *rapid.Generator[string] { return rapid.SampledFrom(choices) }
	space := pick("", "", "", " ", "\n", "\t\r\n ")
	name := rapid.OneOf(
		pick(`"startstop"`, `"file"`, `"size"`, `"tags"`, `"direction"`, `"client_ip"`),
		pick(`"user_id"`, `"userid"`, `"bytes_written"`, `"end_byte"`, `"start_byte"`, `"user"`, `"cookie"`, `"cipher"`),
		pick(`"session_id"`, `"xfer_id"`, `"host"`, `"rate_policy"`, `"manifest_file"`, `"file_name_encoding"`, `"file_csum"`,
			`"file_csum_type"`, `"target_rate_kbps"`, `"min_rate_kbps"`),
		pick(`"\u0066ile"`, `"File"`, `"s\u0069ze"`, `""`, `"\u0000"`, `"é"`, `"\u00e9"`, `"\ud83d\ude00"`, `"😀"`),
		rapid.StringMatching(`"[a-c]{1,3}"`),
	)
	scalar := rapid.OneOf(
		pick(`"start"`, `"stop"`, `"running"`, `"recv"`, `"send"`, `"/in/a.mov"`, `"10.0.0.1"`, `"::ffff:10.0.0.1"`, `"fe80::1%eth0"`),
		pick(`null`, `true`, `false`, `""`, `"\u0000"`, `"\n\"\\\/\b\f\r\t"`, `"\uD83D\uDE00\u00e9"`, `"a\\"`),
		pick(`0`, `-0`, `12`, `-1`, `1.0`, `1e3`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `-9223372036854775809`),
		pick(`"0"`, `"12"`, `"-1"`, `"007"`, `" 1"`, `"1 "`, `"+1"`, `"1e3"`, `"0x1"`, `"\u0031"`, `"9223372036854775808"`, `"92233720368547758070"`),
		pick(`"\ud800"`, `"\udc00"`, `"\ud800\ud800"`, `"\x"`, "\"\x01\"", "\"\xff\"", `"`, `01`, `-`, `1.`, `.5`, `1e`, `nul`, `tru`, `NaN`, ``),
		rapid.StringMatching(`"[ -!#-\[\]-~]{0,40}"`),
	)
	var value func(depth int) *rapid.Generator[string]
	object := func(depth, most int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			var b strings.Builder
			b.WriteString("{")
			for i := range rapid.IntRange(0, most).Draw(t, "members") {
				if i > 0 {
					b.WriteString(",")
				}
				b.WriteString(space.Draw(t, "space") + name.Draw(t, "name") + space.Draw(t, "space") + ":" + space.Draw(t, "space"))
				b.WriteString(value(depth-1).Draw(t, "value") + space.Draw(t, "space"))
			}
			return b.String() + "}"
		})
	}
	value = func(depth int) *rapid.Generator[string] {
		if depth == 0 {
			return scalar
		}
		array := rapid.Map(rapid.SliceOfN(value(depth-1), 0, 3), func(v []string) string { return "[" + strings.Join(v, ",") + "]" })
		return rapid.OneOf(scalar, scalar, object(depth, 3), array)
	}
	rapid.Check(t, func(t *rapid.T) {
		body := object(3, 12).Draw(t, "body")
		body = space.Draw(t, "space") + body + rapid.OneOf(space, space, pick("x", "{}", "\x00", "\xff")).Draw(t, "after")
		if cut := rapid.IntRange(0, 4*len(body)).Draw(t, "cut"); cut < len(body) {
			body = body[:cut]
		}
		agree(t, pick("", "recv", "send", "other").Draw(t, "uploadIs"), body)
	})
}
