package deploy

import (
	"bufio"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func bufioReader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }

// fits holds against each other what objects say of one another: the API takes them
// one by one and looks at none of this.
func (c *cluster) fits(t *testing.T) {
	t.Helper()
	deployment := c.deployments[0]
	pod := deployment.Spec.Template
	container := pod.Spec.Containers[0]
	selects := func(who string, selector map[string]string) {
		if len(selector) == 0 || !labels.SelectorFromSet(selector).Matches(labels.Set(pod.Labels)) {
			t.Errorf("%s selects %v, and pods have %v", who, selector, pod.Labels)
		}
	}
	port := func(who string, want intstr.IntOrString) {
		if !slices.ContainsFunc(container.Ports, func(p corev1.ContainerPort) bool {
			return p.Name == want.StrVal || p.ContainerPort == want.IntVal
		}) {
			t.Errorf("%s names the port %s, which no container has", who, want.String())
		}
	}
	selects("the deployment", deployment.Spec.Selector.MatchLabels)
	for _, service := range c.services {
		selects("the service "+service.Name, service.Spec.Selector)
		for _, p := range service.Spec.Ports {
			port("the service "+service.Name, p.TargetPort)
		}
	}
	for _, budget := range c.budgets {
		selects("the disruption budget", budget.Spec.Selector.MatchLabels)
	}
	for _, network := range c.policies {
		selects("the network policy", network.Spec.PodSelector.MatchLabels)
		for _, rule := range network.Spec.Ingress {
			if len(rule.From) == 0 || len(rule.Ports) == 0 {
				t.Error("a rule of the network policy lets everybody in, or to every port")
			}
			for _, p := range rule.Ports {
				port("the network policy", *p.Port)
			}
		}
	}
	c.monitored(t)
	c.mounted(t, &pod.Spec, &container)
}

// monitored: Prometheus finds one service for each monitor, with its port.
func (c *cluster) monitored(t *testing.T) {
	t.Helper()
	for _, monitor := range c.monitors {
		found := 0
		selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
		if err != nil {
			t.Fatal(err)
		}
		for _, service := range c.services {
			if !selector.Matches(labels.Set(service.Labels)) {
				continue
			}
			found++
			for _, endpoint := range monitor.Spec.Endpoints {
				if !slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == endpoint.Port }) {
					t.Errorf("the monitor names the port %s, which %s does not have", endpoint.Port, service.Name)
				}
			}
		}
		if found != 1 {
			t.Errorf("the monitor selects %d services, want 1", found)
		}
	}
}

// mounted: every mount has a volume, and every map of ours is there with its keys.
func (c *cluster) mounted(t *testing.T, pod *corev1.PodSpec, container *corev1.Container) {
	t.Helper()
	for _, mount := range container.VolumeMounts {
		if !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) {
			t.Errorf("the mount %s has no volume", mount.Name)
		}
		if mount.MountPath != "/var/lib/sluice" && !mount.ReadOnly {
			t.Errorf("%s can be written", mount.MountPath)
		}
	}
	for _, volume := range pod.Volumes {
		if volume.ConfigMap == nil || volume.ConfigMap.Name == "theirs" {
			continue
		}
		i := slices.IndexFunc(c.configs, func(m *corev1.ConfigMap) bool { return m.Name == volume.ConfigMap.Name })
		if i < 0 {
			t.Errorf("there is no ConfigMap %s", volume.ConfigMap.Name)
			continue
		}
		for _, item := range volume.ConfigMap.Items {
			if _, found := c.configs[i].Data[item.Key]; !found {
				t.Errorf("the ConfigMap %s has no %s", volume.ConfigMap.Name, item.Key)
			}
		}
	}
	for who, probe := range map[string]*corev1.Probe{"startup": container.StartupProbe, "readiness": container.ReadinessProbe, "liveness": container.LivenessProbe} {
		if probe == nil || probe.Exec == nil || len(probe.Exec.Command) < 2 || probe.Exec.Command[1] != "health" {
			t.Errorf("the %s probe does not ask sluice health", who)
		}
	}
	if live := container.LivenessProbe.Exec.Command; live[len(live)-1] != "--live" {
		t.Error("the liveness probe asks whether it is ready")
	}
}

// restricted holds a pod against the strictest of the Pod Security Standards.
func restricted(t *testing.T, deployment *appsv1.Deployment) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	pod := deployment.Spec.Template
	results := evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec)
	if len(results) == 0 {
		t.Error("nothing was evaluated")
	}
	for _, result := range results {
		if !result.Allowed {
			t.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
	if context := pod.Spec.Containers[0].SecurityContext; context.ReadOnlyRootFilesystem == nil || !*context.ReadOnlyRootFilesystem {
		t.Error("the root can be written")
	}
	if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
		t.Error("the pod gets a token of the cluster")
	}
}
