package validator

import (
	"errors"
	"net/http"
	"unicode/utf8"
)

// BasicChallenge is the WWW-Authenticate header of an answer of 401. It says, as
// RFC 7617 has it, that names and passwords are compared as UTF-8.
const BasicChallenge = `Basic realm="sluice", charset="UTF-8"`

// ErrNoCredentials means that a request has no credentials that can be read. It
// is answered 401 with BasicChallenge; its text is for the caller's eyes.
var ErrNoCredentials = errors.New("authentication failed: send the client's name and password by HTTP Basic, as UTF-8")

// BasicCredentials returns the name and the password of a request, by HTTP Basic
// as in RFC 7617. Both are UTF-8, taken byte by byte as they were sent, and
// neither is normalised. The error is ErrNoCredentials: there is no Authorization
// header, or more than one, or it is of another scheme or not well formed, or the
// name is empty, or either has control characters or is not UTF-8.
func BasicCredentials(r *http.Request) (name, password string, err error) {
	name, password, ok := r.BasicAuth()
	if !ok || name == "" || len(r.Header.Values("Authorization")) != 1 || !isCredential(name) || !isCredential(password) {
		return "", "", ErrNoCredentials
	}
	return name, password, nil
}

// isCredential reports whether a text is UTF-8 without control characters, which RFC
// 7617 forbids in credentials. To bcrypt, moreover, a password and the same one
// twice with a NUL between are equal.
func isCredential(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(text)
}
