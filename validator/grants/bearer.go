package grants

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// BearerOptions are those of the issuer bearer.
type BearerOptions struct {
	// AccessKey is the id of the node's access key that all tokens give access to:
	// letters, digits, dots, dashes and underscores.
	AccessKey string
	// UserID is who acts, as the node's log shows it; the transfer user of each
	// grant where it is empty.
	UserID string
	// Key is the private half of the access key's token_verification_key; see
	// OpenRSAKey.
	Key *rsa.PrivateKey
	// Transfer is what is said of the server.
	Transfer TransferOptions
}

// BearerIssuer is the issuer whose tokens are node bearer tokens, signed here. The
// node takes one for everything below the storage root of the access key: only
// rules of the kind grant hold the transfer to what was granted.
type BearerIssuer struct {
	options BearerOptions

	mu sync.Mutex
	// signed are tokens by what they say: those of one user that end in one second
	// are the same, and a signature takes most of a millisecond.
	signed map[string]string
}

// maxSigned is how many tokens are remembered.
const maxSigned = 256

// NewBearer returns the issuer bearer. The error says which option is wrong.
func NewBearer(o BearerOptions) (*BearerIssuer, error) {
	if o.AccessKey == "" || len(o.AccessKey) > maxName || strings.ContainsFunc(o.AccessKey, notInKeyID) {
		return nil, fmt.Errorf("access_key: it is not 1 to %d letters, digits, dots, dashes and underscores", maxName)
	}
	if len(o.UserID) > maxName || !isName(o.UserID) {
		return nil, fmt.Errorf("user_id: it is longer than %d bytes, or has a control character", maxName)
	}
	if o.Key == nil {
		return nil, errors.New("private_key_file: there is no key to sign with")
	}
	if err := checkRSA("of the issuer bearer", &o.Key.PublicKey); err != nil {
		return nil, err
	}
	if err := o.Transfer.check(); err != nil {
		return nil, err
	}
	return &BearerIssuer{options: o, signed: map[string]string{}}, nil
}

func notInKeyID(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_", r)
}

// Name implements Issuer.
func (*BearerIssuer) Name() string { return "bearer" }

// Issue implements Issuer. It fails when ctx is done or a token cannot be signed.
func (b *BearerIssuer) Issue(ctx context.Context, call Call) ([]Answer, error) {
	answers := make([]Answer, len(call.Requests))
	for i := range call.Requests {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r := &call.Requests[i]
		token, err := b.token(r)
		if err != nil {
			return nil, err
		}
		answers[i].Spec = b.options.Transfer.spec(r, "Bearer "+token)
	}
	return answers, nil
}

func (b *BearerIssuer) token(r *Request) (string, error) {
	said := Bearer{UserID: b.options.UserID, Scope: "node." + b.options.AccessKey + ":user:all", AuthType: "access_key", ExpiresAt: r.Grant.Expires}
	if said.UserID == "" {
		said.UserID = r.Grant.User
	}
	payload, err := said.payload()
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	token, ok := b.signed[string(payload)]
	b.mu.Unlock()
	if ok {
		return token, nil
	}
	name := string(payload)
	if token, err = signBearer(payload, b.options.Key); err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.signed) >= maxSigned { // All of them are of seconds ago.
		clear(b.signed)
	}
	b.signed[name] = token
	return token, nil
}
