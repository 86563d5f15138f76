package journal

import "strings"

// isSecret reports whether the value of a member of this name may be a secret;
// plain says that the name is ASCII without escapes. Names are compared as they are
// written in the JSON. An access_key is none: it is the name of an account, whose
// secret is elsewhere.
func isSecret(name string, plain bool) bool {
	const (
		shortest = len("pass")
		first    = 1<<('p'&31) | 1<<('s'&31) | 1<<('c'&31) | 1<<('t'&31) | 1<<('a'&31)
		second   = 1<<('a'&31) | 1<<('r'&31) | 1<<('e'&31) | 1<<('o'&31) | 1<<('p'&31) | 1<<('u'&31)
	)
	for i := 0; i+shortest <= len(name); i++ { // Most names have no two letters with which one begins.
		if uint32(first)>>(name[i]&31)&(uint32(second)>>(name[i+1]&31))&1 != 0 && secretAt(name[i:]) {
			return true
		}
	}
	// Whoever escapes a name may hide it, also by an s and a k in disguise.
	return !plain && (strings.IndexByte(name, '\\') >= 0 || strings.ContainsAny(name, "\u017f\u212a"))
}

// secretAt reports whether a name goes on with a word for secrets.
func secretAt(name string) bool {
	switch name[0] | 0x20 {
	case 'p':
		return begins(name, "pass") || begins(name, "private")
	case 's':
		return begins(name, "secret") || begins(name, "session_key")
	case 'c':
		return begins(name, "credential") || begins(name, "cookie")
	case 't':
		return begins(name, "token")
	case 'a':
		return begins(name, "api_key") || begins(name, "apikey") || begins(name, "authorization")
	default:
		return false
	}
}

// begins reports whether a name begins with a word of small letters, in any case.
func begins(name, word string) bool {
	if len(name) < len(word) {
		return false
	}
	for i := range len(word) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
