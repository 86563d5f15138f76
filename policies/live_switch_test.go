package policies_test

import (
	"errors"
	"path/filepath"
	"testing"
)

// TestSwitch moves on to another folder if that is without mistakes, and from then on
// Reload and Watch read that one.
func TestSwitch(t *testing.T) {
	watch(t, onePolicy(t), func(w *watched) {
		beside := func(name string) string { return filepath.Join(filepath.Dir(w.dir), name) }
		write(t, beside("2"), "10.yaml", refusedBy("two"))
		write(t, beside("3"), "10.yaml", "broken")
		write(t, beside("4"), "10.yaml", refusedBy("two"))
		number := func(want uint64) {
			t.Helper()
			if got := w.live.Status().Number; got != want {
				t.Errorf("the number is %d, want %d", got, want)
			}
		}
		number(0)
		w.must(w.live.Switch(beside("2"), 2))
		w.want("two", 2, "")
		number(2)
		w.must(w.live.Switch(beside("2"), 2))
		w.want("two", 2, "")

		if err := w.live.Switch(beside("3"), 3); err == nil {
			t.Error("a broken set was taken over")
		}
		w.want("two", 3, "3/10.yaml:1:1: the document must be a group of keys, not a text")
		number(2)
		w.must(w.live.Reload()) // Of the good one: all is well again.
		w.want("two", 4, "")
		number(2)

		w.live.Fail(errors.New("there is no such revision"))
		w.live.Fail(errors.New("there is no such revision"))
		w.want("two", 5, "there is no such revision")
		w.must(w.live.Switch(beside("4"), 4)) // The same set with another number.
		w.want("two", 6, "")
		number(4)

		w.write("10.yaml", refusedBy("first-again")) // Nobody looks there any more.
		w.tick(3)
		w.want("two", 6, "")
		write(t, beside("4"), "10.yaml", refusedBy("four"))
		w.tick(2)
		w.want("four", 7, "")
		number(4)
	})
}
