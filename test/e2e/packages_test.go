package e2e

import (
	"bufio"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// releases are made once for all tests: of this checkout, of a copy in another
// folder, and of a later version whose configuration is another.
var releases = sync.OnceValues(func() (made struct{ first, again, later string }, err error) {
	dir := filepath.Join(filepath.Dir(binary), "releases")
	made.first, made.again, made.later = filepath.Join(dir, "first"), filepath.Join(dir, "again"), filepath.Join(dir, "later")
	elsewhere := filepath.Join(dir, "a checkout elsewhere")
	if err := copyTree(elsewhere); err != nil {
		return made, err
	}
	if err := release(root, made.first, "1.0.0"); err != nil {
		return made, err
	}
	if err := release(elsewhere, made.again, "1.0.0"); err != nil {
		return made, err
	}
	name := filepath.Join(elsewhere, "deploy/package/sluice.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		return made, err
	}
	if err := os.WriteFile(name, append(text, "# Said by the later version.\n"...), 0o644); err != nil {
		return made, err
	}
	return made, release(elsewhere, made.later, "1.1.0")
})

// copyTree copies what a release is made of.
func copyTree(to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	from, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	script := `tar -C "$1" --exclude=./.git --exclude=./bin --exclude=./test -cf - . | tar -C "$2" -xf -`
	if out, err := exec.Command("bash", "-euo", "pipefail", "-c", script, "bash", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copying the checkout: %w\n%s", err, out)
	}
	return nil
}

// release makes a release for the processor of this machine.
func release(checkout, to, version string) error {
	to, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(checkout, "deploy/package/release"), to)
	cmd.Env = append(os.Environ(), "ARCHES="+runtime.GOARCH, "VERSION=v"+version, "PACKAGE_VERSION="+version, "SOURCE_DATE_EPOCH=1700000000")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making a release: %w\n%s", err, out)
	}
	return nil
}

// one returns the only file of a folder that a pattern matches.
func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) != 1 {
		t.Fatalf("%s matches %q (%v), want one file", pattern, names, err)
	}
	return names[0]
}

// TestAReleaseIsTheSameBytesTwice, wherever the checkout is, and has everything.
func TestAReleaseIsTheSameBytesTwice(t *testing.T) {
	t.Parallel()
	made, err := releases()
	if err != nil {
		t.Fatal(err)
	}
	read := func(dir string) map[string]string {
		text, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		check := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
		check.Dir = dir
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		sums := map[string]string{}
		for line := range strings.Lines(string(text)) {
			sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
			sums[regexp.MustCompile(`amd64|x86_64|arm64|aarch64`).ReplaceAllString(name, "ARCH")] = sum
		}
		return sums
	}
	first := read(made.first)
	if diff := cmp.Diff(first, read(made.again)); diff != "" {
		t.Errorf("(-here +elsewhere)\n%s", diff)
	}
	want := []string{"sluice-1.0.0-1.ARCH.rpm", "sluice-1.0.0-linux-ARCH.cdx.json", "sluice-1.0.0-linux-ARCH.tar.gz", "sluice-chart-1.0.0.tgz", "sluice_1.0.0-1_ARCH.deb"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(first))); diff != "" {
		t.Errorf("(-want +released)\n%s", diff)
	}
}

// unpacked returns the folder in an archive of the first release.
func unpacked(t *testing.T) string {
	t.Helper()
	made, err := releases()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if out, err := exec.Command("tar", "-C", dir, "-xzf", one(t, made.first, "*.tar.gz")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return one(t, dir, "*")
}

// TestTheBinaryThatIsReleased needs no library, and the bill of materials has every
// module that is in it.
func TestTheBinaryThatIsReleased(t *testing.T) {
	t.Parallel()
	dir := unpacked(t)
	program := filepath.Join(dir, "sluice")
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	libraries, err := file.ImportedLibraries()
	if err != nil || len(libraries) > 0 || slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Errorf("it wants %q of the machine (%v)", libraries, err)
	}
	if out, err := exec.Command(program, "version").Output(); err != nil || !strings.HasPrefix(string(out), "sluice v1.0.0 ") {
		t.Errorf("it says %q (%v)", out, err)
	}
	made, _ := releases()
	var bill struct {
		Components []struct{ Name, Version string }
	}
	text, err := os.ReadFile(one(t, made.first, "*.cdx.json"))
	if err == nil {
		err = json.Unmarshal(text, &bill)
	}
	info, infoErr := buildinfo.ReadFile(program)
	if err != nil || infoErr != nil || len(info.Deps) < 20 {
		t.Fatal(err, infoErr)
	}
	for _, module := range info.Deps {
		if !slices.ContainsFunc(bill.Components, func(c struct{ Name, Version string }) bool {
			return c.Name == module.Path && c.Version == module.Version
		}) {
			t.Errorf("the bill of materials does not have %s %s", module.Path, module.Version)
		}
	}
}

// machine is a copy of this machine that forgets at the end what was done to it: its
// files are those of this one under a layer in memory. Everything else is shared.
type machine struct{ root, namespace string }

func newMachine(t *testing.T) *machine {
	t.Helper()
	dir := short(t)
	script := `mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/run"
mount -t tmpfs tmpfs "$1/root/tmp"
echo ready
cat >/dev/null`
	holder := exec.Command("unshare", "--mount", "--propagation", "private", "bash", "-euc", script, "bash", dir)
	stdin, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	holder.Stderr = &said
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = holder.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("a copy of this machine in memory cannot be made (%v); it takes root\n%s", err, said.String())
	}
	return &machine{filepath.Join(dir, "root"), "--mount=/proc/" + strconv.Itoa(holder.Process.Pid) + "/ns/mnt"}
}

// command is one that runs there; user is nothing for root.
func (m *machine) command(user string, words ...string) []string {
	inside := []string{"nsenter", m.namespace, "chroot"}
	if user != "" {
		inside = append(inside, "--userspec="+user)
	}
	return append(append(inside, m.root), words...)
}

// does runs a command of a shell there, and returns what it writes.
func (m *machine) does(t *testing.T, script string) string {
	t.Helper()
	words := m.command("", "bash", "-euo", "pipefail", "-c", script)
	out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	return string(out)
}

// brings copies a file there, into /tmp.
func (m *machine) brings(t *testing.T, name string) string {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	inside := "/tmp/" + filepath.Base(name)
	words := m.command("", "dd", "of="+inside, "status=none")
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdin = file
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return inside
}

// setting returns what the unit file of the service says.
func (m *machine) setting(t *testing.T, unit, key string) string {
	t.Helper()
	for line := range strings.Lines(m.does(t, "cat /usr/lib/systemd/system/"+unit)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), key+"="); found {
			return value
		}
	}
	t.Fatalf("%s says nothing of %s", unit, key)
	return ""
}

// serves starts the service as its unit would: by its user, in its folder, with the
// socket.
func (m *machine) serves(t *testing.T, socket net.Listener) *server {
	t.Helper()
	user := m.setting(t, "sluice.service", "User") + ":" + m.setting(t, "sluice.service", "Group")
	program := strings.Fields(m.setting(t, "sluice.service", "ExecStart"))
	words := m.command(user, append([]string{"env", "-C", m.setting(t, "sluice.service", "WorkingDirectory")}, program...)...)
	s := &server{log: &book{}, ended: make(chan struct{})}
	s.cmd = asUnit(t, words, map[string]net.Listener{m.setting(t, "sluice.socket", "FileDescriptorName"): socket})
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	return s
}

// packager is how a sort of package is handled.
type packager struct {
	pattern                         string
	install, upgrade, remove, purge string
	kept                            string // What a newer configuration is called beside a changed one.
	left                            string // What a changed one is called after removal.
}

// TestPackages: each is installed, started as its unit would be, upgraded beside a
// changed configuration, and removed.
func TestPackages(t *testing.T) {
	t.Parallel()
	made, err := releases()
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]packager{
		"deb": {
			"*.deb", "dpkg -i %s", "dpkg --force-confdef --force-confold -i %s </dev/null", "dpkg -r sluice", "dpkg -P sluice",
			"/etc/sluice/sluice.yaml.dpkg-dist", "/etc/sluice/sluice.yaml",
		},
		"rpm": {
			"*.rpm", "rpm --nodeps --force-debian -i %s", "rpm --nodeps --force-debian -U %s", "rpm --nodeps --force-debian -e sluice", "true",
			"/etc/sluice/sluice.yaml.rpmnew", "/etc/sluice/sluice.yaml.rpmsave",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.goesThroughItsLife(t, newMachine(t), one(t, made.first, p.pattern), one(t, made.later, p.pattern))
		})
	}
}

func (p *packager) goesThroughItsLife(t *testing.T, m *machine, first, later string) {
	t.Helper()
	out := m.does(t, fmt.Sprintf(p.install, m.brings(t, first)))
	if !strings.Contains(out, "systemctl enable --now sluice.socket sluice.service") {
		t.Errorf("it does not say what to do next:\n%s", out)
	}
	p.installed(t, m)

	// The administrator changes the configuration and a policy.
	admin := freeAddress(t)
	m.does(t, `sed -i 's/^admin: .*/admin: `+admin+`/' /etc/sluice/sluice.yaml; echo '# ours' >> /etc/sluice/policies/20-uploads.yaml; echo partner-9 >> /etc/sluice/policies/lists/on-hold.txt`)
	socket := openSocket(t)
	s := m.serves(t, socket)
	if status, body := s.ready(t); status != http.StatusOK || s.admin != admin || s.service != socket.Addr().String() {
		t.Errorf("it listens on %s and %s, and says %d %s", s.service, s.admin, status, body)
	}
	m.does(t, `sluice health --admin `+admin)
	event := `{"startstop":"start","file":"/ingest/%[1]s/aurora/film.mov","file_name":"film.mov","size":1000,"user":"%[1]s","direction":"recv","cipher":"aes-256","xfer_id":"x","tags":{"project":"aurora","contact":"ann@example.com"}}`
	first9 := posted(t, s, fmt.Sprintf(event, "partner-9"))
	if !strings.Contains(first9, "on hold") {
		t.Errorf("a partner on hold gets %s", first9)
	}

	out = m.does(t, fmt.Sprintf(p.upgrade, m.brings(t, later)))
	if got := m.does(t, `sluice version; grep -c ^admin:.`+admin+` /etc/sluice/sluice.yaml; tail -1 /etc/sluice/policies/20-uploads.yaml; tail -1 `+p.kept); !strings.HasPrefix(got, "sluice v1.1.0 ") || !strings.HasSuffix(got, "\n1\n# ours\n# Said by the later version.\n") {
		t.Errorf("after the upgrade it says %q\n%s", got, out)
	}
	if status, err := s.stop(); err != nil || status != 0 {
		t.Errorf("the old version ends with %d (%v)\n%s", status, err, s.log.tail())
	}
	s = m.serves(t, socket)
	if again := posted(t, s, fmt.Sprintf(event, "partner-9")); again != first9 {
		t.Errorf("after the upgrade the answer is %s, and it was %s", again, first9)
	}
	if status, err := s.stop(); err != nil || status != 0 {
		t.Errorf("the new version ends with %d (%v)", status, err)
	}
	if got := m.does(t, `sluice log verify --config /etc/sluice/sluice.yaml`); !strings.Contains(got, "2 decisions") && !strings.Contains(got, "whole") {
		t.Errorf("of the log of both versions it says %s", got)
	}

	m.does(t, p.remove)
	m.does(t, `test ! -e /usr/bin/sluice; test ! -e /usr/lib/systemd/system/sluice.service; grep -q ^admin:.`+admin+` `+p.left+`; ls /var/lib/sluice/log`)
	m.does(t, p.purge)
	m.does(t, `test ! -e /etc/sluice/sluice.yaml; ls /var/lib/sluice/log; getent passwd sluice`)
}

// installed holds what is there against what belongs there.
func (p *packager) installed(t *testing.T, m *machine) {
	t.Helper()
	got := m.does(t, `stat -c '%A %U:%G %n' /usr/bin/sluice /etc/sluice /etc/sluice/sluice.yaml /etc/sluice/policies /etc/sluice/policies/10-hygiene.yaml /etc/sluice/policies/lists /etc/sluice/policies/lists/on-hold.txt /var/lib/sluice /usr/lib/systemd/system/sluice.service /usr/lib/systemd/system/sluice.socket`)
	want := `-rwxr-xr-x root:root /usr/bin/sluice
drwxr-x--- root:sluice /etc/sluice
-rw-r----- root:sluice /etc/sluice/sluice.yaml
drwxr-x--- root:sluice /etc/sluice/policies
-rw-r----- root:sluice /etc/sluice/policies/10-hygiene.yaml
drwxr-x--- root:sluice /etc/sluice/policies/lists
-rw-r----- root:sluice /etc/sluice/policies/lists/on-hold.txt
drwx------ sluice:sluice /var/lib/sluice
-rw-r--r-- root:root /usr/lib/systemd/system/sluice.service
-rw-r--r-- root:root /usr/lib/systemd/system/sluice.socket
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +installed)\n%s", diff)
	}
	if got := m.does(t, `getent passwd sluice`); !strings.HasSuffix(got, ":/var/lib/sluice:/usr/sbin/nologin\n") {
		t.Errorf("its user is %s", got)
	}
	if got := m.does(t, `systemd-analyze verify /usr/lib/systemd/system/sluice.service /usr/lib/systemd/system/sluice.socket 2>&1 | grep -i sluice || true`); got != "" {
		t.Errorf("systemd says of the units: %s", got)
	}
	m.does(t, `sluice test --require-coverage /etc/sluice/policies`)
	m.does(t, `test -s /usr/share/bash-completion/completions/sluice; test -s /usr/share/fish/vendor_completions.d/sluice.fish; test -s /usr/lib/sysusers.d/sluice.conf; ls /usr/share/zsh/*/_sluice`)
}

// posted returns the status and the answer to an event.
func posted(t *testing.T, s *server, event string) string {
	t.Helper()
	response, err := http.Post("http://"+s.service+"/validation/files", "application/json", strings.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(response.StatusCode, " ", string(text))
}
