package rules

import (
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestID(t *testing.T) {
	// The example of RFC 9562, appendix A.6.
	id := NewID(time.UnixMilli(0x017F22E279B0), [10]byte{0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f})
	if want := "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"; id.String() != want {
		t.Errorf("%s, want %s", id, want)
	}
	if want := "00000000-0000-0000-0000-000000000000"; (ID{}).String() != want {
		t.Errorf("the zero id is %s", ID{})
	}
	b, err := id.AppendText([]byte("id="))
	if err != nil || string(b) != "id="+id.String() {
		t.Errorf("appended: %s, %v", b, err)
	}
}

func TestIDs(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	moment := rapid.Int64Range(0, 1<<48-1)
	randoms := rapid.Map(rapid.SliceOfN(rapid.Byte(), 10, 10), func(b []byte) [10]byte { return [10]byte(b) })
	rapid.Check(t, func(t *rapid.T) {
		m, n := moment.Draw(t, "first"), moment.Draw(t, "second")
		a, b := NewID(time.UnixMilli(m), randoms.Draw(t, "random")), NewID(time.UnixMilli(n), randoms.Draw(t, "random"))
		if !form.MatchString(a.String()) {
			t.Fatalf("%s is no UUID of version 7", a)
		}
		if a[6]>>4 != 7 || a[8]>>6 != 2 {
			t.Fatalf("%s has the version %d and the variant %b", a, a[6]>>4, a[8]>>6)
		}
		if m != n && (m < n) != (a.String() < b.String()) {
			t.Fatalf("%s of %d and %s of %d are out of order", a, m, b, n)
		}
	})
}

// Every random bit but the six that the form fixes makes another id.
func TestIDUsesItsRandomness(t *testing.T) {
	used := 0
	for bit := range 80 {
		var random [10]byte
		random[bit/8] = 1 << (bit % 8)
		if NewID(time.UnixMilli(1), random) != NewID(time.UnixMilli(1), [10]byte{}) {
			used++
		}
	}
	if used != 74 {
		t.Errorf("%d bits are used, want 74", used)
	}
}
