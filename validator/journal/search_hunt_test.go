package journal

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hunted returns which events, counted from 0, have which lines of a list.
func hunted(tb testing.TB, dir, list string) (has []string, stats ReadStats) {
	tb.Helper()
	h, err := ReadIndicators("list", strings.NewReader(list))
	if err != nil {
		tb.Fatal(err)
	}
	s, err := (&Query{}).Hunt(h)
	if err != nil {
		tb.Fatal(err)
	}
	for e, err := range s.Read(tb.Context(), dir) {
		if err != nil {
			tb.Fatal(err)
		}
		for _, n := range h.Of(&e.Record) {
			has = append(has, fmt.Sprintf("%d: %s", e.Sequence-2, h.All()[n].Text))
		}
	}
	return has, s.Stats()
}

func TestHunt(t *testing.T) {
	dir, _ := oddLog(t)
	rows := []struct {
		name, list string
		want       []string
	}{
		{"a digest of the server, in any case", strings.ToUpper(md5Bad), []string{"33: " + md5Bad}},
		{"a digest that was computed, with the name that sha256sum prints", sha256Bad + "  invoice.pdf", []string{"44: " + sha256Bad}},
		{"an address, with a comment", "203.0.113[.]7 # c2", []string{"7: 203.0.113[.]7", "207: 203.0.113[.]7"}},
		{"an address within a network", "192.0.2.55\n192.0.2.0/26", []string{"55: 192.0.2.55", "55: 192.0.2.0/26", "56: 192.0.2.0/26"}},
		{"addresses of IPv6", "2001:DB8::57\n# 203.0.113.7", []string{"57: 2001:DB8::57"}},
		{"addresses that the server wrote in other ways", "192.0.2.159\n2001:db8::58\nfe80::60", []string{"58: 2001:db8::58", "59: 192.0.2.159", "60: fe80::60"}},
		{"a name", "CLIP-0013.MOV", []string{"13: CLIP-0013.MOV"}},
		{"a name with quotes", `invoice "1".exe`, []string{`66: invoice "1".exe`}},
		{"names with wildcards", "clip-00?9.mov\n*.exe", []string{
			"9: clip-00?9.mov", "19: clip-00?9.mov", "29: clip-00?9.mov", "39: clip-00?9.mov", "49: clip-00?9.mov", "59: clip-00?9.mov",
			"66: *.exe", "67: *.exe", "69: clip-00?9.mov", "79: clip-00?9.mov", "89: clip-00?9.mov", "99: clip-00?9.mov",
		}},
		{"the end of a path", "film-3/clip-000*", []string{"3: film-3/clip-000*"}},
		{"a whole path", "/ingest/film-3/clip-0003.mov\n/film-3/clip-0003.mov", []string{"3: /ingest/film-3/clip-0003.mov"}},
		{"a path of Windows", `C:\drop\*`, []string{`66: C:\drop\*`}},
		{"whatever is in a folder", "drop/**", []string{"66: drop/**", "67: drop/**"}},
		{"what only tags have", "192.0.2.1\n10.0.0.1", nil},
		{"one twice", "clip-0013.mov\nclip-0013.mov", []string{"13: clip-0013.mov"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, _ := hunted(t, dir, row.list)
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAHuntPassesOverSegments(t *testing.T) {
	dir, _ := oddLog(t)
	got, stats := hunted(t, dir, md5Bad+"\n2001:db8::57\n192.0.2.56\n"+strings.Repeat("f", 64))
	if len(got) != 3 || stats.Skipped == 0 {
		t.Errorf("%q, %+v", got, stats)
	}
	if _, stats := hunted(t, dir, "*.exe"); stats.Skipped != 0 {
		t.Errorf("an index knows no names, and %d segments were passed over", stats.Skipped)
	}
}

// TestAHuntForManyIndicators: a hundred thousand of each kind are as right as a few.
func TestAHuntForManyIndicators(t *testing.T) {
	dir, _ := oddLog(t)
	var b strings.Builder
	for n := range 20_000 {
		fmt.Fprintf(&b, "%032x\n%064x\n198.%d.%d.%d\nbad-%d.exe\ndrop-%d/*.scr\n", n+1, n+1, n>>16, n>>8&255, n&255, n, n)
	}
	b.WriteString(md5Bad + "\nclip-0013.mov\n203.0.113.0/31\n")
	got, _ := hunted(t, dir, b.String())
	if want := []string{"0: 203.0.113.0/31", "1: 203.0.113.0/31", "13: clip-0013.mov", "33: " + md5Bad, "200: 203.0.113.0/31", "201: 203.0.113.0/31"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestBadLinesOfAListAreNamed(t *testing.T) {
	_, err := ReadIndicators("list.txt", strings.NewReader("\ufeff# fine\r\n\r\nname.exe\r\n"+
		md5Bad+"0\n203.0.113.300\n203.0.113.7 evil\nhttp://evil.example/a.exe\nfolder/\n\xff\n"+strings.Repeat("x", 5000)+"\n"))
	want := `list.txt:4: 33 hexadecimal digits are no digest: MD5 has 32, SHA-1 40, SHA-256 64, SHA-384 96, SHA-512 128
list.txt:5: "203.0.113.300" is neither an address nor a network such as 203.0.113.0/24 or 2001:db8::/32
list.txt:6: there is more behind the address; a comment begins with #
list.txt:7: this is a web address, and transfers carry none: write the file's name, its digest or the host's address
list.txt:8: a folder is no file; write "folder/**" for whatever is below it
list.txt:9: the line is not UTF-8
list.txt:10: the line has more than 4096 bytes`
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	for _, list := range []string{"", "# nothing\n\n"} {
		if _, err := ReadIndicators("list.txt", strings.NewReader(list)); err == nil || !strings.Contains(err.Error(), "has no indicator") {
			t.Errorf("%q: %v", list, err)
		}
	}
}

// FuzzHuntList reads lists, and looks for what is in them in a record.
func FuzzHuntList(f *testing.F) {
	for _, list := range []string{md5Bad, "203.0.113[.]7 # x", "2001:db8::/32\n*.exe\n[a", `C:\drop\{a,b}`, "**/x\n/**\n", "a/../b", "::ffff:1.2.3.4/97"} {
		f.Add([]byte(list), "/ingest/a.mov", "203.0.113.7")
	}
	f.Fuzz(func(t *testing.T, list []byte, file, address string) {
		h, err := ReadIndicators("list", bytes.NewReader(list))
		if err != nil {
			return
		}
		if len(h.All()) == 0 {
			t.Error("an empty list is taken")
		}
		r := Record{Sequence: 1, Verdict: Accept, Event: &Event{File: file, ClientIP: address, Checksum: md5Bad}}
		s, err := (&Query{}).Hunt(h)
		if err != nil {
			t.Fatal(err)
		}
		line := appendText(appendText(appendText([]byte(`{"seq":1,"event":{"phase":"start"`), `,"client_ip":`, address), `,"file":`, file), `,"file_csum":`, md5Bad)
		if line = append(line, "}}"...); len(h.Of(&r)) > 0 && strings.ToValidUTF8(file+address, "") == file+address && !s.line(line) {
			t.Errorf("%s has an indicator, and is passed over", line)
		}
	})
}
