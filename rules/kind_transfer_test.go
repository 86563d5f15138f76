package rules

import "testing"

func cipher(name string) *Event { return session(func(e *Event) { e.Cipher = name }) }

func rate(kbps int64) func(*Event) { return func(e *Event) { e.TargetRateKbps = Known(kbps) } }

func TestTransfer(t *testing.T) {
	policy := func(name string) *Event { return session(func(e *Event) { e.RatePolicy = name }) }
	const aes256, gcm, fair = `{"cipher": ["aes-256"]}`, `{"cipher": ["aes-256-gcm"]}`, `{"rate_policy": ["fair", "low"]}`
	judge(t, transferKind(), Env{}, []row{
		// A cipher without a mode stands for all its modes, in any spelling.
		{aes256, cipher("aes-256"), accept()},
		{aes256, cipher("AES256"), accept()},
		{aes256, cipher("aes_256"), accept()},
		{aes256, cipher("aes-256-gcm"), accept()},
		{aes256, cipher("AES-256-CFB"), accept()},
		{aes256, cipher("aes256ctr"), accept()},
		{aes256, cipher("aes-128"), refuse("aes-128")},
		{aes256, cipher("AES128"), refuse("AES128")},
		{aes256, cipher("none"), refuse("none")},
		{aes256, cipher("aes-256-xyz"), refuse("aes-256-xyz")},
		{aes256, cipher("aes-2560"), refuse("aes-2560")},
		{aes256, cipher("a cipher whose name is longer than any there is"), refuse("a cipher whose name is longer than any there is")},
		{`{"cipher": ["aes-128"]}`, cipher("AES128"), accept()},
		{`{"cipher": ["aes-128", "aes-192", "aes-256"]}`, cipher("aes-192-cfb"), accept()},
		{gcm, cipher("aes-256-gcm"), accept()},
		{gcm, cipher("AES256GCM"), accept()},
		{gcm, cipher("aes-256"), refuse("aes-256")},
		{gcm, cipher("aes-256-cfb"), refuse("aes-256-cfb")},
		// The policy may spell them as servers do.
		{`{"cipher": ["AES128"]}`, cipher("aes-128-cfb"), accept()},
		{`{"cipher": ["AES-128", "aes_192", "aes256-gcm", "Aes_256_Cfb"]}`, cipher("aes-256-gcm"), accept()},
		{`{"cipher": ["AES-256-GCM"]}`, cipher("aes-256-gcm"), accept()},
		{`{"cipher": ["AES-256-GCM"]}`, cipher("aes-256"), refuse("aes-256")},
		{`{"cipher": ["None"]}`, cipher("none"), accept()},
		{`{"rate_policy": ["Fair", "LOW"]}`, policy("fair"), accept()},
		{`{"rate_policy": ["Fair", "LOW"]}`, policy("high"), refuse("high")},
		{`{"target_rate": {"max": "100mbps"}}`, session(rate(100_000)), accept()},
		{`{"cipher": ["none"]}`, cipher("none"), accept()},
		{`{"cipher": ["none"]}`, cipher("NONE"), accept()},
		{`{"cipher": ["none"]}`, cipher("aes-128"), refuse("aes-128")},
		{aes256, cipher(""), lacks("cipher")},

		{fair, policy("fair"), accept()},
		{fair, policy("low"), accept()},
		{fair, policy("fixed"), refuse("fixed")},
		{fair, policy(""), lacks("rate_policy")},

		{`{"target_rate": {"max": "1 Gbps"}}`, session(rate(1_000_000)), accept()},
		{`{"target_rate": {"max": "1 Gbps"}}`, session(rate(1_000_001)), refuse("1000001 kbps")},
		{`{"target_rate": {"max": "1 Gbps"}}`, session(rate(2_000_000)), refuse("2 Gbps")},
		{`{"target_rate": {"min": "1 Mbps"}}`, session(rate(1000)), accept()},
		{`{"target_rate": {"min": "1 Mbps"}}`, session(rate(999)), refuse("999 kbps")},
		{`{"target_rate": {"min": "1 Mbps"}}`, session(rate(0)), refuse("0 kbps")},
		{`{"target_rate": {"min": "5mbps", "max": "5 MBPS"}}`, session(rate(5000)), accept()},
		{`{"target_rate": {"max": "0 kbps"}}`, session(rate(1)), refuse("1 kbps")},
		{`{"target_rate": {"max": "1 Gbps"}}`, session(), lacks("target_rate_kbps")},

		// Everything that is written must hold.
		{`{"cipher": ["aes-256"], "rate_policy": ["fair"]}`, cipher("aes-256"), lacks("rate_policy")},
		{`{"cipher": ["aes-256"], "rate_policy": ["fair"]}`, cipher("none"), refuse("none")},
		{`{"cipher": ["aes-256"], "target_rate": {"max": "1 Mbps"}}`, session(rate(2000), func(e *Event) { e.Cipher = "aes-256" }), refuse("2 Mbps")},
	})
	judgeMessages(t, transferKind(), Env{}, []reads{
		{`{"cipher": ["AES128", "aes-128", "AES256"]}`, cipher("none"), "This transfer's encryption is none, but must be aes-128 or aes-256. Change it in your client."},
		{`{"cipher": ["aes-128", "aes-256"]}`, cipher("none"), "This transfer's encryption is none, but must be aes-128 or aes-256. Change it in your client."},
		{fair, policy("high"), "This transfer's rate policy is high, but must be fair or low. Change it in your client."},
		{`{"target_rate": {"min": "1 Mbps"}}`, session(rate(10)), "This transfer's target rate is 10 kbps, but must be at least 1 Mbps. Change it in your client."},
		{`{"target_rate": {"max": "1 Mbps"}}`, session(rate(10_000)), "This transfer's target rate is 10 Mbps, but must be at most 1 Mbps. Change it in your client."},
	})
}

func TestTransferMistakes(t *testing.T) {
	const form = " is not a rate; write a whole number and kbps, Mbps or Gbps, such as 500 Mbps"
	judgeMistakes(t, transferKind(), Env{}, []slip{
		{`{"target_rate": {"min": "fast", "max": "1.5 Gbps"}}`, []string{`/target_rate/min: "fast"` + form, `/target_rate/max: "1.5 Gbps"` + form + `; did you mean "1500 Mbps"?`}},
		{`{"target_rate": {"min": "100M", "max": "1 Gbit/s"}}`, []string{`/target_rate/min: "100M"` + form + `; did you mean "100 Mbps"?`, `/target_rate/max: "1 Gbit/s"` + form + `; did you mean "1 Gbps"?`}},
		{`{"target_rate": {"min": "100 MBps", "max": "1GB/s"}}`, []string{`/target_rate/min: "100 MBps"` + form + `; did you mean "800 Mbps"?`, `/target_rate/max: "1GB/s"` + form + `; did you mean "8 Gbps"?`}},
		{`{"target_rate": {"max": "-1 kbps"}}`, []string{`/target_rate/max: "-1 kbps"` + form}},
		{`{"target_rate": {"max": "+1 kbps"}}`, []string{`/target_rate/max: "+1 kbps"` + form}},
		{`{"target_rate": {"max": "500"}}`, []string{`/target_rate/max: "500"` + form}},
		{`{"target_rate": {"max": "Mbps"}}`, []string{`/target_rate/max: "Mbps"` + form}},
		{`{"target_rate": {"max": "9000000000000 Gbps"}}`, []string{`/target_rate/max: "9000000000000 Gbps"` + form}},
		{`{"target_rate": {"max": "99999999999999999999 kbps"}}`, []string{`/target_rate/max: "99999999999999999999 kbps"` + form}},
		{`{"target_rate": {"min": "1 Gbps", "max": "1 Mbps"}}`, []string{"/target_rate/min: min is larger than max, so no transfer could pass"}},
	})
	judgeSchema(t, transferKind(), `{}`, `{"cipher": []}`, `{"cipher": ["des"]}`, `{"cipher": ["aes"]}`, `{"cipher": ["aes-129"]}`, `{"cipher": ["aes-256-xyz"]}`, `{"cipher": [128]}`, `{"cipher": "aes-128"}`, `{"rate_policy": ["slow"]}`,
		`{"rate_policy": []}`, `{"target_rate": {}}`, `{"target_rate": {"max": 5}}`, `{"target_rate": {"max": ""}}`, `{"target_rate": {"min": ""}}`, `{"target_rate": {"cap": "1 Gbps"}}`)
}

func TestFormatRate(t *testing.T) {
	for kbps, want := range map[int64]string{
		0: "0 kbps", 1: "1 kbps", 999: "999 kbps", 1000: "1 Mbps", 1500: "1500 kbps", 10_000: "10 Mbps", 1_000_000: "1 Gbps",
		1_500_000: "1500 Mbps", -5: "-5 kbps",
	} {
		if got := FormatRate(kbps); got != want {
			t.Errorf("%d kilobits per second are %q, want %q", kbps, got, want)
		}
	}
}
