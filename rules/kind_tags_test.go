package rules

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// tagged is a session with tags as they come over the wire.
func tagged(raw string) *Event { return session(func(e *Event) { e.Tags.Raw = raw }) }

func TestTagsRequire(t *testing.T) {
	const project = `{"require": ["/project"]}`
	const object = `{"project": "p>?", "deep": {"list": [10, {"x": "y"}], "a/b": 1, "m~n": 2, "": 3, "null": null}}`
	quoted := strconv.Quote
	noTags, notObject := "the event has no tags", "the tags are not a JSON object"
	rubbish := notObject + ": not JSON at byte 0"
	rows := []row{
		// The forms in which servers send tags.
		{project, tagged(object), accept()},
		{project, tagged("  " + object + "\n"), accept()},
		{project, tagged(quoted(object)), accept()},
		{project, tagged(quoted("\n " + object + " ")), accept()},
		{project, tagged(quoted(base64.StdEncoding.EncodeToString([]byte(object)))), accept()},
		{project, tagged(quoted(base64.URLEncoding.EncodeToString([]byte(object)))), accept()},
		{project, tagged(quoted(base64.RawStdEncoding.EncodeToString([]byte(object)))), accept()},
		{project, tagged(quoted(base64.RawURLEncoding.EncodeToString([]byte(object)))), accept()},
		{project, tagged(quoted(base64.StdEncoding.EncodeToString([]byte(object))[:40] + "\n" + base64.StdEncoding.EncodeToString([]byte(object))[40:])), accept()},

		// No tags, and what are none.
		{project, tagged(""), refuse(noTags)},
		{project, tagged("null"), refuse(noTags)},
		{project, tagged(`""`), refuse(noTags)},
		{project, tagged(`"  "`), refuse(noTags)},
		{project, tagged(`rubbish`), refuse(rubbish)},
		{project, tagged(`"rubbish"`), refuse(rubbish)},
		{project, tagged(`"%%%"`), refuse(rubbish)},
		{project, tagged(`"{"`), refuse(notObject + ": not JSON at byte 1")},
		{project, tagged(`7`), refuse(notObject)},
		{project, tagged(`[{"project": 1}]`), refuse(notObject)},
		{project, tagged(`true`), refuse(notObject)},
		{project, tagged(`"[1]"`), refuse(notObject)},
		{project, tagged(quoted(base64.StdEncoding.EncodeToString([]byte(`[1]`)))), refuse(notObject)},
		{project, tagged(quoted(quoted(object))), refuse(notObject)},
		{project, tagged(`{"project": 1} {}`), refuse(notObject + ": there is more after the value")},
		{project, tagged(`{"project": 1, "project": 2}`), refuse(notObject + ": a member is given twice")},
		{project, tagged(`{"project": 1, "x": {"a": 1, "\u0061": 2}}`), refuse(notObject + ": a member is given twice")},
		{project, tagged("{\"project\": \"\xff\"}"), refuse(notObject + ": not JSON at byte 13")},
		{project, tagged(quoted(strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000))), refuse(notObject + ": nested more than 64 levels deep")},
		{project, tagged(strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)), refuse(notObject + ": nested more than 64 levels deep")},
		{project, tagged(quoted(strings.Repeat("[", 5000))), refuse(notObject + ": nested more than 64 levels deep")},
		{project, tagged(`{"project": 1e1000000}`), refuse(notObject + ": " + ErrNumber.Error())},

		// Pointers.
		{`{"require": ["/deep/list/0"]}`, tagged(object), accept()},
		{`{"require": ["/deep/list/1/x"]}`, tagged(object), accept()},
		{`{"require": ["/deep/list/2"]}`, tagged(object), refuse("/deep/list/2")},
		{`{"require": ["/deep/list/-1"]}`, tagged(object), refuse("/deep/list/-1")},
		{`{"require": ["/deep/list/-"]}`, tagged(object), refuse("/deep/list/-")},
		{`{"require": ["/deep/list/x"]}`, tagged(object), refuse("/deep/list/x")},
		{`{"require": ["/deep/list/1x"]}`, tagged(object), refuse("/deep/list/1x")},
		{`{"require": ["/deep/list/01"]}`, tagged(object), refuse("/deep/list/01")},
		{`{"require": ["/deep/list/+1"]}`, tagged(object), refuse("/deep/list/+1")},
		{`{"require": ["/deep/list/ 1"]}`, tagged(object), refuse("/deep/list/ 1")},
		{`{"require": ["/deep/list/99999999999999999999"]}`, tagged(object), refuse("/deep/list/99999999999999999999")},
		{`{"require": ["/deep/a~1b", "/deep/m~0n", "/deep/"]}`, tagged(object), accept()},
		{`{"require": ["/deep/m~01n"]}`, tagged(object), refuse("/deep/m~01n")},
		{`{"require": ["/deep/null"]}`, tagged(object), refuse("/deep/null")},
		{`{"require": ["/deep/nope"]}`, tagged(object), refuse("/deep/nope")},
		{`{"require": ["/project/x"]}`, tagged(object), refuse("/project/x")},
		{`{"require": ["/Project"]}`, tagged(object), refuse("/Project")},
		{`{"require": ["/project", "/first", "/second"]}`, tagged(object), refuse("/first")},
		{project, tagged(`{"project": ""}`), accept()},
		{project, tagged(`{"project": false}`), accept()},
	}
	judge(t, tagsKind(), Env{}, rows)
	// Asked again, tags that were parsed say the same.
	judge(t, tagsKind(), Env{}, rows)
}

func TestTagsSchema(t *testing.T) {
	env := folder{
		"delivery.json": `{
			"$schema": "http://json-schema.org/draft-07/schema#",
			"type": "object", "required": ["project"], "additionalProperties": false,
			"properties": {
				"project": {"type": "string", "pattern": "^p-[0-9]+$"}, "copies": {"type": "integer", "maximum": 5},
				"tree": {"$ref": "#/definitions/tree"}, "kind": {"const": "film"}
			},
			"definitions": {"tree": {"type": "object", "properties": {"below": {"type": "array", "items": {"$ref": "#/definitions/tree"}}}}},
			"if": {"required": ["copies"]}, "then": {"required": ["kind"]}
		}`,
		"false.json": `false`, "true.json": `true`,
		"anchors.json": `{"properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}}}`,
	}.env("")
	const delivery = `{"schema": "delivery.json"}`
	judge(t, tagsKind(), env, []row{
		{delivery, tagged(`{"project": "p-1"}`), accept()},
		{delivery, tagged(`{"project": "p-1", "copies": 5, "kind": "film"}`), accept()},
		{delivery, tagged(`{"project": "p-1", "copies": 5.0, "kind": "film"}`), accept()},
		{delivery, tagged(`{"project": "p-1", "tree": {"below": [{"below": []}]}}`), accept()},
		{delivery, tagged(`"{\"project\": \"p-1\"}"`), accept()},
		{delivery, tagged(`{}`), refuse("/project (required)")},
		{delivery, tagged(`{"project": "secret"}`), refuse("/project (pattern)")},
		{delivery, tagged(`{"project": 1}`), refuse("/project (invalid type)")},
		{delivery, tagged(`{"project": "p-1", "extra": "secret"}`), refuse("/extra (additional property not allowed)")},
		{delivery, tagged(`{"project": "p-1", "copies": 6, "kind": "film"}`), refuse("/copies (number lte)")},
		{delivery, tagged(`{"project": "p-1", "tree": {"below": [{"below": {}}]}}`), refuse("/tree/below/0/below (invalid type)")},
		{delivery, tagged(``), refuse("the event has no tags")},
		{`{"schema": "delivery.json", "require": ["/x"]}`, tagged(`{}`), refuse("/x")},
		{`{"schema": "true.json"}`, tagged(`{"a": 1}`), accept()},
		{`{"schema": "false.json"}`, tagged(`{"a": 1}`), refuse("the tags (false)")},
		{`{"schema": "anchors.json"}`, tagged(`{"$ref": "x", "$id": "y"}`), accept()},
		{`{"schema": "anchors.json"}`, tagged(`{"$ref": 1}`), refuse("/$ref (invalid type)")},
	})
	judgeMessages(t, tagsKind(), env, []reads{
		{delivery, tagged(`{"project": "secret"}`), "This transfer's tags are not as they must be: /project (pattern). Correct the delivery's details and try again."},
		{delivery, tagged(``), "This transfer carries no tags that could be read, and they are needed here. Start it from the portal."},
		{`{"require": ["/project"]}`, tagged(`{}`), "This transfer's tags lack /project. Fill in the delivery's details and try again."},
	})
}

// Of several faults the same one is named, however often the schema is loaded.
func TestTagsNameTheSameFault(t *testing.T) {
	var properties, members []string
	for i := range 20 {
		properties = append(properties, fmt.Sprintf(`"m%02d": {"type": "string"}`, i))
		members = append(members, fmt.Sprintf(`"m%02d": 1`, i))
	}
	env := folder{"s.json": `{"properties": {` + strings.Join(properties, ",") + `}}`}.env("")
	e := tagged(`{` + strings.Join(members, ",") + `}`)
	for range 20 {
		if got, want := ask(compile(t, tagsKind(), env, `{"schema": "s.json"}`), e), refuse("/m00 (invalid type)"); got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

func TestTagsMistakes(t *testing.T) {
	const of, remote = "/schema: the schema s cannot be used: s", " leaves the file; only references that begin with # are followed"
	slips := []slip{
		{`{"require": ["project", "a.b"]}`, []string{
			`/require/0: "project" is not a JSON pointer; did you mean "/project"?`, `/require/1: "a.b" is not a JSON pointer; did you mean "/a/b"?`,
		}},
		{`{"require": ["/a~b"]}`, []string{`/require/0: "/a~b" is not a JSON pointer; a ~ is written ~0, and a / in a name ~1`}},
		{`{"require": ["/a~"]}`, []string{`/require/0: "/a~" is not a JSON pointer; a ~ is written ~0, and a / in a name ~1`}},
		{`{"schema": "gone", "require": [""]}`, []string{
			`/require/0: "" is not a JSON pointer; did you mean "/"?`, "/schema: the schema gone cannot be used: gone: file does not exist",
		}},
	}
	judgeMistakes(t, tagsKind(), folder{}.env(""), slips)
	judgeMistakes(t, tagsKind(), Env{}, []slip{{`{"schema": "s"}`, []string{"/schema: the schema s cannot be used: there are no files here"}}})
	for schema, mistake := range map[string]string{
		``:                                    of + ":1: not JSON",
		`{"type": "object"`:                   of + ":1: this is not JSON: the file ends before its last bracket, brace or quote is closed",
		`{"type": "object", "type": "array"}`: of + ":1: this is not JSON: a member is given twice",
		`{"type": "objekt"}`:                  of + ` is not a JSON Schema of draft-07: "objekt" is no type; it is one of array, boolean, integer, number, null, object, string; did you mean "object"?`,
		`{"properties": 7}`:                   of + " is not a JSON Schema of draft-07: properties must be of type object",
		`{"pattern": "("}`:                    of + " is not a JSON Schema of draft-07: pattern must be a valid regex",
		`{"properties": {"a": {"$ref": "#/definitions/gone"}}}`: of + " is not a JSON Schema of draft-07: Object has no key 'definitions'",
		`{"$ref": "other.json"}`:                                of + `: $ref "other.json"` + remote,
		`{"$ref": ""}`:                                          of + `: $ref ""` + remote,
		`{"items": [{"$ref": "file:///etc/passwd"}]}`:           of + `: $ref "file:///etc/passwd"` + remote,
		// References that would be followed for ever, or that name what is not there.
		`{"$ref": "#"}`:                                       of + `: $ref "#" leads back to itself`,
		`{"allOf": [{"$ref": "#"}]}`:                          of + `: $ref "#" leads back to itself`,
		`{"not": {"$ref": "#"}}`:                              of + `: $ref "#" leads back to itself`,
		`{"if": {"anyOf": [true, {"$ref": "#"}]}}`:            of + `: $ref "#" leads back to itself`,
		`{"dependencies": {"a": {"oneOf": [{"$ref": "#"}]}}}`: of + `: $ref "#" leads back to itself`,
		`{"properties": {"x": {"$ref": "#/definitions/a"}}, "definitions": {"a": {"allOf": [{"$ref": "#/definitions/a"}]}}}`: of + `: $ref "#/definitions/a" leads back to itself` + "\n" + `$ref "#/definitions/a" leads back to itself`,
		`{"definitions": {"%a": {"then": {"$ref": "#/definitions/%25a"}}}}`:                                                  of + `: $ref "#/definitions/%25a" leads back to itself`,
		`{"properties": {"a": {"$ref": "#name"}}}`:                                                                           of + `: $ref "#name" is not a JSON pointer into the file, as in "#/definitions/name"`,
		`{"properties": {"a": {"$id": "a.json", "items": {"$ref": "#/x"}, "x": {}}}}`:                                        of + `: $id "a.json" below the root would change what references mean; leave it out`,
	} {
		judgeMistakes(t, tagsKind(), folder{"s": schema}.env(""), []slip{{`{"schema": "s"}`, []string{mistake}}})
	}
	large := `{"description": "` + strings.Repeat("x", maxSchema) + `"}`
	judgeMistakes(t, tagsKind(), folder{"s": large}.env(""), []slip{{`{"schema": "s"}`, []string{of + " is larger than 1 MiB"}}})
	judgeSchema(t, tagsKind(), `{}`, `{"schema": ""}`, `{"schema": ["a"]}`, `{"require": []}`, `{"require": "/a"}`, `{"require": [1]}`)
}

// References inside a schema may be recursive, as long as each turn goes down.
func TestTagsSchemaMayDescend(t *testing.T) {
	for _, schema := range []string{
		`{"properties": {"a": {"$ref": "#"}}}`,
		`{"additionalProperties": {"$ref": "#"}}`,
		`{"items": {"$ref": "#"}, "contains": {"$ref": "#"}, "propertyNames": {"type": "string"}}`,
		`{"allOf": [{"$ref": "#/definitions/a"}, {"$ref": "#/definitions/a"}], "definitions": {"a": {"properties": {"b": {"$ref": "#"}}}}}`,
	} {
		c := compile(t, tagsKind(), folder{"s": schema}.env(""), `{"schema": "s"}`)
		if got := ask(c, tagged(`{"a": {"a": {"b": {}}}}`)); got != accept() {
			t.Errorf("%s: %v", schema, got)
		}
	}
}

// Loading a schema and validating against it never fetches anything.
func TestTagsFetchNothing(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was fetched", r.URL)
	}))
	defer server.Close()
	refused := []string{
		`{"$ref": "URL/s.json"}`, `{"$ref": "URL/s.json#/definitions/a"}`, `{"properties": {"a": {"$ref": "URL/s.json"}}}`,
		`{"definitions": {"a": {"$ref": "URL/s.json"}}}`, `{"allOf": [true, {"not": {"$ref": "URL"}}]}`, `{"$ref": "//HOST/s.json"}`,
		`{"$id": "URL/x/", "properties": {"a": {"$ref": "s.json"}}}`, `{"$id": "URL/x.json", "items": {"$ref": "#/gone"}}`,
		`{"properties": {"a": {"$id": "URL/y.json", "items": {"$ref": "#/definitions/b"}}}}`,
	}
	accepted := []string{
		`{"$schema": "URL/schema"}`, `{"$id": "URL/x.json"}`, `{"$id": "URL/x.json", "properties": {"a": {"$ref": "#/definitions/b"}}, "definitions": {"b": {}}}`,
		`{"properties": {"a": {"format": "uri", "contentMediaType": "URL"}}}`,
	}
	fill := strings.NewReplacer("URL", server.URL, "HOST", strings.TrimPrefix(server.URL, "http://"))
	for _, text := range refused {
		if _, err := tagsKind().Compile(folder{"s": fill.Replace(text)}.env(""), settings(`{"schema": "s"}`)); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
	for _, text := range accepted {
		c := compile(t, tagsKind(), folder{"s": fill.Replace(text)}.env(""), `{"schema": "s"}`)
		if got := ask(c, tagged(fill.Replace(`{"a": "URL/a", "$ref": "URL/b", "$schema": "URL/c"}`))); got != accept() {
			t.Errorf("%s: %v", text, got)
		}
	}
}
