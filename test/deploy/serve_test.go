package deploy

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheServiceStartsWithWhatTheChartMakes: files are laid out as the kubelet lays
// them out, the probes of the container answer, and an event is decided.
func TestTheServiceStartsWithWhatTheChartMakes(t *testing.T) {
	program := built(t)
	documents, err := render(t, "sluice", `{config: {shutdown: {delay: 0s}}, policies: {lists/denied.txt: "bad\n", 10-names.yaml: "version: 1\npolicy: names\nrules:\n  - name: denied\n    expression: \"!event.user.inList('lists/denied.txt')\"\n    message: denied\n"}}`)
	if err != nil {
		t.Fatal(err)
	}
	all, root := decode(t, documents), t.TempDir()
	pod := all.deployments[0].Spec.Template.Spec
	configs := map[string]map[string]string{}
	for _, config := range all.configs {
		configs[config.Name] = config.Data
	}
	settings := ""
	for _, volume := range pod.Volumes {
		switch {
		case volume.Name == "config":
			settings = configs[volume.ConfigMap.Name]["sluice.yaml"]
		case volume.Name == "policies":
			for _, item := range volume.ConfigMap.Items {
				projected(t, filepath.Join(root, "policies"), item.Path, configs[volume.ConfigMap.Name][item.Key])
			}
		}
	}
	events, admin := free(t), free(t)
	settings = strings.NewReplacer("0.0.0.0:8080", events, "0.0.0.0:9080", admin, "/etc/sluice/policies", filepath.Join(root, "policies"), "/var/lib/sluice", filepath.Join(root, "state")).Replace(settings)
	name := filepath.Join(root, "sluice.yaml")
	if err := os.WriteFile(name, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	container := pod.Containers[0]
	server := exec.Command(program, append(container.Args[:1:1], "--config", name)...)
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Signal(os.Interrupt)
		if err := server.Wait(); err != nil {
			t.Errorf("it ends with %v", err)
		}
	}()
	for _, probe := range [][]string{container.StartupProbe.Exec.Command, container.ReadinessProbe.Exec.Command, container.LivenessProbe.Exec.Command} {
		asks(t, program, append(probe[1:len(probe):len(probe)], "--admin", admin))
	}
	for user, want := range map[string]int{"good": http.StatusOK, "bad": http.StatusBadRequest} {
		response, err := http.Post("http://"+events+"/validation/files", "application/json", strings.NewReader(`{"startstop":"start","file":"/a/b.mov","file_name":"b.mov","size":1,"user":"`+user+`","direction":"recv"}`))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("of %s it says %d %s, want %d", user, response.StatusCode, text, want)
		}
	}
}

// projected writes a file of a volume as the kubelet does: a folder of one moment,
// a link to it, and links through that.
func projected(t *testing.T, volume, name, text string) {
	t.Helper()
	first, _, _ := strings.Cut(name, "/")
	file := filepath.Join(volume, "..2026_01_01_00_00_00.1", name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"..data": "..2026_01_01_00_00_00.1", first: filepath.Join("..data", first)} {
		if err := os.Symlink(to, filepath.Join(volume, link)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
}

// asks runs a probe until it is content.
func asks(t *testing.T, program string, probe []string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		out, err := exec.Command(program, probe...).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v: %v\n%s", probe, err, out)
		}
	}
}

func built(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sluice")
	build := exec.Command("go", "build", "-o", program, "./cmd/sluice")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
