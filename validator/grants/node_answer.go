package grants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// judge returns what becomes of a call.
func (n *Node) judge(ctx context.Context, call Call, reply nodeReply) ([]Answer, error) {
	secrets := n.secrets(call)
	var unusable answerError
	switch reply.status {
	case http.StatusOK:
		if errors.As(reply.err, &unusable) {
			return nil, badGateway(unusable)
		} else if reply.err != nil {
			return nil, notAnswered(ctx, reply.err)
		}
		answers, err := nodeAnswers(reply.tree, len(call.Requests), secrets)
		if err == nil {
			err = checkSpecs(call, answers)
		}
		if err != nil {
			return nil, badGateway(err)
		}
		return answers, nil
	case http.StatusBadRequest, http.StatusNotFound:
		if refusal := nodeRefusal(reply.tree, secrets); refusal != nil {
			refusal.Code, refusal.Reason = reply.status, http.StatusText(reply.status)
			return nil, refusal
		}
	case http.StatusForbidden:
		// It may have looked at the requests one by one, and allowed none.
		if answers, err := nodeAnswers(reply.tree, len(call.Requests), secrets); err == nil && allRefused(answers) {
			return answers, nil
		}
	}
	return nil, badGateway(statusError(reply, secrets))
}

// statusError tells of an answer whose status means that there are no tokens.
func statusError(reply nodeReply, secrets []string) error {
	said := ""
	if refusal := nodeRefusal(reply.tree, secrets); refusal != nil {
		said = ": " + strconv.Quote(refusal.UserMessage)
	}
	switch reply.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w, with the status %d%s", errCredential, reply.status, said)
	default:
		return fmt.Errorf("the node answered with the status %d%s", reply.status, said)
	}
}

func allRefused(answers []Answer) bool {
	for _, a := range answers {
		if a.Err == nil {
			return false
		}
	}
	return true
}

// nodeAnswers takes an answer apart into as many as there were requests.
func nodeAnswers(tree any, count int, secrets []string) ([]Answer, error) {
	body, _ := tree.(Object)
	list, ok := body["transfer_specs"].([]any)
	if !ok {
		if refusal := nodeRefusal(tree, secrets); refusal != nil {
			return nil, answerError("it is an error, with the status of success: " + strconv.Quote(refusal.UserMessage))
		}
		return nil, answerError("it has no list of transfer_specs")
	}
	if len(list) != count {
		return nil, answerError(fmt.Sprintf("it has %d transfer_specs, for %d requests", len(list), count))
	}
	answers := make([]Answer, count)
	for i, entry := range list {
		answer, err := nodeAnswer(entry, secrets)
		if err != nil {
			return nil, fmt.Errorf("%w (item %d)", err, i+1)
		}
		answers[i] = answer
	}
	return answers, nil
}

func nodeAnswer(entry any, secrets []string) (Answer, error) {
	item, _ := entry.(Object)
	_, hasSpec := item["transfer_spec"]
	_, hasError := item["error"]
	if hasSpec == hasError {
		return Answer{}, answerError("there must be either a transfer_spec or an error")
	}
	if hasError {
		refusal := nodeRefusal(item, secrets)
		switch {
		case refusal == nil:
			return Answer{}, answerError("the error has no code from 400 to 599")
		case refusal.Code == http.StatusUnauthorized:
			return Answer{}, fmt.Errorf("%w: %s", errCredential, strconv.Quote(refusal.UserMessage))
		}
		return Answer{Err: refusal}, nil
	}
	spec, ok := item["transfer_spec"].(Object)
	if !ok {
		return Answer{}, answerError("the transfer_spec is no object")
	}
	if token, _ := spec["token"].(string); token == "" {
		return Answer{}, answerError("the transfer_spec has no token")
	}
	return Answer{Spec: spec}, nil
}

// The longest texts of a node's error that are passed on, in bytes.
const maxNodeMessage, maxNodeReason = rules.MaxMessage, 64

// nodeRefusal returns the error that an object has in the standard form, fit to
// be passed on; nil if it has none.
func nodeRefusal(tree any, secrets []string) *Error {
	body, _ := tree.(Object)
	given, _ := body["error"].(Object)
	code := nodeCode(given["code"])
	if code < 400 || code > 599 {
		return nil
	}
	reason, _ := given["reason"].(string)
	message, _ := given["user_message"].(string)
	if reason == "" || hasSecret(reason, secrets) {
		reason = http.StatusText(code)
	}
	if message == "" || hasSecret(message, secrets) {
		message = "The transfer server behind this service refuses this request."
	}
	return &Error{Code: code, Reason: nodeLine(reason, maxNodeReason), UserMessage: nodeLine(message, maxNodeMessage)}
}

// nodeCode returns a code that is a number, or one in a string; else 0.
func nodeCode(value any) int {
	text, _ := value.(string)
	if number, ok := value.(json.Number); ok {
		text = number.String()
	}
	code, _ := strconv.Atoi(text)
	return code
}

// secrets returns the texts that a node may repeat in its errors, and that nobody
// must see there.
func (n *Node) secrets(call Call) []string {
	secrets := []string{n.password, strings.TrimPrefix(n.authorization, "Basic "), call.StorageCredentials}
	for _, r := range call.Requests {
		secrets = append(secrets, r.Signed)
	}
	return secrets
}

func hasSecret(text string, secrets []string) bool {
	for _, secret := range secrets {
		if secret != "" && strings.Contains(text, secret) {
			return true
		}
	}
	return false
}
