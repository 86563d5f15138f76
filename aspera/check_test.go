package aspera_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/aspera"
)

var update = flag.Bool("update", false, "write what was found into testdata/*.findings")

// asked are rules that need everything that can be needed.
func asked() aspera.Needs {
	return aspera.Needs{
		Known:     true,
		Start:     aspera.Event{First: []string{"film/names", "film/sizes"}},
		Threshold: aspera.Event{First: []string{"film/head"}, Again: []string{"film/names"}},
		Stop:      aspera.Event{First: []string{"film/digest", "film/scan"}, Again: []string{"film/names", "film/sizes"}},
		Token:     []string{"film/granted"}, Checksum: []string{"film/digest"}, Content: []string{"film/scan"},
	}
}

func service() *aspera.Service {
	return &aspera.Service{
		Listen: "127.0.0.1:8088", Tokens: "0.0.0.0:9093", PartialSuffix: ".partial",
		Docroots: map[string]string{"xfer": "/srv/aspera/xfer"}, Requests: 2000,
	}
}

func options() aspera.Options {
	return aspera.Options{Needs: asked(), Service: service(), Members: map[string][]string{"partner-7": {"staff", "partners"}}}
}

func read(t *testing.T, name, text string) *aspera.Conf {
	t.Helper()
	conf, err := aspera.Read(name, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

func found(r *aspera.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s:%d:%d: %s: %s (%s, %s)\n  for:  %s\n  then: %s\n", f.File, f.Line, f.Column, f.Severity, f.Message, f.Code, f.Setting, strings.Join(f.Who, ", "), f.Effect)
		for _, line := range f.Mend {
			fmt.Fprintf(&b, "  mend: %s\n", line)
		}
	}
	return b.String()
}

// TestFaults judges the files of testdata, each of which has one fault and the rest
// of sound.conf.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) < 11 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		base := strings.TrimSuffix(filepath.Base(name), ".conf")
		t.Run(base, func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			report := aspera.Check(read(t, base+".conf", string(text)), options())
			got := found(&report)
			golden := strings.TrimSuffix(name, ".conf") + ".findings"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if (base == "sound") != (len(report.Findings) == 0) {
				t.Errorf("%d findings", len(report.Findings))
			}
		})
	}
}

// conf wraps a <transfer> of everybody, and what else there is.
func conf(transfer string, more ...string) string {
	return `<CONF version="2"><default><file_system><access><paths><path><absolute>/srv</absolute></path></paths></access></file_system><transfer>` +
		transfer + `</transfer></default>` + strings.Join(more, "") + `</CONF>`
}

const bothEvents = `<validation_uri>http://127.0.0.1:8088</validation_uri><validation_file_start>uri</validation_file_start><validation_file_stop>uri</validation_file_stop>`

func users(inside string) string {
	return `<aaa><realms><realm>` + inside + `</realm></realms></aaa>`
}

// TestWhatIsFound has a row for each code that a file can have without policies,
// and none for what is as it should be.
func TestWhatIsFound(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string // severity code setting [who]
	}{
		{"nothing to complain of", conf(bothEvents), nil},
		{"an empty file", `<CONF/>`, []string{"error no-uri validation_uri [everybody else]", "warning docroot-missing absolute [everybody else]"}},
		{"taken back", conf(`<validation_uri>AS_NULL</validation_uri>`), []string{"error no-uri validation_uri [everybody else]"}},
		{"a URL alone", conf(`<validation_uri>http://127.0.0.1:8088</validation_uri>`), []string{"error event-off validation_file_start [everybody else]"}},
		{"one event is enough", conf(`<validation_uri>http://127.0.0.1:8088</validation_uri><validation_file_stop>uri</validation_file_stop>`), nil},
		{"an event of sessions", conf(bothEvents + `<validation_session_start>uri</validation_session_start>`), []string{"note session-event validation_session_start [everybody else]"}},
		{"a threshold of 0", conf(bothEvents + `<validation_threshold>uri</validation_threshold><validation_threshold_kb>0</validation_threshold_kb>`), []string{"error threshold-without-size validation_threshold_kb [everybody else]"}},
		{"a threshold of words", conf(bothEvents + `<validation_threshold>uri</validation_threshold><validation_threshold_kb>1 MB</validation_threshold_kb>`), []string{"error bad-number validation_threshold_kb [everybody else]"}},
		{"a size alone", conf(bothEvents + `<validation_threshold_kb>64</validation_threshold_kb>`), []string{"note size-without-threshold validation_threshold_kb [everybody else]"}},
		{"no thread", conf(bothEvents + `<validation_threads>0</validation_threads>`), []string{"warning threads validation_threads [everybody else]"}},
		{"many threads", conf(bothEvents + `<validation_threads>65</validation_threads>`), []string{"warning threads validation_threads [everybody else]"}},
		{"threads in words", conf(bothEvents + `<validation_threads>five</validation_threads>`), []string{"error bad-number validation_threads [everybody else]"}},
		{"a script beside the URL", conf(bothEvents + `<lua_file_stop_script_base64>cmV0dXJu</lua_file_stop_script_base64>`), []string{"error lua-and-uri lua_file_stop_script_base64 [everybody else]"}},
		{"a script of another event", conf(bothEvents + `<lua_session_start_script_path>/x.lua</lua_session_start_script_path>`), nil},
		{"a script instead", conf(`<validation_uri>http://127.0.0.1:8088</validation_uri><validation_file_start>lua_script</validation_file_start>`), []string{"error event-off validation_file_start [everybody else]"}},
		{"fallback by HTTP", conf(bothEvents, `<http_server><enable_http>1</enable_http></http_server>`), []string{"error http-fallback enable_http []"}},
		{"fallback that the pages offer", conf(bothEvents, `<WEB HttpFallback = "yes"/>`), []string{"warning http-fallback HttpFallback []"}},
		{"fallback where nobody is validated", conf(``, `<http_server><enable_http>true</enable_http></http_server>`), []string{"error no-uri validation_uri [everybody else]"}},
		{"fallback on the service's port", conf(bothEvents, `<http_server><enable_http>false</enable_http><http_port>8088</http_port></http_server>`), nil},
		{"the port of the Node API", conf(bothEvents, `<server><http_port>8088</http_port></server>`), []string{"error port-taken validation_uri [everybody else]"}},
		{"a port in words", conf(bothEvents, `<central_server><port>many</port></central_server>`), []string{"warning bad-number port []"}},
		{"not a URL", conf(strings.Replace(bothEvents, "http://127.0.0.1:8088", "127.0.0.1:8088", 1)), []string{"error uri validation_uri [everybody else]"}},
		{"a password", conf(strings.Replace(bothEvents, "127.0.0.1", "a:b@hst", 1)), []string{"error uri validation_uri [everybody else]"}},
		{"a slash at the end", conf(strings.Replace(bothEvents, "8088", "8088/", 1)), []string{"note uri validation_uri [everybody else]"}},
		{"https", conf(strings.Replace(bothEvents, "http:", "https:", 1)), []string{"warning uri validation_uri [everybody else]"}},
		{"a user of another case", conf(bothEvents + `<Validation_URI>http://x</Validation_URI>`), []string{"error unknown-setting Validation_URI []"}},
		{"outside of every section", conf(bothEvents, `<transfer><validation_uri>http://x</validation_uri></transfer>`), []string{"error misplaced-setting validation_uri []"}},
		{"tokens without a key", strings.Replace(conf(bothEvents), `<default>`, `<default><authorization><transfer><in><value>token</value></in></transfer></authorization>`, 1), []string{"warning token-without-key token_encryption_key [everybody else]"}},
		{"tokens with a dynamic key", strings.Replace(conf(bothEvents), `<default>`, `<default><authorization><transfer><in><value>token</value></in></transfer><token><dynamic_key>true</dynamic_key></token></authorization>`, 1), nil},
		{"who may not transfer", `<CONF version="2"><default><authorization><transfer><in><value>deny</value></in><out><value>deny</value></out></transfer></authorization></default></CONF>`, nil},
		{"a restriction instead of a docroot", strings.Replace(conf(bothEvents), `<access><paths><path><absolute>/srv</absolute></path></paths></access>`, `<file_restriction>file:////srv/*</file_restriction>`, 1), nil},
		{"a user who is not asked about", conf(bothEvents, users(`<users><user><name>a</name><transfer><validation_file_start>none</validation_file_start><validation_file_stop>none</validation_file_stop></transfer></user></users>`)), []string{"error event-off validation_file_start [a]"}},
		{"only some are validated", conf(``, users(`<users><user><name>a</name><transfer>`+bothEvents+`</transfer></user><user><name>b</name></user></users>`)), []string{"warning no-uri validation_uri [everybody else]", "error no-uri validation_uri [b]"}},
		{"a user without a name", conf(bothEvents, users(`<users><user/></users>`)), []string{"error name  []"}},
		{"a user who is there twice", conf(bothEvents, users(`<users><user><name>a</name></user><user><name>a</name></user></users>`)), []string{"error name  []"}},
		{"groups of nobody knows whom", conf(bothEvents, users(`<users><user><name>a</name></user></users><groups><group><name>g</name><transfer><validation_threads>6</validation_threads></transfer></group></groups>`)), []string{"note members-unknown  []"}},
		{"a group that says where it belongs", conf(bothEvents, users(`<users><user><name>a</name><group>g</group></user></users><groups><group><name>g</name><transfer><validation_threads>1</validation_threads></transfer></group></groups>`)), []string{"note members-unknown  []", "warning threads validation_threads [group g a]"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report := aspera.Check(read(t, "x.conf", tc.text), aspera.Options{})
			var got []string
			for _, f := range report.Findings {
				got = append(got, fmt.Sprintf("%s %s %s %v", f.Severity, f.Code, f.Setting, f.Who))
				if f.Line != 1 || f.Column < 1 || f.Message == "" || f.Effect == "" {
					t.Errorf("%+v", f)
				}
			}
			slices.Sort(got)
			slices.Sort(tc.want)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestTheNearestSettingHolds(t *testing.T) {
	text := conf(`<validation_threads>5</validation_threads>`, users(`
		<groups>
			<group><name>late</name><precedence>2</precedence><transfer><validation_threads>22</validation_threads><validation_uri>http://late</validation_uri></transfer></group>
			<group><name>early</name><precedence>1</precedence><transfer><validation_threads>11</validation_threads></transfer></group>
		</groups>
		<users>
			<user><name>own</name><transfer><validation_threads>3</validation_threads></transfer></user>
			<user><name>both</name></user>
			<user><name>one</name></user>
			<user><name>none</name></user>
		</users>`))
	report := aspera.Check(read(t, "x.conf", text), aspera.Options{Members: map[string][]string{"own": {"early"}, "both": {"late", "early"}, "one": {"late", "other"}}})
	var got []string
	for _, e := range report.Effective {
		got = append(got, strings.TrimSpace(e.Who+" "+e.Threads+" "+e.URI))
	}
	want := []string{"everybody else 5", "group late 22 http://late", "group early 11", "own 3", "both 11 http://late", "one 22 http://late", "none 5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&b, "<user><name>u%d</name><transfer><validation_threads>0</validation_threads></transfer></user>", i)
	}
	report := aspera.Check(read(t, "x.conf", conf(bothEvents, users("<users>"+b.String()+"</users>"))), aspera.Options{})
	if len(report.Findings) != 1000 || report.More != 500 || len(report.Effective) != 1501 {
		t.Errorf("%d findings and %d more about %d", len(report.Findings), report.More, len(report.Effective))
	}
}
