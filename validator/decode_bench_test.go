package validator_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// benchEvents are the events that benchmarks decode, with their sizes.
var benchEvents = map[string]int{"small": 1044, "large": 3247}

// benchEvent returns the event of testdata/bench.
func benchEvent(tb testing.TB, name string) string {
	tb.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "bench", name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(body)
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"small", "large"} {
		body := benchEvent(b, name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			var e rules.Event
			for b.Loop() {
				e = rules.Event{}
				validator.Decoder{}.Decode(body, &e)
			}
			if e.Fault != nil {
				b.Fatal(e.Fault)
			}
		})
	}
}

// BenchmarkDecodeHostile shows that no body of 1 MiB costs more than its bytes.
func BenchmarkDecodeHostile(b *testing.B) {
	const limit = 1 << 20
	fill := func(head, each, tail string) string {
		return head + strings.Repeat(each, (limit-len(head)-len(tail))/len(each)) + tail
	}
	wide := func(n int) string {
		var m strings.Builder
		for i := range n {
			m.WriteString(`"` + strconv.Itoa(i) + `":0,`)
		}
		return m.String()
	}
	for _, h := range []struct{ name, body string }{
		{"members", `{"startstop":"start",` + strings.TrimSuffix(wide(105_000), ",") + `}`},
		{"objects inside wide ones", fill(`{"startstop":"start",`+wide(25)+`"a":{`+wide(31)+`"a":[`, `{"a":0},`, `0]}}`)},
		{"wide objects", fill(`{"startstop":"start","a":[`, `{`+wide(33)+`"a":0},`, `0]}`)},
		{"brackets", fill(`{"startstop":"start","a":`, `[`, ``)},
		{"escapes", fill(`{"startstop":"start","cookie":"`, `\u0041`, `"}`)},
		{"backslashes", fill(`{"startstop":"start","cookie":"`, `\\`, `"}`)},
		{"spaces", fill(`{"startstop":"start"`, ` `, `}`)},
		{"zeros", fill(`{"startstop":"start","size":1`, `0`, `}`)},
		{"path", fill(`{"startstop":"start","file":"`, `/`, `"}`)},
	} {
		b.Run(strings.ReplaceAll(h.name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(h.body)))
			for b.Loop() {
				var e rules.Event
				validator.Decoder{}.Decode(h.body, &e)
			}
		})
	}
}
