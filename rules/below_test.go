package rules

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// folderAsked is an event of a token request for a folder and all that is below.
func folderAsked(path string, change ...func(*Event)) *Event {
	return file(path, append([]func(*Event){func(e *Event) { e.Phase, e.Below = PhaseRequest, true }}, change...)...)
}

// pathAsked is an event of a token request for one path.
func pathAsked(path string) *Event { return file(path, func(e *Event) { e.Phase = PhaseRequest }) }

func TestPathRulesOnFolders(t *testing.T) {
	judge(t, pathKind(), Env{}, []row{
		{`{"allow": ["/in/**"]}`, folderAsked("/in"), accept()},
		{`{"allow": ["/in/**"]}`, folderAsked("/in/"), accept()},
		{`{"allow": ["/in/**"]}`, folderAsked("/in/a/b"), accept()},
		{`{"allow": ["/in/**"]}`, folderAsked("/"), refuse("/")},
		{`{"allow": ["/in/**"]}`, folderAsked("/in2"), refuse("/in2")},
		{`{"allow": ["/**"]}`, folderAsked("/"), accept()},
		{`{"allow": ["**"]}`, folderAsked("/"), accept()},
		{`{"allow": ["/in/*/final/**"]}`, folderAsked("/in/film/final/cut"), accept()},
		{`{"allow": ["/in/*/final/**"]}`, folderAsked("/in/film"), refuse("/in/film")},
		{`{"allow": ["/in/*"]}`, folderAsked("/in"), refuse("/in")},
		{`{"allow": ["/in/**/*.mov"]}`, folderAsked("/in"), refuse("/in")},
		{`{"allow": ["/in/{a,b}/**"]}`, folderAsked("/in/b"), accept()},
		{`{"allow": ["/in/a[[]1]/**"]}`, folderAsked("/in/a[1]"), accept()},
		{`{"allow": ["/in/**"]}`, folderAsked("/in/*"), accept()},
		{`{"allow": ["/in/x/**"]}`, folderAsked("/in/*"), refuse("/in/*")},
		{`{"allow": ["/in/**"]}`, folderAsked("/in/../x"), refuse("/in/../x")},
		{`{"allow": ["/in/**"]}`, folderAsked("/in//x"), refuse("/in//x")},
		{`{"deny": ["/in/secret/**"]}`, folderAsked("/in"), refuse("/in")},
		{`{"deny": ["/in/secret/**"]}`, folderAsked("/"), refuse("/")},
		{`{"deny": ["/in/secret/**"]}`, folderAsked("/in/secret/a"), refuse("/in/secret/a")},
		{`{"deny": ["/in/secret/**"]}`, folderAsked("/in/open"), accept()},
		{`{"deny": ["/in/secret/**"]}`, folderAsked("/out/../in/secret/a"), refuse("/out/../in/secret/a")},
		{`{"deny": ["**/.work/**"]}`, folderAsked("/in/open"), refuse("/in/open")},
		{`{"deny": ["/in/*/x.tmp"]}`, folderAsked("/in/a"), refuse("/in/a")},
		{`{"deny": ["/in/*/x.tmp"]}`, folderAsked("/in/a/b"), accept()},
		{`{"allow": ["/in/**"]}`, folderAsked(""), lacks("file")},
		{`{"allow": ["/in/**"]}`, pathAsked("/in/a"), accept()},
	})
}

// TestGlobsOfFolders holds what is said of a folder against the paths in it:
// every path below a folder that is covered matches, and a folder that does not
// meet has no path that does. The ids are those of the globs.
func TestGlobsOfFolders(t *testing.T) {
	names := []string{"a", "b", "ab", "c"}
	segment := rapid.SampledFrom(append(names, "*", "**", "**", "a*", "?", "{a,b}", "[ab]"))
	glob := rapid.Map(rapid.SliceOfN(segment, 1, 4), func(s []string) string { return "/" + strings.Join(s, "/") })
	path := rapid.SliceOfN(rapid.SampledFrom(names), 0, 3)
	covered, met, apart := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(glob, 1, 4).Draw(t, "globs")
		var all PathGlobs
		for i, g := range list {
			all.Add(g, int32(i))
		}
		for range 5 {
			folder := "/" + strings.Join(path.Draw(t, "folder"), "/")
			covering, meeting := all.AppendCovering(nil, folder), all.AppendMeeting(nil, folder)
			if all.Covers(folder) != (len(covering) > 0) || all.Meets(folder) != (len(meeting) > 0) {
				t.Fatalf("%q and %q: covers %v, meets %v", list, folder, covering, meeting)
			}
			for range 20 {
				below := strings.TrimSuffix(strings.TrimSuffix(folder, "/")+"/"+strings.Join(path.Draw(t, "below"), "/"), "/")
				if below == "" {
					below = "/"
				}
				matching := all.AppendMatches(nil, below)
				for i := range list {
					id := int32(i)
					if slices.Contains(covering, id) && !slices.Contains(matching, id) {
						t.Fatalf("%s covers %s, and does not match %s", list[i], folder, below)
					}
					if !slices.Contains(meeting, id) && slices.Contains(matching, id) {
						t.Fatalf("%s does not meet %s, and matches %s", list[i], folder, below)
					}
				}
			}
			covered, met = covered+len(covering), met+len(meeting)
			if len(meeting) < len(list) {
				apart++
			}
		}
	})
	if covered < 20 || met < 20 || apart < 20 {
		t.Errorf("%d covered, %d met, %d apart: too few of one to tell", covered, met, apart)
	}
}

// A glob's way through a node with many literals, and with one that leads on from
// a **.
func TestGlobsOfFoldersFindAllThatFollows(t *testing.T) {
	var g PathGlobs
	for i, glob := range []string{"/in/a/x", "/in/b", "/in/c", "/in/d", "/in/e/*/f", "/in/f", "/in/**/g", "/in/*/h", "/out"} {
		g.Add(glob, int32(i))
	}
	got := g.AppendMeeting(nil, "/in")
	slices.Sort(got)
	if diff := cmp.Diff([]int32{0, 1, 2, 3, 4, 5, 6, 7}, slices.Compact(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if g.Meets("/else") || !g.Meets("/out") || g.Meets("/out/x") || g.Covers("/in") {
		t.Error("the folders outside are taken for others")
	}
}

// TestNamesAreNotAskedOfFolders: the rules about the names of files wait for the
// files; all others are asked.
func TestNamesAreNotAskedOfFolders(t *testing.T) {
	var chain Chain
	for _, k := range []struct {
		kind     Kind
		settings string
	}{{extensionKind(), `{"allow": ["mov"]}`}, {filenameKind(), `{"forbid": ["leading-dot"]}`}, {pathKind(), `{"allow": ["/in/**"]}`}} {
		r := ruleOf(k.kind, Env{}, compile(t, k.kind, Env{}, k.settings))
		r.NeedsName = k.kind.NeedsName
		chain = append(chain, r)
	}
	e := folderAsked("/in/.x.exe")
	d := Begin(e, "r")
	if chain.Ask(t.Context(), e, &d) || len(d.Steps) != 1 || d.Steps[0].Rule.Kind != "path" {
		t.Errorf("%+v", d)
	}
	e = pathAsked("/in/.x.exe")
	d = Begin(e, "r")
	if !chain.Ask(t.Context(), e, &d) || d.Kind != "extension" {
		t.Errorf("%+v", d)
	}
}

// TestExtensionsOfWhatMayBeAFolder: a token is asked for paths, of which nobody
// knows whether they are files.
func TestExtensionsOfWhatMayBeAFolder(t *testing.T) {
	judge(t, extensionKind(), Env{}, []row{
		{`{"allow": ["mov"]}`, pathAsked("/in/reels"), accept()},
		{`{"allow": ["mov"]}`, file("/in/reels"), refuse("none")},
		{`{"deny": [""]}`, pathAsked("/in/reels"), accept()},
		{`{"allow": ["mov"]}`, pathAsked("/in/reels.exe"), refuse("exe")},
		{`{"allow": ["mov"], "every": true}`, pathAsked("/in/.hidden"), accept()},
		{`{"deny": ["exe"]}`, pathAsked("/in/x.exe."), refuse("exe")},
	})
}

// TestExpressionsOnFolders: what reads the path of a file cannot tell of a
// folder, and says why.
func TestExpressionsOnFolders(t *testing.T) {
	const below = "a whole folder is asked for, so the path and name of each file are not known until it starts"
	for _, tc := range []struct {
		expression string
		want       answer
	}{
		{`event.path.startsWith("/in/")`, unsure(below)},
		{`event.folder == "/in"`, unsure(below)},
		{`event.name == "a"`, unsure(below)},
		{`event.extension == ""`, unsure(below)},
		{`has(event.path)`, accept()},
		{`event.user == "ann"`, accept()},
		{`event.user == "ann" || event.path == "/x"`, accept()},
		{`event.tags.project == "aurora"`, accept()},
	} {
		text, err := json.Marshal(tc.expression)
		if err != nil {
			t.Fatal(err)
		}
		e := folderAsked("/in", func(e *Event) { e.User, e.Tags.Raw = "ann", `{"project": "aurora"}` })
		if got := ask(compile(t, expressionKind(), Env{}, string(text)), e); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.expression, got, tc.want)
		}
	}
}

// TestWebhooksAreToldOfFolders and of who asks.
func TestWebhooksAreToldOfFolders(t *testing.T) {
	body, err := webhookBody(folderAsked("/in", func(e *Event) { e.Client = "portal" }), false)
	if err != nil {
		t.Fatal(err)
	}
	var sent map[string]any
	if err := json.Unmarshal(body, &sent); err != nil || sent["below"] != true || sent["client"] != "portal" || sent["phase"] != "request" || sent["path"] != "/in" {
		t.Errorf("%s: %v", body, err)
	}
	if body, err = webhookBody(pathAsked("/in"), false); err != nil || strings.Contains(string(body), "below") || strings.Contains(string(body), "client") {
		t.Errorf("%s: %v", body, err)
	}
}
