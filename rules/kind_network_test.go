package rules

import (
	"net/netip"
	"testing"
)

// from is the client's address, as the event decoder gives it.
func from(text string) func(*Event) {
	return func(e *Event) {
		addr, _ := netip.ParseAddr(text)
		e.ClientIP, e.ClientAddr = text, addr.Unmap()
	}
}

func TestNetwork(t *testing.T) {
	const office = `{"allow": ["203.0.113.0/24", "2001:db8::/32", "192.0.2.7"]}`
	judge(t, networkKind(), Env{}, []row{
		{office, session(from("203.0.113.7")), accept()},
		{office, session(from("203.0.114.7")), refuse("203.0.114.7")},
		{office, session(from("192.0.2.7")), accept()},
		{office, session(from("192.0.2.8")), refuse("192.0.2.8")},
		{office, session(from("2001:db8::1")), accept()},
		{office, session(from("2001:db9::1")), refuse("2001:db9::1")},
		{office, session(from("::ffff:203.0.113.7")), accept()},
		{office, session(from("::ffff:198.51.100.1")), refuse("::ffff:198.51.100.1")},
		{`{"deny": ["198.51.100.0/24"]}`, session(from("198.51.100.1")), refuse("198.51.100.1")},
		{`{"deny": ["198.51.100.0/24"]}`, session(from("198.51.101.1")), accept()},
		{`{"allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"]}`, session(from("10.1.2.3")), refuse("10.1.2.3")},
		{`{"allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"]}`, session(from("10.2.2.3")), accept()},
		{`{"allow": ["10.1.0.0/16"], "deny": ["10.0.0.0/8"]}`, session(from("10.1.2.3")), refuse("10.1.2.3")},
		{`{"allow": ["0.0.0.0/0"]}`, session(from("2001:db8::1")), refuse("2001:db8::1")},
		{`{"allow": ["::/0"]}`, session(from("192.0.2.1")), refuse("192.0.2.1")},
		{`{"allow": ["::ffff:192.0.2.1"]}`, session(from("192.0.2.1")), accept()},
		{`{"deny": ["fe80::/10"]}`, session(from("fe80::1%eth0")), refuse("fe80::1%eth0")},

		{office, session(from("portal.example.com")), lacks("client_ip")},
		{office, session(from("")), lacks("client_ip")},
		{`{"deny": ["::/0"]}`, session(), lacks("client_ip")},
	})
	judgeMessages(t, networkKind(), Env{}, []reads{
		{office, session(from("198.51.100.1")), "Transfers from your address, 198.51.100.1, are not allowed here. Use an approved network."},
	})
}

func TestNetworkMistakes(t *testing.T) {
	const form = " is not an address or range such as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32"
	judgeMistakes(t, networkKind(), Env{}, []slip{
		{`{"allow": ["203.0.113.7/24"]}`, []string{`/allow/0: "203.0.113.7/24" has bits set behind its length; did you mean "203.0.113.0/24" or "203.0.113.7"?`}},
		{`{"deny": ["2001:db8::1/32"]}`, []string{`/deny/0: "2001:db8::1/32" has bits set behind its length; did you mean "2001:db8::/32" or "2001:db8::1"?`}},
		{`{"deny": ["::ffff:203.0.113.0/120"]}`, []string{`/deny/0: "::ffff:203.0.113.0/120": write the IPv4 range itself, such as 203.0.113.0/24`}},
		{`{"deny": ["::ffff:10.1.0.0/112", "::ffff:0:0/95"]}`, []string{
			`/deny/0: "::ffff:10.1.0.0/112": write the IPv4 range itself, such as 10.1.0.0/16`, `/deny/1: "::ffff:0:0/95": write the IPv4 range itself, such as 203.0.113.0/24`,
		}},
		{`{"allow": ["10.0.0.0/255.0.0.0", "192.168.1.0 / 255.255.255.128", "192.168.*.*", "10.*", "10.0.0.0 /8", " 10.0.0.1/32"]}`, []string{
			`/allow/0: "10.0.0.0/255.0.0.0"` + form + `; did you mean "10.0.0.0/8"?`, `/allow/1: "192.168.1.0 / 255.255.255.128"` + form + `; did you mean "192.168.1.0/25"?`,
			`/allow/2: "192.168.*.*"` + form + `; did you mean "192.168.0.0/16"?`, `/allow/3: "10.*"` + form + `; did you mean "10.0.0.0/8"?`,
			`/allow/4: "10.0.0.0 /8"` + form + `; did you mean "10.0.0.0/8"?`, `/allow/5: " 10.0.0.1/32"` + form + `; did you mean "10.0.0.1/32"?`,
		}},
		{`{"allow": ["10.0.0.0/255.0.255.0", "*.1.2.3", "10.*.3.*", "192.0.2.1-192.0.2.9", "1.2.3.4.*", "*", "-"]}`, []string{
			`/allow/0: "10.0.0.0/255.0.255.0"` + form, `/allow/1: "*.1.2.3"` + form, `/allow/2: "10.*.3.*"` + form,
			`/allow/3: "192.0.2.1-192.0.2.9"` + form + `; write a range as its beginning and its length, as in 203.0.113.0/24`,
			`/allow/4: "1.2.3.4.*"` + form, `/allow/5: "*"` + form, `/allow/6: "-"` + form,
		}},
		{`{"allow": ["", "10.0.0.0/33", "office.example.com"], "deny": ["fe80::1%eth0", "10.0.0", "010.0.0.1"]}`, []string{
			`/allow/0: ""` + form, `/allow/1: "10.0.0.0/33"` + form, `/allow/2: "office.example.com"` + form,
			`/deny/0: "fe80::1%eth0"` + form, `/deny/1: "10.0.0"` + form, `/deny/2: "010.0.0.1"` + form,
		}},
	})
	judgeSchema(t, networkKind(), `{}`, `{"allow": []}`, `{"allow": "10.0.0.0/8"}`, `{"deny": [10]}`)
}
