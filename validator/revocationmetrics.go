package validator

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RegisterRevocations registers how many revocations are known, and when the policy
// store has last confirmed that there are no others; zero is never.
func RegisterRevocations(reg prometheus.Registerer, known func() (count int, confirmed time.Time)) {
	reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_revocations",
			Help: "Revocations of grants that are known: each of a grant, a client or a user.",
		}, func() float64 {
			count, _ := known()
			return float64(count)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_revocations_confirmed_timestamp_seconds",
			Help: "When the policy store has last confirmed that no other grants are revoked; 0 for never.",
		}, func() float64 {
			_, confirmed := known()
			if confirmed.IsZero() {
				return 0
			}
			return float64(confirmed.UnixNano()) / 1e9
		}),
	)
}
