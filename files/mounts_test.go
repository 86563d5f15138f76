package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/files"
	"github.com/sluiceproject/sluice/rules"
)

// TestTheLongestPrefixWins: each folder has a file of every path's last segment,
// which says whose it is.
func TestTheLongestPrefixWins(t *testing.T) {
	prefixes := []string{"/", "/data", "/data/ingest", `C:\`, "d:/data", `\\server\share`, "/data/ingest/deep/"}
	var mounts []files.Mount
	for _, prefix := range prefixes {
		dir := t.TempDir()
		for _, name := range []string{"a", "data/a", "Data/a", "database/a", "ingest/a", "x/a", "server/share/a", "d/a", "C:/a", "ı/a"} {
			put(t, filepath.Join(dir, name), prefix+" at "+name)
		}
		mounts = append(mounts, files.Mount{Prefix: prefix, Dir: dir})
	}
	source, err := files.New(mounts, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ path, want string }{
		{"/a", "/ at a"},
		{"//a", "/ at a"},
		{"/./x//a", "/ at x/a"},
		{"/database/a", "/ at database/a"},
		{"/Data/a", "/ at Data/a"},
		{"/data/a", "/data at a"},
		{"/data/x/a", "/data at x/a"},
		{"/data/ingest/a", "/data/ingest at a"},
		{"/data/ingest/x/a", "/data/ingest at x/a"},
		{"/data/ingest/deep/a", "/data/ingest/deep/ at a"},
		{"/data/ingested", "missing"},
		{"a", "unmounted"},
		{"data/a", "unmounted"},

		{`C:\a`, `C:\ at a`},
		{"c:/a", `C:\ at a`},
		{`c:\x\a`, `C:\ at x/a`},
		{`D:\DATA\a`, "d:/data at a"},
		{`D:\DATA\x/a`, "d:/data at x/a"},
		{`D:\DATABASE\a`, "unmounted"},
		{`D:\a`, "unmounted"},
		{`D:a`, "unmounted"},
		{`E:\data\a`, "unmounted"},
		{`/C:/a`, "/ at C:/a"}, // A folder of that name.
		{`\\server\share\a`, `\\server\share at a`},
		{`\\SERVER\Share\x\a`, `\\server\share at x/a`},
		{`//server/share/a`, `\\server\share at a`},
		{`\\server\films\a`, "missing"}, // In the mount of "/", as it is below.
		{`/x\a`, "missing"},             // A backslash is part of a name here.
		{`\\\\`, "irregular"},
	} {
		if got := look(t, source, tc.path, rules.PhaseStop); got != tc.want {
			t.Errorf("%s is %s, want %s", tc.path, got, tc.want)
		}
	}
}

func TestMistakesInMounts(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "file"), "")
	for _, tc := range []struct {
		name   string
		mounts []files.Mount
		want   []string
	}{
		{"no path", []files.Mount{{Prefix: "data", Dir: dir}}, []string{
			`mount 1: "data" is not how a path begins; write "/", a folder such as "/data", a drive such as "C:/" or a share such as "\\server\share"`,
		}},
		{"empty", []files.Mount{{Prefix: "", Dir: dir}}, []string{
			`mount 1: "" is not how a path begins; write "/", a folder such as "/data", a drive such as "C:/" or a share such as "\\server\share"`,
		}},
		{"up", []files.Mount{{Prefix: "/a/../b", Dir: dir}}, []string{`mount 1: "/a/../b" has "..", and where that leads is not known; write the path without`}},
		{"NUL", []files.Mount{{Prefix: "/a\x00", Dir: "/b\x00"}}, []string{"mount 1: the prefix has a NUL byte", "mount 1: the folder's name has a NUL byte"}},
		{"no server", []files.Mount{{Prefix: `\\`, Dir: dir}}, []string{`mount 1: "\\\\" names no server; write a share as "\\server\share"`}},
		{"object storage", []files.Mount{{Prefix: "s3://KEY:SECRET@bucket", Dir: dir}}, []string{
			`mount 1: "s3://***@bucket" is object storage, which cannot be looked into; a prefix is of paths`,
		}},
		{"twice", []files.Mount{{Prefix: "/a", Dir: dir}, {Prefix: "/b", Dir: dir}, {Prefix: "//a/", Dir: dir}}, []string{
			`mount 3: "//a/" is the prefix of mount 1 already; a prefix has one folder`,
		}},
		{"twice where case does not matter", []files.Mount{{Prefix: "C:/Data", Dir: dir}, {Prefix: `c:\data\`, Dir: dir}, {Prefix: `\\S\x`, Dir: dir}, {Prefix: "/s/X", Dir: dir}}, []string{
			`mount 2: "c:\\data\\" is the prefix of mount 1 already; a prefix has one folder`,
			`mount 4: "/s/X" is the prefix of mount 3 already; a prefix has one folder`,
		}},
		{"not twice where it does", []files.Mount{{Prefix: "/data", Dir: dir}, {Prefix: "/Data", Dir: dir}, {Prefix: "/C:", Dir: dir}, {Prefix: "C:", Dir: dir}}, nil},
		{"not absolute", []files.Mount{{Prefix: "/", Dir: "files"}}, []string{
			`mount 1: "files" is not an absolute path; where it leads would depend on where the service is started`,
		}},
		{"no folder", []files.Mount{{Prefix: "/", Dir: dir + "/none"}, {Prefix: "/a", Dir: dir + "/file"}, {Prefix: "/b", Dir: dir + "/file/x"}}, []string{
			`mount 1: there is no folder "DIR/none"; make it or correct the path`, `mount 2: "DIR/file" is not a folder`,
			`mount 3: the folder "DIR/file/x" cannot be used: not a directory`,
		}},
		{"all at once", []files.Mount{{Prefix: "a", Dir: "b"}, {Prefix: "/", Dir: dir + "/none"}, {Prefix: "/c", Dir: dir}}, []string{
			`mount 1: "a" is not how a path begins; write "/", a folder such as "/data", a drive such as "C:/" or a share such as "\\server\share"`,
			`mount 1: "b" is not an absolute path; where it leads would depend on where the service is started`,
			`mount 2: there is no folder "DIR/none"; make it or correct the path`,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := files.New(tc.mounts, "")
			var got []string
			var wrong files.Mistakes
			if errors.As(err, &wrong) {
				got = strings.Split(strings.ReplaceAll(err.Error(), dir, "DIR"), "\n")
			} else if err != nil {
				t.Fatalf("%T: %v", err, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAFolderThatBecomesAnother is looked into as it is: a share that is mounted
// again, or for the first time, needs no restart.
func TestAFolderThatBecomesAnother(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mount")
	put(t, filepath.Join(dir, "a"), "the first")
	source, err := files.New([]files.Mount{{Prefix: "/", Dir: dir}}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func() error
		want string
	}{
		{"as it was", func() error { return nil }, "the first"},
		{"gone", func() error { return os.Rename(dir, dir+".old") }, "error"},
		{"empty", func() error { return os.Mkdir(dir, 0o700) }, "missing"},
		{"another", func() error { return os.WriteFile(filepath.Join(dir, "a"), []byte("the second"), 0o600) }, "the second"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got := look(t, source, "/a", rules.PhaseStop); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
}
