package aspera

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// Commands returns the lines as calls of asconfigurator, for a shell, with the
// reasons as comments.
func (g *Generated) Commands(t *Target) string {
	var b strings.Builder
	for _, text := range g.Careful {
		fmt.Fprintf(&b, "# CAREFUL: %s\n", rules.Printable(text))
	}
	for _, l := range g.Lines {
		b.WriteByte('\n')
		for _, why := range l.Why {
			fmt.Fprintf(&b, "# %s\n", rules.Printable(why))
		}
		set := l.Option + "," + l.Value
		if l.Server {
			b.WriteString(httpCommand(set) + "\n")
		} else {
			b.WriteString(Command(t.Scope, t.Name, set) + "\n")
		}
	}
	return strings.TrimLeft(b.String(), "\n")
}

// XML returns the lines as the part of an aspera.conf that says the same.
func (g *Generated) XML(t *Target) string {
	w := &xmlWriter{}
	w.open(`CONF version="2"`)
	for _, text := range g.Careful {
		w.comment("CAREFUL: " + text)
	}
	switch t.Scope {
	case Global:
		w.open("default")
	case Group:
		w.open("aaa", "realms", "realm", "groups", "group")
	case User:
		w.open("aaa", "realms", "realm", "users", "user")
	}
	if t.Scope != Global {
		w.leaf("name", t.Name)
	}
	g.authorization(w)
	w.open("transfer")
	for _, l := range g.Lines {
		if strings.HasPrefix(l.Option, "validation_") {
			w.line(&l, l.Option)
		}
	}
	w.close(len(w.stack) - 1)
	w.open("http_server")
	for _, l := range g.Lines {
		if l.Server {
			w.line(&l, l.Option)
		}
	}
	w.close(len(w.stack))
	return w.b.String()
}

// authorization writes what is about tokens.
func (g *Generated) authorization(w *xmlWriter) {
	elements := map[string]string{transferIn: "in", transferOut: "out"}
	from := len(w.stack)
	for _, l := range g.Lines {
		element := elements[l.Option]
		if element == "" {
			continue
		}
		if len(w.stack) == from {
			w.open("authorization", "transfer")
		}
		w.open(element)
		w.line(&l, "value")
		w.close(1)
	}
	w.close(len(w.stack) - from)
}

// xmlWriter writes elements with indents.
type xmlWriter struct {
	b     strings.Builder
	stack []string
}

func (w *xmlWriter) indent() { w.b.WriteString(strings.Repeat("  ", len(w.stack))) }

func (w *xmlWriter) open(names ...string) {
	for _, name := range names {
		w.indent()
		w.b.WriteString("<" + name + ">\n")
		element, _, _ := strings.Cut(name, " ")
		w.stack = append(w.stack, element)
	}
}

// close ends some elements.
func (w *xmlWriter) close(n int) {
	for range n {
		name := w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		w.indent()
		w.b.WriteString("</" + name + ">\n")
	}
}

// comment writes a comment, in which XML allows no two dashes.
func (w *xmlWriter) comment(text string) {
	w.indent()
	text = strings.ReplaceAll(rules.Printable(text), "--", "- -")
	w.b.WriteString("<!-- " + strings.ReplaceAll(text, "--", "- -") + " -->\n")
}

func (w *xmlWriter) line(l *Line, element string) {
	for _, why := range l.Why {
		w.comment(why)
	}
	w.leaf(element, l.Value)
}

func (w *xmlWriter) leaf(element, value string) {
	w.indent()
	w.b.WriteString("<" + element + ">")
	_ = xml.EscapeText(&w.b, []byte(value)) // A strings.Builder takes everything.
	w.b.WriteString("</" + element + ">\n")
}
