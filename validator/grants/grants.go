// Package grants makes what the token endpoint gives out: signed grants, and the
// tokens of those who issue them. It decides nothing.
package grants

import (
	"context"
	"fmt"

	"github.com/sluiceproject/sluice/rules"
)

// Object is a JSON object as rules.ParseTree returns it: of map[string]any,
// []any, string, json.Number, bool and nil.
type Object = map[string]any

// Request is one transfer_request that the policies have allowed.
type Request struct {
	// Members are those of the transfer_request, as it was narrowed: its paths and
	// lifetime, and its tags with the grant. Members that nobody here knows are
	// among them.
	Members Object
	// Grant is what is granted, and Signed the same as it travels.
	Grant  *rules.Grant
	Signed string
}

// Call is what one HTTP request asks for: all uploads, or all downloads.
type Call struct {
	Direction rules.Direction
	Requests  []Request
	// StorageCredentials is the header X-Aspera-Storage-Credentials, for the node
	// behind an issuer. It is a secret.
	StorageCredentials string
}

// Answer is what becomes of one Request: a transfer_spec, or an error.
type Answer struct {
	Spec Object
	Err  *Error
}

// Error is an error in the form of the Node API. It is for the caller's eyes.
type Error struct {
	// Code is an HTTP status, Reason its text.
	Code        int    `json:"code"`
	Reason      string `json:"reason"`
	UserMessage string `json:"user_message"`
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Code, e.Reason, e.UserMessage) }

// Issuer makes tokens for what is granted. It is safe for concurrent use.
type Issuer interface {
	// Name is local, node or bearer.
	Name() string
	// Issue returns one answer for each request of the call, in order. The error
	// is an *Error to be answered for the whole call, or any other, whose text is
	// logged and not shown.
	Issue(ctx context.Context, call Call) ([]Answer, error)
}
