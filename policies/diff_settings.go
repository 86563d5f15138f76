package policies

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// keyEnd ends each key of a path in a flattened tree. It can be in no key of a
// document, so that two paths are never the same.
const keyEnd = "\x00"

// flatSetting is a value of a flattened tree: one, or the values of a list by their
// canonical form. What is canonical is compared, what is shown is as it is written.
type flatSetting struct {
	canonical string
	shown     json.RawMessage
	list      map[string]json.RawMessage // nil if it is no list
}

// flattener flattens trees.
type flattener struct {
	// sets says that lists of texts and numbers mean the same in any order.
	sets bool
	// spell returns a value in the spelling in which it is compared; nil keeps it.
	spell func(path string, value any) any
}

// flatten returns the values of a tree by their paths.
func (f flattener) flatten(tree any) map[string]flatSetting {
	into := map[string]flatSetting{}
	f.add(into, "", tree)
	return into
}

func (f flattener) add(into map[string]flatSetting, at string, node any) {
	switch node := node.(type) {
	case map[string]any:
		if len(node) > 0 || at == "" {
			for key, value := range node {
				f.add(into, at+key+keyEnd, value)
			}
			return
		}
	case []any:
		if f.sets && isFlat(node) {
			list := make(map[string]json.RawMessage, len(node))
			for _, item := range node {
				list[string(encoded(f.spelled(at, item)))] = encoded(item)
			}
			into[at] = flatSetting{list: list}
			return
		}
		if !f.sets {
			break // In one piece: what stands where has a meaning.
		}
		for i, item := range node {
			f.add(into, fmt.Sprintf("%s%d%s", at, i, keyEnd), item)
		}
		return
	}
	into[at] = flatSetting{canonical: string(encoded(f.spelled(at, node))), shown: encoded(node)}
}

func (f flattener) spelled(at string, value any) any {
	if f.spell == nil {
		return value
	}
	return f.spell(strings.ReplaceAll(strings.TrimSuffix(at, keyEnd), keyEnd, "."), value)
}

// isFlat reports whether a list has neither lists nor objects in it. One that is
// empty is none.
func isFlat(list []any) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(item any) bool {
		switch item.(type) {
		case map[string]any, []any:
			return true
		default:
			return false
		}
	})
}

// encoded writes a value of a document as JSON, the keys of objects in order.
func encoded(value any) json.RawMessage {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil { // A number that is none, in a document that does not compile.
		return json.RawMessage(`null`)
	}
	return json.RawMessage(strings.TrimSuffix(b.String(), "\n"))
}

// same reports whether two settings mean the same.
func (s flatSetting) same(other flatSetting) bool {
	if (s.list == nil) != (other.list == nil) || s.canonical != other.canonical || len(s.list) != len(other.list) {
		return false
	}
	for key := range s.list {
		if _, both := other.list[key]; !both {
			return false
		}
	}
	return true
}

// settingDifferences compares flattened trees. The keys are in order.
func settingDifferences(was, is map[string]flatSetting) []SettingDifference {
	keys := slices.Collect(maps.Keys(was))
	for key := range is {
		if _, both := was[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	all := []SettingDifference{}
	for _, key := range keys {
		before, had := was[key]
		after, has := is[key]
		if had && has && before.same(after) {
			continue
		}
		d := SettingDifference{Key: strings.ReplaceAll(strings.TrimSuffix(key, keyEnd), keyEnd, "."), Was: before.shown, Is: after.shown}
		d.Added, d.AddedCount = missing(after.list, before.list)
		d.Removed, d.RemovedCount = missing(before.list, after.list)
		all = append(all, d)
	}
	return all
}

// missing returns the values of a list that another lacks: the first ones, and how
// many there are.
func missing(list, from map[string]json.RawMessage) (first []json.RawMessage, count int) {
	for _, key := range slices.Sorted(maps.Keys(list)) {
		if _, both := from[key]; both {
			continue
		}
		if count++; count <= DiffListed {
			first = append(first, list[key])
		}
	}
	return first, count
}

// spellSetting writes a value of a policy or client in the spelling that is compared,
// by the functions by which it is compiled; whatever they do not take stays.
func spellSetting(path string, value any) any {
	text, isText := value.(string)
	if number, ok := value.(json.Number); ok {
		text = number.String()
	} else if !isText {
		return value
	}
	switch path {
	case "size.min", "size.max", "archive.max_unpacked", "grant.max_size":
		if size, err := rules.ParseSize(text); err == nil {
			return size
		}
	case "timeout":
		if d, err := duration(text); err == nil {
			return d.String()
		}
	case "max_life", "grant.max_life":
		if life, err := rules.ParseLife(text); err == nil {
			return life.Round(time.Nanosecond).String()
		}
	case "extension.allow", "extension.deny", "archive.allow.extension", "archive.deny.extension":
		return strings.ToLower(strings.TrimPrefix(text, "."))
	case "network.allow", "network.deny", "applies_to.client_ip":
		if prefix, err := rules.ParsePrefix(text); err == nil {
			return prefix.String()
		}
	case "checksum.require":
		if name, _, ok := rules.ParseAlgorithm(text); ok {
			return name
		}
	}
	return value
}
