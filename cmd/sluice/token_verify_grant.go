package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies/store"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// uncounted verifies grants and counts no files: it is not known here how many
// have moved.
type uncounted struct{ *grants.Verifier }

// Use implements rules.Grants.
func (uncounted) Use(*rules.Grant, string, time.Time) (bool, error) { return true, nil }

// verifyGrant asks the rule of the kind grant about an event with a grant.
func (c *tokenVerifyCmd) verifyGrant(ctx context.Context, std *stdio, text string, settings *config, e *rules.Event) error {
	verifier, err := grants.OpenVerifier(c.keys(settings)...)
	if err != nil {
		return err
	}
	tags, err := json.Marshal(map[string]map[string]string{"sluice": {"grant": text}})
	if err != nil {
		return err
	}
	e.Tags = rules.Tags{Raw: string(tags)}
	docroot, err := c.docroot(settings)
	if err != nil {
		return err
	}
	rule, err := grantRule(rules.Env{
		PartialSuffix: settings.partialSuffix,
		Grants:        &rules.GrantEnv{Grants: uncounted{verifier}, Docroot: docroot, Skew: settings.grants.skew},
	})
	if err != nil {
		return err
	}
	d := rules.Begin(e, "")
	refused := rules.Chain{rule}.Ask(ctx, e, &d)
	step := d.Steps[0]
	var missing rules.MissingError
	switch {
	case errors.As(d.Err, &missing) && missing.Field == "size":
		return errors.New("the grant limits the size of files: add --size")
	case d.Err != nil:
		return fmt.Errorf("that cannot be told: %w", d.Err)
	case refused:
		fmt.Fprintf(std.out, "not covered: %s\n", d.Message)
		if _, err := verifier.Verify(text); err != nil {
			fmt.Fprintf(std.out, "  because %s\n", whyForged(text, err))
		}
		return exitError(1)
	}
	if err := tellRevoked(ctx, std, text, verifier, settings); err != nil {
		return err
	}
	fmt.Fprintf(std.out, "covered: %s\n", step.Saw(e))
	if g, err := verifier.Verify(text); err == nil && g.MaxFiles > 0 {
		fmt.Fprintf(std.out, "  if no more than %s move; they are not counted here\n", count(g.MaxFiles, "file"))
	}
	return nil
}

// tellRevoked says that a grant was revoked, where the configuration has a policy
// store.
func tellRevoked(ctx context.Context, std *stdio, text string, verifier *grants.Verifier, settings *config) error {
	g, err := verifier.Verify(text)
	if err != nil || !settings.state.set() {
		return err
	}
	return inStore(ctx, settings, func(s *store.Store) error {
		r, err := s.RevocationOf(ctx, g)
		switch {
		case err != nil:
			return fmt.Errorf("whether it was revoked cannot be told: %w", err)
		case r == nil:
			return nil
		}
		fmt.Fprintf(std.out, "not covered: it was revoked at %s by %s\n", r.At.UTC().Format(time.RFC3339), rules.Printable(r.By))
		return exitError(1)
	})
}

// whyForged says what is wrong with a text that is no grant of a known key.
func whyForged(text string, err error) string {
	switch d := grants.Describe(text); {
	case d.Kind == grants.KindGrant && errors.Is(err, rules.ErrForged):
		return fmt.Sprintf("%s; it names the key %s", err, rules.Printable(d.KeyID))
	case d.Kind != grants.KindGrant && d.Kind != grants.KindUnknown:
		return "this is another kind of token. " + d.Title
	default:
		return err.Error()
	}
}

// keys returns the files with the keys that grants are verified by.
func (c *tokenVerifyCmd) keys(settings *config) []string {
	files := slices.Clone(c.Key)
	if settings.grants.keyFile != "" {
		files = append(files, settings.grants.keyFile)
	} else if settings.tokens.listen != "" {
		files = append(files, defaultKeyFile)
	}
	return append(files, settings.grants.verifyFiles...)
}

// docroot returns what gives the docroots of transfer users.
func (c *tokenVerifyCmd) docroot(settings *config) (func(user string) string, error) {
	if c.Docroot == "" {
		return settings.grants.docroot, nil
	}
	root := rules.ParsePath(strings.TrimRight(string(c.Docroot), `/\`))
	if root.Slash != "" && (!root.Clean || root.Up) {
		return nil, fmt.Errorf("--docroot %s is not a plain path", rules.Printable(string(c.Docroot)))
	}
	return func(string) string { return root.Slash }, nil
}

// grantRule compiles grant: {required: true}.
func grantRule(env rules.Env) (*rules.Rule, error) {
	kinds := rules.Builtin()
	i := slices.IndexFunc(kinds, func(k rules.Kind) bool { return k.Name == "grant" })
	if i < 0 {
		return nil, errors.New("this sluice has no rules of the kind grant")
	}
	kind := &kinds[i]
	compiled, err := kind.Compile(env, settingsOf(`{"required": true}`))
	if err != nil {
		return nil, err
	}
	return &rules.Rule{
		Policy: "token", Name: "verify", Kind: kind.Name, Phases: kind.Phases, Code: kind.Code,
		Values: compiled.Values, PartialSuffix: env.PartialSuffix, Check: compiled.Check, Saw: compiled.Saw,
	}, nil
}

// settingsOf is a rules.Decoder of settings in JSON.
type settingsOf string

// Decode implements rules.Decoder.
func (s settingsOf) Decode(into any) error { return json.Unmarshal([]byte(s), into) }
