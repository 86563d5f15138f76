package rules

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// reachable is a kind whose rules are compared, with settings and events that
// are alike enough for rules to reach within each other.
type reachable struct {
	kind     func() Kind
	settings func(t *rapid.T) string
	event    func(t *rapid.T) *Event
}

// some draws a list of 1 to n of some words, as JSON.
func some(t *rapid.T, n int, words ...string) string {
	list := rapid.SliceOfN(rapid.SampledFrom(words), 1, n).Draw(t, "list")
	return `["` + strings.Join(list, `", "`) + `"]`
}

// members draws some of the members of a JSON object, at least one.
func members(t *rapid.T, all map[string]func() string, order ...string) string {
	for {
		var parts []string
		for _, key := range order {
			if rapid.Bool().Draw(t, key) {
				parts = append(parts, fmt.Sprintf("%q: %s", key, all[key]()))
			}
		}
		if len(parts) > 0 {
			return "{" + strings.Join(parts, ", ") + "}"
		}
	}
}

// allowDenyOf draws an allow, a deny or both.
func allowDenyOf(t *rapid.T, words ...string) string {
	list := func() string { return some(t, 3, words...) }
	return members(t, map[string]func() string{"allow": list, "deny": list}, "allow", "deny")
}

func number(t *rapid.T, name string, most int64) Number {
	if rapid.IntRange(0, 9).Draw(t, name+" is left out") == 0 {
		return Number{}
	}
	return Known(rapid.Int64Range(-1, most).Draw(t, name))
}

// anyName draws names of files in which the extensions, faults and suffixes
// that rules look at are frequent.
func anyName(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "mov", "exe", "MXF", "pdf", ".", ":", " ", ".mov", ".exe", ".pdf", ".aspera-env", ".partial", "con", "\u202e", "\x01", "",
	}), 0, 5).Draw(t, "name")
	return strings.Join(parts, "")
}

// pathGlobs are globs of which some cover others, and some have nothing in
// common.
var pathGlobs = []string{
	"**", "/**", "/in/**", "/in/film/**", "/in/*", "/in/*/**", "/in/*/a.mov", "/in/film/*.mov", "/in/film/a.mov", "/in/film/?.mov", "/in/f*/**",
	"/**/*.mov", "**/*.mov", "/**/film/**", "/**/film/**/*.mov", "/in/**/film/**", "/out/**", "/out/film/a.mov", "/{in,out}/**", "/{in,out/film}/*.mov",
	"/in/[ef]ilm/**", "/**/.work/**", "/in/film/**/a.mov", "/*/film/a.mov", "/in/fil[m]", "*", "?n/**",
	"s3://**", "s3://in/**", "C:/in/**",
}

func anyPath(t *rapid.T) string {
	segments := rapid.SliceOfN(rapid.SampledFrom([]string{
		"in", "out", "film", "a.mov", "b.mov", "aa.mov", "gilm", ".work", "", ".", "..", "x",
	}), 0, 5).Draw(t, "path")
	return rapid.SampledFrom([]string{"/", "", "//", "s3://", "s3://k:s@", "C:/", `C:\`}).Draw(t, "root") + strings.Join(segments, "/")
}

var ranges = []string{
	"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3", "10.1.2.0/25", "10.2.0.0/16", "192.0.2.0/24", "::/0", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::1", "::/1", "128.0.0.0/1",
}

func anyAddr(t *rapid.T) netip.Addr {
	addr, _ := netip.ParseAddr(rapid.SampledFrom([]string{
		"", "10.1.2.3", "10.1.2.200", "10.1.3.1", "10.2.0.1", "10.9.9.9", "192.0.2.1", "203.0.113.1", "2001:db8:1::1", "2001:db8:1::2", "2001:db8:2::1", "fe80::1", "9000::1",
	}).Draw(t, "address"))
	return addr
}

func reachables() []reachable {
	anyFile := func(t *rapid.T) *Event { return file("/in/" + anyName(t)) }
	return []reachable{
		{extensionKind, func(t *rapid.T) string {
			list := func() string { return some(t, 3, "mov", "exe", "mxf", "pdf", "", ".MOV", "partial") }
			every := func() string { return "true" }
			for {
				s := members(t, map[string]func() string{"allow": list, "deny": list, "every": every}, "allow", "deny", "every")
				if s != `{"every": true}` {
					return s
				}
			}
		}, anyFile},
		{filenameKind, func(t *rapid.T) string {
			return members(t, map[string]func() string{
				"forbid": func() string {
					return some(t, 1, "control", "bidi", "double-extension", "reserved", "trailing-dot\", \"trailing-space", "alternate-stream", "control\", \"leading-dot", "bidi\", \"control")
				},
				"max_bytes": func() string { return fmt.Sprint(rapid.IntRange(1, 6).Draw(t, "max_bytes")) },
			}, "forbid", "max_bytes")
		}, anyFile},
		{sizeKind, func(t *rapid.T) string {
			bytes := func() string { return fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "bytes")) }
			return members(t, map[string]func() string{"min": bytes, "max": bytes}, "min", "max")
		}, func(t *rapid.T) *Event {
			return &Event{File: ParsePath("/a"), Size: number(t, "size", 10), BytesWritten: number(t, "written", 10)}
		}},
		{transferKind, func(t *rapid.T) string {
			rate := func() string {
				kbps := func() string { return fmt.Sprintf(`"%d kbps"`, rapid.IntRange(0, 5).Draw(t, "kbps")) }
				return members(t, map[string]func() string{"min": kbps, "max": kbps}, "min", "max")
			}
			return members(t, map[string]func() string{
				"cipher":      func() string { return some(t, 4, "none", "aes-128", "AES-128-GCM", "aes-256", "aes-256-cfb") },
				"rate_policy": func() string { return some(t, 3, "fair", "Low", "high", "fixed") },
				"target_rate": rate,
			}, "cipher", "rate_policy", "target_rate")
		}, func(t *rapid.T) *Event {
			return &Event{
				Cipher:         rapid.SampledFrom([]string{"", "none", "aes-128", "AES128", "aes_128_gcm", "aes-256", "aes-256-ctr", "des"}).Draw(t, "cipher"),
				RatePolicy:     rapid.SampledFrom([]string{"", "fair", "low", "high", "Fair"}).Draw(t, "rate policy"),
				TargetRateKbps: number(t, "rate", 6),
			}
		}},
		{pathKind, func(t *rapid.T) string { return allowDenyOf(t, pathGlobs...) }, func(t *rapid.T) *Event { return file(anyPath(t)) }},
		{networkKind, func(t *rapid.T) string { return allowDenyOf(t, ranges...) }, func(t *rapid.T) *Event { return &Event{ClientAddr: anyAddr(t)} }},
		{scheduleKind, func(t *rapid.T) string {
			s := fmt.Sprintf(`{"days": %s, "zone": %q`, some(t, 1, "mon", "Monday", "mon-fri", "sun"), rapid.SampledFrom([]string{"UTC", "Europe/Zurich"}).Draw(t, "zone"))
			if rapid.Bool().Draw(t, "clock") {
				s += `, "from": "20:00", "to": "06:00"`
			}
			return s + "}"
		}, func(t *rapid.T) *Event {
			return &Event{Received: time.Unix(rapid.Int64Range(0, 14*24*3600).Draw(t, "now"), 0)}
		}},
		{checksumKind, func(t *rapid.T) string {
			list := func() string { return some(t, 1, "bad", "short") }
			return members(t, map[string]func() string{
				"require": func() string { return some(t, 1, "sha256", "SHA-256") }, "allow": list, "deny": list,
			}, "require", "allow", "deny")
		}, func(t *rapid.T) *Event {
			return &Event{
				Checksum:     rapid.SampledFrom([]string{"", goodDigest, badDigest, "00112233445566778899aabbccddeeff", "xyz"}).Draw(t, "digest"),
				ChecksumType: rapid.SampledFrom([]string{"", "none", "sha256", "md5"}).Draw(t, "type"),
			}
		}},
		{tagsKind, func(t *rapid.T) string {
			return members(t, map[string]func() string{
				"require": func() string { return some(t, 3, "/a", "/b", "/a/b") }, "schema": func() string { return `"s"` },
			}, "require", "schema")
		}, func(t *rapid.T) *Event {
			return tagged(rapid.SampledFrom([]string{"", "{}", `{"a": 1}`, `{"a": {"b": 2}}`, `{"a": 1, "b": 2}`, `{"b": 2}`, "rubbish"}).Draw(t, "tags"))
		}},
	}
}

func reachEnv() Env {
	return folder{"s": `{"required": ["a"]}`, "bad": badDigest, "other": goodDigest, "short": "00112233445566778899aabbccddeeff"}.env(".partial")
}

// Whenever a rule is said to reach within an earlier one, the earlier refuses or
// cannot tell about each event about which the later does.
func TestReachIsNeverClaimedWrongly(t *testing.T) {
	for _, r := range reachables() {
		t.Run(r.kind().Name, func(t *testing.T) {
			claims := 0
			rapid.Check(t, func(t *rapid.T) {
				kind := r.kind()
				settled := func(name string) Compiled {
					for {
						if c, err := kind.Compile(reachEnv(), settings(r.settings(t))); err == nil {
							return c
						}
					}
				}
				for range 5 {
					later, earlier := settled("later"), settled("earlier")
					if !later.Reach.Within(later.Reach) {
						t.Fatal("a rule does not reach within itself")
					}
					if !later.Reach.Within(earlier.Reach) {
						continue
					}
					claims++
					for range 40 {
						e := r.event(t)
						if ask(later, e) != accept() && ask(earlier, e) == accept() {
							t.Fatalf("%+v: the later rule %v, and the earlier accepts", e, ask(later, e))
						}
					}
				}
			})
			if claims < 3 {
				t.Errorf("only %d pairs of rules reach within each other", claims)
			}
		})
	}
}

// What a person sees at a glance is found.
func TestReach(t *testing.T) {
	for _, row := range []struct {
		kind           func() Kind
		later, earlier string
		within         bool
	}{
		{extensionKind, `{"deny": ["exe"]}`, `{"deny": ["com", ".EXE"]}`, true},
		{extensionKind, `{"deny": ["exe", "com"]}`, `{"deny": ["exe"]}`, false},
		{extensionKind, `{"allow": ["mov", "mxf"]}`, `{"allow": ["mov"]}`, true},
		{extensionKind, `{"allow": ["mov"]}`, `{"allow": ["mov", "mxf"]}`, false},
		{extensionKind, `{"allow": ["mov"]}`, `{"deny": ["exe"]}`, false},
		{extensionKind, `{"allow": ["mov"]}`, `{"allow": ["mov"], "deny": ["exe"]}`, true},
		{extensionKind, `{"allow": ["mov"], "deny": ["exe"]}`, `{"allow": ["mov"]}`, false}, // a.exe:b.mov is for the later alone.
		{extensionKind, `{"deny": ["exe"]}`, `{"deny": ["exe"], "every": true}`, true},
		{extensionKind, `{"deny": ["exe"], "every": true}`, `{"deny": ["exe"]}`, false},

		{sizeKind, `{"max": "500 GiB"}`, `{"max": "100 GiB"}`, true},
		{sizeKind, `{"max": "100 GiB"}`, `{"max": "500 GiB"}`, false},
		{sizeKind, `{"max": "1 TB"}`, `{"min": 1, "max": "1000 GB"}`, true},
		{sizeKind, `{"min": 1, "max": "1 TB"}`, `{"max": "1 TB"}`, false},
		{sizeKind, `{"min": 1}`, `{"min": "1 KB"}`, true},

		{networkKind, `{"allow": ["10.0.0.0/8"]}`, `{"allow": ["10.1.0.0/16", "10.2.3.4"]}`, true},
		{networkKind, `{"allow": ["10.1.0.0/16"]}`, `{"allow": ["10.0.0.0/8"]}`, false},
		{networkKind, `{"allow": ["10.0.0.0/8"]}`, `{"allow": ["10.0.0.0/8", "2001:db8::/32"]}`, false},
		{networkKind, `{"deny": ["10.1.0.0/16"]}`, `{"deny": ["10.0.0.0/8"]}`, true},
		{networkKind, `{"deny": ["192.0.2.0/24"]}`, `{"allow": ["10.0.0.0/8"]}`, true},
		{networkKind, `{"deny": ["10.0.0.0/7"]}`, `{"allow": ["10.0.0.0/8"]}`, false},
		{networkKind, `{"allow": ["10.1.0.0/16"]}`, `{"allow": ["10.1.0.0/16", "10.2.0.0/16"], "deny": ["10.2.0.0/16"]}`, true},

		{pathKind, `{"allow": ["/in/**"]}`, `{"allow": ["/in/film/**"]}`, true},
		{pathKind, `{"allow": ["/in/film/**"]}`, `{"allow": ["/in/**"]}`, false},
		{pathKind, `{"allow": ["/in/**"]}`, `{"allow": ["/in/**", "/out/**"]}`, false},
		{pathKind, `{"allow": ["/in/**"]}`, `{"allow": ["/in/**"], "deny": ["**/*.tmp"]}`, true},
		{pathKind, `{"deny": ["/in/**/*.tmp"]}`, `{"deny": ["/**/*.tmp"]}`, true},
		{pathKind, `{"deny": ["/in/film/a.mov"]}`, `{"deny": ["/in/*/?.mov"]}`, true},
		{pathKind, `{"deny": ["/in/*/a.mov"]}`, `{"deny": ["/in/**"]}`, true},
		{pathKind, `{"deny": ["/in/**"]}`, `{"deny": ["/in/*"]}`, false},
		{pathKind, `{"deny": ["/{a,b}/**"]}`, `{"deny": ["/b/**", "/a/**"]}`, true},
		{pathKind, `{"deny": ["/etc/**"]}`, `{"allow": ["/in/**"]}`, true},
		{pathKind, `{"deny": ["/**/.work/**"]}`, `{"allow": ["/in/**"]}`, false},
		{pathKind, `{"allow": ["/in/**"]}`, `{"deny": ["/out/**"]}`, false},

		{filenameKind, `{"forbid": ["bidi"]}`, `{"forbid": ["control", "bidi"], "max_bytes": 255}`, true},
		{filenameKind, `{"forbid": ["bidi", "reserved"]}`, `{"forbid": ["bidi"]}`, false},
		{filenameKind, `{"max_bytes": 255}`, `{"max_bytes": 200}`, true},
		{filenameKind, `{"max_bytes": 255}`, `{"forbid": ["control"]}`, false},

		{transferKind, `{"cipher": ["aes-128", "aes-256"]}`, `{"cipher": ["AES256"]}`, true},
		{transferKind, `{"cipher": ["aes-256"]}`, `{"cipher": ["aes-256-gcm"]}`, true},
		{transferKind, `{"cipher": ["aes-256-gcm"]}`, `{"cipher": ["aes-256"]}`, false},
		{transferKind, `{"rate_policy": ["fair", "low"]}`, `{"rate_policy": ["fair"], "cipher": ["none"]}`, true},
		{transferKind, `{"rate_policy": ["fair"], "cipher": ["none"]}`, `{"rate_policy": ["fair"]}`, false},
		{transferKind, `{"target_rate": {"max": "1 Gbps"}}`, `{"target_rate": {"min": "1 Mbps", "max": "500 Mbps"}}`, true},
		{transferKind, `{"target_rate": {"min": "1 Mbps"}}`, `{"target_rate": {"max": "1 Gbps"}}`, false},

		{tagsKind, `{"require": ["/a"]}`, `{"require": ["/b", "/a"], "schema": "s"}`, true},
		{tagsKind, `{"schema": "s"}`, `{"require": ["/a"]}`, false},
		{scheduleKind, `{"days": ["Monday-Friday"]}`, `{"days": ["mon-fri"], "zone": "UTC"}`, true},
		{scheduleKind, `{"days": ["mon"]}`, `{"days": ["mon-fri"]}`, false},
		{checksumKind, `{"require": ["SHA-256"], "deny": "bad"}`, `{"require": ["sha256"], "deny": "bad"}`, true},
		{checksumKind, `{"deny": "bad"}`, `{"deny": ["bad", "short"]}`, false},
	} {
		c := func(s string) Reach { return compile(t, row.kind(), reachEnv(), s).Reach }
		if got := c(row.later).Within(c(row.earlier)); got != row.within {
			t.Errorf("%s: %s is within %s: %t", row.kind().Name, row.later, row.earlier, got)
		}
	}
}

// Rules of different kinds are not compared.
func TestReachOfAnotherKind(t *testing.T) {
	all := []Reach{SameReach("a"), &extensions{}, limits{}, nameReach{}, &transfers{}, tagReach{}, pathReach{}, networkReach{}}
	for i, later := range all {
		for j, earlier := range all {
			if i != j && later.Within(earlier) {
				t.Errorf("%T is within %T", later, earlier)
			}
		}
	}
}

// What one list of globs covers is matched by it whenever the other one does.
func TestGlobReachCovers(t *testing.T) {
	claims := 0
	rapid.Check(t, func(t *rapid.T) {
		lists := rapid.SliceOfN(rapid.SampledFrom(pathGlobs), 1, 3)
		wide, narrow := lists.Draw(t, "wide"), lists.Draw(t, "narrow")
		if !NewPathReach(wide).Covers(NewPathReach(narrow)) {
			return
		}
		claims++
		for range 40 {
			path := anyPath(t)
			if matchAny(narrow, path) && !matchAny(wide, path) {
				t.Fatalf("%v covers %v, and does not match %q", wide, narrow, path)
			}
		}
	})
	if claims == 0 {
		t.Error("nothing covers anything")
	}
	for _, row := range []struct {
		wide, narrow string
		want         bool
	}{
		{"*", "xfer", true},
		{"**", "a/b", true},
		{"xfer-*", "xfer-7", true},
		{"xfer-*", "xfer-[78]", false},
		{"xfer", "xfer", true},
		{"xfer", "xfer-*", false},
		{"{a,b}", "b", true},
		{"a", "{a,b}", false},
		{"a*", "a/b", true},
		{"partner-*", "partner-*", true},
	} {
		if got := NewNameReach([]string{row.wide}).Covers(NewNameReach([]string{row.narrow})); got != row.want {
			t.Errorf("the name %s covers %s: %t", row.wide, row.narrow, got)
		}
	}
}

// Lists beyond what is compared are not said to cover each other.
func TestGlobReachIsBounded(t *testing.T) {
	long := make([]string, 100)
	for i := range long {
		long[i] = fmt.Sprintf("/in/%d/**", i)
	}
	if r := NewPathReach(long); r.Covers(r) {
		t.Error("100 globs were compared with 100")
	}
	if !NewPathReach(long).Covers(NewPathReach(long[:2])) {
		t.Error("100 globs do not cover the first of them")
	}
}

func matchAny(globs []string, path string) bool {
	var g PathGlobs
	for _, glob := range globs {
		g.Add(glob, 0)
	}
	return g.Match(path)
}
