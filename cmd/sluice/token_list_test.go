package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestListsOfPaths(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		pairs      bool
		want       []tokenPath
	}{
		{"one", "/a\n", false, []tokenPath{{Source: "/a"}}},
		{"without a line end", "/a", false, []tokenPath{{Source: "/a"}}},
		{"several, in order", "/b c\n/a\n/b c\n", false, []tokenPath{{Source: "/b c"}, {Source: "/a"}, {Source: "/b c"}}},
		{"names that look like something else", "#a\n-b\n\"c\"\nd\\n\n", false, []tokenPath{{Source: "#a"}, {Source: "-b"}, {Source: `"c"`}, {Source: `d\n`}}},
		{"pairs", "/a\n/x/1\n/b\n/x/2\n", true, []tokenPath{{"/a", "/x/1"}, {"/b", "/x/2"}}},
		{"pairs without a line end", "/ä\n/x/1", true, []tokenPath{{"/ä", "/x/1"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseTokenList(tc.text, tc.pairs)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadListsNameTheirLines(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		pairs      bool
		want       string // the whole error
	}{
		{"nothing", "", false, "  it is empty: write one path a line"},
		{"only a line end", "\n", true, "  it is empty: write one path a line"},
		{"an empty line", "/a\n\n/b\n", false, "  line 2 is empty: write one path a line"},
		{"empty lines at the end", "/a\n\n\n", false, "  line 2 is empty: write one path a line\n  line 3 is empty: write one path a line"},
		{"an odd number of lines", "/a\n/x\n/b\n", true, "  line 3 is a source without a destination: they stand on alternate lines, the source first"},
		{"line ends of Windows", "/a\r\n", false, "  line 1 ends in a carriage return: save the list with the line ends of Unix"},
		{"NUL", "/a\x00b", false, "  line 1 has a control character in it: /a\\u0000b"},
		{"a tab", "/a\tb", false, "  line 1 has a control character in it: /a\\u0009b"},
		{"not UTF-8", "/a\n/\xff\n", false, "  line 2 is not UTF-8: save the list as UTF-8"},
		{"a byte-order mark", "\ufeff/a\n", false, "  line 1 begins with a byte-order mark: save the list as UTF-8 without one"},
		{"spaces around", " /a\n/b \n", false, "  line 1 begins or ends with a space:  /a\n  line 2 begins or ends with a space: /b "},
		{"too long", strings.Repeat("a", tokenMaxPath+1), false, "  line 1 has 4097 bytes; a path has at most 4096"},
		{"two faults of pairs", "/a\n\n/b\n", true, "  line 2 is empty: write one path a line\n  line 3 is a source without a destination: they stand on alternate lines, the source first"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			paths, err := parseTokenList(tc.text, tc.pairs)
			if err == nil || paths != nil {
				t.Fatalf("it was read: %v", paths)
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAListNamesAtMostTwentyBadLines(t *testing.T) {
	_, err := parseTokenList(strings.Repeat("\r\n", 1000), false)
	if err == nil {
		t.Fatal("it was read")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != tokenMaxBad+1 || lines[tokenMaxBad] != "  and perhaps more" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestListsOfPathsAsFiles(t *testing.T) {
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, tokenMaxList+1); err != nil {
		t.Fatal(err)
	}
	bad := written(t, "bad", "\n\n")
	for name, want := range map[string]string{
		big:       "the list " + big + " is larger than 16 MiB; ask for several tokens",
		big + "x": "the list " + big + "x cannot be read: no such file or directory",
		bad:       "the list " + bad + ":\n  line 1 is empty: write one path a line",
	} {
		if _, err := readTokenList(name, false); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if got, err := readTokenList(written(t, "good", "/a\n"), false); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// FuzzListOfPaths holds that what is read is what the list says, line by line,
// and nothing that could be read otherwise.
func FuzzListOfPaths(f *testing.F) {
	for _, text := range []string{"/a\n", "/a\n/b", "", "\n\n", "/a\r\n", "\ufeff/a", "/\xff", "a\x00\nb\n", strings.Repeat("a", tokenMaxPath)} {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, pairs bool) {
		paths, err := parseTokenList(text, pairs)
		if err != nil {
			if paths != nil || len(err.Error()) > (tokenMaxBad+2)*700 {
				t.Fatalf("%d paths, and an error of %d bytes", len(paths), len(err.Error()))
			}
			return
		}
		var lines []string
		for _, p := range paths {
			lines = append(lines, p.Source)
			if pairs {
				lines = append(lines, p.Destination)
			} else if p.Destination != "" {
				t.Fatalf("a destination %q in a list of sources", p.Destination)
			}
		}
		for _, line := range lines {
			if line == "" || len(line) > tokenMaxPath || !utf8.ValidString(line) {
				t.Fatalf("the path %q", line)
			}
		}
		if got := strings.Join(lines, "\n"); got != strings.TrimSuffix(text, "\n") {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
