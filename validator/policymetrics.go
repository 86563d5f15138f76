package validator

import (
	"github.com/prometheus/client_golang/prometheus"
)

// policyMetrics tells of the policy set in force. It asks at each scrape, so
// that it cannot tell another revision than the one that decides.
type policyMetrics struct {
	status                         func() PolicyStatus
	info, successful, loaded, size *prometheus.Desc
}

// RegisterPolicies adds the metrics of the policy set to a registry.
func RegisterPolicies(reg prometheus.Registerer, status func() PolicyStatus) {
	reg.MustRegister(&policyMetrics{
		status:     status,
		info:       prometheus.NewDesc("sluice_policy_info", "The policy set in force; always 1.", []string{"revision"}, nil),
		successful: prometheus.NewDesc("sluice_policy_last_reload_successful", "Whether the last reload of the policies succeeded.", nil, nil),
		loaded:     prometheus.NewDesc("sluice_policy_last_reload_success_timestamp_seconds", "When the policy set in force was loaded.", nil, nil),
		size:       prometheus.NewDesc("sluice_policy_rules", "Rules that can be asked, in the policy set in force.", nil, nil),
	})
}

// Describe implements prometheus.Collector.
func (m *policyMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.info
	to <- m.successful
	to <- m.loaded
	to <- m.size
}

// Collect implements prometheus.Collector.
func (m *policyMetrics) Collect(to chan<- prometheus.Metric) {
	s := m.status()
	successful := 1.0
	if s.LastError != "" {
		successful = 0
	}
	to <- prometheus.MustNewConstMetric(m.info, prometheus.GaugeValue, 1, s.Revision)
	to <- prometheus.MustNewConstMetric(m.successful, prometheus.GaugeValue, successful)
	to <- prometheus.MustNewConstMetric(m.loaded, prometheus.GaugeValue, float64(s.Loaded.UnixNano())/1e9)
	to <- prometheus.MustNewConstMetric(m.size, prometheus.GaugeValue, float64(s.RuleCount))
}
