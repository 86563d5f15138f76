package journal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// event returns the record's event, or an empty one.
func (r *Record) event() *Event {
	if r.Event == nil {
		return &Event{}
	}
	return r.Event
}

// closedField is a field of a query whose values are known.
type closedField struct {
	name   string
	values []string
	of     func(*Query) []string
	get    func(*Record) string
}

var closedFields = []closedField{
	{"verdict", []string{Accept, Reject}, func(q *Query) []string { return q.Verdict }, func(r *Record) string { return r.Verdict }},
	{"phase", append(rules.EveryPhase.Names(), rules.PhaseUnknown.String()), func(q *Query) []string { return q.Phase }, func(r *Record) string { return r.event().Phase }},
	{
		"direction",
		[]string{rules.Upload.String(), rules.Download.String(), rules.DirectionUnknown.String()},
		func(q *Query) []string { return q.Direction }, func(r *Record) string { return r.event().Direction },
	},
}

func (f closedField) test(wanted []string) (*test, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	for _, value := range wanted {
		if !slices.Contains(f.values, value) {
			message := fmt.Sprintf("%q is none of %s", value, strings.Join(f.values, ", "))
			if hint := rules.DidYouMean(value, f.values); hint != "" {
				message += "; " + hint
			}
			return nil, &QueryError{f.name, message}
		}
	}
	return &test{
		segment: func(x *Index) bool {
			return slices.ContainsFunc(wanted, func(value string) bool { return x.May(f.name, value) })
		},
		line:   anyOf(wanted, func(value string) string { return `"` + f.name + `":"` + value + `"` }),
		record: func(r *Record) bool { return slices.Contains(wanted, f.get(r)) },
	}, nil
}

// textField is a field of a query whose values are globs.
type textField struct {
	// name is that of the query and of an index, member that of a line. Of an
	// index's field, listed says that it lists values.
	name, member string
	listed       bool
	of           func(*Query) []string
	get          func(*Record) string
}

var textFields = []textField{
	{"code", "code", true, func(q *Query) []string { return q.Code }, func(r *Record) string { return r.Code }},
	{"policy", "policy", true, func(q *Query) []string { return q.Policy }, func(r *Record) string { return r.Policy }},
	{"rule", "rule", true, func(q *Query) []string { return q.Rule }, func(r *Record) string { return r.Rule }},
	{"kind", "kind", true, func(q *Query) []string { return q.Kind }, func(r *Record) string { return r.Kind }},
	{"revision", "revision", true, func(q *Query) []string { return q.Revision }, func(r *Record) string { return r.Revision }},
	{"user", "user", true, func(q *Query) []string { return q.User }, func(r *Record) string { return r.event().User }},
	{"host", "host", true, func(q *Query) []string { return q.Host }, func(r *Record) string { return r.event().Host }},
	{"client", "client", true, func(q *Query) []string { return q.Client }, func(r *Record) string { return r.event().Client }},
	{"instance", "instance", false, func(q *Query) []string { return q.Instance }, func(r *Record) string { return r.Instance }},
	{"session", "session_id", false, func(q *Query) []string { return q.Session }, func(r *Record) string { return r.event().SessionID }},
	{"transfer", "xfer_id", false, func(q *Query) []string { return q.Transfer }, func(r *Record) string { return r.event().TransferID }},
	{"id", "id", false, func(q *Query) []string { return q.ID }, func(r *Record) string { return r.ID }},
}

// ofRefusal are the fields that only a refusal has.
var ofRefusal = []string{"code", "policy", "rule", "kind"}

// andRefused narrows a test to lines of refusals: rules are named in the steps of
// others, too.
func andRefused(line func([]byte) bool) func([]byte) bool {
	refused := newNeedle(`"verdict":"` + Reject + `"`)
	return func(text []byte) bool {
		_, found := refused.behind(text)
		return found && (line == nil || line(text))
	}
}

func (f textField) test(wanted []string) (*test, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	var globs, whole rules.NameGlobs[bool]
	literal := true
	for _, glob := range wanted {
		if err := rules.CheckGlob(glob); err != nil {
			return nil, &QueryError{f.name, err.Error()}
		}
		if f.name == "rule" && strings.Contains(glob, "/") {
			whole.Add(glob, true)
		} else {
			globs.Add(glob, true)
		}
		literal = literal && !strings.ContainsAny(glob, globMeta)
	}
	var room [1]bool
	has := func(g *rules.NameGlobs[bool], value string) bool { return len(g.AppendMatches(room[:0], value)) > 0 }
	var line func([]byte) bool
	if slices.Contains(ofRefusal, f.name) {
		line = andRefused(anyOf(wanted, f.needle))
	} else {
		in := newNeedle(`"` + f.member + `":"`)
		line = func(line []byte) bool {
			text, there, sure := in.member(line)
			return there && (!sure || has(&globs, string(text)))
		}
	}
	return &test{
		segment: func(x *Index) bool { return f.may(x, wanted, literal, &globs) },
		line:    line,
		record: func(r *Record) bool {
			value := f.get(r)
			return value != "" && (has(&globs, value) || f.name == "rule" && has(&whole, r.Policy+"/"+value))
		},
	}, nil
}

// may reports whether a segment may have a value that the globs match.
func (f textField) may(x *Index, wanted []string, literal bool, globs *rules.NameGlobs[bool]) bool {
	values, known := x.Values[f.name]
	switch {
	case f.listed && known:
		return slices.ContainsFunc(wanted, func(glob string) bool { return strings.Contains(glob, "/") && f.name == "rule" }) ||
			slices.ContainsFunc(values, func(value string) bool { return len(globs.AppendMatches(nil, value)) > 0 })
	case literal:
		return slices.ContainsFunc(wanted, func(value string) bool {
			return x.May(f.name, value) || f.name == "rule" && strings.Contains(value, "/")
		})
	default:
		return true
	}
}

// needle is what a line has that may match a glob.
func (f textField) needle(glob string) string {
	if f.name == "rule" {
		glob = glob[strings.LastIndexByte(glob, '/')+1:]
	}
	before, comma := `"`+f.member+`":"`, ""
	if f.name == "policy" {
		comma = "," // Those of steps have none.
	}
	end := strings.IndexAny(glob, globMeta)
	switch {
	case end < 0 && plain(glob):
		return comma + before + glob + `"`
	case end > 1 && plain(glob[:end]):
		return comma + before + glob[:end]
	default:
		return longest(glob, globMeta)
	}
}
