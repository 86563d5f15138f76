package validator_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
	"github.com/sluiceproject/sluice/validator/grants"
)

// grantFor returns the grant for an upload of these destinations by a client that
// may put files where globs say; nil if there is none, with the error.
func grantFor(tb testing.TB, globs, destinations []string) (*rules.Grant, *grants.Error) {
	tb.Helper()
	client := portal()
	client.Upload = globs
	d := newDesk(func(o *validator.TokenOptions) { o.Authenticate = authenticate(client) })
	var b strings.Builder
	for _, to := range destinations {
		fmt.Fprintf(&b, `,{"source":"x","destination":%q}`, to)
	}
	a := d.ask(tb, "/files/upload_setup", requests(`{"destination_root":"/","paths":[`+b.String()[1:]+`]}`))
	if a.Error != nil {
		return nil, a.Error
	}
	if a.Specs[0].Error != nil {
		return nil, a.Specs[0].Error
	}
	return d.calls[0].Requests[0].Grant, nil
}

// many returns paths made of a format and the numbers below n.
func many(n int, format string) (paths []string) {
	for i := range n {
		paths = append(paths, fmt.Sprintf(format, i))
	}
	return paths
}

// TestTokenGrantLists: which paths and folders a grant names.
func TestTokenGrantLists(t *testing.T) {
	anywhere, films := []string{"/**"}, []string{"/in/*.mov"}
	for _, tc := range []struct {
		name         string
		globs, asked []string
		roots, paths []string
	}{
		{"a file where folders are not allowed", films, []string{"/in/a.mov"}, nil, []string{"/in/a.mov"}},
		{"what may be a folder", anywhere, []string{"/in/a"}, []string{"/in/a"}, nil},
		{"a folder", anywhere, []string{"/in/a/"}, []string{"/in/a"}, nil},
		{"a folder and what is in it", anywhere, []string{"/in/a/b", "/in/a/", "/in/ab"}, []string{"/in/a", "/in/ab"}, nil},
		{"in order", films, []string{"/in/b.mov", "/in/a.mov"}, nil, []string{"/in/a.mov", "/in/b.mov"}},
		{"files and folders", []string{"/in/*.mov", "/x/**"}, []string{"/in/b.mov", "/x/y"}, []string{"/x/y"}, []string{"/in/b.mov"}},
		{"100 paths", films, many(100, "/in/%03d.mov"), nil, many(100, "/in/%03d.mov")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, refused := grantFor(t, tc.globs, tc.asked)
			if refused != nil {
				t.Fatal(refused)
			}
			if diff := cmp.Diff(tc.roots, g.Roots); diff != "" {
				t.Errorf("roots (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(tc.paths, g.Paths); diff != "" {
				t.Errorf("paths (-want +got)\n%s", diff)
			}
			if g.PathCount != len(tc.paths) || g.PathDigest != "" {
				t.Errorf("%d paths, digest %q", g.PathCount, g.PathDigest)
			}
		})
	}
}

// TestTokenLongLists: lists that do not fit are a digest, and the folders that
// hold them.
func TestTokenLongLists(t *testing.T) {
	for _, tc := range []struct {
		name         string
		globs, asked []string
		roots        []string // Nil: refused.
	}{
		{"101 paths", []string{"/in/**"}, many(101, "/in/%d.mov"), []string{"/in"}},
		{"10,000 paths", []string{"/in/**"}, many(10_000, "/in/a/%d.mov"), []string{"/in/a"}},
		{"30 folders", []string{"/in/**"}, append(many(30, "/in/%02d/a"), many(200, "/in/00/%d")...), many(30, "/in/%02d")},
		{"in two folders of 1,000", []string{"/in/**"}, append(many(1000, "/in/a/%d/x"), many(1000, "/in/b/c/%d/x")...), []string{"/in/a", "/in/b/c"}},
		{"40 deep ones and a flat one", []string{"/in/**"}, append(many(200, "/in/x/y/%d/z"), "/in/a/b"), []string{"/in/a", "/in/x/y"}},
		{"no higher than the client may", []string{"/in/*/**"}, append(many(100, "/in/a/%d/x"), many(100, "/in/b/%d/x")...), []string{"/in/a", "/in/b"}},
		{"32 that cannot be widened", []string{"/in/*/**"}, append(many(32, "/in/%02d/a"), many(200, "/in/00/%d")...), many(32, "/in/%02d")},
		{"33 that cannot be widened", []string{"/in/*/**"}, append(many(33, "/in/%02d/a"), many(200, "/in/00/%d")...), nil},
		{"files where no folder is allowed", []string{"/in/*.mov"}, many(101, "/in/%d.mov"), nil},
		{"up to the docroot", []string{"/**"}, many(101, "/%d/a.mov"), []string{"/"}},
		{"few, but long", []string{"/in/**"}, many(5, "/in/"+strings.Repeat("x", 2000)+"/%d"), []string{"/in/" + strings.Repeat("x", 2000)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, refused := grantFor(t, tc.globs, tc.asked)
			if tc.roots == nil {
				if refused == nil || refused.Code != 400 || !strings.Contains(refused.UserMessage, "Ask in several requests") {
					t.Fatalf("%+v, %+v", g, refused)
				}
				return
			}
			if refused != nil {
				t.Fatal(refused)
			}
			asked := slices.Compact(slices.Sorted(slices.Values(tc.asked)))
			want := &rules.Grant{Roots: tc.roots, PathCount: len(asked), PathDigest: grants.PathDigest(asked)}
			if diff := cmp.Diff(want, &rules.Grant{Roots: g.Roots, Paths: g.Paths, PathCount: g.PathCount, PathDigest: g.PathDigest}); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestTokenDeepLists: folders that have nothing in common but the highest are
// given as that, and not at all where it is not allowed.
func TestTokenDeepLists(t *testing.T) {
	paths := many(6_000, "/in/%d"+strings.Repeat("/a", 40))
	if g, refused := grantFor(t, []string{"/in/*/**"}, paths); refused == nil || refused.Code != 400 {
		t.Errorf("%+v, %+v", g, refused)
	}
	if g, refused := grantFor(t, []string{"/in/**"}, paths); refused != nil || !slices.Equal(g.Roots, []string{"/in"}) {
		t.Errorf("%+v, %+v", g, refused)
	}
}

// TestTokenManyClients: what one client may ask for is never another's.
func TestTokenManyClients(t *testing.T) {
	client := portal()
	d := newDesk(func(o *validator.TokenOptions) {
		o.Authenticate = func(context.Context, string, string, string) (*validator.Client, error) { return client, nil }
	})
	for i := range 1500 {
		client = portal()
		client.Upload, client.Download = []string{fmt.Sprintf("/%d/**", i)}, []string{fmt.Sprintf("/out/%d", i)}
		a := d.ask(t, "/files/upload_setup", requests(fmt.Sprintf(`{"destination_root":"/%d","paths":[{}]}`, i), fmt.Sprintf(`{"destination_root":"/%d","paths":[{}]}`, i-1)))
		b := d.ask(t, "/files/download_setup", requests(fmt.Sprintf(`{"paths":[{"source":"/out/%d"}]}`, i), fmt.Sprintf(`{"paths":[{"source":"/%d/x"}]}`, i)))
		for _, specs := range []tokenAnswer{a, b} {
			if specs.Specs[0].Error != nil || specs.Specs[1].Error == nil {
				t.Fatalf("client %d: %+v", i, specs)
			}
		}
	}
}

// checkWithin holds what was granted to what the client may ask for.
func checkWithin(t failer, g *rules.Grant, globs []string, asked []rules.Event) {
	t.Helper()
	var reach rules.PathGlobs
	for i, glob := range globs {
		reach.Add(glob, int32(i))
	}
	if len(g.Roots) > 100 || len(g.Roots)+len(g.Paths) == 0 || len(g.Roots)+len(g.Paths) > 100 {
		t.Fatalf("%d roots, %d paths", len(g.Roots), len(g.Paths))
	}
	for _, p := range g.Paths {
		if !reach.Match(p) {
			t.Fatalf("%v do not match the path %q", globs, p)
		}
	}
	for _, root := range g.Roots {
		for _, below := range []string{"", "/a", "/a.exe", "/.x/y/z.mov", "/a/b/c/d/e/f/g/h"} {
			p := strings.TrimSuffix(root, "/") + below
			if p == "" {
				p = "/"
			}
			if !reach.Match(p) {
				t.Fatalf("%v do not match %q below the root %q", globs, p, root)
			}
		}
	}
	for i := range asked {
		if e := &asked[i]; !g.Covers(e.File.Slash) || e.Below && !g.Covers(strings.TrimSuffix(e.File.Slash, "/")+"/x/y") {
			t.Fatalf("%q was asked for and is not granted by %v, %v", e.File.Slash, g.Roots, g.Paths)
		}
	}
}

// TestTokenGrantsAreWithinTheClient: whatever is granted, the client may have, and
// whatever was asked for is granted.
func TestTokenGrantsAreWithinTheClient(t *testing.T) {
	granted := 0
	rapid.Check(t, func(t *rapid.T) {
		segment := rapid.SampledFrom([]string{"a", "b", "ab", "in", "x.mov", "*", ".", "", "[a]", "{a}", `a\b`, "%2e%2e"})
		path := rapid.Custom(func(t *rapid.T) string {
			return "/" + strings.Join(rapid.SliceOfN(segment, 0, 5).Draw(t, "path"), "/")
		})
		globs := rapid.SliceOfN(rapid.SampledFrom([]string{"/**", "/in/**", "/a/**", "/*/b/**", "/a/*.mov", "/{a,b}/in/**", "/[ab]/**", "/**/x.mov", "/a"}), 1, 3).Draw(t, "globs")
		root := path.Draw(t, "root")
		list := rapid.SliceOfN(path, 1, 4).Draw(t, "paths")
		if n := rapid.SampledFrom([]int{0, 0, 150, 500}).Draw(t, "more"); n > 0 {
			list = append(list, many(n, list[0]+"/%d/f")...)
		}
		client := portal()
		client.Download = globs
		d := newDesk(func(o *validator.TokenOptions) { o.Authenticate = authenticate(client) })
		var b strings.Builder
		for _, p := range list {
			fmt.Fprintf(&b, `,{"source":%q}`, p)
		}
		w := d.send(http.MethodPost, "/files/download_setup", requests(fmt.Sprintf(`{"source_root":%q,"paths":[%s]}`, root, b.String()[1:])))
		if w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, call := range d.calls {
			for _, r := range call.Requests {
				granted++
				checkWithin(t, r.Grant, globs, d.events)
			}
		}
	})
	if granted == 0 {
		t.Error("nothing was ever granted")
	}
}

// FuzzTokenRequest: whatever is sent, the answer is JSON in the known form, and
// nothing is granted that the client may not have.
func FuzzTokenRequest(f *testing.F) {
	for _, body := range []string{
		documentedUpload, fmt.Sprintf(documentedPairs, ""), fmt.Sprintf(documentedPairs, ","), "", "{", "[]", "\uFEFF{}",
		requests(`{"paths":[{"source":"/"}]}`), requests(`{"paths":[{"destination":"/in/../x"}]}`),
		requests(`{"paths":[{"source":"C:\\a","destination":"in\\b/*"}],"destination_root":"/in","token_life_seconds":"9e9","tags":{"aspera":{}}}`),
		requests(`{"paths":[{"source":"*"},{},{"source":"a/./"}],"source_root":"in","destination_root":"in","tags":{"sluice":{"grant":"x"}},"cookie":"c"}`, `{}`),
	} {
		f.Add(body, false)
		f.Add(body, true)
	}
	f.Fuzz(func(t *testing.T, body string, download bool) {
		client := portal()
		client.Upload, client.Download = []string{"/in/**", "/drop/*.mov"}, []string{"/in/*/**", "/a"}
		globs, target := client.Upload, "/files/upload_setup"
		if download {
			globs, target = client.Download, "/node_api/files/download_setup"
		}
		d := newDesk(func(o *validator.TokenOptions) {
			o.Authenticate = authenticate(client)
			o.Decider = validator.Logged(o.Decider, zapcore.AddSync(io.Discard))
		})
		w := d.send(http.MethodPost, target, body)
		a := readAnswer(t, w)
		if w.Header().Get("X-Sluice-Decision") == "" || w.Code == http.StatusInternalServerError {
			t.Fatalf("%d, decision %q: %+v", w.Code, w.Header().Get("X-Sluice-Decision"), a.Error)
		}
		for _, call := range d.calls {
			for _, r := range call.Requests {
				checkWithin(t, r.Grant, globs, nil)
				if life := r.Grant.Expires.Sub(r.Grant.Issued); life < time.Second || life > client.MaxLife {
					t.Fatalf("life %v", life)
				}
			}
		}
		for _, s := range a.Specs {
			if s.Spec == nil {
				continue
			}
			if root, ok := s.Spec["destination_root"].(string); !download && (!ok || !strings.HasPrefix(root, "/")) {
				t.Fatalf("destination_root %v", s.Spec["destination_root"])
			}
		}
	})
}

// BenchmarkTokens measures a whole request through the handler, with a grant that
// is really signed.
func BenchmarkTokens(b *testing.B) {
	keys, _, err := grants.OpenKeys(grants.KeyOptions{KeyFile: b.TempDir() + "/grant-key.pem"})
	if err != nil {
		b.Fatal(err)
	}
	local, err := grants.NewLocal(grants.TransferOptions{RemoteHost: "hst.example.com"})
	if err != nil {
		b.Fatal(err)
	}
	list := make([]string, 10)
	for i := range list {
		list[i] = fmt.Sprintf(`{"source":"/films/%d.mov"}`, i)
	}
	for name, body := range map[string]string{
		"folder":  documentedUpload,
		"10paths": requests(`{"destination_root":"/in","tags":{"aspera":{"faspex":{"x":1}}},"paths":[` + strings.Join(list, ",") + `]}`),
	} {
		b.Run(name, func(b *testing.B) {
			h := validator.NewTokens(validator.TokenOptions{
				Decider: byChain(), Authenticate: authenticate(portal()), Sign: keys.Sign, Issuer: local, Limits: validator.DefaultLimits(),
				Now: time.Now, Log: zap.NewNop(), Registerer: prometheus.NewRegistry(),
			})
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/files/upload_setup", strings.NewReader(body))
				r.SetBasicAuth("portal", portalPassword)
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
