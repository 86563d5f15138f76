package validator_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// deciderFunc is a Decider that is a function.
type deciderFunc func(ctx context.Context, e *rules.Event) rules.Decision

// Decide implements validator.Decider.
func (f deciderFunc) Decide(ctx context.Context, e *rules.Event) rules.Decision { return f(ctx, e) }

// revision is that of the policy set that the tests' deciders stand for.
const revision = "0123456789ab"

// byChain answers as a policy set of one chain of rules does.
func byChain(chain ...*rules.Rule) deciderFunc {
	return func(ctx context.Context, e *rules.Event) rules.Decision {
		if e.Fault != nil {
			return rules.Refuse(e, revision, rules.Verdict{Code: e.Fault.Code, Message: e.Fault.Message}, e.Fault)
		}
		d := rules.Begin(e, revision)
		d.Applied = 1
		rules.Chain(chain).Ask(ctx, e, &d)
		return d
	}
}

// template compiles a message.
func template(text string) *rules.Template {
	message, err := rules.ParseTemplate(text, "found")
	if err != nil {
		panic(err)
	}
	return message
}

// objecting is a rule that refuses whatever it is asked.
func objecting(message string) *rules.Rule {
	return &rules.Rule{
		Policy: "ingest", Name: "no", Kind: "path", Code: "1020", Message: template(message),
		Check: func(context.Context, *rules.Event) (*rules.Objection, error) { return &rules.Objection{}, nil },
	}
}

// event is a whole event; member replaces or adds some of its members.
func event(members ...string) string {
	m := map[string]any{
		"startstop": "start", "session_id": "s-1", "host": "hst", "client_ip": "203.0.113.7", "user": "xfer",
		"direction": "recv", "file": "/ingest/clip.mov", "size": 1048576,
	}
	for i := 0; i < len(members); i += 2 {
		m[members[i]] = members[i+1]
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// options are what the service is made of in most tests.
func options(d validator.Decider) validator.Options {
	return validator.Options{
		Decider: d, Limits: validator.DefaultLimits(), Now: time.Now, Log: zap.NewNop(), Registerer: prometheus.NewRegistry(),
	}
}

// answered is all of an answer that a caller can rely on.
type answered struct {
	Status      int
	ContentType string
	Body        string
}

// ask puts one request to a handler, and returns the answer and the id in it.
func ask(h http.Handler, method, target, body string) (answered, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
	return answered{w.Code, w.Header().Get("Content-Type"), w.Body.String()}, w.Header().Get("X-Sluice-Decision")
}

// refusedWith is the answer that refuses with a code and a message that needs
// no escapes.
func refusedWith(code, message string) answered {
	return answered{400, "application/json", `{"error":{"code":"` + code + `","message":"` + message + `"}}` + "\n"}
}

const nothingHere = "Nothing is served here. File events go to …/validation/files: set validation_uri to the part before it."

func TestServiceAnswers(t *testing.T) {
	accepted := answered{Status: 200}
	nothing := answered{404, "application/json", `{"error":{"code":"404","message":"` + nothingHere + `"}}` + "\n"}
	accept, reject := byChain(), byChain(objecting("{name}: not here."))
	for _, tc := range []struct {
		name           string
		decider        validator.Decider
		method, target string
		body           string
		want           answered
		decided        bool
	}{
		{"accepted", accept, "POST", "/validation/files", event(), accepted, true},
		{"refused", reject, "POST", "/validation/files", event(), refusedWith("1020", "clip.mov: not here."), true},
		{"what HTML escapes is left alone", reject, "POST", "/validation/files", event("file", "/<b>&'.mov"), refusedWith("1020", "<b>&'.mov: not here."), true},
		{"what JSON escapes is escaped", reject, "POST", "/validation/files", event("file", `/a"b\c`), refusedWith("1020", `a\"b\\c: not here.`), true},
		{"what does not print is escaped", reject, "POST", "/validation/files", event("file", "/a\u202eb\n\x7f"), refusedWith("1020", `a\\u202eb\\u000a\\u007f: not here.`), true},
		{
			"malformed", accept, "POST", "/validation/files", "{",
			refusedWith("1001", "The Aspera server's file event could not be read: it ends too early. Tell the server's administrator."), true,
		},
		{
			"empty", accept, "POST", "/validation/files", "",
			refusedWith("1001", "The Aspera server's file event could not be read: it is empty. Tell the server's administrator."), true,
		},
		{"GET", accept, "GET", "/validation/files", "", refusedWith("1001", "File events are sent with POST, not with GET."), true},
		{"PUT", accept, "PUT", "/validation/files", event(), refusedWith("1001", "File events are sent with POST, not with PUT."), true},
		{"a method that HTTP does not define", accept, "ASPERA", "/validation/files", event(), refusedWith("1001", "File events are sent with POST, not with ASPERA."), true},
		{
			"a method without end", accept, strings.Repeat("LONG", 1000), "/validation/files", event(),
			refusedWith("1001", "File events are sent with POST, not with LONGLONGL…LONG."), true,
		},
		{"methods differ by case", accept, "post", "/validation/files", event(), refusedWith("1001", "File events are sent with POST, not with post."), true},

		{"prefix", accept, "POST", "/hst-1/validation/files", event(), accepted, true},
		{"long prefix", accept, "POST", "/a/b/c/d/e/f/validation/files", event(), accepted, true},
		{"prefix with escapes", accept, "POST", "/a%2Fb%20c/validation/files", event(), accepted, true},
		{"doubled slash", accept, "POST", "//validation/files", event(), accepted, true},
		{"doubled slash after a prefix", accept, "POST", "/hst-1//validation/files", event(), accepted, true},
		{"trailing slash", accept, "POST", "/validation/files/", event(), accepted, true},
		{"trailing slashes", accept, "POST", "/validation/files///", event(), accepted, true},
		{"query", accept, "POST", "/validation/files?a=b", event(), accepted, true},

		{"root", accept, "POST", "/", event(), nothing, false},
		{"half the path", accept, "POST", "/validation", event(), nothing, false},
		{"beyond the path", accept, "POST", "/validation/files/1", event(), nothing, false},
		{"a longer word", accept, "POST", "/xvalidation/files", event(), nothing, false},
		{"another case", accept, "POST", "/Validation/Files", event(), nothing, false},
		{"path in the query", accept, "POST", "/?/validation/files", event(), nothing, false},
		{"nothing for GET either", accept, "GET", "/metrics", "", nothing, false},
		{"nothing for a method that HTTP does not define", accept, "ASPERA", "/", "", nothing, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, id := ask(validator.New(options(tc.decider)), tc.method, tc.target, tc.body)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (id != "") != tc.decided {
				t.Errorf("X-Sluice-Decision is %q", id)
			}
		})
	}
}

// TestARequestWithoutAPathIsAnswered as any other for which there is nothing.
func TestARequestWithoutAPathIsAnswered(t *testing.T) {
	h := validator.New(options(byChain()))
	for _, path := range []string{"*", "", "validation"} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(event()))
		r.URL.Path = path
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), nothingHere) {
			t.Errorf("path %q: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestRequestsAreCounted(t *testing.T) {
	o := options(byChain())
	registry := prometheus.NewRegistry()
	o.Registerer = registry
	h := validator.New(o)
	ask(h, "POST", "/", event())
	ask(h, "POST", "//", event())
	ask(h, "GET", "/validation/files/more", event())
	ask(h, "POST", "/validation/files", event())
	ask(h, "POST", "/validation/files", "")
	ask(h, "ASPERA", "/validation/files", "")
	want := map[string]float64{
		`sluice_http_requests_total{code="200",listener="service"}`: 1,
		`sluice_http_requests_total{code="400",listener="service"}`: 2,
		`sluice_http_requests_total{code="404",listener="service"}`: 3,
	}
	if diff := cmp.Diff(want, gather(t, registry, "sluice_http_requests_total")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// gather returns the series of a registry whose names begin with a prefix: the
// value of a counter or gauge, how often a histogram was asked.
func gather(t *testing.T, registry prometheus.Gatherer, prefix string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), prefix) {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			found[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return found
}

// uuid7 is the form of ids.
var uuid7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestDecisionHeaderIsTheDecisionsID(t *testing.T) {
	var decided rules.ID
	chain := byChain(objecting("no"))
	seen := map[string]bool{}
	h := validator.New(options(validator.Guarded(deciderFunc(func(ctx context.Context, e *rules.Event) rules.Decision {
		decided = e.ID
		switch e.User {
		case "panics":
			panic("by a test")
		case "refused":
			return chain(ctx, e)
		default:
			return byChain()(ctx, e)
		}
	}))))
	for _, body := range []string{event(), event("user", "refused"), event("user", "panics"), "rubbish"} {
		for range 100 {
			_, id := ask(h, "POST", "/validation/files", body)
			if id != decided.String() || !uuid7.MatchString(id) {
				t.Errorf("%s: X-Sluice-Decision is %q, the decision's id %s", body, id, decided)
			}
			if seen[id] {
				t.Errorf("the id %s is given twice", id)
			}
			seen[id] = true
		}
	}
}

// TestEventsAreReceivedByTheClock: the id and the time of an event are of the
// clock that the service was given.
func TestEventsAreReceivedByTheClock(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 8_000_000, time.UTC)
	o := options(deciderFunc(func(ctx context.Context, e *rules.Event) rules.Decision {
		if !e.Received.Equal(now) {
			t.Errorf("received at %s", e.Received)
		}
		return byChain()(ctx, e)
	}))
	o.Now = func() time.Time { return now }
	_, id := ask(validator.New(o), "POST", "/validation/files", event())
	if want := rules.NewID(now, [10]byte{}).String()[:13]; id[:13] != want {
		t.Errorf("the id %s does not begin with %s", id, want)
	}
}

func TestDecoderIsTheOneThatWasGiven(t *testing.T) {
	for uploadIs, want := range map[string]rules.Direction{"": rules.Upload, "recv": rules.Upload, "send": rules.Download} {
		var got rules.Direction
		o := options(deciderFunc(func(ctx context.Context, e *rules.Event) rules.Decision {
			got = e.Direction
			return byChain()(ctx, e)
		}))
		o.Decoder = validator.Decoder{UploadIs: uploadIs}
		ask(validator.New(o), "POST", "/validation/files", event())
		if got != want {
			t.Errorf("upload is %q: the direction is %s, want %s", uploadIs, got, want)
		}
	}
}

// TestOneEventTooManyIsOverloaded: the places of limits.requests are held by
// events that are being decided.
func TestOneEventTooManyIsOverloaded(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	o := options(deciderFunc(func(ctx context.Context, e *rules.Event) rules.Decision {
		if e.Fault == nil {
			entered <- struct{}{}
			<-release
		}
		return byChain()(ctx, e)
	}))
	o.Limits.Requests = 2
	h := validator.New(o)
	held := make(chan answered, 2)
	for range 2 {
		go func() {
			got, _ := ask(h, "POST", "/validation/files", event())
			held <- got
		}()
		<-entered
	}
	busy := refusedWith("1002", "The file validation service is busy. Try again in a minute.")
	for _, body := range []string{event(), "rubbish", ""} {
		got, id := ask(h, "POST", "/validation/files", body)
		if diff := cmp.Diff(busy, got); diff != "" || id == "" {
			t.Errorf("id %q (-want +got):\n%s", id, diff)
		}
	}
	if got, _ := ask(h, "POST", "/elsewhere", event()); got.Status != http.StatusNotFound {
		t.Errorf("another path takes a place: %+v", got)
	}
	close(release)
	for range 2 {
		if got := <-held; got.Status != http.StatusOK {
			t.Errorf("an event that held a place: %+v", got)
		}
	}
	go func() { <-entered }()
	if got, _ := ask(h, "POST", "/validation/files", event()); got.Status != http.StatusOK {
		t.Errorf("with the places free again: %+v", got)
	}
}

// TestAPanicCostsOneEvent and neither its place nor the service.
func TestAPanicCostsOneEvent(t *testing.T) {
	o := options(validator.Guarded(deciderFunc(func(ctx context.Context, e *rules.Event) rules.Decision {
		if e.User == "panics" {
			panic("secret")
		}
		return byChain()(ctx, e)
	})))
	o.Limits.Requests = 1
	h := validator.New(o)
	want := refusedWith("1004", "The file validation service has a fault and refuses to be safe. Tell the server's administrator.")
	for range 3 {
		if got, _ := ask(h, "POST", "/validation/files", event("user", "panics")); got != want {
			t.Error(cmp.Diff(want, got))
		}
		if got, _ := ask(h, "POST", "/validation/files", event()); got.Status != http.StatusOK {
			t.Errorf("after a panic: %+v", got)
		}
	}
}

func TestGuardedTellsWhatThePanicWas(t *testing.T) {
	e := &rules.Event{ID: rules.NewID(time.Now(), [10]byte{1})}
	d := validator.Guarded(deciderFunc(func(context.Context, *rules.Event) rules.Decision { panic("the fault") })).Decide(t.Context(), e)
	if d.Accepted() || d.Code != rules.CodeInternal || d.ID != e.ID || d.Err == nil || d.Err.Error() != "panic: the fault" {
		t.Errorf("%+v", d)
	}
	if strings.Contains(d.Message, "the fault") {
		t.Errorf("the person who transfers is told %q", d.Message)
	}
}

// TestCloseEndsConnections where the service was told that none is to be kept.
func TestCloseEndsConnections(t *testing.T) {
	closing := false
	o := options(byChain())
	o.Close = func() bool { return closing }
	server := httptest.NewServer(validator.New(o))
	defer server.Close()
	for _, closing = range []bool{false, true} {
		for _, body := range []string{event(), "rubbish"} {
			response, err := server.Client().Post(server.URL+"/validation/files", "", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.Close != closing {
				t.Errorf("closing %t: the answer to %q says close %t", closing, body, response.Close)
			}
		}
	}
}

// broken is a caller that is gone before it is answered.
type broken struct{ header http.Header }

func (b *broken) Header() http.Header       { return b.header }
func (b *broken) WriteHeader(int)           {}
func (b *broken) Write([]byte) (int, error) { return 0, http.ErrHandlerTimeout }

func TestACallerThatIsGoneIsNoFault(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	o := options(byChain(objecting("no")))
	o.Log = zap.New(core)
	h := validator.New(o)
	for _, target := range []string{"/validation/files", "/elsewhere"} {
		h.ServeHTTP(&broken{http.Header{}}, httptest.NewRequest(http.MethodPost, target, strings.NewReader(event())))
	}
	if logs.Len() != 0 {
		t.Errorf("logged: %v", logs.All())
	}
}

// tables returns the rows of the README's tables by the first cell of their
// heads. Cells are without the backquotes around them.
func tables(t *testing.T, file string) map[string][][]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := map[string][][]string{}
	head := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		row, ok := strings.CutPrefix(lines.Text(), "| ")
		switch {
		case strings.HasPrefix(lines.Text(), "|---"):
		case !ok:
			head = ""
		default:
			cells := strings.Split(strings.TrimSuffix(row, " |"), " | ")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			if head == "" {
				head = cells[0]
				found[head] = [][]string{}
				continue
			}
			found[head] = append(found[head], cells)
		}
	}
	return found
}

func TestReferenceOfReasons(t *testing.T) {
	var got []string
	for _, row := range tables(t, "README.md")["reason"] {
		got = append(got, strings.Trim(row[0], "`"))
	}
	if diff := cmp.Diff(validator.MalformedReasons(), got); diff != "" {
		t.Errorf("the README's table of reasons (-want +got):\n%s", diff)
	}
	if !slices.IsSorted(got) {
		t.Error("the reasons are not in order")
	}
}

func TestReferenceOfLimits(t *testing.T) {
	l := validator.DefaultLimits()
	want := map[string]string{
		"body": rules.FormatSize(l.Body), "header": rules.FormatSize(int64(l.Header)),
		"header_time": short(l.HeaderTime), "read_time": short(l.ReadTime), "idle_time": short(l.IdleTime),
		"connections": thousands(l.Connections), "requests": thousands(l.Requests),
	}
	got := map[string]string{}
	for _, row := range tables(t, "README.md")["key of `limits`"] {
		value := regexp.MustCompile(`^[0-9][0-9,]*( [A-Za-z]+)?`).FindString(row[1])
		for _, more := range []string{" for", " between", " open", " being"} {
			value = strings.TrimSuffix(value, more)
		}
		got[strings.Trim(row[0], "`")] = value
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the README's table of limits (-want +got):\n%s", diff)
	}
}

// short writes a time as the README does.
func short(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// thousands writes a number as the README does.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// TestReferenceOfCodes: the codes of which the README speaks are the service's.
func TestReferenceOfCodes(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, c := range rules.ServiceCodes() {
		known[string(c.Code)] = true
	}
	said := regexp.MustCompile(`code (\d{4})`).FindAllStringSubmatch(string(text), -1)
	if len(said) == 0 {
		t.Error("the README speaks of no code")
	}
	for _, code := range said {
		if !known[code[1]] {
			t.Errorf("the README speaks of the code %s, which the service does not have", code[1])
		}
	}
}
