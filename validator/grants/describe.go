package grants

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/rules"
)

// TokenKind is what a token is.
type TokenKind string

// The kinds of tokens.
const (
	// KindUnknown is none of the others.
	KindUnknown TokenKind = "unknown"
	// KindGrant is a signed grant, and a token of the issuer local.
	KindGrant TokenKind = "grant"
	// KindBearer is a node bearer token.
	KindBearer TokenKind = "bearer"
	// KindTransfer is a transfer token of a node: AT…TA.
	KindTransfer TokenKind = "transfer"
	// KindBasic is an access key's id and secret.
	KindBasic TokenKind = "basic"
)

// Description is what can be read from a token without any key. It is fit for a
// terminal, and for a log unless ids of users are not: it holds no secret.
type Description struct {
	Kind TokenKind
	// Title says in a sentence what the token is, or why it is nothing known.
	Title string
	// Fields are what it says, in order. Their values print.
	Fields []Field
	// Grant and KeyID are those of a KindGrant.
	Grant *rules.Grant
	KeyID string
	// Bearer is that of a KindBearer.
	Bearer *Bearer
}

// Field is one line of a Description.
type Field struct{ Name, Value string }

// String returns the title, and below it a line for each field.
func (d Description) String() string {
	var b strings.Builder
	b.WriteString(d.Title + "\n")
	width := 0
	for _, f := range d.Fields {
		width = max(width, len(f.Name))
	}
	for _, f := range d.Fields {
		fmt.Fprintf(&b, "  %-*s  %s\n", width, f.Name, f.Value)
	}
	return b.String()
}

func (d *Description) add(name string, value any) {
	d.Fields = append(d.Fields, Field{rules.Printable(name), rules.Printable(fmt.Sprint(value))})
}

// Describe says what a token is, with its word (Basic, Bearer) or without, and
// with space around it or not. No signature is looked at.
func Describe(token string) Description {
	token = strings.TrimSpace(token)
	word := ""
	if i := strings.IndexFunc(token, unicode.IsSpace); i >= 0 {
		word, token = token[:i], strings.TrimSpace(token[i:])
	}
	switch {
	case len(token) > MaxText:
		return unknown(fmt.Sprintf("it is longer than %d bytes", MaxText))
	case token == "":
		return unknown("it is empty")
	case strings.EqualFold(word, "Basic"):
		return describeBasic(token)
	case word != "" && !strings.EqualFold(word, "Bearer"):
		return unknown("the word in front of it is neither Basic nor Bearer")
	case strings.Count(token, ".") == 2:
		return describeGrant(token)
	case isTransfer(token):
		return describeTransfer(token)
	default:
		return describeBearer(token)
	}
}

func unknown(why string) Description {
	return Description{Kind: KindUnknown, Title: "This is no token that sluice knows: " + why + "."}
}

func describeGrant(token string) Description {
	g, kid, err := Decode(token)
	if err != nil {
		return unknown(err.Error())
	}
	d := Description{Kind: KindGrant, Title: "A grant signed by sluice. The signature was not verified.", Grant: g, KeyID: kid}
	d.add("key", kid)
	d.add("id", g.ID)
	d.add("client", g.Client)
	d.add("user", g.User)
	d.add("direction", g.Direction)
	for _, root := range g.Roots {
		d.add("root", root)
	}
	for _, path := range g.Paths {
		d.add("path", path)
	}
	d.add("path_count", g.PathCount)
	if g.PathDigest != "" {
		d.add("path_digest", g.PathDigest)
	}
	d.add("issued", g.Issued.Format(time.RFC3339))
	d.add("expires", g.Expires.Format(time.RFC3339))
	if g.MaxSize > 0 {
		d.add("max_size", strconv.FormatInt(g.MaxSize, 10)+" bytes")
	}
	if g.MaxFiles > 0 {
		d.add("max_files", g.MaxFiles)
	}
	d.add("revision", g.Revision)
	return d
}

func describeBearer(token string) Description {
	b, err := DecodeBearer(token)
	if err != nil {
		return unknown(err.Error() + "; it is no grant, which has two dots, and no transfer token, which begins with AT and ends in TA")
	}
	d := Description{Kind: KindBearer, Title: "A node bearer token. The signature was not verified.", Bearer: &b}
	d.add("user_id", b.UserID)
	d.add("scope", b.Scope)
	d.add("access_key", b.AccessKey())
	d.add("auth_type", b.AuthType)
	d.add("expires_at", b.ExpiresAt.UTC().Format(time.RFC3339))
	for _, name := range slices.Sorted(maps.Keys(b.Claims)) {
		if slices.Contains([]string{"user_id", "scope", "auth_type", "expires_at"}, name) {
			continue
		}
		if text, err := json.Marshal(b.Claims[name]); err == nil {
			d.add(name, string(text))
		}
	}
	d.add("signature", fmt.Sprintf("%d bits", 8*len(b.Signature)))
	return d
}

// isTransfer reports whether a text is built like a node's transfer token: AT, a
// version of letters and digits, an underscore, and at its end TA.
func isTransfer(token string) bool {
	version, _, ok := strings.Cut(strings.TrimPrefix(token, "AT"), "_")
	return ok && strings.HasPrefix(token, "AT") && strings.HasSuffix(token, "TA") && isVersion(version)
}

func isVersion(text string) bool {
	return text != "" && len(text) <= 8 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

func describeTransfer(token string) Description {
	version, _, _ := strings.Cut(token[len("AT"):], "_")
	d := Description{Kind: KindTransfer, Title: "A transfer token of an Aspera node. It is opaque: the node has encrypted it with a key of its own, and only the node can read it."}
	d.add("version", version)
	d.add("length", fmt.Sprintf("%d bytes", len(token)))
	return d
}

// describeBasic shows nothing unless it is sure which part is the secret.
func describeBasic(token string) Description {
	id, err := basicID(token)
	if err != nil {
		return unknown(err.Error())
	}
	d := Description{Kind: KindBasic, Title: "A Basic token: the id and the secret of an access key, for anybody to read who sees it."}
	d.add("access_key", id)
	d.add("secret", "(not shown)")
	return d
}

func basicID(token string) (string, error) {
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(token, "="))
	if err != nil {
		return "", errors.New("after the word Basic there is no base64")
	}
	id, _, ok := strings.Cut(string(text), ":")
	if !ok || id == "" || !utf8.Valid(text) {
		return "", errors.New("after the word Basic there are no id and secret with a colon between them")
	}
	return id, nil
}
