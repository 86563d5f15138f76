package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// faultsOf returns the mistakes that an error has, without the file's name.
func faultsOf(t *testing.T, file string, err error) (list []string) {
	t.Helper()
	var faults document.Faults
	if err != nil && !errors.As(err, &faults) {
		t.Fatalf("no mistakes but %v", err)
	}
	for _, f := range faults {
		list = append(list, strings.TrimPrefix(strings.TrimPrefix(f.Error(), file+":"), " "))
	}
	return list
}

func TestMistakesInFiles(t *testing.T) {
	const begins = ` is not how a path begins; write "/", a folder such as "/data", a drive such as "C:/" or a share such as "\\server\share"`
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"nothing in it", "files: {}\n", []string{`1:8: "files" is empty; leave the key out if it says nothing`}},
		{"an unknown key", "files: {mount: []}\n", []string{`1:9: unknown key "mount"; did you mean "mounts"?`}},
		{"no mount", "files: {mounts: []}\n", []string{`1:17: "mounts" is empty; leave the key out if it says nothing`}},
		{"a mount without a folder", "files:\n  mounts:\n    - {prefix: /}\n", []string{`3:7: an element of "mounts" lacks the key "dir"`}},
		{"a mount of nothing", "files:\n  mounts:\n    - {prefix: '', dir: ''}\n", []string{`3:16: "prefix" is empty`, `3:25: "dir" is empty`}},
		{"a mount that is a path", "files: {mounts: [/srv]}\n", []string{`1:18: an element of "mounts" must be a group of keys, not a text`}},
		{"all at once", "files:\n  mounts:\n    - {dir: /srv}\n    - {prefix: data, dir: ''}\n    - {prefix: '', dir: srv}\n  read_rate: 1\n", []string{
			`3:7: an element of "mounts" lacks the key "prefix"`, `4:16: "data"` + begins, `4:27: "dir" is empty`, `5:16: "prefix" is empty`,
			`5:25: "srv" is not an absolute path; where it leads would depend on where the service is started`,
			`6:14: "1" is not from 1 MiB to 1 TB; it is for a second and for all looks together`,
		}},
		{"a prefix that is no path's", "files:\n  mounts:\n    - {prefix: data, dir: /srv}\n", []string{`3:16: "data"` + begins}},
		{"a bucket", "files:\n  mounts:\n    - prefix: s3://KEY:SECRET@b\n      dir: /srv\n", []string{
			`3:15: "s3://***@b" is object storage, which cannot be looked into; a prefix is of paths`,
		}},
		{"a prefix that leads up", "files:\n  mounts:\n    - {prefix: /a/.., dir: /srv}\n", []string{`3:16: "/a/.." has "..", and where that leads is not known; write the path without`}},
		{"a prefix twice", "files:\n  mounts:\n    - {prefix: C:/a, dir: /srv}\n    - {prefix: 'c:\\A', dir: /srv}\n", []string{
			`4:16: "c:\\A" is the prefix of mount 1 already; a prefix has one folder`,
		}},
		{"a folder that is not absolute", "files:\n  mounts:\n    - {prefix: /, dir: srv}\n", []string{
			`3:24: "srv" is not an absolute path; where it leads would depend on where the service is started`,
		}},
		{"no rate", "files: {read_rate: fast}\n", []string{
			`1:20: "fast" is not a size; write a number and a unit of B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 500 GiB`,
		}},
		{"a rate with its second", "files: {read_rate: 200 MB/s}\n", []string{`1:20: "200 MB/s": write only the size, such as "200 MB"; it is for a second`}},
		{"a rate too low", "files: {read_rate: 1048575}\n", []string{`1:20: "1048575" is not from 1 MiB to 1 TB; it is for a second and for all looks together`}},
		{"a rate too high", "files: {read_rate: 1.1 TB}\n", []string{`1:20: "1.1 TB" is not from 1 MiB to 1 TB; it is for a second and for all looks together`}},
		{"nobody to look", "files: {heads: {workers: 0}, wholes: {workers: -1, waiting: -1}}\n", []string{
			`1:26: "workers": must be greater than or equal to 1`, `1:48: "workers": must be greater than or equal to 1`,
			`1:61: "waiting": must be greater than or equal to 0`,
		}},
		{"a number as nobody writes it", "files: {heads: {waiting: 1.0e+1}}\n", []string{`1:26: "1.0e+1" is not written as a whole number`}},
		{"no time", "files: {deadline: 25}\n", []string{`1:19: "deadline" must be a text, not a whole number; write it in quotes: "25"`}},
		{"no time at all", "files: {deadline: 0s}\n", []string{`1:19: "0s" is not a time such as 500ms, 30s or 2m, from 1ms to 24h`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := written(t, "sluice.yaml", tc.text)
			_, err := readConfig(file)
			if diff := cmp.Diff(tc.want, faultsOf(t, file, err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFoldersAreLookedForWhereTheServiceRuns, and not where the file is read to
// test policies.
func TestFoldersAreLookedForWhereTheServiceRuns(t *testing.T) {
	dir := t.TempDir()
	text := fmt.Sprintf("files:\n  mounts:\n    - {prefix: /, dir: %s}\n    - {prefix: /a, dir: %s/none}\n    - {prefix: /b, dir: %s}\n", dir, dir, "FILE")
	file := written(t, "sluice.yaml", "")
	if err := os.WriteFile(file, []byte(strings.Replace(text, "FILE", file, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.content(time.Now)
	want := []string{
		fmt.Sprintf("4:25: there is no folder %q; make it or correct the path", dir+"/none"), fmt.Sprintf("5:25: %q is not a folder", file),
	}
	if diff := cmp.Diff(want, faultsOf(t, file, err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatRulesGet is as the file says.
func TestWhatRulesGet(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.part"), []byte("arrived"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readConfig(written(t, "sluice.yaml", "partial_suffix: .part\nfiles:\n  mounts: [{prefix: /in, dir: "+dir+"}]\n  heads: {workers: 1, waiting: 0}\n  deadline: 7s\n"))
	if err != nil {
		t.Fatal(err)
	}
	env, err := c.content(func() time.Time { return time.Unix(1, 0) })
	if err != nil {
		t.Fatal(err)
	}
	if env.Deadline != 7*time.Second || env.Now() != time.Unix(1, 0) || env.Throttle != nil {
		t.Errorf("%+v", env)
	}
	file, err := env.Files.Open(t.Context(), &rules.Event{File: rules.ParsePath("/in/a"), Phase: rules.PhaseStop})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if text, err := io.ReadAll(io.NewSectionReader(file, 0, 99)); string(text) != "arrived" || err != nil {
		t.Errorf("%s, %v", text, err)
	}
	leave, err := env.Heads.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	if _, err := env.Heads.Enter(t.Context()); !errors.Is(err, rules.ErrBusy) {
		t.Errorf("a second look at a head: %v", err)
	}
	if leave, err := env.Wholes.Enter(t.Context()); err != nil {
		t.Errorf("a look at a whole file: %v", err)
	} else {
		leave()
	}
}

// TestWithoutMountsNoFileIsReached.
func TestWithoutMountsNoFileIsReached(t *testing.T) {
	c := defaultConfig()
	env, err := c.content(time.Now)
	if err != nil || env.Files != nil || env.Heads == nil || env.Wholes == nil || env.Deadline != 25*time.Second {
		t.Errorf("%+v, %v", env, err)
	}
}

// TestTheReadRate: what is at hand is read at once, and who cannot be served in
// time is out of time.
func TestTheReadRate(t *testing.T) {
	if throttle(0) != nil {
		t.Error("no rate is a limit")
	}
	wait := throttle(leastRate)
	if err := wait(t.Context(), leastBurst); err != nil {
		t.Errorf("the first piece: %v", err)
	}
	err := error(nil)
	for err == nil { // A piece takes a quarter of a second.
		soon, cancel := context.WithTimeout(t.Context(), time.Second/5)
		err = wait(soon, leastBurst)
		cancel()
	}
	if found := rules.FoundNothing(err, 0, 1); found.Coverage.State != rules.TimedOut {
		t.Errorf("what takes longer than there is time is %s: %v", found.Coverage.State, err)
	}
	late := errors.New("too late")
	over, stop := context.WithCancelCause(t.Context())
	stop(late)
	if err := wait(over, 1); !errors.Is(err, late) {
		t.Errorf("out of time: %v", err)
	}
}

// TestMoreThanTheBurstIsRead in pieces.
func TestMoreThanTheBurstIsRead(t *testing.T) {
	if err := throttle(mostRate)(t.Context(), mostBurst+1); err != nil {
		t.Error(err)
	}
}

// TestEveryReasonIsDocumented for which a file is not looked into, and every key.
func TestEveryReasonIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../deploy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Looking into files\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")
	keys, reasons, _ := strings.Cut(section, "\n| reason |")
	named := func(text string) (names []string) {
		for _, row := range rows.FindAllStringSubmatch(text, -1) {
			names = append(names, row[1])
		}
		return names
	}
	if diff := cmp.Diff(rules.UninspectableReasons(), named(reasons)); diff != "" {
		t.Errorf("reasons (-wanted +documented):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"mounts", "prefix", "dir", "read_rate", "heads", "wholes", "deadline"}, named(keys)); diff != "" {
		t.Errorf("keys (-wanted +documented):\n%s", diff)
	}
}

// TestTheExampleOfTheGuideIsRead as a configuration.
func TestTheExampleOfTheGuideIsRead(t *testing.T) {
	text, err := os.ReadFile("../../deploy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Looking into files\n")
	_, example, found := strings.Cut(section, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	c, err := readConfig(written(t, "sluice.yaml", example))
	if !found || err != nil || len(c.files.mounts) != 2 || c.files.readRate != 200_000_000 {
		t.Errorf("%v, %+v", err, c.files)
	}
}
