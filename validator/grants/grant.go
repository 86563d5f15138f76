package grants

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/sluiceproject/sluice/rules"
)

// MaxText is the length of the longest signed grant, in bytes.
const MaxText = 64 << 10

// headerType is the typ of the header of a grant: no other signed text of
// whoever has the key can be taken for one.
const headerType = "sluice-grant"

// maxHeader is the length of the longest header, in bytes, before base64.
const maxHeader = 256

// ErrTooLong says that a grant does not fit into MaxText.
var ErrTooLong = fmt.Errorf("the grant would be longer than %d bytes; ask for fewer paths at once", MaxText)

// Sign returns a grant as it travels: JWS compact (RFC 7515), signed with EdDSA.
// Times lose what is below a second, and MaxLife does not travel: it is in
// Expires already. The error is ErrTooLong or says what of the grant cannot be
// signed. Sign is safe for concurrent use.
func (k *Keys) Sign(g *rules.Grant) (string, error) {
	if k.signer == nil {
		return "", errors.New("these keys verify grants only")
	}
	payload, err := encodeClaims(g)
	if err != nil {
		return "", fmt.Errorf("the grant cannot be signed: %w", err)
	}
	signed, err := k.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign a grant: %w", err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("sign a grant: %w", err)
	}
	if len(text) > MaxText {
		return "", ErrTooLong
	}
	return text, nil
}

// Decode returns the grant that a text is, and the id of the key that is said to
// have signed it. The signature is not looked at: anybody can have made the text.
// The error says what is wrong with it, and shows nothing of it.
func Decode(text string) (g *rules.Grant, kid string, err error) {
	kid, payload, err := split(text)
	if err != nil {
		return nil, "", err
	}
	if g, err = decodeClaims(payload); err != nil {
		return nil, "", err
	}
	return g, kid, nil
}

// verify returns the grant that a text is.
func (k *Keys) verify(text string) (*rules.Grant, error) {
	kid, _, err := split(text)
	if err != nil {
		return nil, err
	}
	public, ok := k.public[kid]
	if !ok {
		return nil, rules.ErrForged
	}
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return nil, errors.New("no grant: it is not a text signed with EdDSA")
	}
	payload, err := signed.Verify(public)
	if err != nil {
		return nil, rules.ErrForged
	}
	return decodeClaims(payload)
}

// split takes a text apart. Each grant has one text only: what decodes to the
// same bytes, but is written in another way, is refused.
func split(text string) (kid string, payload []byte, err error) {
	if len(text) > MaxText {
		return "", nil, fmt.Errorf("no grant: it is longer than %d bytes", MaxText)
	}
	if strings.Count(text, ".") != 2 {
		return "", nil, errors.New("no grant: it is not three parts with dots between them")
	}
	var parts [3][]byte
	for i, part := range strings.Split(text, ".") {
		if parts[i], err = decodePart(part); err != nil {
			return "", nil, err
		}
	}
	if len(parts[0]) > maxHeader {
		return "", nil, errors.New("no grant: its header is too long")
	}
	kid, err = headerKey(string(parts[0]))
	return kid, parts[1], err
}

// decodePart decodes base64url without padding, and refuses the line feeds and
// the spare bits that the decoder would let pass.
func decodePart(part string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || len(b) == 0 || strings.ContainsAny(part, "\r\n") {
		return nil, errors.New("no grant: a part of it is not base64url")
	}
	return b, nil
}

// headerKey returns the key's id from a header, which must have the three
// members that Sign gives it and no other: a key inside the text, or an extension
// that must be understood, is refused with them.
func headerKey(header string) (kid string, err error) {
	tree, err := rules.ParseTree(header)
	if err != nil {
		return "", fmt.Errorf("no grant: its header: %w", err)
	}
	object, ok := tree.(Object)
	if !ok || object["typ"] != headerType {
		return "", errors.New("no grant: its header is that of something else")
	}
	if object["alg"] != string(jose.EdDSA) {
		return "", errors.New("no grant: it is not signed with EdDSA")
	}
	kid, ok = object["kid"].(string)
	if !ok || !isHex(kid, 16) || len(object) != 3 {
		return "", errors.New("no grant: its header has not just alg, kid and typ")
	}
	return kid, nil
}

// isHex reports whether a text is of so many hexadecimal digits in lower case.
func isHex(text string, length int) bool {
	return len(text) == length && strings.Trim(text, "0123456789abcdef") == ""
}
