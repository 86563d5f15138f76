// Package deploy tests the Helm chart and the manifests for Kubernetes with the
// templates' own engine and the API's own types. It is a module of its own, so that
// they add nothing to what sluice is built of.
package deploy

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigs "sigs.k8s.io/yaml"
)

const (
	chart     = "../../deploy/helm/sluice"
	manifests = "../../deploy/kubernetes"
)

var update = flag.Bool("update", false, "write deploy/kubernetes anew")

// cases are what the chart is rendered with, in YAML.
var cases = map[string]string{
	"as it is": ``,
	"everything switched on": `
replicas: 5
image: {repository: registry.example.com/sluice, tag: 1.2.3, pullPolicy: Always}
imagePullSecrets: [{name: registry}]
policies: {10-a.yaml: "version: 1\npolicy: a\nrules: [{name: r, filename: {forbid: [control]}}]\n", lists/known-bad.sha256: "a\n"}
secretName: keys
extraVolumes: [{name: docroot, persistentVolumeClaim: {claimName: aspera, readOnly: true}}]
extraVolumeMounts: [{name: docroot, mountPath: /srv/aspera, readOnly: true}]
service: {type: LoadBalancer, port: 80, annotations: {a: b}}
admin: {tokenKey: admin.token}
serviceMonitor: {enabled: true, interval: 15s, labels: {release: prometheus}}
disruptionBudget: {enabled: true, maxUnavailable: "50%"}
podAnnotations: {a: b}
nodeSelector: {disk: fast}
tolerations: [{key: a, operator: Exists}]
priorityClassName: high
`,
	"nobody is let in":          `networkPolicy: {enabled: true, events: [], metrics: []}`,
	"everything switched off":   `{networkPolicy: {enabled: false}, disruptionBudget: {enabled: false}, config: {journal: null}}`,
	"policies from elsewhere":   `existingPolicies: theirs`,
	"a release of another name": `serviceMonitor: {enabled: true}`,
}

// render returns the documents of each template that has some.
func render(t *testing.T, release, values string) (map[string]string, error) {
	t.Helper()
	loaded, err := loader.Load(chart)
	if err != nil {
		t.Fatal(err)
	}
	given, err := common.ReadValues([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := util.ToRenderValues(loaded, given, common.ReleaseOptions{Name: release, Namespace: "aspera", Revision: 1, IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Render(loaded, whole)
	if err != nil {
		return nil, err
	}
	documents := map[string]string{}
	for name, text := range rendered {
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(text) != "" {
			documents[path.Base(name)] = strings.TrimSpace(text) + "\n"
		}
	}
	return documents, nil
}

// cluster are the objects of all documents.
type cluster struct {
	deployments []*appsv1.Deployment
	services    []*corev1.Service
	configs     []*corev1.ConfigMap
	policies    []*networkingv1.NetworkPolicy
	budgets     []*policyv1.PodDisruptionBudget
	monitors    []*monitoringv1.ServiceMonitor
}

// decode reads documents strictly: a key that the API does not have, and one that is
// there twice, are errors.
func decode(t *testing.T, documents map[string]string) (all cluster) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		reader := yaml.NewYAMLReader(bufioReader(documents[name]))
		for {
			text, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			var kind metav1.TypeMeta
			if err == nil {
				err = sigs.Unmarshal(text, &kind)
			}
			if err == nil {
				err = all.add(kind, text)
			}
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, text)
			}
		}
	}
	return all
}

func (c *cluster) add(kind metav1.TypeMeta, text []byte) error {
	switch kind.APIVersion + " " + kind.Kind {
	case "apps/v1 Deployment":
		return appended(&c.deployments, text)
	case "v1 Service":
		return appended(&c.services, text)
	case "v1 ConfigMap":
		return appended(&c.configs, text)
	case "networking.k8s.io/v1 NetworkPolicy":
		return appended(&c.policies, text)
	case "policy/v1 PodDisruptionBudget":
		return appended(&c.budgets, text)
	case "monitoring.coreos.com/v1 ServiceMonitor":
		return appended(&c.monitors, text)
	}
	return fmt.Errorf("nobody knows %s %s", kind.APIVersion, kind.Kind)
}

func appended[T any](list *[]*T, text []byte) error {
	object := new(T)
	*list = append(*list, object)
	return sigs.UnmarshalStrict(text, object)
}

func TestTheChartIsSound(t *testing.T) {
	result := lint.RunAll(chart, nil, "aspera")
	for _, message := range result.Messages {
		if message.Severity > support.InfoSev {
			t.Error(message)
		}
	}
}

// TestWhatTheChartMakes is known to the API key by key, fits together, and may run
// where only restricted pods may.
func TestWhatTheChartMakes(t *testing.T) {
	for name, values := range cases {
		t.Run(name, func(t *testing.T) {
			release := "sluice"
			if strings.Contains(name, "another name") {
				release = "ingest"
			}
			documents, err := render(t, release, values)
			if err != nil {
				t.Fatal(err)
			}
			all := decode(t, documents)
			if len(all.deployments) != 1 || len(all.services) != 2 {
				t.Fatalf("%d deployments and %d services", len(all.deployments), len(all.services))
			}
			all.fits(t)
			restricted(t, all.deployments[0])
		})
	}
}

// TestValuesThatAreRefused, each with a part of what is said.
func TestValuesThatAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		`replica: 3`:                            "replica",
		`replicas: 0`:                           "/replicas",
		`image: {repository: ""}`:               "/image/repository",
		`config: {listen: ":80"}`:               "/config",
		`policies: {"../a.yaml": a}`:            "/policies",
		`policies: {a__b.yaml: a}`:              "/policies",
		`policies: {a.yaml: 1}`:                 "/policies/a.yaml",
		`disruptionBudget: {maxUnavailable: 0}`: "/disruptionBudget/maxUnavailable",
		`{admin: {tokenKey: a}, serviceMonitor: {enabled: true}}`: "secretName, which is not set",
	} {
		if _, err := render(t, "sluice", values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", values, err, want)
		}
	}
}

// TestEveryValueIsDescribed: the schema knows each key of values.yaml, and the other
// way round.
func TestEveryValueIsDescribed(t *testing.T) {
	var schema struct {
		Properties map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"properties"`
	}
	text, err := os.ReadFile(filepath.Join(chart, "values.schema.json"))
	if err == nil {
		err = sigs.Unmarshal(text, &schema)
	}
	values, readErr := common.ReadValuesFile(filepath.Join(chart, "values.yaml"))
	if err := errors.Join(err, readErr); err != nil {
		t.Fatal(err)
	}
	delete(schema.Properties, "global") // Helm's own.
	if diff := cmp.Diff(slices.Sorted(maps.Keys(schema.Properties)), slices.Sorted(maps.Keys(values))); diff != "" {
		t.Errorf("(-schema +values)\n%s", diff)
	}
	for key, member := range schema.Properties {
		if members, isObject := values[key].(map[string]any); isObject && len(member.Properties) > 0 {
			if diff := cmp.Diff(slices.Sorted(maps.Keys(member.Properties)), slices.Sorted(maps.Keys(members))); diff != "" {
				t.Errorf("%s (-schema +values)\n%s", key, diff)
			}
		}
	}
}

// TestTheManifestsAreWhatTheChartMakes, without what only Helm has to know. To write
// them anew: go test -run Manifests -update.
func TestTheManifestsAreWhatTheChartMakes(t *testing.T) {
	want, err := render(t, "sluice", `{serviceMonitor: {enabled: true}, image: {tag: latest}}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range want {
		text = strings.ReplaceAll(text, "\n    app.kubernetes.io/managed-by: Helm", "")
		text = strings.ReplaceAll(text, "\n    app.kubernetes.io/version: \"latest\"", "")
		want[name] = text
	}
	if *update {
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(manifests, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := map[string]string{}
	names, err := filepath.Glob(filepath.Join(manifests, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(name)] = string(text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-chart +deploy/kubernetes)\n%s", diff)
	}
	all := decode(t, got)
	all.fits(t)
	if len(all.monitors) != 1 || len(all.budgets) != 1 || len(all.policies) != 1 {
		t.Errorf("%d monitors, %d budgets and %d network policies", len(all.monitors), len(all.budgets), len(all.policies))
	}
	if bytes.Contains([]byte(got["deployment.yaml"]), []byte("Helm")) {
		t.Error("the manifests speak of Helm")
	}
}
