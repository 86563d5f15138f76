package main

import (
	"context"
	"errors"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/rules/scan"
)

// setOptions say how a set is compiled and tested on a machine that need not have
// the scanners, services and keys of the configuration: names are held against it,
// and stand-ins answer, as they do for `sluice test`. Without a configuration file
// names are not checked.
func setOptions(c *config, file string) (policies.Options, error) {
	_, o, err := (&testCmd{Dir: ".", Config: file}).settings()
	if err != nil || file == "" {
		return o, err
	}
	scanners, hooks := scannerSet{}, webhookSet{}
	for i := range c.scanners {
		scanners[c.scanners[i].Name] = nil
	}
	for i := range c.webhooks {
		hooks[c.webhooks[i].Name] = nil
	}
	standIn := o.Env.Scanners
	o.Env.Scanners = func(name string) (*scan.Pool, error) {
		if _, err := scanners.named(name); err != nil {
			return nil, err
		}
		return standIn(name)
	}
	o.Env.Webhooks = func(name string) (rules.Webhook, error) {
		_, err := hooks.named(name)
		return unaskedWebhook{}, err
	}
	return o, nil
}

// unaskedWebhook is a webhook of the configuration that tests do not ask.
type unaskedWebhook struct{}

// Ask implements rules.Webhook.
func (unaskedWebhook) Ask(context.Context, string, []byte) (int, []byte, error) {
	return 0, nil, errors.New("webhooks are not asked by tests")
}
