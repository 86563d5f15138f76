package validator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// specAnswer is one member of transfer_specs: what became of one
// transfer_request.
type specAnswer struct {
	Spec grants.Object `json:"transfer_spec,omitempty"`
	Err  *grants.Error `json:"error,omitempty"`
}

// setupAnswer is the body of an answer to upload_setup or download_setup.
type setupAnswer struct {
	Specs []specAnswer `json:"transfer_specs"`
}

// setup answers a call for tokens.
func (t *tokens) setup(c echo.Context) error {
	path, began := tokenPath(c.Request().URL.Path), t.Now()
	defer func() { t.metrics.took(path, t.Now().Sub(began)) }()
	defer t.deciding.Add(-1)
	if t.deciding.Add(1) > int64(t.Limits.Requests) {
		t.metrics.count(path, resultFailed)
		return busy(c, "The token service is busy. Try again in a minute.")
	}
	client, result, err := t.authenticate(c)
	if err != nil {
		t.metrics.count(path, result)
		return err
	}
	one := &call{tokens: t, path: path, direction: rules.Upload, client: client, docroot: t.Docroot(client.TransferUser), address: callerAddress(c.Request())}
	if path == pathDownload {
		one.direction = rules.Download
	}
	one.reach = t.reaches.of(client, one.direction)
	specs, err := one.answer(c.Request())
	if one.decision != (rules.ID{}) {
		c.Response().Header().Set(decisionHeader, one.decision.String())
	}
	if err != nil {
		return answerLater(c, err)
	}
	return writeJSON(c, http.StatusOK, setupAnswer{specs})
}

// answer returns what becomes of each transfer_request, in order, or the error
// for all of them.
func (c *call) answer(r *http.Request) ([]specAnswer, error) {
	ctx := r.Context()
	body, unread := c.bodies.read(r)
	if unread != nil {
		c.metrics.count(c.path, resultMalformed)
		status, f := c.bodyFault(unread)
		return nil, c.malformed(ctx, status, f)
	}
	items, f := parseCall(body)
	if f != nil {
		c.metrics.count(c.path, resultMalformed)
		return nil, c.malformed(ctx, http.StatusBadRequest, f)
	}
	specs := make([]specAnswer, len(items))
	all := grants.Call{Direction: c.direction, StorageCredentials: r.Header.Get(storageHeader)}
	var places []int // in specs, of all.Requests
	for i := range items {
		request, result, err := c.item(ctx, items[i])
		var told *grants.Error
		switch {
		case err == nil:
			all.Requests, places = append(all.Requests, request), append(places, i)
		case errors.As(err, &told):
			c.metrics.count(c.path, result)
			specs[i].Err = told
		default:
			c.metrics.count(c.path, resultFailed)
			return nil, err
		}
	}
	return specs, c.issue(ctx, all, specs, places)
}

// item decides one transfer_request. The error is a *grants.Error if it is about
// this one alone.
func (c *call) item(ctx context.Context, item any) (grants.Request, tokenResult, error) {
	var none grants.Request
	w, f := readItem(item, c.direction, c.docroot)
	if f != nil {
		return none, resultMalformed, c.malformed(ctx, http.StatusBadRequest, f)
	}
	id := newEventID(c.Now()).String()
	p, err := c.judge(ctx, w, id)
	if err != nil {
		return none, resultRefused, err
	}
	g, f := c.grant(w, p, id)
	if f != nil {
		return none, resultMalformed, c.malformed(ctx, http.StatusBadRequest, f)
	}
	request, err := c.request(w, g)
	if err != nil {
		return none, resultFailed, fmt.Errorf("signing a grant: %w", err)
	}
	return request, resultGranted, nil
}

// issue has tokens made for what is granted, and puts them where they belong.
//
// An error of the issuer is the answer to the whole call, because it is about
// the issuer and not about a transfer_request: what was found out about those
// that were refused is lost to the caller then. It is in the log.
func (c *call) issue(ctx context.Context, all grants.Call, specs []specAnswer, places []int) error {
	if len(places) == 0 {
		return nil
	}
	answers, err := c.Issuer.Issue(ctx, all)
	if err == nil && len(answers) != len(places) {
		err = fmt.Errorf("the issuer %s gave %d answers to %d requests", c.Issuer.Name(), len(answers), len(places))
	}
	if err != nil {
		for range places {
			c.metrics.count(c.path, resultFailed)
		}
		return err
	}
	var given []*rules.Grant
	for i, place := range places {
		switch a := answers[i]; {
		case a.Err != nil:
			specs[place].Err = a.Err
		case a.Spec == nil:
			specs[place].Err = noSpec()
		default:
			specs[place].Spec = c.complete(a.Spec, &all.Requests[i])
			given = append(given, all.Requests[i].Grant)
			continue
		}
		c.metrics.count(c.path, resultFailed)
	}
	return c.register(ctx, given)
}

// encodeJSON returns a value as JSON and nothing after it. What was sent as text is
// sent back as text, and no page is made of it.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// writeJSON answers with a value. It is encoded first, so that what cannot be is
// an error and no half answer.
func writeJSON(c echo.Context, status int, v any) error {
	text, err := encodeJSON(v)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	return c.Blob(status, echo.MIMEApplicationJSON, append(text, '\n'))
}

// plural returns a number and what it counts.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
