package rules

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Webhook asks an HTTP service of the site about an event. It must be safe for
// concurrent use, bound the time and the length of an answer, and follow no
// redirect.
type Webhook interface {
	// Ask posts body, the JSON of the event id, and returns the status of the
	// answer and, with 400, its body. The error says why there is no answer; it
	// shows no secret.
	Ask(ctx context.Context, id string, body []byte) (status int, answer []byte, err error)
}

func webhookKind() Kind {
	return Kind{
		Name: "webhook",
		Doc:  "an HTTP service of yours objects; `ask` names it, one of `webhooks` in the service's configuration",
		Schema: `{
	"type": "object", "additionalProperties": false, "minProperties": 1, "required": ["ask"], "examples": [{"ask": "dam"}],
	"properties": {
		"ask": {"type": "string", "minLength": 1, "maxLength": 64, "description": "The service to ask: a name under webhooks in the service's configuration.", "examples": ["dam"]},
		"send_tags": {"type": "boolean", "description": "Send the transfer's tags, too. They can carry credentials.", "default": false, "examples": [true]}
	}
}`,
		Phases:       EveryPhase,
		NeedsFile:    true,
		Cost:         File,
		Reads:        "the event, without its cookie and, unless send_tags, its tags",
		Fields:       []string{},
		Needs:        "a service under webhooks in the service's configuration",
		Code:         "1035",
		Placeholders: []string{"found", "webhook"},
		Saw:          sawPath,
		Compile:      compileWebhook,
	}
}

func compileWebhook(env Env, dec Decoder) (Compiled, error) {
	var spec struct {
		Ask      string `json:"ask"`
		SendTags bool   `json:"send_tags"`
	}
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	values := map[string]string{"webhook": spec.Ask}
	if env.Webhooks == nil {
		missing := fmt.Errorf("the webhook %q is not configured", spec.Ask)
		return Compiled{Remote: true, Values: values, Inspect: func(context.Context, *Look) Finding { return Finding{Err: missing} }}, nil
	}
	hook, err := env.Webhooks(spec.Ask)
	if err != nil {
		return Compiled{}, placed("/ask", err)
	}
	a := &asking{hook, spec.Ask, spec.SendTags}
	return Compiled{Remote: true, Values: values, Inspect: a.inspect}, nil
}

// asking is a compiled webhook rule.
type asking struct {
	hook     Webhook
	name     string
	sendTags bool
}

// inspect asks the service. It reads nothing of the file, so the finding covers
// nothing of it, whatever comes of it.
func (a *asking) inspect(ctx context.Context, l *Look) Finding {
	body, err := webhookBody(&l.Event, a.sendTags)
	if err != nil {
		return Finding{Err: err}
	}
	status, answer, err := a.hook.Ask(ctx, l.Event.ID.String(), body)
	switch {
	case err != nil:
		return Finding{Err: fmt.Errorf("the webhook %s: %w", a.name, err)}
	case status == http.StatusOK, status == http.StatusNoContent:
		return Finding{}
	case status != http.StatusBadRequest:
		return Finding{Err: fmt.Errorf("the webhook %s answered HTTP status %d", a.name, status)}
	}
	message, err := parseRefusal(answer)
	if err != nil {
		return Finding{Err: fmt.Errorf("the webhook %s answered 400 with what is no refusal: %w", a.name, err)}
	}
	// The text as it is, which may be longer than what a placeholder puts in, and
	// in which braces are braces.
	said := &Template{parts: []part{{text: message}}}
	return Finding{Objection: &Objection{Message: said, Found: message}}
}

// parseRefusal returns the message of {"error": {"code": …, "message": …}}: the
// form of our own answers. The code is the rule's, so theirs is not looked at. An
// error shows nothing of the text.
func parseRefusal(text []byte) (string, error) {
	tree, err := ParseTree(string(text))
	if err != nil {
		return "", err
	}
	object, _ := tree.(map[string]any)
	inner, _ := object["error"].(map[string]any)
	message, _ := inner["message"].(string)
	if message = Shorten(singleLine(message), MaxMessage); message == "" {
		return "", errors.New("it has no error.message")
	}
	return message, nil
}
