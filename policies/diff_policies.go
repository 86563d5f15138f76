package policies

import (
	"encoding/json"
	"maps"

	"github.com/sluiceproject/sluice/rules"
)

// policies compares the policies of the sets.
func (d *differ) policies() {
	for _, p := range pairs(d.was.policies, d.is.policies, func(p *writtenPolicy) string { return p.name }) {
		there := p.there()
		diff := PolicyDifference{Policy: there.name, File: there.file, Change: p.change(), Rules: []RuleDifference{}, RulesMoved: []string{}}
		diff.Settings = settingDifferences(p.was.settings(p.is != nil), p.is.settings(p.was != nil))
		d.rules(&diff, p)
		if p.both() && len(diff.Settings)+len(diff.Rules)+len(diff.RulesMoved) == 0 {
			continue
		}
		d.out.Policies = append(d.out.Policies, diff)
		for _, side := range []*writtenPolicy{p.was, p.is} {
			if side != nil {
				d.explains(side.file)
			}
		}
	}
	d.out.PoliciesMoved = moved(policyNames(d.was.policies), policyNames(d.is.policies))
}

func policyNames(list []writtenPolicy) []string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].name
	}
	return names
}

// settings returns what a policy says of itself; nothing where there is none. Beside
// another one it says what it leaves to the default, too.
func (p *writtenPolicy) settings(beside bool) map[string]flatSetting {
	if p == nil {
		return nil
	}
	return flattener{sets: true, spell: spellSetting}.flatten(without(p.tree, defaults(beside, map[string]any{"mode": "enforce"}), "version", "policy", "description", "rules"))
}

// defaults returns them if they are wanted.
func defaults(wanted bool, values map[string]any) map[string]any {
	if !wanted {
		return nil
	}
	return values
}

// without returns a tree over its defaults, less some keys.
func without(tree, defaults map[string]any, keys ...string) map[string]any {
	rest := maps.Clone(defaults)
	if rest == nil {
		rest = map[string]any{}
	}
	maps.Copy(rest, tree)
	for _, key := range keys {
		delete(rest, key)
	}
	return rest
}

// rules compares the rules of two policies of one name.
func (d *differ) rules(diff *PolicyDifference, p pair[writtenPolicy]) {
	was, is := p.was.written(), p.is.written()
	for _, r := range pairs(was, is, func(r *writtenOne) string { return r.name }) {
		there, kinds := r.there(), d.is.kinds
		if r.is == nil {
			kinds = d.was.kinds
		}
		one := RuleDifference{Rule: there.name, Kind: there.kind(kinds), Change: r.change()}
		before, after := r.was.settings(d.was.kinds, r.is != nil), r.is.settings(d.is.kinds, r.was != nil)
		if r.both() && r.was.compiled != nil && r.is.compiled != nil {
			// When they are asked can follow from other settings.
			before["on"+keyEnd], after["on"+keyEnd] = phasesOf(r.was.compiled), phasesOf(r.is.compiled)
		}
		one.Settings = settingDifferences(before, after)
		if r.change() != Changed || len(one.Settings) > 0 {
			diff.Rules = append(diff.Rules, one)
		}
	}
	if p.both() {
		diff.RulesMoved = moved(ruleNamesOf(was), ruleNamesOf(is))
	}
}

// written returns the rules of a policy, none of none.
func (p *writtenPolicy) written() []writtenOne {
	if p == nil {
		return nil
	}
	return p.rules
}

func ruleNamesOf(list []writtenOne) []string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].name
	}
	return names
}

// kind returns the kind of a rule, empty if it has none that is known.
func (r *writtenOne) kind(kinds map[string]*rules.Kind) string {
	if r.compiled != nil {
		return r.compiled.Kind
	}
	for key := range r.tree {
		if kinds[key] != nil {
			return key
		}
	}
	return ""
}

// settings returns what a rule says; nothing where there is none. Beside another one
// it says what it leaves to the default, too.
func (r *writtenOne) settings(kinds map[string]*rules.Kind, beside bool) map[string]flatSetting {
	if r == nil {
		return nil
	}
	name := r.kind(kinds)
	values := map[string]any{"mode": "enforce", "on_error": "reject", "on_partial": "reject"}
	tree := without(r.tree, nil, "name", "description")
	if kind := kinds[name]; kind != nil {
		values["code"] = string(kind.Code)
		if own, ok := tree[name].(map[string]any); ok {
			own = without(own, defaults(beside, kindDefaults(kind)))
			if name == "checksum" {
				asLists(own, "allow", "deny")
			}
			tree[name] = own
		}
	}
	return flattener{sets: true, spell: spellSetting}.flatten(without(tree, defaults(beside, values)))
}

// kindDefaults returns the settings that a kind assumes, as its schema has them.
func kindDefaults(kind *rules.Kind) map[string]any {
	var schema struct {
		Properties map[string]struct {
			Default any `json:"default"`
		} `json:"properties"`
	}
	values := map[string]any{}
	if err := decodeNumbers([]byte(kind.Schema), &schema); err != nil {
		return values // The schema is ours; without it defaults are not filled in.
	}
	for key, property := range schema.Properties {
		if property.Default != nil {
			values[key] = property.Default
		}
	}
	return values
}

// asLists writes a text as a list of it alone, where either may be written.
func asLists(tree map[string]any, keys ...string) {
	for _, key := range keys {
		if text, ok := tree[key].(string); ok {
			tree[key] = []any{text}
		}
	}
}

// phasesOf returns when a rule is asked.
func phasesOf(r *rules.Rule) flatSetting {
	list := map[string]json.RawMessage{}
	for _, name := range r.Phases.Names() {
		list[name] = encoded(name)
	}
	return flatSetting{list: list}
}

// clients compares the clients of the sets. Of what a client must not have, which can
// be a password, nothing is shown.
func (d *differ) clients() {
	for _, p := range pairs(d.was.clients, d.is.clients, func(c *writtenClient) string { return c.name }) {
		there := p.there()
		diff := ClientDifference{Client: there.name, File: there.file, Change: p.change()}
		diff.Settings = settingDifferences(p.was.settings(), p.is.settings())
		if p.both() {
			diff.Password = string(encoded(p.was.tree["password_hash"])) != string(encoded(p.is.tree["password_hash"]))
			if len(diff.Settings) == 0 && !diff.Password {
				continue
			}
		}
		d.out.Clients = append(d.out.Clients, diff)
		for _, side := range []*writtenClient{p.was, p.is} {
			if side != nil {
				d.explains(side.file)
			}
		}
	}
}

// settings returns what a client may do.
func (c *writtenClient) settings() map[string]flatSetting {
	if c == nil {
		return nil
	}
	tree := map[string]any{}
	for _, key := range []string{"transfer_user", "upload", "download", "max_life"} {
		if value, written := c.tree[key]; written {
			tree[key] = value
		}
	}
	return flattener{sets: true, spell: spellSetting}.flatten(tree)
}
