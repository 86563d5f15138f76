package grants

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// maxBearer is the length of the longest node bearer token, in bytes, and also
// that of what it unpacks to.
const maxBearer = 64 << 10

// signatureLine stands between what is signed and the signature.
const signatureLine = "\n==SIGNATURE==\n"

// signatureColumns is the length of the lines of a signature.
const signatureColumns = 60

// ErrBearerSignature says that the signature of a node bearer token does not hold.
var ErrBearerSignature = errors.New("the node bearer token is not signed by this key, or was altered")

// Bearer is what a node bearer token says.
type Bearer struct {
	// UserID is who acts, as the node's log shows it.
	UserID string
	// Scope is node.ACCESSKEY:user:all, or node.ACCESSKEY:admin:all.
	Scope string
	// AuthType is access_key.
	AuthType string
	// ExpiresAt is when the node stops taking it, to the second.
	ExpiresAt time.Time
	// GroupIDs are the groups of who acts, if any.
	GroupIDs []string
	// Claims are all members, those above too and those of other makers. Only
	// DecodeBearer sets it.
	Claims Object
	// Payload is the JSON that Signature, a bare RSA signature, is over. Only
	// DecodeBearer sets them.
	Payload, Signature []byte
}

// bearerPayload has the members in the order in which nodes know them.
type bearerPayload struct {
	UserID    string   `json:"user_id"`
	Scope     string   `json:"scope"`
	AuthType  string   `json:"auth_type"`
	ExpiresAt string   `json:"expires_at"`
	GroupIDs  []string `json:"group_ids,omitempty"`
}

// SignBearer returns the node bearer token that says what b does, without the
// word Bearer. The node verifies it with the public key that its access key has as
// token_verification_key.
func SignBearer(b Bearer, key *rsa.PrivateKey) (string, error) {
	payload, err := b.payload()
	if err != nil {
		return "", err
	}
	return signBearer(payload, key)
}

func (b *Bearer) payload() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(bearerPayload{
		UserID: b.UserID, Scope: b.Scope, AuthType: b.AuthType,
		ExpiresAt: b.ExpiresAt.UTC().Format(time.RFC3339), GroupIDs: b.GroupIDs,
	})
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'}), err
}

func signBearer(payload []byte, key *rsa.PrivateKey) (string, error) {
	sum := sha512.Sum512(payload)
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA512, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign a node bearer token: %w", err)
	}
	var packed bytes.Buffer
	pack := zlib.NewWriter(&packed) // Its tables take 0.8 MB, which is one reason more to sign the same only once.
	_, err = pack.Write(append(payload, signatureLine...))
	for left := base64.StdEncoding.EncodeToString(signature); err == nil && left != ""; {
		line := left[:min(len(left), signatureColumns)]
		left = left[len(line):]
		_, err = io.WriteString(pack, line+"\n")
	}
	if err = errors.Join(err, pack.Close()); err != nil {
		return "", fmt.Errorf("pack a node bearer token: %w", err)
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes()), nil
}

// DecodeBearer returns what a node bearer token says, with the word Bearer in
// front of it or without. Its signature is not looked at: anybody can have made
// it. The error says what is wrong with it, and shows nothing of it.
func DecodeBearer(text string) (Bearer, error) {
	if word, rest, ok := strings.Cut(text, " "); ok && strings.EqualFold(word, "Bearer") {
		text = rest
	}
	plain, err := unpackBearer(text)
	if err != nil {
		return Bearer{}, fmt.Errorf("no node bearer token: %w", err)
	}
	payload, encoded, ok := strings.Cut(plain, signatureLine)
	if !ok {
		return Bearer{}, errors.New("no node bearer token: there is no line ==SIGNATURE== in it")
	}
	signature, err := base64.StdEncoding.DecodeString(encoded) // Which lets line feeds pass.
	if err != nil {
		return Bearer{}, errors.New("no node bearer token: its signature is not base64")
	}
	b := Bearer{Payload: []byte(payload), Signature: signature}
	if err := b.read(payload); err != nil {
		return Bearer{}, fmt.Errorf("no node bearer token: %w", err)
	}
	return b, nil
}

// unpackBearer stops where something small unpacks to something large.
func unpackBearer(text string) (string, error) {
	if len(text) > maxBearer {
		return "", fmt.Errorf("it is longer than %d bytes", maxBearer)
	}
	packed, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "=\r\n"))
	if err != nil {
		return "", errors.New("it is not base64")
	}
	source := bytes.NewReader(packed)
	unpack, err := zlib.NewReader(source)
	if err != nil {
		return "", errors.New("what is base64 in it is not packed with zlib")
	}
	plain, err := io.ReadAll(io.LimitReader(unpack, maxBearer+1))
	switch {
	case err != nil:
		return "", errors.New("it is cut off or damaged")
	case len(plain) > maxBearer:
		return "", fmt.Errorf("it unpacks to more than %d bytes", maxBearer)
	case source.Len() > 0:
		return "", errors.New("something follows what is packed with zlib")
	}
	return string(plain), nil
}

func (b *Bearer) read(payload string) error {
	tree, err := rules.ParseTree(payload)
	if err != nil {
		return fmt.Errorf("what is signed: %w", err)
	}
	claims, ok := tree.(Object)
	if !ok {
		return errors.New("what is signed is not a JSON object")
	}
	b.Claims = claims
	var expires string
	for _, member := range [...]struct {
		name string
		to   *string
	}{{"user_id", &b.UserID}, {"scope", &b.Scope}, {"auth_type", &b.AuthType}, {"expires_at", &expires}} {
		if *member.to, ok = claims[member.name].(string); !ok {
			return fmt.Errorf("what is signed has no text %s", member.name)
		}
	}
	if b.ExpiresAt, err = time.Parse(time.RFC3339, expires); err != nil {
		return errors.New("its expires_at is no time of RFC 3339")
	}
	groups, _ := claims["group_ids"].([]any)
	for _, group := range groups {
		b.GroupIDs = append(b.GroupIDs, fmt.Sprint(group))
	}
	return nil
}

// AccessKey returns the id of the access key that the scope names, empty where it
// names none.
func (b *Bearer) AccessKey() string {
	node, _, _ := strings.Cut(b.Scope, ":")
	id, ok := strings.CutPrefix(node, "node.")
	if !ok {
		return ""
	}
	return id
}

// VerifyBearer returns what a node bearer token says, if the private half of key
// has signed it. Its expiry is not looked at. The error is ErrBearerSignature or
// that of DecodeBearer.
func VerifyBearer(text string, key *rsa.PublicKey) (Bearer, error) {
	b, err := DecodeBearer(text)
	if err != nil {
		return Bearer{}, err
	}
	sum := sha512.Sum512(b.Payload)
	if rsa.VerifyPKCS1v15(key, crypto.SHA512, sum[:], b.Signature) != nil {
		return Bearer{}, ErrBearerSignature
	}
	return b, nil
}
