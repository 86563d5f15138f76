package grants_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

var _ grants.Issuer = (*grants.Local)(nil)

// object parses JSON as the token endpoint does.
func object(tb testing.TB, text string) grants.Object {
	tb.Helper()
	tree, err := rules.ParseTree(text)
	if err != nil {
		tb.Fatal(err, text)
	}
	return tree.(grants.Object)
}

// issue returns the one transfer_spec of a request.
func issue(tb testing.TB, issuer grants.Issuer, direction rules.Direction, request string) grants.Object {
	tb.Helper()
	g := example()
	g.Direction = direction
	answers, err := issuer.Issue(tb.Context(), grants.Call{Direction: direction, Requests: []grants.Request{{Members: object(tb, request), Grant: g, Signed: "SIGNED"}}})
	if err != nil || len(answers) != 1 || answers[0].Err != nil {
		tb.Fatal(answers, err)
	}
	return answers[0].Spec
}

func local(tb testing.TB, o grants.TransferOptions) *grants.Local {
	tb.Helper()
	issuer, err := grants.NewLocal(o)
	if err != nil {
		tb.Fatal(err)
	}
	return issuer
}

func TestLocalSpecs(t *testing.T) {
	server := grants.TransferOptions{RemoteHost: "hst.example.com", SSHPort: 22, FASPPort: 44001, SSHFingerprint: "ab12", Cipher: "aes-192"}
	for name, c := range map[string]struct {
		options       grants.TransferOptions
		direction     rules.Direction
		request, want string
	}{
		"the least, upload": {
			request: `{"paths":[{}],"destination_root":"/in"}`, direction: rules.Upload,
			want: `{"paths":[{}],"source_root":"","destination_root":"/in","token":"SIGNED","direction":"send","cipher":"aes-128","rate_policy":"fair","rate_policy_allowed":"fair",
				"min_rate_kbps":0,"remote_host":"","remote_user":"xfer","ssh_port":33001,"fasp_port":33001,"http_fallback":false}`,
		},
		"the least, download": {
			request: `{"paths":[{"source":"a"}],"source_root":"/out"}`, direction: rules.Download,
			want: `{"paths":[{"source":"a"}],"source_root":"/out","destination_root":"","token":"SIGNED","direction":"receive","cipher":"aes-128","rate_policy":"fair","rate_policy_allowed":"fair",
				"min_rate_kbps":0,"remote_host":"","remote_user":"xfer","ssh_port":33001,"fasp_port":33001,"http_fallback":false}`,
		},
		"the server decides": {
			options: server, direction: rules.Upload,
			request: `{"paths":[{}],"destination_root":"/in","token":"mine","direction":"receive","remote_host":"evil.example.com","remote_user":"root","sshfp":"00",
				"ssh_port":1,"fasp_port":2,"http_fallback":true,"http_fallback_port":3,"https_fallback_port":4,"cipher":"none","cipher_allowed":"none"}`,
			want: `{"paths":[{}],"source_root":"","destination_root":"/in","token":"SIGNED","direction":"send","cipher":"aes-192","rate_policy":"fair","rate_policy_allowed":"fair",
				"min_rate_kbps":0,"remote_host":"hst.example.com","remote_user":"xfer","sshfp":"ab12","ssh_port":22,"fasp_port":44001,"http_fallback":false}`,
		},
		"the request decides": {
			direction: rules.Upload,
			request: `{"paths":[{}],"source_root":"/home","destination_root":"/in","remote_host":"hst2","sshfp":"cd","ssh_port":2222,"fasp_port":3333,"cipher_allowed":"aes-256",
				"rate_policy":"high","rate_policy_allowed":"fixed","target_rate_kbps":45000,"target_rate_cap_kbps":100000,"min_rate_kbps":100,"cookie":"c","tags":{"aspera":{"xfer_id":"x"}}}`,
			want: `{"paths":[{}],"source_root":"/home","destination_root":"/in","token":"SIGNED","direction":"send","remote_host":"hst2","remote_user":"xfer","sshfp":"cd","ssh_port":2222,"fasp_port":3333,
				"http_fallback":false,"cipher":"aes-256","rate_policy":"high","rate_policy_allowed":"fixed","target_rate_kbps":45000,"target_rate_cap_kbps":100000,"min_rate_kbps":100,
				"cookie":"c","tags":{"aspera":{"xfer_id":"x"}}}`,
		},
		"nonsense is replaced": {
			direction: rules.Upload,
			request: `{"paths":[{}],"source_root":7,"destination_root":"/in","remote_host":["h"],"sshfp":{},"ssh_port":70000,"fasp_port":"0x21","cipher_allowed":"rot13","http_fallback":"yes",
				"rate_policy":{},"rate_policy_allowed":0,"target_rate_kbps":"fast","target_rate_cap_kbps":-1,"min_rate_kbps":1.5,"authentication":{"password":"p"}}`,
			want: `{"paths":[{}],"source_root":"","destination_root":"/in","token":"SIGNED","direction":"send","cipher":"aes-128","rate_policy":"fair","rate_policy_allowed":"fair",
				"min_rate_kbps":0,"remote_host":"","remote_user":"xfer","ssh_port":33001,"fasp_port":33001,"http_fallback":false}`,
		},
		"what nobody knows travels on, secrets and orders to the server do not": {
			direction: rules.Upload,
			request: `{"paths":[{}],"destination_root":"/in","content_protection":"encrypt","content_protection_password":"p","token_life_seconds":60,"public_keys":["k"],"authentication":"token",
				"type":"t","aspera_connect_settings":{"a":[1,null,true]},"multi_session":4,"remote_password":"p","ssh_private_key":"k","sshPassphrase":"p","client_secret":"s","Credentials":{}}`,
			want: `{"paths":[{}],"source_root":"","destination_root":"/in","token":"SIGNED","direction":"send","cipher":"aes-128","rate_policy":"fair","rate_policy_allowed":"fair",
				"min_rate_kbps":0,"remote_host":"","remote_user":"xfer","ssh_port":33001,"fasp_port":33001,"http_fallback":false,
				"content_protection":"encrypt","authentication":"token","type":"t","aspera_connect_settings":{"a":[1,null,true]},"multi_session":4}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(object(t, c.want), issue(t, local(t, c.options), c.direction, c.request)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A client uploads to the destination_root of the answer, and to nothing else.
func TestEffectiveDestinationRoot(t *testing.T) {
	for request, want := range map[string]string{
		`{"paths":[{}],"destination_root":"/in"}`:                                         "/in",
		`{"paths":[{"destination":"/in/a"}]}`:                                             "/in/a",
		`{"paths":[{"source":"","destination":"/in/a"}],"destination_root":""}`:           "/in/a",
		`{"paths":[{"source":"a.txt","destination":"/in/a"}]}`:                            "/",
		`{"paths":[{"source":"a","destination":"/a"},{"source":"b","destination":"/b"}]}`: "/",
		`{"paths":[{"destination":"/a"},{"destination":"/b"}]}`:                           "/",
		`{"paths":[{"destination":"a"}],"destination_root":"/in"}`:                        "/in",
	} {
		if got := issue(t, local(t, grants.TransferOptions{}), rules.Upload, request)["destination_root"]; got != want {
			t.Errorf("%s: %v, want %s", request, got, want)
		}
	}
}

func TestCiphers(t *testing.T) {
	for _, c := range []struct{ server, asked, want string }{
		{"", "", "aes-128"},
		{"", "none", "none"},
		{"", "aes-256", "aes-256"},
		{"none", "", "none"},
		{"none", "aes-128", "aes-128"},
		{"aes-128", "none", "aes-128"},
		{"aes-128", "AES128", "aes-128"},
		{"aes-128", "aes-192-gcm", "aes-192-gcm"},
		{"aes-128-gcm", "aes-128", "aes-128-gcm"},
		{"aes-256", "aes-128", "aes-256"},
		{"aes-256", "des", "aes-256"},
		{"aes-128", "aes-256; rm", "aes-128"},
		{"aes-128", "aes-256-ecb", "aes-128"},
	} {
		if got := issue(t, local(t, grants.TransferOptions{Cipher: c.server}), rules.Upload, `{"paths":[{}],"destination_root":"/","cipher_allowed":"`+c.asked+`"}`)["cipher"]; got != c.want {
			t.Errorf("server %q, asked %q: %v, want %q", c.server, c.asked, got, c.want)
		}
	}
}

func TestRatesAndFallback(t *testing.T) {
	limited := grants.TransferOptions{TargetRateKbps: 500, TargetRateCapKbps: 1000}
	open := grants.TransferOptions{HTTPFallback: true}
	port := grants.TransferOptions{HTTPFallback: true, HTTPFallbackPort: 8443}
	for _, c := range []struct {
		options             grants.TransferOptions
		request, name, want string
	}{
		{limited, `{}`, "target_rate_kbps", "500"},
		{limited, `{"target_rate_kbps":700}`, "target_rate_kbps", "700"},
		{limited, `{"target_rate_kbps":5000}`, "target_rate_kbps", "1000"},
		{limited, `{"target_rate_kbps":"700"}`, "target_rate_kbps", "700"},
		{limited, `{"target_rate_kbps":5000,"target_rate_cap_kbps":600}`, "target_rate_kbps", "600"},
		{limited, `{"target_rate_cap_kbps":600}`, "target_rate_cap_kbps", "600"},
		{limited, `{"target_rate_cap_kbps":6000}`, "target_rate_cap_kbps", "1000"},
		{limited, `{"target_rate_cap_kbps":100}`, "target_rate_kbps", "100"},
		{limited, `{"rate_policy":"fixed"}`, "rate_policy_allowed", `"fixed"`},
		{open, `{}`, "http_fallback", "true"},
		{open, `{}`, "http_fallback_port", "8080"},
		{open, `{"http_fallback":true,"http_fallback_port":81}`, "http_fallback_port", "81"},
		{open, `{"https_fallback_port":444}`, "https_fallback_port", "444"},
		{open, `{"http_fallback":false,"http_fallback_port":81}`, "http_fallback", "false"},
		{open, `{"http_fallback":false,"http_fallback_port":81}`, "http_fallback_port", "null"},
		{port, `{"http_fallback_port":81}`, "http_fallback_port", "8443"},
	} {
		got, err := json.Marshal(issue(t, local(t, c.options), rules.Download, c.request)[c.name])
		if err != nil || string(got) != c.want {
			t.Errorf("%s of %s: %s, want %s", c.name, c.request, got, c.want)
		}
	}
}

func TestTransferOptionsRefused(t *testing.T) {
	for want, o := range map[string]grants.TransferOptions{
		"ssh_port":           {SSHPort: 65536},
		"fasp_port":          {FASPPort: -1},
		"http_fallback_port": {HTTPFallbackPort: 1 << 20},
		"remote_host":        {RemoteHost: "a b"},
		"sshfp":              {SSHFingerprint: "a\nb"},
		"cipher":             {Cipher: "rot13"},
		"target_rate":        {TargetRateKbps: -1},
	} {
		if _, err := grants.NewLocal(o); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// Whatever a request holds, the answer is for each request its own token and user,
// the request is left as it was, and no secret is in the answer.
func TestSpecsOfAnyRequest(t *testing.T) {
	issuer := local(t, grants.TransferOptions{RemoteHost: "hst", Cipher: "aes-128"})
	names := []string{
		"paths", "token", "direction", "remote_user", "remote_host", "ssh_port", "fasp_port", "http_fallback", "http_fallback_port", "cipher", "cipher_allowed", "tags", "cookie",
		"destination_root", "source_root", "target_rate_kbps", "content_protection_password", "PASSWORD", "token_life_seconds", "unknown",
	}
	value := rapid.OneOf(
		rapid.Just[any](nil), rapid.Just[any](true), rapid.Just[any](json.Number("1e9")), rapid.Just[any](json.Number("-3")), rapid.Just[any]("secret"),
		rapid.Just[any]([]any{grants.Object{"destination": json.Number("1")}}), rapid.Just[any](grants.Object{"a": nil}), rapid.Just[any]([]any{nil}))
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.MapOf(rapid.SampledFrom(names), value).Draw(t, "members")
		before := asJSON(t, members)
		g := example()
		answers, err := issuer.Issue(t.Context(), grants.Call{Requests: []grants.Request{{Members: members, Grant: g, Signed: "A"}, {Members: members, Grant: g, Signed: "B"}}})
		if err != nil || len(answers) != 2 || answers[0].Spec["token"] != "A" || answers[1].Spec["token"] != "B" {
			t.Fatal(answers, err)
		}
		if diff := cmp.Diff(before, asJSON(t, members)); diff != "" {
			t.Fatal("the request was changed", diff)
		}
		spec := answers[0].Spec
		for name, want := range map[string]any{"remote_user": "xfer", "remote_host": "hst", "direction": "send", "http_fallback": false, "cipher": "aes-128"} {
			if spec[name] != want {
				t.Fatalf("%s: %v", name, spec[name])
			}
		}
		for name := range spec {
			if strings.Contains(strings.ToLower(name), "password") || name == "token_life_seconds" || name == "cipher_allowed" {
				t.Fatal(name)
			}
		}
	})
}

// asJSON returns the members as text, to compare them later.
func asJSON(t *rapid.T, members grants.Object) string {
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
