package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// tokenMaxText is the longest text in which tokens are looked for, in bytes.
const tokenMaxText = tokenMaxAnswer

// foundToken is a token or a signed grant, and where it was.
type foundToken struct {
	at   []string // Places in a JSON text; nil for a token by itself.
	text string
}

// readTokenArgument returns the argument, or standard input where it is - or is
// not there.
func readTokenArgument(argument *simArg, in io.Reader) (string, error) {
	if argument != nil && *argument != "-" {
		return string(*argument), nil
	}
	if argument == nil && isSimTerminal(in) {
		return "", errors.New("which token? Give it as the argument, or pipe it in, or a transfer_spec or an event that has it")
	}
	text, err := io.ReadAll(io.LimitReader(in, tokenMaxText+1))
	if err != nil {
		return "", fmt.Errorf("the token cannot be read: %w", err)
	}
	if len(text) > tokenMaxText {
		return "", fmt.Errorf("the text is longer than %s", rules.FormatSize(tokenMaxText))
	}
	return string(text), nil
}

// findTokens returns the tokens and grants of a text: of a token by itself, of
// tags in base64, or of JSON that is an answer of the token endpoint, a
// transfer_spec, an event or tags. The error shows nothing of the text.
func findTokens(text string) ([]foundToken, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") {
		if grants.Describe(text).Kind == grants.KindUnknown {
			if grant := grantOfTags(text); grant != "" {
				return []foundToken{{[]string{"sluice.grant"}, grant}}, nil
			}
		}
		return []foundToken{{nil, text}}, nil
	}
	tree, err := rules.ParseTree(text)
	if err != nil {
		return nil, fmt.Errorf("this begins like JSON, and is none: %w", err)
	}
	root, _ := tree.(map[string]any)
	var found tokenFinds
	found.in("", root)
	if list, ok := root["transfer_specs"].([]any); ok {
		for i, item := range list {
			object, _ := item.(map[string]any)
			found.in(fmt.Sprintf("transfer_specs[%d].transfer_spec.", i), member(object, "transfer_spec"))
		}
	}
	found.in("transfer_spec.", member(root, "transfer_spec"))
	if len(found) == 0 {
		return nil, errors.New("there is neither a token in this JSON nor a grant of sluice (tags.sluice.grant)")
	}
	return found, nil
}

// tokenFinds are what was found, each text once.
type tokenFinds []foundToken

func (f *tokenFinds) add(at, text string) {
	for i := range *f {
		if (*f)[i].text == text {
			(*f)[i].at = append((*f)[i].at, at)
			return
		}
	}
	*f = append(*f, foundToken{[]string{at}, text})
}

// in looks into a transfer_spec, an event or tags.
func (f *tokenFinds) in(prefix string, object map[string]any) {
	if token, _ := object["token"].(string); token != "" {
		f.add(prefix+"token", token)
	}
	grant, _ := member(member(object, "tags"), "sluice")["grant"].(string)
	if text, isText := object["tags"].(string); isText {
		grant = grantOfTags(text)
	}
	if grant != "" {
		f.add(prefix+"tags.sluice.grant", grant)
	}
	if grant, _ := member(object, "sluice")["grant"].(string); grant != "" {
		f.add(prefix+"sluice.grant", grant)
	}
}

func member(object map[string]any, name string) map[string]any {
	inner, _ := object[name].(map[string]any)
	return inner
}

// grantOfTags returns the grant of tags in a string, in any form in which servers
// send them, or nothing.
func grantOfTags(text string) string {
	raw, err := json.Marshal(text)
	if err != nil {
		return ""
	}
	tags := rules.Tags{Raw: string(raw)}
	tree, err := tags.Value()
	if err != nil {
		return ""
	}
	grant, _ := member(tree, "sluice")["grant"].(string)
	return grant
}
