package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestCompletion: what a shell gets for what was typed; the last word is the one
// to complete.
func TestCompletion(t *testing.T) {
	for _, tc := range []struct {
		name  string
		words []string
		want  []string
	}{
		{"a command that is begun", []string{"che"}, []string{"check"}},
		{"several", []string{"pl"}, []string{"plan"}},
		{"one that is hidden", []string{"complete"}, nil},
		{"a command within a command", []string{"log", "s"}, []string{"search", "show", "stats"}},
		{"the shells", []string{"completion", ""}, []string{"bash", "zsh", "fish"}},
		{"a folder is for the shell", []string{"check", ""}, nil},
		{"behind an argument", []string{"check", "policies", "--for"}, []string{"--format"}},
		{"a flag", []string{"serve", "--de"}, []string{"--default"}},
		{"a flag's value", []string{"serve", "--default", ""}, []string{"accept", "reject"}},
		{"one that is begun", []string{"serve", "--default", "r"}, []string{"reject"}},
		{"behind an equals sign", []string{"serve", "--default=a"}, []string{"--default=accept"}},
		{"as bash splits it", []string{"serve", "--default", "=", "a"}, []string{"accept"}},
		{"behind a value", []string{"serve", "--default", "accept", "--ad"}, []string{"--admin"}},
		{"a name that a flag wants", []string{"serve", "--config", ""}, nil},
		{"a value that looks like a command", []string{"serve", "--config", "check", "--li"}, []string{"--listen"}},
		{"a flag that is none", []string{"serve", "--nonsense=a"}, nil},
		{"a switch has no value", []string{"test", "--verbose", "--ru"}, []string{"--run"}},
		{"behind two dashes there are no flags", []string{"check", "--", "--fo"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := runs(t, append([]string{"complete"}, tc.words...)...)
			var words []string
			for line := range strings.Lines(got.out) {
				word, _, _ := strings.Cut(line, "\t")
				words = append(words, strings.TrimSuffix(word, "\n"))
			}
			if diff := cmp.Diff(tc.want, words); diff != "" || got.status != 0 {
				t.Errorf("status %d %s (-want +got)\n%s", got.status, got.err, diff)
			}
		})
	}
}

// TestCompletionProposesWhatExists: every proposal for a command is one that kong
// knows, a line without a tab in its help, whatever was typed before.
func TestCompletionProposesWhatExists(t *testing.T) {
	model := modelOf(t)
	words := []string{"", "-", "--", "=", "log", "search", "serve", "token", "request", "--config", "--default=", "--default", "reject", "-v", "ü"}
	rapid.Check(t, func(t *rapid.T) {
		typed := rapid.SliceOfN(rapid.SampledFrom(words), 0, 6).Draw(t, "typed")
		last := ""
		if kept := slices.DeleteFunc(slices.Clone(typed), func(w string) bool { return w == "=" }); len(kept) > 0 {
			last = kept[len(kept)-1]
		}
		for _, found := range complete(model.Node, typed) {
			if found.word == "" || !strings.HasPrefix(found.word, last) || strings.ContainsAny(found.word+found.help, "\t\n") {
				t.Fatalf("for %q it proposes %q (%q)", typed, found.word, found.help)
			}
		}
	})
}

// TestTheManualHasEverything that --help has, and no line that roff would take for
// a request of its own.
func TestTheManualHasEverything(t *testing.T) {
	got := runs(t, "man")
	page := strings.NewReplacer(`\-`, "-", `\e`, `\`).Replace(got.out)
	flags := 0
	for _, leaf := range modelOf(t).Leaves(true) {
		if !strings.Contains(page, "\n"+`.SS "sluice `+strings.ReplaceAll(leaf.Summary(), `"`, `\(dq`)) {
			t.Errorf("it does not have %s", leaf.Summary())
		}
		for _, flag := range leaf.Flags {
			if flags++; !flag.Hidden && flag.Name != "help" && !strings.Contains(page, "--"+flag.Name) {
				t.Errorf("it does not have --%s of %s", flag.Name, leaf.FullPath())
			}
		}
	}
	if flags < 50 || strings.Contains(page, "sluice complete ") {
		t.Errorf("%d flags were looked for, or it has hidden commands", flags)
	}
	for line := range strings.Lines(got.out) {
		if strings.HasPrefix(line, ".") && !slices.ContainsFunc([]string{".TH ", ".SH ", ".SS ", ".TP\n", ".PP\n", ".nf\n", ".fi\n"}, func(known string) bool { return strings.HasPrefix(line, known) }) {
			t.Errorf("it has the request %q", line)
		}
	}
}

func modelOf(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(&cli{}, kong.Name("sluice"))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}
