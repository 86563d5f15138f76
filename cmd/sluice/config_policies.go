package main

import (
	"encoding/json"
	"path/filepath"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
)

// storedConfig is how policies are taken from the policy store.
type storedConfig struct {
	// set is false where they are in the folder config.policies.
	set bool
	// cache is the folder in which the last good revision is kept.
	cache string
	// maxAge is how long ago the store may have said that they are the newest; 0 is
	// without limit. Beyond it the service is not ready, and refuses with refuse.
	maxAge time.Duration
	refuse bool
	// wait is how long the service waits for the store when it starts.
	wait time.Duration
}

func defaultStored() storedConfig { return storedConfig{wait: 10 * time.Second} }

// fromStore is what policies.from says of the policy store.
const fromStore = "store"

// policiesSchema is the JSON Schema of policies in the configuration.
const policiesSchema = `{"type": ["string", "object"], "minLength": 1, "default": "policies", "description": "Folder of the policy set; or from where it is.", "additionalProperties": false, "required": ["from"], "properties": {
	"from": {"type": "string", "minLength": 1, "description": "store, for the newest revision in the policy store, which needs state; or a folder."},
	"cache": {"type": "string", "minLength": 1, "description": "Folder in which the last good revision is kept, for a start without the store; by default the folder policies in state.dir."},
	"max_age": {"type": "string", "minLength": 1, "description": "How long ago the store may have said which revision is the newest; without it no age is too old."},
	"when_older": {"enum": ["not_ready", "refuse"], "default": "not_ready", "description": "What happens then: only /readyz says not ready, or every event is refused with code 1008, too."},
	"wait": {"type": "string", "minLength": 1, "default": "10s", "description": "How long the service waits for the store when it starts, before it takes what the cache has."}
}}`

// policiesSpec is policies as it is written, where it is a group.
type policiesSpec struct {
	From      string `json:"from"`
	Cache     string `json:"cache"`
	MaxAge    string `json:"max_age"`
	WhenOlder string `json:"when_older"`
	Wait      string `json:"wait"`
}

// applyPolicies takes over policies. state was applied before.
func (c *config) applyPolicies(doc *document.Document, raw json.RawMessage) (faults document.Faults) {
	if len(raw) == 0 || json.Unmarshal(raw, &c.policies) == nil {
		return nil
	}
	var spec policiesSpec
	if err := json.Unmarshal(raw, &spec); err != nil || spec.From == "" { // The schema has complained.
		return nil
	}
	to := &c.stored
	if spec.From != fromStore {
		c.policies = spec.From
		for _, own := range []struct{ key, value string }{{"cache", spec.Cache}, {"max_age", spec.MaxAge}, {"when_older", spec.WhenOlder}, {"wait", spec.Wait}} {
			if own.value != "" {
				faults = append(faults, doc.AtKey("/policies/"+own.key, "this is for policies from the store, and these are from the folder %s", spec.From))
			}
		}
		return faults
	}
	to.set, to.cache, to.refuse = true, spec.Cache, spec.WhenOlder == "refuse"
	switch {
	case !c.state.set():
		faults = append(faults, doc.At("/policies/from", "there is no policy store: say with state where it is; a folder that is called store is written ./store"))
	case spec.Cache == "" && c.state.engine.Dir == "":
		faults = append(faults, doc.At("/policies", `this lacks the key "cache": the folder in which the last good revision is kept`))
	case spec.Cache == "":
		to.cache = filepath.Join(c.state.engine.Dir, "policies")
	}
	if spec.WhenOlder != "" && spec.MaxAge == "" {
		faults = append(faults, doc.AtKey("/policies/when_older", "without max_age nothing is too old"))
	}
	for _, d := range []struct {
		key, text   string
		to          *time.Duration
		least, most time.Duration
		example     string
	}{
		{"max_age", spec.MaxAge, &to.maxAge, 10 * time.Second, 3650 * day, "1h or 7d, from 10s to 3650d"},
		{"wait", spec.Wait, &to.wait, time.Millisecond, time.Hour, "10s, from 1ms to 1h"},
	} {
		if d.text == "" {
			continue
		}
		value, err := parseAge(d.text)
		if err != nil || value < d.least || value > d.most {
			faults = append(faults, doc.At("/policies/"+d.key, "%q is not a time such as %s", d.text, d.example))
			continue
		}
		*d.to = value
	}
	return faults
}
