package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/webhooks"
)

// webhookConfig is one of `webhooks`: where it is, and how much is asked of it.
type webhookConfig struct {
	Name, URL, SecretFile, CAFile string
	Timeout                       time.Duration
	// Workers questions are asked at once, and Waiting ones wait for that.
	Workers, Waiting int
}

// webhooksSchema is the JSON Schema of `webhooks` in the configuration.
const webhooksSchema = `{"type": "object", "minProperties": 1, "maxProperties": 100, "description": "HTTP services that rules ask about events, by the names that rules use.", "additionalProperties": {
	"type": "object", "additionalProperties": false, "required": ["url", "secret_file"], "properties": {
		"url": {"type": "string", "minLength": 1, "description": "Where events are posted: https, or http on this machine."},
		"secret_file": {"type": "string", "minLength": 1, "description": "A file with the secret by which requests are signed, at least 16 bytes."},
		"ca_file": {"type": "string", "minLength": 1, "description": "The authorities, in PEM, that vouch for the service; by default those of the operating system."},
		"timeout": {"type": "string", "minLength": 1, "default": "2s", "description": "How long one question may take."},
		"workers": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 8, "description": "How many questions are asked at once."},
		"waiting": {"type": "integer", "minimum": 0, "maximum": 100000, "default": 64, "description": "How many more may wait for that; beyond, on_error answers."}
	}}}`

// webhookSpec is a webhook as it is written.
type webhookSpec struct {
	URL        string      `json:"url"`
	SecretFile string      `json:"secret_file"`
	CAFile     string      `json:"ca_file"`
	Timeout    string      `json:"timeout"`
	Workers    json.Number `json:"workers"`
	Waiting    json.Number `json:"waiting"`
}

// applyWebhooks takes over `webhooks`, in the order of their names, but for
// whether the files are there: the configuration is also read elsewhere.
func (c *config) applyWebhooks(doc *document.Document, written map[string]webhookSpec) (faults document.Faults) {
	for _, name := range slices.Sorted(maps.Keys(written)) {
		at := "/webhooks/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if !scannerName.MatchString(name) {
			faults = append(faults, doc.AtKey(at, "a webhook cannot be called %q: a name is up to 64 letters, digits, dots, dashes and underscores", name))
			continue
		}
		spec := written[name]
		hook := webhookConfig{Name: name, URL: spec.URL, SecretFile: spec.SecretFile, CAFile: spec.CAFile, Timeout: 2 * time.Second, Workers: 8, Waiting: 64}
		if spec.URL != "" { // Otherwise the schema has complained.
			if err := webhooks.CheckURL(spec.URL); err != nil {
				fault := doc.At(at+"/url", "%s", err)
				fault.Source = "" // It may have a password.
				faults = append(faults, fault)
			}
		}
		if spec.Timeout != "" {
			value, err := time.ParseDuration(spec.Timeout)
			if err != nil || value < time.Millisecond || value > time.Minute {
				faults = append(faults, doc.At(at+"/timeout", "%q is not a time such as 500ms or 2s, from 1ms to 1m", spec.Timeout))
			}
			hook.Timeout = value
		}
		faults = append(faults, countAt(doc, at+"/workers", spec.Workers, &hook.Workers)...)
		faults = append(faults, countAt(doc, at+"/waiting", spec.Waiting, &hook.Waiting)...)
		c.webhooks = append(c.webhooks, hook)
	}
	return faults
}

// gatedWebhook asks a service no more at once than it is meant to be asked.
type gatedWebhook struct {
	client *webhooks.Client
	gate   *rules.Gate
}

// Ask implements rules.Webhook.
func (g *gatedWebhook) Ask(ctx context.Context, id string, body []byte) (status int, answer []byte, err error) {
	leave, err := g.gate.Enter(ctx)
	if err != nil {
		return 0, nil, fmt.Errorf("waiting to ask: %w", err)
	}
	defer leave()
	return g.client.Ask(ctx, id, body)
}

// webhookSet is the webhooks of a configuration, by name.
type webhookSet map[string]*gatedWebhook

// openWebhooks returns the webhooks of the configuration, with their secrets as
// they are now. It connects to none. The error has what is wrong with each.
func (c *config) openWebhooks() (webhookSet, error) {
	set := webhookSet{}
	var wrong []error
	for _, w := range c.webhooks {
		secret, err := webhooks.ReadSecret(w.SecretFile)
		var client *webhooks.Client
		if err == nil {
			client, err = webhooks.New(webhooks.Options{
				URL: w.URL, Secret: secret, CAFile: w.CAFile, Timeout: w.Timeout, Connections: w.Workers, Now: time.Now,
			})
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("the webhook %s: %w", w.Name, err))
			continue
		}
		set[w.Name] = &gatedWebhook{client, rules.NewGate(w.Workers, w.Waiting)}
	}
	return set, errors.Join(wrong...)
}

// named is what rules.Env.Webhooks wants.
func (set webhookSet) named(name string) (rules.Webhook, error) {
	if hook, ok := set[name]; ok {
		return hook, nil
	}
	if len(set) == 0 {
		return nil, errors.New("the service's configuration has no webhooks")
	}
	return nil, unknown("webhook", name, slices.Sorted(maps.Keys(set)))
}
