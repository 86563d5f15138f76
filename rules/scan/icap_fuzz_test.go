package scan

import (
	"bufio"
	"bytes"
	"hash/maphash"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzICAPAnswer: whatever a server says, reading it ends, holds little, and
// finds nothing clean but what is said to be.
func FuzzICAPAnswer(f *testing.F) {
	for _, text := range []string{
		noContent, goOnPlease, page("HTTP/1.1 200 OK", "abc"), page("HTTP/1.1 403 Forbidden", "abc", foundEICAR), offers(1024),
		page("HTTP/1.1 200 OK", "abc", "X-Violations-Found: 1", "\t-", "\tEicar", "\t0", "\t0"),
		"ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, res-hdr=2, res-body=21\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	} {
		f.Add([]byte(text), true)
		f.Add([]byte(text), false)
	}
	seed := maphash.MakeSeed()
	whole := &icapWhole{size: 3, seed: seed, sum: maphash.String(seed, "abc")}
	f.Fuzz(func(t *testing.T, text []byte, ended bool) {
		if len(text) > 1<<20 {
			return
		}
		in := bufio.NewReaderSize(bytes.NewReader(text), icapLine)
		head, err := readICAPHead(in)
		if err != nil {
			return
		}
		size := 0
		for _, field := range head.fields {
			size += len(field.name) + len(field.value)
		}
		if size > icapHeads || len(head.fields) > icapFields || head.status < 100 || head.status > 999 {
			t.Errorf("a head of status %d, %d fields, %d bytes", head.status, len(head.fields), size)
		}
		if service, err := readService(&head); err == nil && service.preview > maxPreview {
			t.Errorf("a preview of %d bytes", service.preview)
		}
		want := whole
		if !ended {
			want = nil
		}
		v, err := judge(in, &head, want)
		if _, found := head.found(); found && v.signature == "" {
			t.Errorf("found %v, and the signature is %q", found, v.signature)
		}
		if len(v.signature) > maxThreat {
			t.Errorf("a signature of %d bytes", len(v.signature))
		}
		if err == nil && v.signature == "" && head.status != 204 && ended && !v.echoed {
			t.Error("nothing says that this is clean")
		}
		if v.echoed && !bytes.Contains(text, []byte("HTTP/1.")) && !bytes.Contains(bytes.ToLower(text), []byte("res-body=0")) {
			t.Error("nothing says what came back")
		}
		_, _ = io.Copy(io.Discard, in)
	})
}

// FuzzThreatHeader: what stands in the fields that name a threat is never taken
// for nothing, and becomes one short line.
func FuzzThreatHeader(f *testing.F) {
	for _, value := range []string{
		"Type=0; Resolution=2; Threat=Eicar-Test-Signature;", "Type=0;Resolution=2;Threat=A=B", "threat = x", "", ";;;", "Threat=;", "Type=2",
		"1\n-\nEicar\n0\n0", "1", "0", strings.Repeat("é", 300), "\xff", os.DevNull,
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, name := range []string{"X-Infection-Found", "X-Violations-Found", "X-Virus-ID"} {
			head := icapHead{fields: []icapField{{name, value}}}
			signature, found := head.found()
			if !found {
				if name != "X-Violations-Found" || value != "0" {
					t.Errorf("%s: %q is nothing", name, value)
				}
				continue
			}
			if signature == "" || len(signature) > maxThreat || !utf8.ValidString(signature) || strings.Contains(signature, "\n") {
				t.Errorf("%s: %q is %q", name, value, signature)
			}
		}
	})
}

func TestThreatHeader(t *testing.T) {
	for value, want := range map[string]string{
		"Type=0; Resolution=2; Threat=Eicar-Test-Signature;": "Eicar-Test-Signature",
		"Type=0; Resolution=0; Threat=EICAR Test String;":    "EICAR Test String",
		"Type=0;Resolution=2;Threat=A=B":                     "A=B",
		"type=0; resolution=2; THREAT = x ;":                 "x",
		"Threat=first; Threat=second;":                       "first",
		"Type=2; Resolution=0;":                              unknownThreat,
		"rubbish":                                            unknownThreat,
		"":                                                   unknownThreat,
		"Threat=" + strings.Repeat("x", 1000):                strings.Repeat("x", maxThreat),
	} {
		head := icapHead{fields: []icapField{{"x-infection-found", value}}}
		if got, found := head.found(); got != want || !found {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}
