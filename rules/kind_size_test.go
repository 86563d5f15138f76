package rules

import (
	"math"
	"testing"
)

func size(n int64) func(*Event)    { return func(e *Event) { e.Size = Known(n) } }
func written(n int64) func(*Event) { return func(e *Event) { e.BytesWritten = Known(n) } }

func TestSize(t *testing.T) {
	const f = "/in/a"
	judge(t, sizeKind(), Env{}, []row{
		{`{"max": 1000}`, file(f, size(1000)), accept()},
		{`{"max": 1000}`, file(f, size(1001)), refuse("1001 B")},
		{`{"min": 1000}`, file(f, size(1000)), accept()},
		{`{"min": 1000}`, file(f, size(999)), refuse("999 B")},
		{`{"min": 1}`, file(f, size(0)), refuse("0 B")},
		{`{"min": 5, "max": 5}`, file(f, size(5)), accept()},
		{`{"max": 0}`, file(f, size(0)), accept()},
		{`{"max": 0}`, file(f, size(1)), refuse("1 B")},

		{`{"max": "1 KB"}`, file(f, size(1000)), accept()},
		{`{"max": "1 KB"}`, file(f, size(1001)), refuse("1001 B")},
		{`{"max": "1 KiB"}`, file(f, size(1024)), accept()},
		{`{"max": "1 KiB"}`, file(f, size(1025)), refuse("1025 B")},
		{`{"max": "1.5 MB"}`, file(f, size(1_500_000)), accept()},
		{`{"max": "1.5 MB"}`, file(f, size(1_500_001)), refuse("1500001 B")},
		{`{"max": "500gib"}`, file(f, size(500<<30)), accept()},
		{`{"max": "500gib"}`, file(f, size(500<<30+1)), refuse("536870912001 B")},
		{`{"max": "2 TiB"}`, file(f, size(2<<40)), accept()},
		{`{"max": "2 TB"}`, file(f, size(2<<40)), refuse("2.2 TB")},
		{`{"max": "4096"}`, file(f, size(4096)), accept()},
		{`{"max": "9223372036854775807"}`, file(f, size(math.MaxInt64)), accept()},

		// The announced size is too small for a file that grew.
		{`{"max": 1000}`, file(f, size(10), written(1001)), refuse("1001 B")},
		{`{"max": 1000}`, file(f, size(1001), written(10)), refuse("1001 B")},
		{`{"min": 1000}`, file(f, size(10), written(1000)), accept()},

		// An absent size is not zero.
		{`{"max": 1000}`, file(f), lacks("size")},
		{`{"min": 1000}`, file(f), lacks("size")},
		{`{"max": 1000}`, file(f, written(10)), lacks("size")},
		{`{"max": 1000}`, file("", size(1001)), refuse("1001 B")},
	})
}

func TestSizeMessages(t *testing.T) {
	judgeMessages(t, sizeKind(), Env{}, []reads{
		{`{"max": "500 GiB"}`, file("/in/a.mov", size(600<<30)), "a.mov has 600 GiB, more than the 500 GiB that are allowed here."},
		{`{"max": "500 GiB"}`, file("/in/a.mov", size(1), written(600<<30)), "a.mov has 600 GiB, more than the 500 GiB that are allowed here."},
		{`{"max": "1 KiB"}`, file("/in/a.mov", size(2000)), "a.mov has 2000 B, more than the 1 KiB that are allowed here."},
		{`{"max": "10 GiB"}`, file("/in/a.mov", size(11e9)), "a.mov has 10.2 GiB, more than the 10 GiB that are allowed here."},
		{`{"max": "10 GB"}`, file("/in/a.mov", size(11<<30)), "a.mov has 11.8 GB, more than the 10 GB that are allowed here."},
		{`{"max": "10 GiB"}`, file("/in/a.mov", size(10<<30+1)), "a.mov has 10737418241 B, more than the 10 GiB that are allowed here."},
		{`{"min": "1 MiB"}`, file("/in/a.mov", size(500_000)), "a.mov has 488.3 KiB, less than the 1 MiB that are asked for here."},
		{`{"min": "1 B"}`, file("/in/a.mov", size(0)), "a.mov has 0 B, less than the 1 B that are asked for here."},
	})
}

func TestSizeMistakes(t *testing.T) {
	const units = " is not a size; write a number and a unit of B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 500 GiB"
	judgeMistakes(t, sizeKind(), Env{}, []slip{
		{`{"max": "big"}`, []string{`/max: "big"` + units}},
		{`{"max": ""}`, []string{`/max: ""` + units}},
		{`{"min": -1}`, []string{`/min: "-1"` + units}},
		{`{"min": "1 PB", "max": "1 GB 2 MB"}`, []string{`/min: "1 PB"` + units, `/max: "1 GB 2 MB"` + units}},
		{`{"min": "1.5 B"}`, []string{`/min: "1.5 B" is not a whole number of bytes`}},
		{`{"max": "9000000 TiB"}`, []string{`/max: "9000000 TiB" is more than the largest size, 9223372036854775807 bytes`}},
		{`{"min": "2 GB", "max": "1 GB"}`, []string{"/min: min (2 GB) is larger than max (1 GB), so no file could pass"}},
		{`{"min": "2 GB", "max": "1 XB"}`, []string{`/max: "1 XB"` + units}},
	})
	judgeSchema(t, sizeKind(), `{}`, `{"max": 1.5}`, `{"max": true}`, `{"max": null}`, `{"mx": 1}`)
}
