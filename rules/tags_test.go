package rules

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTree(t *testing.T) {
	for text, want := range map[string]any{
		`null`: nil, `true`: true, `false`: false, `"a\u00e9\n"`: "aé\n", ` 7 `: json.Number("7"), `-1.50e+3`: json.Number("-1.50e+3"),
		`[]`: []any{}, `{}`: map[string]any{}, `[1, [null]]`: []any{json.Number("1"), []any{nil}},
		`{"a": {"b": [true]}, "": "x"}`: map[string]any{"a": map[string]any{"b": []any{true}}, "": "x"},
		`{"a": 1, "A": 2}`:              map[string]any{"a": json.Number("1"), "A": json.Number("2")},
		`1e999`:                         json.Number("1e999"), `1e-999`: json.Number("1e-999"),
		strings.Repeat("1", 64): json.Number(strings.Repeat("1", 64)),
	} {
		got, err := ParseTree(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseTreeRefuses(t *testing.T) {
	secret := "hunter2"
	for text, want := range map[string]string{
		``: "not JSON", ` `: "not JSON", `{`: "not JSON at byte 1", `nul`: "not JSON at byte 3", `{"hunter2"}`: "not JSON at byte 10", `{"a": hunter2}`: "not JSON at byte 6",
		`[1,]`: "not JSON at byte 2", `{a: 1}`: "not JSON at byte 1", `'a'`: "not JSON at byte 0", `01`: "there is more after the value", `// hunter2`: "not JSON at byte 0",
		`{"hunter2": 1, "hunter2": 2}`: "a member is given twice",
		`{"x": {"a": 1, "\u0061": 2}}`: "a member is given twice",
		"\"\xff\"":                     "not JSON at byte 1", `"\ud800"`: "not JSON at byte 1", "\ufeff{}": "not JSON at byte 0", "\"a\nb\"": "not JSON at byte 2",
		`{} {}`: "there is more after the value", `1 hunter2`: "there is more after the value", `{}}`: "there is more after the value",
		`1e1000`: ErrNumber.Error(), `[1E+1000]`: ErrNumber.Error(), `{"a": -1.5e-1000}`: ErrNumber.Error(), `1e0001`: ErrNumber.Error(),
		strings.Repeat("1", 65): ErrNumber.Error(), "0." + strings.Repeat("1", 63): ErrNumber.Error(),
	} {
		_, err := ParseTree(text)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error has the text: %v", text, err)
		}
	}
}

func TestParseTreeDepth(t *testing.T) {
	for _, row := range []struct{ open, middle, shut string }{
		{"[", "", "]"}, {"[", "1", "]"}, {`{"a":`, "1", "}"}, {`{"a":`, "{}", "}"}, {`[{"a":`, "[]", "}]"},
	} {
		for depth := MaxDepth - 4; depth < MaxDepth+4; depth++ {
			levels := strings.Count(row.open, "[") + strings.Count(row.open, "{")
			text := strings.Repeat(row.open, depth) + row.middle + strings.Repeat(row.shut, depth)
			total := levels*depth + strings.Count(row.middle, "{") + strings.Count(row.middle, "[")
			_, err := ParseTree(text)
			if errors.Is(err, ErrDepth) != (total > MaxDepth) || err != nil && !errors.Is(err, ErrDepth) {
				t.Errorf("%s at %d levels: %v", row.open, total, err)
			}
		}
	}
	for _, open := range []string{"[", `{"a":`, `[{"a":`} {
		if _, err := ParseTree(strings.Repeat(open, 1_000_000)); !errors.Is(err, ErrDepth) {
			t.Errorf("a million %s: %v", open, err)
		}
	}
}

func TestTagsAreParsedOnce(t *testing.T) {
	tags := Tags{Raw: `{"a": 1}`}
	first, err := tags.Value()
	if err != nil {
		t.Fatal(err)
	}
	tags.Raw = "rubbish"
	second, err := tags.Value()
	if err != nil || !cmp.Equal(first, second) {
		t.Errorf("asked again: %v, %v", second, err)
	}
}

func TestTagsErrors(t *testing.T) {
	for raw, want := range map[string]error{
		"": ErrNoTags, " null ": ErrNoTags, `""`: ErrNoTags, `" \t"`: ErrNoTags,
		"x": ErrTags, "[]": ErrTags, "7": ErrTags, `"x"`: ErrTags, `"[]"`: ErrTags, `"null"`: ErrTags, `{"secret`: ErrTags,
	} {
		tags := Tags{Raw: raw}
		value, err := tags.Value()
		if !errors.Is(err, want) || value != nil {
			t.Errorf("%s: %v, %v, want %v", raw, value, err, want)
		}
	}
}

// standardTree is encoding/json's reading of a text, or nothing.
func standardTree(text string) (tree any, ok bool) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&tree) != nil {
		return nil, false
	}
	_, err := dec.Token()
	return tree, errors.Is(err, io.EOF)
}

func depthOf(tree any) int {
	deepest := -1
	switch node := tree.(type) {
	case map[string]any:
		for _, v := range node {
			deepest = max(deepest, depthOf(v))
		}
	case []any:
		for _, v := range node {
			deepest = max(deepest, depthOf(v))
		}
	default:
		return 0
	}
	return max(deepest, 0) + 1
}

func FuzzTags(f *testing.F) {
	for _, seed := range []string{
		`{"a": [1, {"b": null}], "é": "\u00e9"}`, `"{\"a\": 1}"`, `"eyJhIjogMX0="`, `"eyJhIjogMX0"`, `"eyJhIjoiPj4_In0"`, `"eyJhIjoiPj4/In0="`,
		`null`, `""`, `rubbish`, `{"a":1,"a":2}`, `[[[[]]]]`, `1e1000`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, `{} {}`, strings.Repeat("[", 65) + strings.Repeat("]", 65),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		tree, err := ParseTree(raw)
		if err == nil {
			want, ok := standardTree(raw)
			if !ok {
				t.Fatalf("%q is no JSON, and accepted", raw)
			}
			if !reflect.DeepEqual(want, tree) { // cmp takes twice as long for each level.
				t.Fatalf("%q is %v, and to encoding/json %v", raw, tree, want)
			}
			if d := depthOf(tree); d > MaxDepth {
				t.Fatalf("%q is %d levels deep", raw, d)
			}
		}
		tags := Tags{Raw: raw}
		value, err := tags.Value()
		if (err == nil) != (value != nil) || err != nil && !errors.Is(err, ErrTags) && !errors.Is(err, ErrNoTags) {
			t.Fatalf("%q: %v, %v", raw, value, err)
		}
		if err == nil && !anyForm(raw, value) {
			t.Fatalf("%q is %v", raw, value)
		}
	})
}

// anyForm reports whether one of the forms in which servers send tags makes
// this value of a text.
func anyForm(raw string, value map[string]any) bool {
	forms := []string{raw}
	var text string
	if json.Unmarshal([]byte(raw), &text) == nil {
		forms = append(forms, text)
		bare := strings.TrimRight(strings.TrimSpace(text), "=")
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if b, err := encoding.DecodeString(bare); err == nil {
				forms = append(forms, string(b))
			}
		}
	}
	for _, form := range forms {
		if tree, ok := standardTree(form); ok && reflect.DeepEqual(tree, any(value)) {
			return true
		}
	}
	return false
}
