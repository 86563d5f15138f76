package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Names are shown so that a terminal cannot be attacked, and sent as they are.
func TestSimulateHostileNames(t *testing.T) {
	for name, shown := range map[string]string{
		"\x1b[2Jx":                  `\u001b[2Jx`,
		"a\nok      /b":             `a\u000aok      /b`,
		"invoice_\u202egpj.exe":     `invoice_\u202egpj.exe`,
		"a\u009b31m":                `a\u009b31m`,
		"zero\u200bwidth":           `zero\u200bwidth`,
		"é ü 日本":                    "é ü 日本",
		`back\slash "quote"`:        `back\slash "quote"`,
		"-rf":                       "-rf",
		"<script>&amp;</script>":    "",
		"replacement \ufffd itself": `replacement \ufffd itself`,
	} {
		if shown == "" { // It has a slash: a folder and a file.
			shown = name
		}
		service := newSimService(t, nil)
		folder := simTree(t, name)
		simulate(t, "--to", service.URL, "--docroot", folder, folder).wants(t, 0, "ok      /"+shown)
		for _, e := range service.events {
			simSame(t, "name", "/"+name, e.File)
		}
	}
}

// A name that no event can say is an error of its own; the session goes on.
func TestSimulateNameNotUTF8(t *testing.T) {
	service := newSimService(t, nil)
	folder := simTree(t, "a", "caf\xe9.mov", "d\xff/e", "z")
	for _, paths := range [][]string{{folder}, {filepath.Join(folder, "a"), filepath.Join(folder, "caf\xe9.mov"), filepath.Join(folder, "d\xff"), filepath.Join(folder, "z")}} {
		service.events = nil
		got := simulate(t, append([]string{"--to", service.URL, "--threads=1", "--docroot", folder}, paths...)...)
		got.wants(t, 1, "ok      /a",
			`ERROR   /caf\xe9.mov  the name is not UTF-8, so no event can say it`,
			`ERROR   /d\xff/e  the name is not UTF-8, so no event can say it`,
			"ok      /z")
		simContains(t, got.out, "files    4: 2 accepted, 0 refused, 2 errors, 0 not sent\n")
		simSame(t, "events", []string{"a start", "a stop", "z start", "z stop"}, service.heard())
	}
	got := simulate(t, "--to", service.URL, "--format=json", "--quiet", "--docroot", folder, filepath.Join(folder, "caf\xe9.mov"))
	simContains(t, got.out, `{"file":"/caf\\xe9.mov","verdict":"error","cause":"the name is not UTF-8, so no event can say it"}`)
}

// Only files are sent. Links are never followed, not even as an argument.
func TestSimulateSkips(t *testing.T) {
	service := newSimService(t, nil)
	folder := simTree(t, "in/a", "out/secret")
	for name, target := range map[string]string{"in/dangling": "nowhere", "in/file": "a", "in/folder": "../out", "in/loop": "."} {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	got := simulate(t, "--to", service.URL, "--docroot", folder, filepath.Join(folder, "in"))
	got.wants(t, 0, "ok      /in/a",
		"skipped /in/dangling  a symbolic link, which is not followed",
		"skipped /in/file  a symbolic link, which is not followed",
		"skipped /in/folder  a symbolic link, which is not followed",
		"skipped /in/loop  a symbolic link, which is not followed")
	simContains(t, got.out, "files    1: 1 accepted, 0 refused, 0 errors, 0 not sent (4 skipped)\n")

	got = simulate(t, "--to", service.URL, "--docroot", folder, filepath.Join(folder, "in/folder")+"/")
	got.wants(t, 2, "skipped /in/folder  a symbolic link, which is not followed")
	simContains(t, got.fault.Error(), "no file found")
}

func TestSimulateSkipsSpecialFiles(t *testing.T) {
	service := newSimService(t, nil)
	folder, err := os.MkdirTemp("", "sim") //nolint:usetesting // The path of a socket must be short.
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	socket, err := net.Listen("unix", filepath.Join(folder, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	simulate(t, "--to", service.URL, "--docroot", folder, folder).wants(t, 2, "skipped /s  neither a file nor a folder")
}

// What cannot be read is reported and nothing is said to the service about it;
// the session goes on.
func TestSimulateUnreadable(t *testing.T) {
	folder := simTree(t, "a1", "a2", "b", "c/gone", "d")
	service := newSimService(t, func(_ http.ResponseWriter, _ *http.Request, e simHeard) {
		if e.String() == "a1 start" { // The walk waits at a2 and has not seen what follows.
			if err := os.Remove(filepath.Join(folder, "b")); err != nil {
				t.Error(err)
			}
			if err := os.RemoveAll(filepath.Join(folder, "c")); err != nil {
				t.Error(err)
			}
		}
	})
	got := simulate(t, "--to", service.URL, "--threads=1", "--docroot", folder, folder)
	got.wants(t, 1, "ok      /a1", "ok      /a2",
		"ERROR   /b  no such file or directory", "ERROR   /c  no such file or directory", "ok      /d")
	simContains(t, got.out, "files    4: 3 accepted, 0 refused, 2 errors, 0 not sent\n")
	simSame(t, "events", []string{"a1 start", "a1 stop", "a2 start", "a2 stop", "d start", "d stop"}, service.heard())
}

// A quantile is at most a sixteenth above the true one and never below it.
func TestSimulateLatency(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l simLatency
		list := rapid.SliceOfN(rapid.Int64Min(0), 1, 200).Draw(t, "latencies")
		for _, v := range list {
			l.observe(time.Duration(v))
		}
		slices.Sort(list)
		percent := rapid.IntRange(1, 100).Draw(t, "percent")
		want := list[(len(list)*percent+99)/100-1]
		got := int64(l.quantile(float64(percent) / 100))
		if got < want || got-want > want/simSteps {
			t.Errorf("the %d%% quantile of %v is %d, want %d", percent, list, got, want)
		}
		if l.max != time.Duration(list[len(list)-1]) {
			t.Errorf("max is %d", l.max)
		}
	})
}
