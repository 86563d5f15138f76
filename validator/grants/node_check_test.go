package grants

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
)

// TestNodePlaces: what a transfer_spec may say of where files are, for what was
// asked. An empty want is no objection.
func TestNodePlaces(t *testing.T) {
	const notAsked = "which was not asked for"
	for _, row := range []struct {
		name        string
		direction   rules.Direction
		asked, spec string
		want        string
	}{
		// Uploads.
		{"anywhere below the root", rules.Upload, `{"destination_root":"/","paths":[{}]}`, `{"destination_root":"/","paths":[{}],"source_root":""}`, ""},
		{"a root in another form", rules.Upload, `{"destination_root":"/in/a","paths":[{}]}`, `{"destination_root":"in//a/","paths":[{}]}`, ""},
		{"without roots and paths", rules.Upload, `{"destination_root":"/in/a","paths":[{}]}`, `{}`, ""},
		{"with members that are null", rules.Upload, `{"destination_root":"/in/a","paths":[{}]}`, `{"destination_root":null,"paths":null,"direction":null,"remote_user":null}`, ""},
		{"no user", rules.Upload, `{"destination_root":"/in/a","paths":[{}]}`, `{"remote_user":"","direction":""}`, ""},
		{"pairs", rules.Upload, `{"destination_root":"/","paths":[{"source":"/m/a","destination":"/in/a"},{"source":"/m/b","destination":"in/b"}]}`, `{"destination_root":"/","paths":[{"source":"/m/a","destination":"/in/a"},{"source":"/m/b","destination":"/in/b"}]}`, ""},
		{"fewer pairs", rules.Upload, `{"destination_root":"/","paths":[{"destination":"/in/a"},{"destination":"/in/b"}]}`, `{"paths":[{"destination":"/in/b"}]}`, ""},
		{"names of sources", rules.Upload, `{"destination_root":"/in","paths":[{"source":"/m/a.mov"},{"source":"C:\\m\\b.mov"}]}`, `{"destination_root":"/in","paths":[{"destination":"a.mov"},{"source":"b.mov"}]}`, ""},
		{"a name below a folder", rules.Upload, `{"destination_root":"/in","paths":[{}]}`, `{"destination_root":"/in","paths":[{"source":"a.mov"}]}`, ""},
		{"a name below a folder of a list", rules.Upload, `{"destination_root":"/in","paths":[{"destination":"a/"},{"destination":"b"}]}`, `{"paths":[{"destination":"a/b/c"}]}`, ""},
		{"a lone destination", rules.Upload, `{"paths":[{"destination":"/in/a"}]}`, `{"destination_root":"","paths":[{"destination":"/in/a"}]}`, ""},
		{"a lone destination that became the root", rules.Upload, `{"paths":[{"destination":"/in/a"}]}`, `{"destination_root":"/in/a","paths":[{}]}`, ""},
		{"that became the root, and stayed", rules.Upload, `{"paths":[{"destination":"/in/a"}]}`, `{"destination_root":"/in/a","paths":[{"destination":"/in/a"}]}`, ""},
		{"a root above", rules.Upload, `{"destination_root":"/in/a","paths":[{}]}`, `{"destination_root":"/in","paths":[{}]}`, `its destination_root is "/in", ` + notAsked},
		{"a root beside", rules.Upload, `{"destination_root":"/in/a","paths":[{}]}`, `{"destination_root":"/in/ab"}`, `its destination_root is "/in/ab", ` + notAsked},
		{"an empty root", rules.Upload, `{"destination_root":"/in/a","paths":[{}]}`, `{"destination_root":""}`, `its destination_root is "", ` + notAsked},
		{"a root that goes up", rules.Upload, `{"destination_root":"/in/a","paths":[{}]}`, `{"destination_root":"/in/a/.."}`, `its destination_root is "/in/a/..", ` + notAsked},
		{"a root that is hidden", rules.Upload, `{"destination_root":"/in/a","paths":[{}]}`, `{"destination_root":"s3://k:s3cr3t@b/"}`, `its destination_root is "s3://***@b/", ` + notAsked},
		{"a path that goes up", rules.Upload, `{"destination_root":"/in/a","paths":[{}]}`, `{"paths":[{"destination":"b/../../c"}]}`, `one of its paths is "b/../../c" below "/in/a", ` + notAsked},
		{"the folder instead of a file", rules.Upload, `{"destination_root":"/in","paths":[{"source":"a.mov"}]}`, `{"destination_root":"/in","paths":[{}]}`, `one of its paths is "" below "/in", ` + notAsked},
		{"what is below instead of a file", rules.Upload, `{"destination_root":"/in","paths":[{"destination":"a"}]}`, `{"paths":[{"destination":"a/"}]}`, `one of its paths is "a/" below "/in", ` + notAsked},
		{"a star", rules.Upload, `{"destination_root":"/in","paths":[{"destination":"a"}]}`, `{"paths":[{"destination":"*"}]}`, `one of its paths is "*" below "/in", ` + notAsked},
		{"another file", rules.Upload, `{"destination_root":"/in","paths":[{"destination":"a"}]}`, `{"paths":[{"destination":"a"},{"destination":"b"}]}`, `one of its paths is "b" below "/in", ` + notAsked},
		{"the root of one of two", rules.Upload, `{"paths":[{"destination":"/in/a"},{"destination":"/in/b"}]}`, `{"destination_root":"/in/a"}`, `its destination_root is "/in/a", ` + notAsked},
		{"a direction turned round", rules.Upload, `{"destination_root":"/in","paths":[{}]}`, `{"direction":"receive"}`, `its direction is "receive" instead of "send"`},
		{"a direction that is none", rules.Upload, `{"destination_root":"/in","paths":[{}]}`, `{"direction":1}`, "its direction is no string"},
		{"a root that is none", rules.Upload, `{"destination_root":"/in","paths":[{}]}`, `{"destination_root":["/in"]}`, "its destination_root is no string"},
		{"paths that are none", rules.Upload, `{"destination_root":"/in","paths":[{}]}`, `{"paths":{}}`, "its paths are no list"},
		{"a path that is none", rules.Upload, `{"destination_root":"/in","paths":[{}]}`, `{"paths":["/in"]}`, "a path of it is no object"},
		{"a destination that is none", rules.Upload, `{"destination_root":"/in","paths":[{}]}`, `{"paths":[{"destination":1}]}`, "its destination is no string"},
		{"a source that is none", rules.Upload, `{"destination_root":"/in","paths":[{}]}`, `{"paths":[{"source":1}]}`, "its source is no string"},
		{"another user", rules.Upload, `{"destination_root":"/in","paths":[{}]}`, `{"remote_user":"root"}`, `its remote_user is "root" instead of "xfer"`},
		// Downloads.
		{"a file", rules.Download, `{"paths":[{"source":"/out/a"}]}`, `{"direction":"receive","source_root":"","destination_root":"","paths":[{"source":"/out/a"}],"tags":null}`, ""},
		{"a file below a root", rules.Download, `{"source_root":"/out","paths":[{"source":"a"}]}`, `{"source_root":"/out","paths":[{"source":"a","destination":"/home/me"}]}`, ""},
		{"a file that became the root", rules.Download, `{"paths":[{"source":"/out/a"}]}`, `{"source_root":"/out/a","paths":[{}]}`, `one of its paths is "" below "/out/a", ` + notAsked},
		{"a folder that became the root", rules.Download, `{"paths":[{"source":"/out/a/"}]}`, `{"source_root":"/out/a","paths":[{}]}`, ""},
		{"another file", rules.Download, `{"paths":[{"source":"/out/a"}]}`, `{"paths":[{"source":"/out/b"}]}`, `one of its paths is "/out/b" below "", ` + notAsked},
		{"a wider root", rules.Download, `{"source_root":"/out","paths":[{}]}`, `{"source_root":"/","paths":[{}]}`, `its source_root is "/", ` + notAsked},
		{"an upload", rules.Download, `{"paths":[{"source":"/out/a"}]}`, `{"direction":"send"}`, `its direction is "send" instead of "receive"`},
	} {
		request := Request{Members: nodeObject(t, row.asked), Grant: &rules.Grant{User: "xfer"}}
		err, got := checkSpec(row.direction, &request, nodeObject(t, row.spec)), ""
		if err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%s: %s\nwant %s", row.name, got, row.want)
		}
	}
}

// TestNodeEchoes: a node that says back what it was asked is always right, and one
// that adds a path outside never is.
func TestNodeEchoes(t *testing.T) {
	segment := rapid.SampledFrom([]string{"a", "b", "in", "a b", "ü", "*", ".", ""})
	path := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "/"}).Draw(t, "slash") + strings.Join(rapid.SliceOfN(segment, 0, 3).Draw(t, "segments"), "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		direction := rapid.SampledFrom([]rules.Direction{rules.Upload, rules.Download}).Draw(t, "direction")
		s := nodeSidesOf(direction)
		asked := Object{}
		if rapid.Bool().Draw(t, "has a root") {
			asked[s.rootName] = path.Draw(t, "root")
		}
		paths := []any{}
		for range rapid.IntRange(1, 4).Draw(t, "pairs") {
			pair := Object{}
			for _, name := range []string{"source", "destination"} {
				if rapid.Bool().Draw(t, "has "+name) {
					pair[name] = path.Draw(t, name)
				}
			}
			paths = append(paths, pair)
		}
		asked["paths"] = paths
		if err := checkPlaces(direction, asked, asked); err != nil {
			t.Fatalf("%v: %v", asked, err)
		}
		spec := Object{s.rootName: asked[s.rootName], "paths": append(paths[:len(paths):len(paths)], Object{s.pathName: "x/../../../../y"})}
		if checkPlaces(direction, asked, spec) == nil {
			t.Fatalf("%v: %v is taken", asked, spec)
		}
	})
}

// TestNodeTags: the tags of a spec have the grant, whatever the node made of them.
func TestNodeTags(t *testing.T) {
	const asked = `{"sluice":{"grant":"` + nodeSigned + `","more":1},"aspera":{"xfer_id":"id-1"},"own":true}`
	for _, row := range []struct{ name, given, want string }{
		{"left out", `{}`, asked},
		{"null", `{"tags":null}`, asked},
		{"empty", `{"tags":""}`, asked},
		{"the same", `{"tags":` + asked + `}`, asked},
		{"without ours", `{"tags":{"aspera":{"node":{"a":1}}}}`, `{"sluice":{"grant":"` + nodeSigned + `"},"aspera":{"node":{"a":1},"xfer_id":"id-1"}}`},
		{"with another transfer", `{"tags":{"aspera":{"xfer_id":"other"},"sluice":null}}`, `{"sluice":{"grant":"` + nodeSigned + `"},"aspera":{"xfer_id":"id-1"}}`},
		{"of another form", `{"tags":{"aspera":[],"sluice":1}}`, `{"sluice":{"grant":"` + nodeSigned + `"},"aspera":{"xfer_id":"id-1"}}`},
	} {
		request := Request{Members: Object{"tags": nodeObject(t, asked)}, Grant: &rules.Grant{ID: "id-1"}, Signed: nodeSigned}
		spec := nodeObject(t, row.given)
		if err := carryGrant(&request, spec); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if diff := cmp.Diff(nodeObject(t, row.want), spec["tags"]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
		if diff := cmp.Diff(nodeObject(t, asked), request.Members["tags"]); diff != "" {
			t.Errorf("%s: the request was changed (-want +got):\n%s", row.name, diff)
		}
	}
	for _, given := range []string{`{"tags":{"sluice":{"grant":"other"}}}`, `{"tags":{"sluice":{"grant":{}}}}`, `{"tags":[]}`, `{"tags":"e30="}`} {
		if err := carryGrant(&Request{Signed: nodeSigned}, nodeObject(t, given)); err == nil {
			t.Errorf("%s is taken", given)
		}
	}
	spec := Object{"token": json.Number("1")}
	if err := carryGrant(&Request{Members: Object{}}, spec); err != nil || len(spec) != 1 {
		t.Error(err, spec)
	}
}
