package validator_test

import (
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// The events of testdata/events that are accepted; tags are compared compacted.
var wantEvents = map[string]rules.Event{
	"running-resumed-large.json": {
		Phase: rules.PhaseRunning, Direction: rules.Upload,
		SessionID: "c0ffee00-0000-4000-8000-000000000001", TransferID: "AAAA-BBBB",
		Host: "10.10.4.20", ClientIP: "2001:db8::5", ClientAddr: netip.MustParseAddr("2001:db8::5"),
		User: "faspex", UserID: "995",
		Cookie:         "aspera.faspex20:u:2fb0b61e-ec57-4171-b540-15eab3179a34:amRvZQ:eyJwcm9qZWN0IjoiWCJ9:UTMgcnVzaGVz",
		TargetRateKbps: rules.Known(1_000_000), MinRateKbps: rules.Known(0), RatePolicy: "high", Cipher: "aes-256-gcm",
		File: rules.ParsePath("/faspex/asd - 2fb0b61e-ec57-4171-b540-15eab3179a34.aspera-package/PKG - asd/big.mxf"),
		Size: rules.Known(53_687_091_200), StartByte: rules.Known(10_737_418_240), BytesWritten: rules.Known(268_435_456),
		Tags: rules.Tags{Raw: `{}`}, FileNameEncoding: "utf8", ChecksumType: "sha2-256",
	},
	"session-event-without-file.json": {
		Phase: rules.PhaseStart, Direction: rules.Upload,
		SessionID: "1425c741-32bb-492d-b5e1-724c8bdb1fbf",
		Host:      "10.10.4.20", ClientIP: "203.0.113.44", ClientAddr: netip.MustParseAddr("203.0.113.44"),
		User: "xfer", TargetRateKbps: rules.Known(300_000), MinRateKbps: rules.Known(0), RatePolicy: "fair",
		Cipher: "aes-128", FileNameEncoding: "utf8",
	},
	"start-aoc-package.json": {
		Phase: rules.PhaseStart, Direction: rules.Upload,
		SessionID: "1425c741-32bb-492d-b5e1-724c8bdb1fbf", TransferID: "5e0b6f0e-6d0f-4b0e-9c0b-2c1c7c0f5a11",
		Host: "10.10.4.20", ClientIP: "203.0.113.44", ClientAddr: netip.MustParseAddr("203.0.113.44"),
		User: "xfer", UserID: "1004", Cookie: "aspera.aoc:cGFja2FnZXM=:SmFuZSBEb2U=:amFuZUBleGFtcGxlLmNvbQ==",
		TargetRateKbps: rules.Known(300_000), MinRateKbps: rules.Known(0), RatePolicy: "fair", Cipher: "aes-128",
		File: rules.ParsePath("/data/aoc/pkg/report.pdf"),
		Size: rules.Known(1_048_576), StartByte: rules.Known(0), BytesWritten: rules.Known(0),
		Tags: rules.Tags{Raw: `{"aspera":{"app":"packages","xfer_id":"5e0b6f0e-6d0f-4b0e-9c0b-2c1c7c0f5a11","xfer_retry":3600,` +
			`"usage_id":"aspera.files.workspace.12345","node":{"access_key":"ak_demo","file_id":"42"},"files":{"node_id":"77",` +
			`"workspace_id":"12345","workspace_name":"Media","files_transfer_action":"upload_package","package_id":"p9",` +
			`"package_name":"Q3","package_operation":"upload"}}}`},
		FileNameEncoding: "utf8", ChecksumType: "none",
	},
	"start-download-shares.json": {
		Phase: rules.PhaseStart, Direction: rules.Download,
		SessionID: "1425c741-32bb-492d-b5e1-724c8bdb1fbf", TransferID: "0b7d5f2e-1111-4222-8333-944455556666",
		Host: "10.10.4.20", ClientIP: "203.0.113.44", ClientAddr: netip.MustParseAddr("203.0.113.44"),
		User: "xfer", UserID: "1004", Cookie: "aspera.shares2:0b7d5f2e-1111-4222-8333-944455556666:amRvZQ==:ZG93bmxvYWQ=",
		TargetRateKbps: rules.Known(300_000), MinRateKbps: rules.Known(0), RatePolicy: "fair", Cipher: "aes-128",
		File: rules.ParsePath("/shares/out/master/feature_v3.mxf"),
		Size: rules.Known(214_748_364_800), StartByte: rules.Known(0), BytesWritten: rules.Known(0),
		Tags: rules.Tags{Raw: `{"aspera":{"xfer_id":"0b7d5f2e-1111-4222-8333-944455556666","shares":{"user":"jdoe","user_id":7,` +
			`"source_share":"out","source_share_id":3,"transfer_id":"0b7d5f2e"}}}`},
		FileNameEncoding: "utf8", ChecksumType: "none",
	},
	"start-tags-base64.json": {
		Phase: rules.PhaseStart, Direction: rules.Upload,
		SessionID: "1425c741-32bb-492d-b5e1-724c8bdb1fbf",
		Host:      "10.10.4.20", ClientIP: "203.0.113.44", ClientAddr: netip.MustParseAddr("203.0.113.44"),
		User: "xfer", UserID: "1004",
		TargetRateKbps: rules.Known(300_000), MinRateKbps: rules.Known(0), RatePolicy: "fair", Cipher: "aes-128",
		File: rules.ParsePath("/data/in/clip.mov"),
		Size: rules.Known(1_048_576), StartByte: rules.Known(0), BytesWritten: rules.Known(0),
		Tags:             rules.Tags{Raw: `"eyJhc3BlcmEiOiB7InhmZXJfaWQiOiAiYjY0In0sICJwcm9qZWN0IjogIngifQ=="`},
		FileNameEncoding: "utf8", ChecksumType: "none",
	},
	"start-windows-quoted-numbers.json": {
		Phase: rules.PhaseStart, Direction: rules.Upload,
		SessionID: "1425c741-32bb-492d-b5e1-724c8bdb1fbf",
		Host:      "win-hst", ClientIP: "203.0.113.44", ClientAddr: netip.MustParseAddr("203.0.113.44"),
		User: "svcAspera", TargetRateKbps: rules.Known(45_000), MinRateKbps: rules.Known(0), RatePolicy: "low", Cipher: "AES128",
		File: rules.ParsePath(`C:\data\in\..\invoice.pdf.exe`),
		Size: rules.Known(12), StartByte: rules.Known(0), BytesWritten: rules.Known(0),
		Tags: rules.Tags{Raw: `"not json"`}, FileNameEncoding: "utf16", ChecksumType: "any",
	},
	"stop-older-names-tags-in-string.json": {
		Phase: rules.PhaseStop, Direction: rules.Upload,
		SessionID: "7aadbc08-a6ec-4f5a-89af-696d02b82574",
		Host:      "aspera01.example.com", ClientIP: "198.51.100.7", ClientAddr: netip.MustParseAddr("198.51.100.7"),
		User: "testz", UserID: "0",
		TargetRateKbps: rules.Known(100_000), MinRateKbps: rules.Known(0), RatePolicy: "fixed", Cipher: "none",
		ManifestFile: "/var/manifests/aspera-transfer-1234.txt",
		File:         rules.ParsePath("/home/testz/in/clip.MOV"),
		Size:         rules.Known(217_096_836), StartByte: rules.Known(0), BytesWritten: rules.Known(217_096_836),
		Tags:             rules.Tags{Raw: `"{\"aspera\": {\"xfer_id\": \"x-1\"}, \"department\": \"news\"}"`},
		FileNameEncoding: "utf8", Checksum: "d41d8cd98f00b204e9800998ecf8427e", ChecksumType: "md5",
	},
	"stop-sha256-bidi-name.json": {
		Phase: rules.PhaseStop, Direction: rules.Upload,
		SessionID: "1425c741-32bb-492d-b5e1-724c8bdb1fbf",
		Host:      "10.10.4.20", ClientIP: "203.0.113.44", ClientAddr: netip.MustParseAddr("203.0.113.44"),
		User: "xfer", UserID: "1004",
		TargetRateKbps: rules.Known(300_000), MinRateKbps: rules.Known(0), RatePolicy: "fair", Cipher: "aes-128",
		File: rules.ParsePath("/data/in/invoice_\u202egpj.exe"),
		Size: rules.Known(734_003), StartByte: rules.Known(0), BytesWritten: rules.Known(734_003),
		Tags: rules.Tags{Raw: `{}`}, FileNameEncoding: "utf8",
		Checksum: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", ChecksumType: "sha-256",
	},
}

// The events of testdata/events that are malformed: the reason, and whose event
// it is as far as it was read.
var wantFaults = map[string]struct{ reason, user string }{
	"malformed-duplicate-file.json": {"duplicate", "xfer"},
	"malformed-not-utf8.json":       {"encoding", "xfer"},
	"malformed-truncated.json":      {"truncated", ""},
}

func TestDecodeEvents(t *testing.T) {
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no events: %v", err)
	}
	if want := len(wantEvents) + len(wantFaults); len(files) != want {
		t.Errorf("there are %d files and %d wanted results", len(files), want)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := decode(string(body))
			if want, ok := wantFaults[filepath.Base(file)]; ok {
				wantFault(t, got, want.reason)
				if got.User != want.user {
					t.Errorf("User = %q, want %q", got.User, want.user)
				}
				return
			}
			want, ok := wantEvents[filepath.Base(file)]
			if !ok {
				t.Fatal("no result is wanted of this file")
			}
			want.Raw = string(body)
			tags := jsontext.Value(got.Tags.Raw)
			if len(tags) > 0 {
				if err := tags.Compact(); err != nil {
					t.Fatal(err)
				}
			}
			got.Tags = rules.Tags{Raw: string(tags)}
			if diff := cmp.Diff(want, got, sameEvent()); diff != "" {
				t.Errorf("the event differs (-want +got):\n%s", diff)
			}
		})
	}
}

func decode(body string) rules.Event {
	var e rules.Event
	validator.Decoder{}.Decode(body, &e)
	return e
}

// with returns an event that starts and has the given members too.
func with(members string) string {
	if members == "" {
		return `{"startstop":"start"}`
	}
	return `{"startstop":"start",` + members + `}`
}

func wantFault(t *testing.T, e rules.Event, reason string) {
	t.Helper()
	switch {
	case e.Fault == nil:
		t.Fatalf("accepted, want the reason %q", reason)
	case e.Fault.Code != rules.CodeMalformed || e.Fault.Reason != reason:
		t.Fatalf("refused with %s: %v, want %s: %q", e.Fault.Code, e.Fault, rules.CodeMalformed, reason)
	case e.Phase != rules.PhaseUnknown:
		t.Errorf("the phase is %s, want unknown", e.Phase)
	case !slices.Contains(validator.MalformedReasons(), reason):
		t.Errorf("%q is not in MalformedReasons", reason)
	case len(e.Fault.Message) > rules.MaxMessage || rules.Printable(e.Fault.Message) != e.Fault.Message:
		t.Errorf("message %q cannot be shown", e.Fault.Message)
	}
}

type malformedCase struct {
	name, body, reason string
	says               string // is in the message
	offset             int64
}

// hostile returns a body for each way of being malformed.
func hostile() []malformedCase {
	nested := func(depth int) string { return strings.Repeat(`{"a":`, depth) + "0" + strings.Repeat("}", depth) }
	return []malformedCase{
		{"no body", "", "empty", "it is empty", 0},
		{"white space", " \r\n\t", "empty", "it is empty", 0},
		{"byte-order mark", "\xEF\xBB\xBF" + with(""), "syntax", "BOM", 0},
		{"UTF-16 with its mark", "\xFF\xFE{\x00}\x00", "syntax", "BOM", 0},
		{"UTF-16 without", "{\x00\"\x00", "syntax", "no name in quotes", 1},
		{"array", `[` + with("") + `]`, "syntax", "not a JSON object", 0},
		{"string", ` "start"`, "syntax", "not a JSON object", 1},
		{"null", `null`, "syntax", "not a JSON object", 0},
		{"form", `startstop=start&file=a`, "syntax", "not a JSON object", 0},
		{"no comma", `{"startstop":"start" "size":1}`, "syntax", "comma", 21},
		{"comma before the brace", `{"startstop":"start",}`, "syntax", "no name in quotes", 21},
		{"two commas", `{"startstop":"start",,"size":1}`, "syntax", "no name in quotes", 21},
		{"comma first", `{,"startstop":"start"}`, "syntax", "no name in quotes", 1},
		{"no colon", `{"startstop" "start"}`, "syntax", "colon", 13},
		{"no value", `{"startstop":}`, "syntax", "no value where", 13},
		{"name without quotes", `{startstop:"start"}`, "syntax", "no name in quotes", 1},
		{"single quotes", `{'startstop':'start'}`, "syntax", "no name in quotes", 1},
		{"comment", `{"startstop":"start"/* */}`, "syntax", "comma", 20},
		{"NaN", with(`"size":NaN`), "syntax", "no value where", 28},
		{"nil", with(`"size":nil`), "syntax", "word", 28},
		{"True", with(`"a":True`), "syntax", "no value where", 25},
		{"plus sign", with(`"size":+1`), "syntax", "no value where", 28},
		{"leading zero", with(`"size":01`), "syntax", "comma", 29},
		{"hex number", with(`"size":0x10`), "syntax", "comma", 29},
		{"point without digits", with(`"size":1.`), "syntax", "point", 30},
		{"exponent without digits", with(`"size":1e+`), "syntax", "exponent", 31},
		{"minus without digits", with(`"size":-`), "syntax", "no digits", 29},
		{"unclosed array", with(`"a":[1}`), "syntax", "bracket", 27},
		{"tab in a string", with("\"file\":\"/a\tb\""), "syntax", "control character", 31},
		{"NUL in a string", with("\"file\":\"/a\x00b\""), "syntax", "control character", 31},
		{"NUL after the event", with("") + "\x00", "trailing", "after its end", 21},
		{"unknown escape", with(`"file":"\x41"`), "syntax", "unknown escape", 30},
		{"escape of three digits", with(`"file":"\u004"`), "syntax", "four hex digits", 34},
		{"escape of no digits", with(`"a":{"b":"\uZZZZ"}`), "syntax", "four hex digits", 33},

		{"cut in a name", `{"startst`, "truncated", "too early", 9},
		{"cut after a name", `{"startstop"`, "truncated", "too early", 12},
		{"cut after a colon", `{"startstop":`, "truncated", "too early", 13},
		{"cut after a comma", `{"startstop":"start",`, "truncated", "too early", 21},
		{"cut before the brace", `{"startstop":"start"`, "truncated", "too early", 20},
		{"cut in a word", `{"a":tru`, "truncated", "too early", 8},
		{"cut in a number", `{"a":1.`, "truncated", "too early", 7},
		{"cut in an escape", `{"a":"\`, "truncated", "too early", 7},
		{"cut in a code", `{"a":"\u00`, "truncated", "too early", 10},
		{"cut in a pair", `{"a":"\ud83d`, "truncated", "too early", 12},
		{"cut in tags", `{"startstop":"start","tags":{"a":[`, "truncated", "too early", 34},
		{"a million brackets open", strings.Repeat("[", 1<<20), "syntax", "not a JSON object", 0},

		{"another event after it", with("") + with(""), "trailing", "after its end", 21},
		{"a brace after it", with("") + "\n}", "trailing", "after its end", 22},

		{"Latin-1", with("\"file\":\"/caf\xe9.mov\""), "encoding", "not UTF-8", 33},
		{"Latin-1 in a member nobody reads", with("\"x\":[\"\xe9\"]"), "encoding", "not UTF-8", 27},
		{"Latin-1 in a name", with("\"\xe9\":1"), "encoding", "not UTF-8", 22},
		{"overlong slash", with("\"file\":\"/..\xc0\xaf\""), "encoding", "not UTF-8", 32},
		{"surrogate in three bytes", with("\"file\":\"\xed\xa0\x80\""), "encoding", "not UTF-8", 29},
		{"beyond Unicode", with("\"file\":\"\xf4\x90\x80\x80\""), "encoding", "not UTF-8", 29},
		{"byte after the event", with("") + "\xff", "encoding", "not UTF-8", 21},
		{"byte before the event", "\x80" + with(""), "encoding", "not UTF-8", 0},
		{"syntax before the byte", "{]\x80}", "syntax", "no name in quotes", 1},
		{"U+FFFD is a character, the byte is none", with("\"a\":\"\uFFFD\xff\""), "encoding", "not UTF-8", 29},
		{"high half alone", with(`"file":"\ud800"`), "encoding", "surrogate", 29},
		{"low half alone", with(`"file":"\uDC00"`), "encoding", "surrogate", 29},
		{"two high halves", with(`"file":"\ud800\ud800"`), "encoding", "surrogate", 29},
		{"high half and a letter", with(`"file":"\ud800x"`), "encoding", "surrogate", 29},
		{"high half and an escape", with(`"file":"\ud800\n"`), "encoding", "surrogate", 29},
		{"half in a name", with(`"\ud800":1`), "encoding", "surrogate", 22},
		{"half in tags", with(`"tags":{"a":["\ud800"]}`), "encoding", "surrogate", 35},

		{"file twice", with(`"file":"/a","file":"/a"`), "duplicate", "its member file is given twice", 33},
		{"file twice, once escaped", with(`"file":"/a","\u0066ile":"/b"`), "duplicate", "its member file is given twice", 33},
		{"unknown member twice", with(`"X":1,"X":1`), "duplicate", "a member is given twice", 27},
		{"no name twice", with(`"":1,"":1`), "duplicate", "a member is given twice", 26},
		{"twice in tags", with(`"tags":{"a":{"b":1,"b":2}}`), "duplicate", "a member is given twice", 40},
		{"twice in tags, escaped", with(`"tags":[{"é":1,"\u00e9":2}]`), "duplicate", "a member is given twice", 37},
		{"twice in an unknown member", with(`"x":[0,{"a":1,"a":1}]`), "duplicate", "a member is given twice", 35},
		{"twice after an inner object", with(`"x":{"a":{"a":1},"a":1}`), "duplicate", "a member is given twice", 38},

		{"objects 65 deep", with(`"tags":` + nested(64)), "depth", "nested too deep", 343},
		{"objects 5,000 deep", with(`"tags":` + nested(5000)), "depth", "nested too deep", 343},
		{"arrays 65 deep", with(`"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64)), "depth", "nested too deep", 88},
		{"a megabyte of brackets", with(`"x":` + strings.Repeat("[", 1<<20)), "depth", "nested too deep", 88},

		{"no startstop", `{"user":"xfer"}`, "startstop", "startstop is missing", 0},
		{"empty object", `{}`, "startstop", "startstop is missing", 0},
		{"startstop in capitals", `{"startstop":"Start"}`, "startstop", "none of start", 13},
		{"Startstop", `{"Startstop":"start"}`, "startstop", "startstop is missing", 0},
		{"startstop null", `{"startstop":null}`, "startstop", "none of start", 13},
		{"startstop empty", `{"startstop":""}`, "startstop", "none of start", 13},
		{"startstop of a token request", `{"startstop":"request"}`, "startstop", "none of start", 13},
		{"startstop number", `{"startstop":1}`, "startstop", "none of start", 13},
		{"startstop array", `{"startstop":["start"]}`, "startstop", "none of start", 13},

		{"file empty", with(`"file":""`), "file", "file is empty", 28},
		{"file null", with(`"file":null`), "file", "file is not a string", 28},
		{"file number", with(`"file":1`), "file", "file is not a string", 28},
		{"file boolean", with(`"file":true`), "file", "file is not a string", 28},
		{"file object", with(`"file":{"a":1}`), "file", "file is not a string", 28},
		{"file array", with(`"file":["/a"]`), "file", "file is not a string", 28},
		{"file with NUL", with(`"file":"/a\u0000.mov"`), "file", "NUL", 28},

		{"size negative", with(`"size":-1`), "size", "size is not a whole number", 28},
		{"size negative in quotes", with(`"size":"-1"`), "size", "size is not a whole number", 28},
		{"size 2⁶³", with(`"size":9223372036854775808`), "size", "size is not a whole number", 28},
		{"size 2⁶³ in quotes", with(`"size":"9223372036854775808"`), "size", "size is not a whole number", 28},
		{"size 2⁶⁴+1", with(`"size":18446744073709551617`), "size", "size is not a whole number", 28},
		{"size of 400 digits", with(`"size":1` + strings.Repeat("0", 400)), "size", "size is not a whole number", 28},
		{"size with a fraction", with(`"size":1.5`), "size", "size is not a whole number", 28},
		{"size 1.0", with(`"size":1.0`), "size", "size is not a whole number", 28},
		{"size 1e3", with(`"size":1e3`), "size", "size is not a whole number", 28},
		{"size words", with(`"size":"big"`), "size", "size is not a whole number", 28},
		{"size with a space", with(`"size":" 1"`), "size", "size is not a whole number", 28},
		{"size with a leading zero in quotes", with(`"size":"007"`), "size", "size is not a whole number", 28},
		{"size in hex in quotes", with(`"size":"0x10"`), "size", "size is not a whole number", 28},
		{"size with a sign in quotes", with(`"size":"+1"`), "size", "size is not a whole number", 28},
		{"size boolean", with(`"size":true`), "size", "size is not a whole number", 28},
		{"size object", with(`"size":{}`), "size", "size is not a whole number", 28},
		{"size array", with(`"size":[1]`), "size", "size is not a whole number", 28},

		{"cookie object", with(`"cookie":{"a":1}`), "type", "its member cookie is an object or an array", 30},
		{"user array", with(`"user":["root"]`), "type", "its member user is", 28},
		{"userid array", with(`"userid":[]`), "type", "its member userid is", 30},
		{"client_ip array", with(`"client_ip":["10.0.0.1"]`), "type", "its member client_ip is", 33},
		{"direction object", with(`"direction":{}`), "type", "its member direction is", 33},

		{"the first of two members", with(`"size":-1,"file":""`), "size", "size", 28},
		{"the JSON before a member", with(`"size":-1,"file":`), "syntax", "no value where", 38},
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range hostile() {
		t.Run(c.name, func(t *testing.T) {
			e := decode(c.body)
			wantFault(t, e, c.reason)
			if !strings.Contains(e.Fault.Message, c.says) {
				t.Errorf("message %q does not say %q", e.Fault.Message, c.says)
			}
			if e.Fault.Offset != c.offset {
				t.Errorf("offset %d, want %d", e.Fault.Offset, c.offset)
			}
			agree(t, "", c.body)
		})
	}
}

// TestDecodeTakes lists what is unusual and yet accepted.
func TestDecodeTakes(t *testing.T) {
	for _, c := range []struct {
		name, members string
		want          rules.Event
	}{
		{"nothing else", ``, rules.Event{}},
		{"the largest size", `"size":9223372036854775807`, rules.Event{Size: rules.Known(math.MaxInt64)}},
		{"the largest size in quotes", `"size":"9223372036854775807"`, rules.Event{Size: rules.Known(math.MaxInt64)}},
		{"size 0", `"size":0`, rules.Event{Size: rules.Known(0)}},
		{"size -0", `"size":-0`, rules.Event{Size: rules.Known(0)}},
		{"size null", `"size":null`, rules.Event{}},
		{"size empty", `"size":""`, rules.Event{}},
		{"size escaped", `"size":"\u0031\u0032"`, rules.Event{Size: rules.Known(12)}},
		{"Size", `"Size":-1`, rules.Event{}},

		{"start_byte negative", `"start_byte":-1`, rules.Event{StartByte: rules.Known(-1)}},
		{"start_byte at the least", `"start_byte":-9223372036854775808`, rules.Event{StartByte: rules.Known(math.MinInt64)}},
		{"start_byte below the least", `"start_byte":-9223372036854775809`, rules.Event{}},
		{"start_byte fraction", `"start_byte":0.5`, rules.Event{}},
		{"start_byte words", `"start_byte":"none"`, rules.Event{}},
		{"start_byte minus", `"start_byte":"-"`, rules.Event{}},
		{"start_byte object", `"start_byte":{}`, rules.Event{}},
		{"rates in quotes", `"target_rate_kbps":"45000","min_rate_kbps":""`, rules.Event{TargetRateKbps: rules.Known(45000)}},
		{"rates of the wrong type", `"target_rate_kbps":true,"min_rate_kbps":[1]`, rules.Event{}},

		{"bytes_written and end_byte", `"bytes_written":1,"end_byte":2`, rules.Event{BytesWritten: rules.Known(1)}},
		{"end_byte and bytes_written", `"end_byte":2,"bytes_written":1`, rules.Event{BytesWritten: rules.Known(1)}},
		{"end_byte and no bytes_written", `"bytes_written":null,"end_byte":2`, rules.Event{BytesWritten: rules.Known(2)}},
		{"user_id and userid", `"user_id":1,"userid":"2"`, rules.Event{UserID: "1"}},
		{"userid and user_id", `"userid":"2","user_id":1`, rules.Event{UserID: "1"}},
		{"userid and no user_id", `"userid":2,"user_id":null`, rules.Event{UserID: "2"}},

		{"File is not file", `"File":"/a","FILE":1,"files":""`, rules.Event{}},
		{"file escaped", `"\u0066ile":"\/in\u002Fa.mov"`, rules.Event{File: rules.ParsePath("/in/a.mov")}},
		{"file beside File", `"File":"/a.exe","file":"/a.mov"`, rules.Event{File: rules.ParsePath("/a.mov")}},
		{
			"file of every escape", `"file":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é😀"`,
			rules.Event{File: rules.ParsePath("\"\\/\b\f\n\r\té😀é😀")},
		},
		{"file of spaces", `"file":" "`, rules.Event{File: rules.ParsePath(" ")}},
		{"file with U+FFFD", `"file":"\ufffd�"`, rules.Event{File: rules.ParsePath("\uFFFD\uFFFD")}},

		{"strings that are none", `"user":12,"host":true,"cookie":false,"cipher":-1.5e3`, rules.Event{User: "12", Host: "true", Cookie: "false", Cipher: "-1.5e3"}},
		{"strings that are null", `"user":null,"host":null,"client_ip":null,"direction":null`, rules.Event{}},

		{"send", `"direction":"send"`, rules.Event{Direction: rules.Download}},
		{"recv", `"direction":"recv"`, rules.Event{Direction: rules.Upload}},
		{"another direction", `"direction":"receive"`, rules.Event{}},
		{"direction in capitals", `"direction":"RECV"`, rules.Event{}},

		{"IPv4 in IPv6", `"client_ip":"::ffff:10.1.2.3"`, rules.Event{ClientIP: "::ffff:10.1.2.3", ClientAddr: netip.MustParseAddr("10.1.2.3")}},
		{"IPv6 with a zone", `"client_ip":"fe80::1%eth0"`, rules.Event{ClientIP: "fe80::1%eth0", ClientAddr: netip.MustParseAddr("fe80::1%eth0")}},
		{"IPv6 in brackets", `"client_ip":"[::1]"`, rules.Event{ClientIP: "[::1]"}},
		{"address and port", `"client_ip":"10.1.2.3:33001"`, rules.Event{ClientIP: "10.1.2.3:33001"}},
		{"no address", `"client_ip":"unknown"`, rules.Event{ClientIP: "unknown"}},

		{"tags null", `"tags":null`, rules.Event{Tags: rules.Tags{Raw: "null"}}},
		{"tags empty", `"tags":""`, rules.Event{Tags: rules.Tags{Raw: `""`}}},
		{"tags number", `"tags": 1 `, rules.Event{Tags: rules.Tags{Raw: "1"}}},
		{"tags array", `"tags":[ {"a":1}, {"a":1} ]`, rules.Event{Tags: rules.Tags{Raw: `[ {"a":1}, {"a":1} ]`}}},
		{"same name at other levels", `"x":{"x":{"x":1},"startstop":[]}`, rules.Event{}},
		{"names that differ in case", `"x":{"a":1,"A":1}`, rules.Event{}},
		{"names that look alike", `"x":{"é":1,"e\u0301":1}`, rules.Event{}},
		{"64 levels", `"x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63), rules.Event{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := with(c.members)
			c.want.Phase, c.want.Raw = rules.PhaseStart, body
			if diff := cmp.Diff(c.want, decode(body), sameEvent()); diff != "" {
				t.Errorf("Decode(%s) (-want +got):\n%s", body, diff)
			}
			agree(t, "", body)
		})
	}
}

func TestDecodeDirection(t *testing.T) {
	for _, c := range []struct {
		uploadIs, wire string
		want           rules.Direction
	}{
		{"", "recv", rules.Upload},
		{"recv", "recv", rules.Upload},
		{"recv", "send", rules.Download},
		{"send", "send", rules.Upload},
		{"send", "recv", rules.Download},
		{"send", "", rules.DirectionUnknown},
	} {
		var e rules.Event
		validator.Decoder{UploadIs: c.uploadIs}.Decode(with(`"direction":"`+c.wire+`"`), &e)
		if e.Fault != nil || e.Direction != c.want {
			t.Errorf("%q where %q is an upload: %v, fault %v, want %v", c.wire, c.uploadIs, e.Direction, e.Fault, c.want)
		}
	}
}

// TestDecodeTellsWhose checks that a log can say whose event was malformed.
func TestDecodeTellsWhose(t *testing.T) {
	received := time.Date(2026, 1, 14, 9, 30, 0, 0, time.UTC)
	id := rules.NewID(received, [10]byte{1})
	for _, c := range []struct{ name, body, user string }{
		{"a member, what follows too", with(`"session_id":"s-1","size":-1,"user":"xfer"`), "xfer"},
		{"two members", with(`"session_id":"s-1","file":1,"user":"xfer","size":-1`), "xfer"},
		{"the JSON, what is before", with(`"session_id":"s-1","size":,"user":"xfer"`), ""},
		{"the encoding, what is before", with("\"session_id\":\"s-1\",\"user\":\"\xff\""), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := rules.Event{ID: id, Received: received}
			validator.Decoder{}.Decode(c.body, &e)
			if e.Fault == nil {
				t.Fatal("accepted")
			}
			if e.SessionID != "s-1" || e.User != c.user || e.Raw != c.body || e.ID != id || !e.Received.Equal(received) {
				t.Errorf("session %q, user %q, raw %q, id %v, received %v", e.SessionID, e.User, e.Raw, e.ID, e.Received)
			}
		})
	}
}

// TestDecodeShowsNothingHostile checks that no part of an event comes back in
// a message unless it is a plain name.
func TestDecodeShowsNothingHostile(t *testing.T) {
	for _, name := range []string{"<script>", `\u202e`, `call +1 555`, strings.Repeat("a", 25), "A", "é", "", "1"} {
		body := with(`"` + name + `":1,"` + name + `":1`)
		e := decode(body)
		wantFault(t, e, "duplicate")
		if !strings.Contains(e.Fault.Message, ": a member is given twice.") {
			t.Errorf("%q: message %q", name, e.Fault.Message)
		}
	}
}

// TestDecodeManyMembers holds the ways of finding a name again to one result:
// the list of an object, the list when objects around it fill the room, and the
// map of a wide object.
func TestDecodeManyMembers(t *testing.T) {
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(`"n` + strconv.Itoa(i) + `":0,`)
		}
		return b.String()
	}
	for _, n := range []int{1, 2, 7, 31, 32, 33, 34, 63, 64, 65, 1000, 100_000} {
		for _, around := range []int{0, 20, 30, 31, 32, 40} {
			head := members(around) + `"in":{` + members(around) + `"in":[{` + members(n)
			if e := decode(with(head + `"last":1},{"n0":1}],"after":1},"after":1`)); e.Fault != nil {
				t.Errorf("%d members inside %d: %v", n, around, e.Fault)
			}
			for _, again := range []int{0, n / 2, n - 1} {
				e := decode(with(head + `"n` + strconv.Itoa(again) + `":1}]}`))
				if e.Fault == nil || e.Fault.Reason != "duplicate" {
					t.Errorf("%d members inside %d, member %d again: %v", n, around, again, e.Fault)
				}
			}
			e := decode(with(head + `"last":1}],"in":1}`))
			if e.Fault == nil || e.Fault.Reason != "duplicate" {
				t.Errorf("%d members inside %d, the one around again: %v", n, around, e.Fault)
			}
		}
	}
}

// TestBenchEvents checks what benchmarks decode, so that they measure a usual
// event on the path where it is accepted.
func TestBenchEvents(t *testing.T) {
	for name, size := range benchEvents {
		body := benchEvent(t, name)
		if len(body) != size {
			t.Errorf("%s has %d bytes, want %d", name, len(body), size)
		}
		e := decode(body)
		if e.Fault != nil || e.Direction != rules.Upload || e.User != "xfer" || !strings.HasPrefix(e.File.Slash, "/ingest/film/") || !e.Size.Known {
			t.Errorf("%s is not a usual upload: %v", name, e.Fault)
		}
		if _, err := e.Tags.Value(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		compact := jsontext.Value(body)
		if err := compact.Compact(); err != nil || string(compact) != body {
			t.Errorf("%s is not compact: %v", name, err)
		}
		agree(t, "", body)
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	for name := range benchEvents {
		body := benchEvent(t, name)
		var e rules.Event
		if n := testing.AllocsPerRun(100, func() {
			e = rules.Event{}
			validator.Decoder{}.Decode(body, &e)
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestMalformedReasons(t *testing.T) {
	given := validator.MalformedReasons()
	if !slices.IsSorted(given) || len(slices.Compact(slices.Clone(given))) != len(given) {
		t.Errorf("not in order, or given twice: %q", given)
	}
	// Those that no body brings about are set by the transport, and by the token endpoint.
	seen := map[string]bool{
		"too_large": true, "timeout": true, "aborted": true, "method": true,
		"client_limit": true, "policy_limit": true, "request": true,
	}
	for _, h := range hostile() {
		seen[h.reason] = true
	}
	for _, reason := range given {
		if !seen[reason] {
			t.Errorf("nothing is refused with the reason %q", reason)
		}
		delete(seen, reason)
	}
	if len(seen) > 0 {
		t.Errorf("not in the list: %v", seen)
	}
}
