package aspera_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/aspera"
)

func target(change ...func(*aspera.Target)) *aspera.Target {
	t := &aspera.Target{Needs: asked(), URI: "http://127.0.0.1:8088/hst-1", Scope: aspera.Global, ThresholdKB: 1024}
	for _, f := range change {
		f(t)
	}
	return t
}

func TestWhatIsGenerated(t *testing.T) {
	to := target(func(t *aspera.Target) { t.Threads = 8 })
	g, err := aspera.Generate(to)
	if err != nil {
		t.Fatal(err)
	}
	want := `# CAREFUL: tokens are required from then on: who transfers with a password or a key alone is refused by the server
# CAREFUL: a token needs a token encryption key (token_encryption_key, 20 random characters or more) or a dynamic one on the node; no key is written here
# CAREFUL: these want a checksum of ascp: film/digest; set file_checksum too, if clients are not to decide whether there is one
# CAREFUL: these look into files: film/scan; partial_suffix of the service must be partial_file_suffix of aspera.conf

# ascp posts to http://127.0.0.1:8088/hst-1/validation/files; alone it calls nothing
asconfigurator -x "set_node_data;validation_uri,http://127.0.0.1:8088/hst-1"

# decided here: film/names, film/sizes
asconfigurator -x "set_node_data;validation_file_start,uri"

# before the threshold: with 0 here the ascp session exits with an error
asconfigurator -x "set_node_data;validation_threshold_kb,1024"

# decided here: film/head
# asked again here: film/names
asconfigurator -x "set_node_data;validation_threshold,uri"

# decided here: film/digest, film/scan
# asked again here: film/names, film/sizes
asconfigurator -x "set_node_data;validation_file_stop,uri"

# a session moves at most 800 files a second with answers in 5ms
asconfigurator -x "set_node_data;validation_threads,8"

# these count on tokens: film/granted
asconfigurator -x "set_node_data;authorization_transfer_in_value,token"

# the same for downloads
asconfigurator -x "set_node_data;authorization_transfer_out_value,token"

# HTTP fallback is not validated inline
asconfigurator -x "set_http_server_data;enable_http,false"

# nor is it by HTTPS
asconfigurator -x "set_http_server_data;enable_https,false"
`
	if diff := cmp.Diff(want, g.Commands(to)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestCareful has what must not be printed without a word.
func TestCareful(t *testing.T) {
	film := []string{"film/a"}
	for _, tc := range []struct {
		name   string
		change func(*aspera.Target)
		want   string
	}{
		{"no rule is asked about transfers", func(t *aspera.Target) { t.Needs = aspera.Needs{Known: true} }, "NOTHING IS VALIDATED"},
		{"only tokens", func(t *aspera.Target) { t.Needs = aspera.Needs{Known: true, Token: film} }, "NOTHING IS VALIDATED"},
		{"only the threshold", func(t *aspera.Target) {
			t.Needs = aspera.Needs{Known: true, Threshold: aspera.Event{First: film}, Stop: aspera.Event{Again: film}}
		}, "small files never reach"},
		{"only the end", func(t *aspera.Target) { t.Needs = aspera.Needs{Known: true, Stop: aspera.Event{First: film}} }, "has arrived by then"},
		{"one user", func(t *aspera.Target) { t.Scope, t.Name = aspera.User, "xfer" }, "for everybody else ascp asks as aspera.conf says now"},
		{"HTTP fallback of all", func(t *aspera.Target) { t.Scope, t.Name = aspera.Group, "g" }, "HTTP fallback is switched off for the whole server"},
		{"TLS", func(t *aspera.Target) { t.URI = "https://hst" }, "whether ascp speaks TLS here"},
		{"one thread", func(t *aspera.Target) { t.Threads = 1 }, "will wait for answers"},
		{"a hundred threads", func(t *aspera.Target) { t.Threads = 100 }, "how many ascp bears is not documented"},
		{"tokens", func(*aspera.Target) {}, "tokens are required from then on"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := target(tc.change)
			g, err := aspera.Generate(to)
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(g.Careful, "\n"); !strings.Contains(all, tc.want) || !strings.Contains(g.Commands(to), tc.want) || !strings.Contains(g.XML(to), tc.want) {
				t.Errorf("%s\nwant %s", all, tc.want)
			}
		})
	}
}

func TestWhatIsNotGenerated(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*aspera.Target)
		want   string
	}{
		{"no URL", func(t *aspera.Target) { t.URI = "" }, "is not a URL"},
		{"no scheme", func(t *aspera.Target) { t.URI = "127.0.0.1:8080" }, "is not a URL"},
		{"another scheme", func(t *aspera.Target) { t.URI = "ftp://h" }, "is not a URL"},
		{"the whole path", func(t *aspera.Target) { t.URI = "http://h/validation/files/" }, "which ascp appends by itself"},
		{"a query", func(t *aspera.Target) { t.URI = "http://h/?a=b" }, "has a query or a fragment"},
		{"a password", func(t *aspera.Target) { t.URI = "http://a:b@h/" }, "has a user or a password"},
		{"a second option", func(t *aspera.Target) { t.URI = "http://h/a;overwrite,deny" }, "a shell or asconfigurator"},
		{"a command", func(t *aspera.Target) { t.URI = "http://h/$(id)" }, "a shell or asconfigurator"},
		{"nobody", func(t *aspera.Target) { t.Scope = aspera.User }, "is not the name of a user"},
		{"a user with a command", func(t *aspera.Target) { t.Scope, t.Name = aspera.User, "a`id`" }, "is not the name of a user"},
		{"a group with an option", func(t *aspera.Target) { t.Scope, t.Name = aspera.Group, "a;b,c" }, "is not the name of a group"},
		{"a threshold of 0", func(t *aspera.Target) { t.ThresholdKB = 0 }, "exits with an error"},
		{"too many threads", func(t *aspera.Target) { t.Threads = 1001 }, "not from 1 to 1000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := aspera.Generate(target(tc.change)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}

// TestWhatIsGeneratedIsSound judges what is generated as if it were the file: the
// only things left to complain of are those it was not asked to set.
func TestWhatIsGeneratedIsSound(t *testing.T) {
	names := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,4}/[a-z-]{1,9}`), 0, 3)
	event := rapid.Custom(func(t *rapid.T) aspera.Event {
		return aspera.Event{First: names.Draw(t, "first"), Again: names.Draw(t, "again")}
	})
	rapid.Check(t, func(t *rapid.T) {
		to := &aspera.Target{
			Needs: aspera.Needs{Known: true, Start: event.Draw(t, "start"), Threshold: event.Draw(t, "threshold"), Stop: event.Draw(t, "stop"), Token: names.Draw(t, "token")},
			URI:   "http://127.0.0.1:8088", Scope: aspera.Scope(rapid.SampledFrom([]string{"global", "group", "user"}).Draw(t, "scope")),
			ThresholdKB: rapid.IntRange(1, 1<<20).Draw(t, "kb"), Threads: rapid.IntRange(0, 64).Draw(t, "threads"),
		}
		if to.Scope != aspera.Global {
			to.Name = rapid.StringMatching(`[A-Za-z0-9._@-]{1,12}|CORP\\[a-z]{1,8}`).Draw(t, "name")
		}
		g, err := aspera.Generate(to)
		if err != nil {
			t.Fatal(err)
		}
		text := g.XML(to)
		conf, err := aspera.Read("x.conf", strings.NewReader(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if len(conf.Strays) > 0 {
			t.Fatalf("%+v\n%s", conf.Strays, text)
		}
		report := aspera.Check(conf, aspera.Options{Needs: to.Needs})
		for _, f := range report.Findings {
			others := to.Scope != aspera.Global && len(f.Who) == 1 && f.Who[0] == "everybody else"
			if f.Severity == aspera.Error && !others {
				t.Errorf("%+v\n%s", f, text)
			}
		}
		for _, l := range g.Lines {
			if strings.Count(g.Commands(to), l.Option+","+l.Value+`"`) != 1 {
				t.Errorf("%s is not set once", l.Option)
			}
		}
	})
}
