package aspera

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Target is a server, or some of its users, whose files are to be validated.
type Target struct {
	Needs Needs
	// URI is where ascp asks, without /validation/files.
	URI string
	// Scope and Name say for whom; Name is empty for everybody.
	Scope Scope
	Name  string
	// Threads is validation_threads; 0 leaves ascp its own, which is 5.
	Threads int
	// ThresholdKB is the size in KB from which files are asked about while they move.
	ThresholdKB int
	// Latency is how long one answer takes; 0 is 5 ms.
	Latency time.Duration
}

// Line is an option to set, and why.
type Line struct {
	Option, Value string
	// Server says that the option is asperahttpd's, and so everybody's.
	Server bool
	Why    []string
}

// Generated is what a target needs, in the order in which it is to be set: from
// each line to the next, transfers go on.
type Generated struct {
	Lines []Line
	// Careful is what there is to know before it is put to use.
	Careful []string
}

// Check says what is wrong with a target.
func (t *Target) Check() error {
	severity, message, effect := CheckURI(t.URI)
	switch {
	case severity == Error:
		return fmt.Errorf("%s: %s", message, effect)
	case !Plain(t.URI):
		return fmt.Errorf("%q has characters that a shell or asconfigurator takes for its own: use letters, digits and -._~:/%%@+=", t.URI)
	case t.Scope != Global && (t.Name == "" || !Plain(t.Name)):
		return fmt.Errorf("%q is not the name of a %s: use letters, digits and -._@", t.Name, t.Scope)
	case t.Threads < 0 || t.Threads > 1000:
		return errors.New("the number of threads is not from 1 to 1000")
	case t.ThresholdKB < 1 || t.ThresholdKB > 1<<31:
		return errors.New("the threshold is not from 1 to 2147483648 KB: with 0 the ascp session exits with an error")
	}
	return nil
}

// Generate returns what a target needs. The error is that of Target.Check.
func Generate(t *Target) (*Generated, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	g := &Generated{}
	g.set(validationURI, t.URI, "ascp posts to "+strings.TrimRight(t.URI, "/")+"/validation/files; alone it calls nothing")
	g.event(fileStart, t.Needs.Start)
	if len(t.Needs.Threshold.First) > 0 {
		// With the threshold on and no size, sessions would end from one line to the next.
		g.set(thresholdKB, fmt.Sprint(t.ThresholdKB), "before the threshold: with 0 here the ascp session exits with an error")
	}
	g.event(threshold, t.Needs.Threshold)
	g.event(fileStop, t.Needs.Stop)
	g.threads(t)
	g.tokens(t)
	g.set(enableHTTP, "false", "HTTP fallback is not validated inline")
	g.set(enableHTTPS, "false", "nor is it by HTTPS")
	for i := range g.Lines {
		g.Lines[i].Server = g.Lines[i].Option == enableHTTP || g.Lines[i].Option == enableHTTPS
	}
	g.careful(t)
	return g, nil
}

func (g *Generated) set(option, value string, why ...string) {
	g.Lines = append(g.Lines, Line{Option: option, Value: value, Why: why})
}

// event sets an event to uri if rules are decided on it. One that only asks again is
// worth its questions at the end of a file, where the size is known.
func (g *Generated) event(option string, e Event) {
	var why []string
	if len(e.First) > 0 {
		why = append(why, "decided here: "+strings.Join(e.First, ", "))
	}
	if len(e.Again) > 0 {
		why = append(why, "asked again here: "+strings.Join(e.Again, ", "))
	}
	switch {
	case len(e.First) > 0, option == fileStop && len(e.Again) > 0:
		g.set(option, valueURI, why...)
	case len(e.Again) > 0:
		g.set(option, valueNone, append(why, "nothing needs it: what is asked here was decided before")...)
	default:
		g.set(option, valueNone, "no rule is asked here")
	}
}

// events returns how many questions a file costs.
func (g *Generated) events() (n int) {
	for _, l := range g.Lines {
		if (l.Option == fileStart || l.Option == fileStop) && l.Value == valueURI {
			n++
		}
	}
	return n
}

func (g *Generated) threads(t *Target) {
	if t.Threads == 0 {
		return
	}
	latency := cmp.Or(t.Latency, 5*time.Millisecond)
	g.set(threads, fmt.Sprint(t.Threads), fmt.Sprintf("a session moves at most %s files a second with answers in %s", rounded(Files(t.Threads, g.events(), latency)), latency))
	switch {
	case t.Threads > mostThreads:
		g.Careful = append(g.Careful, fmt.Sprintf("%d threads: how many ascp bears is not documented, and each session asks that many questions at once", t.Threads))
	case Files(t.Threads, g.events(), latency) < 200:
		g.Careful = append(g.Careful, fmt.Sprintf("%d threads: transfers of many small files will wait for answers", t.Threads))
	}
}

func (g *Generated) tokens(t *Target) {
	if len(t.Needs.Token) == 0 {
		return
	}
	g.set(transferIn, valueToken, "these count on tokens: "+strings.Join(t.Needs.Token, ", "))
	g.set(transferOut, valueToken, "the same for downloads")
	g.Careful = append(g.Careful,
		"tokens are required from then on: who transfers with a password or a key alone is refused by the server",
		"a token needs a token encryption key (token_encryption_key, 20 random characters or more) or a dynamic one on the node; no key is written here")
}

// careful says what the lines cannot.
func (g *Generated) careful(t *Target) {
	add := func(format string, a ...any) { g.Careful = append(g.Careful, fmt.Sprintf(format, a...)) }
	n := &t.Needs
	switch {
	case len(n.Start.First)+len(n.Threshold.First)+len(n.Stop.First) == 0:
		add("NOTHING IS VALIDATED with these lines: no rule of the policy set is asked about transfers")
	case len(n.Start.First)+len(n.Stop.First) == 0:
		add("every rule waits for the threshold, which small files never reach: they pass without a question")
	case g.events() > 0 && len(n.Start.First) == 0:
		add("nothing is decided before a file moves: what is refused has arrived by then")
	}
	if _, message, effect := CheckURI(t.URI); message != "" {
		add("%s: %s", message, effect)
	}
	if t.Scope != Global {
		add("this is for the %s %s alone: for everybody else ascp asks as aspera.conf says now", t.Scope, t.Name)
		add("HTTP fallback is switched off for the whole server; it cannot be for some users only")
	}
	if len(n.Checksum) > 0 {
		add("these want a checksum of ascp: %s; set file_checksum too, if clients are not to decide whether there is one", named(n.Checksum))
	}
	if len(n.Content) > 0 {
		add("these look into files: %s; partial_suffix of the service must be partial_file_suffix of aspera.conf", named(n.Content))
	}
}
