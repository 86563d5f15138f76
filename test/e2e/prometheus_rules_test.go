package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// prometheusDir has the rules for Prometheus.
const prometheusDir = root + "/deploy/prometheus"

// rule is a rule of Prometheus.
type rule struct {
	Record, Alert, Expr string
	Labels              map[string]string
	Annotations         map[string]string
}

// rulesOf reads a file of rules.
func rulesOf(t *testing.T, name string) (rules []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	readYAML(t, filepath.Join(prometheusDir, name), &file)
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) == 0 {
		t.Fatalf("%s has no rules", name)
	}
	return rules
}

func readYAML(t *testing.T, name string, to any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, to); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// promtool runs promtool, which must be content.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(installed(t, "promtool", "prometheus"), args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// ruleTests are the files of rule tests.
func ruleTests(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(prometheusDir + "/tests/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("there are no tests of the rules (%v)", err)
	}
	return names
}

// TestTheRulesOfPrometheus by Prometheus' own tool: their form, and when each of
// them fires.
func TestTheRulesOfPrometheus(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "config", "--lint=all", "--lint-fatal", filepath.Join(prometheusDir, "prometheus.yaml"))
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", filepath.Join(prometheusDir, "recording.yaml"), filepath.Join(prometheusDir, "alerts.yaml"))
	promtool(t, append([]string{"test", "rules"}, ruleTests(t)...)...)
}

// TestEveryAlertIsExplained in a section of the runbook, which has no others, and
// tested: a rule test has it fire, and one has it not fire.
func TestEveryAlertIsExplained(t *testing.T) {
	t.Parallel()
	fires, rests := map[string]bool{}, map[string]bool{}
	for _, name := range ruleTests(t) {
		var file struct {
			Tests []struct {
				Alerts []struct {
					Name     string `yaml:"alertname"`
					Expected []any  `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		readYAML(t, name, &file)
		for _, one := range file.Tests {
			for _, a := range one.Alerts {
				fires[a.Name] = fires[a.Name] || len(a.Expected) > 0
				rests[a.Name] = rests[a.Name] || len(a.Expected) == 0
			}
		}
	}
	text, err := os.ReadFile(prometheusDir + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, runbook, _ := strings.Cut(string(text), "\n# When an alert fires\n")
	var sections, alerts []string
	for _, m := range regexp.MustCompile(`(?m)^## (.*)\n\n\S`).FindAllStringSubmatch(runbook, -1) {
		sections = append(sections, m[1])
	}
	for _, r := range rulesOf(t, "alerts.yaml") {
		alerts = append(alerts, r.Alert)
		if want := "deploy/prometheus/README.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s has the runbook_url %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		if s := r.Labels["severity"]; s != "page" && s != "ticket" || len(r.Labels) != 1 {
			t.Errorf("%s has the labels %v", r.Alert, r.Labels)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s says too little", r.Alert)
		}
		if !fires[r.Alert] || !rests[r.Alert] {
			t.Errorf("no rule test has %s fire (%t) and not fire (%t)", r.Alert, fires[r.Alert], rests[r.Alert])
		}
	}
	slices.Sort(sections)
	slices.Sort(alerts)
	if !slices.Equal(sections, alerts) {
		t.Errorf("the runbook has the sections\n%q, and there are the alerts\n%q", sections, alerts)
	}
}

// named are what looks like metrics of sluice, or like recorded ones.
var named = regexp.MustCompile(`\b(?:[a-z]+:)?sluice_[a-z_]+(?::[a-z_]*[0-9]+[a-z])?`)

// TestRulesAndDashboardsUseWhatThereIs: metrics that are documented, or that a rule
// records.
func TestRulesAndDashboardsUseWhatThereIs(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	for _, row := range documented(t, "Metrics") {
		there[row[0][0]] = true
	}
	asked := map[string][]string{} // by where
	for _, file := range []string{"recording.yaml", "alerts.yaml"} {
		for _, r := range rulesOf(t, file) {
			if r.Record != "" {
				there[r.Record] = true
			}
			asked[file+": "+r.Record+r.Alert] = []string{r.Expr}
		}
	}
	for file, d := range dashboards(t) {
		for _, q := range d.queries() {
			asked[file+": "+q.where] = append(asked[file+": "+q.where], q.expr)
		}
		for _, v := range d.Templating.List {
			asked[file+": the variable "+v.Name] = []string{v.Definition}
		}
	}
	histogram := regexp.MustCompile(`_(bucket|sum|count)$`)
	used := map[string]bool{}
	for where, list := range asked {
		for _, expr := range list {
			for _, name := range named.FindAllString(expr, -1) {
				base := histogram.ReplaceAllString(name, "")
				used[name], used[base] = true, true
				if !there[name] && !there[base] {
					t.Errorf("%s asks for %s, which is neither documented nor recorded", where, name)
				}
			}
		}
	}
	for name := range there {
		if strings.Contains(name, ":") && !used[name] {
			t.Errorf("no alert and no dashboard asks for %s", name)
		}
	}
}
