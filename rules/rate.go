package rules

import "fmt"

// ParseRate returns the kilobits per second that a text such as "500 Mbps"
// stands for: a whole number and kbps, Mbps or Gbps, in any case.
func ParseRate(text string) (int64, error) {
	if text == "" {
		return 0, fmt.Errorf("%q is not a rate; write a whole number and kbps, Mbps or Gbps, such as 500 Mbps", text)
	}
	var wrong mistakes
	kbps := rateAt("", text, 0, &wrong)
	return kbps, wrong.err()
}
