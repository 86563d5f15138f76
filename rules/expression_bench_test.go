package rules

import (
	"testing"
)

// BenchmarkExpression compares a plain chain with the same chain and a typical
// expression, and with a typical `when`.
func BenchmarkExpression(b *testing.B) {
	e := file("/ingest/aurora/film.mov", size(5<<30), withTags(`{"project": "aurora"}`), from("10.1.2.3"), func(e *Event) {
		e.User, e.Cipher = "partner-7", "aes-256"
	})
	rule := func(kind Kind, s, when string) *Rule {
		c, err := kind.Compile(Env{}, settings(s))
		if err != nil {
			b.Fatal(err)
		}
		r := ruleOf(kind, Env{}, c)
		if when != "" {
			if r.When, err = CompileCondition(Env{}, when); err != nil {
				b.Fatal(err)
			}
		}
		return r
	}
	expression := func(text string) *Rule { return rule(expressionKind(), asJSON(text), "") }
	plain := Chain{
		rule(extensionKind(), `{"allow": ["mov"]}`, ""), rule(sizeKind(), `{"max": "1 TiB"}`, ""),
		rule(networkKind(), `{"allow": ["10.0.0.0/8"]}`, ""), rule(transferKind(), `{"cipher": ["aes-256"]}`, ""),
	}
	for _, bc := range []struct {
		name  string
		chain Chain
	}{
		{"plain", plain},
		{"fields", append(plain[:4:4], expression(`event.size < 100 * GiB || event.user.like("night-*")`))},
		{"tags", append(plain[:4:4], expression(`event.path.startsWith("/ingest/" + event.tags.project + "/")`))},
		{"address-and-glob", append(plain[:4:4], expression(`event.client_ip.inRange("10.0.0.0/8") && event.path.glob("/ingest/**")`))},
		{"when", append(plain[:4:4], rule(scheduleKind(), `{"days": ["mon-sun"]}`, `event.size > 1 * GiB`))},
		{"loop", append(plain[:4:4], expression(`event.tags.all(k, event.tags[k] != "")`))},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.stepsTaken = false
				d := Begin(e, "")
				if bc.chain.Ask(b.Context(), e, &d) {
					b.Fatal(d.Message)
				}
			}
		})
	}
}
