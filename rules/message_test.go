package rules

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTemplate(t *testing.T) {
	e := file("s3://KEY:SECRET@bucket/in/Clip.MOV.aspera-env.partial", func(e *Event) { e.User, e.Size = "partner-7", Known(2048) })
	r := &Rule{Policy: "ingest", Name: "films-only", Values: map[string]string{"max": "1 KiB"}, PartialSuffix: ".partial"}
	for text, want := range map[string]string{
		"Nothing to fill in.": "Nothing to fill in.",
		"":                    "",
		"{name}":              "Clip.MOV.aspera-env.partial",
		"{path}":              "s3://***@bucket/in/Clip.MOV.aspera-env.partial",
		"{extension}":         "mov",
		"{size}, at most {max} for {user}: {policy}/{rule}": "2 KiB, at most 1 KiB for partner-7: ingest/films-only",
		"{found}{found}":            "what was foundwhat was found",
		"{{name}} is {name}":        "{name} is Clip.MOV.aspera-env.partial",
		"{{{user}}}":                "{partner-7}",
		"}}{{":                      "}{",
		"{min}":                     "",
		"a\nb\x00{user}\u202e\xffc": `a\u000ab\u0000partner-7\u202e\xffc`,
	} {
		template, err := ParseTemplate(text, "found", "min", "max")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		r.Message = template
		if got := r.render(e, &Objection{Found: "what was found"}); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	r.Message = mustTemplate(t, "{name}|{path}|{extension}|{size}|{user}")
	if got := r.render(&Event{}, &Objection{}); got != "|||unknown|" {
		t.Errorf("of an event without anything: %q", got)
	}
	if got := cannotTell.render(e, r, nil); got != "This could not be checked by the rule films-only, so it is refused. Ask the server's administrator." {
		t.Errorf("a rule that cannot tell says %q", got)
	}
}

func TestTemplateMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"{naam}":       "unknown placeholder {naam}",
		"{}":           "unknown placeholder {}",
		"{ name }":     "unknown placeholder { name }",
		"{Name}":       "unknown placeholder {Name}",
		"{a{name}":     "unknown placeholder {a{name}",
		"{max}":        "unknown placeholder {max}",
		"{":            `a "{" without its partner; write it twice to mean the brace itself`,
		"a {name":      `a "{" without its partner; write it twice to mean the brace itself`,
		"}":            `a "}" without its partner; write it twice to mean the brace itself`,
		"{name}}":      `a "}" without its partner; write it twice to mean the brace itself`,
		"{name} } end": `a "}" without its partner; write it twice to mean the brace itself`,
	} {
		_, err := ParseTemplate(text, "found")
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		var unknown *PlaceholderError
		if errors.As(err, &unknown) {
			if diff := cmp.Diff([]string{"name", "path", "extension", "size", "user", "policy", "rule", "found"}, unknown.Allowed); diff != "" {
				t.Errorf("%q: allowed (-want +got):\n%s", text, diff)
			}
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"{name} {{x}} {path}", "{", "}}", "{found}\u202e", strings.Repeat("{name}", 50)} {
		f.Add(seed, "a\u202eb.mov")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		template, err := ParseTemplate(text, "found")
		if err != nil {
			return
		}
		if strings.NewReplacer("{{", "", "}}", "").Replace(text) == text && template.text() != text {
			t.Fatalf("%q was compiled as %q", text, template.text())
		}
		r := &Rule{Message: template}
		if got := r.render(file("/"+name), &Objection{Found: name}); got != "" && !isMessage(got) {
			t.Fatalf("%q is rendered as %q", text, got)
		}
	})
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		"film – Fassung 3 映画.mov":  "film – Fassung 3 映画.mov",
		"a\nb\r\tc":                `a\u000ab\u000d\u0009c`,
		"\x00\x1b[31m\x7f":         `\u0000\u001b[31m\u007f`,
		"\u0085\u2028\u2029":       `\u0085\u2028\u2029`,
		"invoice_\u202egpj.exe":    `invoice_\u202egpj.exe`,
		"\u200b\u2066\ufeff\u00ad": `\u200b\u2066\ufeff\u00ad`,
		"\u00a0\u2003":             `\u00a0\u2003`,
		"\U000e0041":               `\U000e0041`,
		"a\xff\xc3b":               `a\xff\xc3b`,
		"\ufffd":                   `\ufffd`,
		"\xed\xa0\x80":             `\xed\xa0\x80`,
		"😀":                        "😀",
		"שלום":                     "שלום",
		`already \u202e`:           `already \u202e`,
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

func TestPrintableOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := hostile().Draw(t, "text")
		shown := Printable(text)
		if shown != "" && len(shown) <= MaxMessage && !isMessage(shown) {
			t.Fatalf("%q is shown as %q", text, shown)
		}
		if again := Printable(shown); again != shown {
			t.Fatalf("%q is shown as %q, and that as %q", text, shown, again)
		}
	})
}

func TestShorten(t *testing.T) {
	for _, row := range []struct {
		text  string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{"short", 100, "short"},
		{"", 0, ""},
		{"a-long-file-name.mov", 13, "a-long-…mov"},
		{"abcdef", 3, "…"},
		{"abcdef", 4, "a…"},
		{"abcdef", 2, ""},
		{"abcdef", 0, ""},
		{"abcdef", -1, ""},
		{"ééééé", 8, "éé…"},
		{"ééééééé", 11, "ééé…é"},
		{"\x80\x80\x80\x80\x80\x80", 5, "…"},
	} {
		if got := Shorten(row.text, row.limit); got != row.want {
			t.Errorf("%q in %d bytes is %q, want %q", row.text, row.limit, got, row.want)
		}
	}
}

func TestShortenAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, limit := hostile().Draw(t, "text"), rapid.IntRange(-2, 400).Draw(t, "limit")
		got := Shorten(text, limit)
		if len(got) > max(limit, 0) {
			t.Fatalf("%q in %d bytes is %q", text, limit, got)
		}
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Fatalf("%q is cut inside a character: %q", text, got)
		}
		if len(text) <= limit && got != text {
			t.Fatalf("%q fits, and is %q", text, got)
		}
		if head, tail, cut := strings.Cut(got, "…"); cut && !strings.Contains(text, "…") &&
			(!strings.HasPrefix(text, head) || !strings.HasSuffix(text, tail)) {
			t.Fatalf("%q is shortened to %q", text, got)
		}
	})
}
