package validator

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// defaultLife is how long a token is asked for where the request does not say;
// longestLife is more than any client may have.
const defaultLife, longestLife = 24 * time.Hour, 720 * time.Hour

// wanted is what one transfer_request asks for, in the form in which it is
// judged and handed on.
type wanted struct {
	// members are those of the transfer_request. Paths and roots in them have been
	// tidied, and lead where targets do.
	members grants.Object
	// targets are what is asked for, each once.
	targets []target
	// life is how long the token is asked to hold.
	life   time.Duration
	cookie string
	// tags are the request's own, and rawTags the same as JSON; both can be empty.
	tags    grants.Object
	rawTags string
}

// readItem reads one member of transfer_requests. docroot is put before paths
// that are judged. What is returned with a fault is of no use.
func readItem(item any, d rules.Direction, docroot string) (*wanted, *tokenFault) {
	wrapper, ok := item.(grants.Object)
	if !ok {
		return nil, &tokenFault{reason: reasonType, message: `This is not an object. Write {"transfer_request":{…}}.`}
	}
	members, ok := wrapper["transfer_request"].(grants.Object)
	if !ok {
		return nil, &tokenFault{reason: reasonType, message: `There is no object transfer_request. Write {"transfer_request":{…}}.`}
	}
	w := &wanted{members: members}
	for _, read := range []func() *tokenFault{w.readLife, w.readCookie, w.readTags, w.refuseIDs} {
		if f := read(); f != nil {
			return nil, f
		}
	}
	f := w.expand(d, docroot)
	return w, f
}

// readLife reads token_life_seconds: a whole number, which may be in quotes. One
// that is too large for any token is as good as any other.
func (w *wanted) readLife() *tokenFault {
	var digits string
	switch life := w.members["token_life_seconds"].(type) {
	case nil:
		w.life = defaultLife
		return nil
	case json.Number:
		digits = life.String()
	case string:
		digits = life
	}
	digits = strings.TrimLeft(digits, "0")
	if digits == "" || len(digits) > 64 || strings.Trim(digits, "0123456789") != "" {
		return &tokenFault{reason: reasonRequest, message: "token_life_seconds is not a whole number above 0, such as 3600."}
	}
	seconds, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		seconds = math.MaxInt64
	}
	w.life = time.Duration(min(seconds, int64(longestLife/time.Second))) * time.Second
	return nil
}

// readCookie reads cookie, which rules may look at.
func (w *wanted) readCookie() (f *tokenFault) {
	w.cookie, f = memberText(w.members, "cookie", "cookie")
	return f
}

// readTags reads tags, into which the grant will be put.
func (w *wanted) readTags() *tokenFault {
	switch tags := w.members["tags"].(type) {
	case nil:
		return nil
	case grants.Object:
		w.tags = tags
	default:
		return &tokenFault{reason: reasonType, message: "tags is not an object."}
	}
	for _, name := range []string{"aspera", "sluice"} {
		if own, given := w.tags[name]; given {
			if _, ok := own.(grants.Object); !ok {
				return &tokenFault{reason: reasonType, message: "tags." + name + " is not an object. Leave it out."}
			}
		}
	}
	raw, err := encodeJSON(w.tags)
	if err != nil {
		return &tokenFault{reason: reasonType, message: "tags cannot be read."}
	}
	w.rawTags = string(raw)
	return nil
}

// refuseIDs refuses what names a folder by a number: no policy can tell where it
// is, and the node would take it rather than the path.
func (w *wanted) refuseIDs() *tokenFault {
	for _, name := range []string{"source_root_id", "destination_root_id"} {
		if w.members[name] != nil {
			return &tokenFault{reason: reasonRequest, message: name + " says nothing about the path, so it cannot be judged. Leave it out and ask by path."}
		}
	}
	return nil
}

// memberText returns a member that is a string, "" if it is null or not there. where
// is the member's name for a message.
func memberText(members grants.Object, name, where string) (string, *tokenFault) {
	switch value := members[name].(type) {
	case nil:
		return "", nil
	case string:
		return value, nil
	default:
		return "", &tokenFault{reason: reasonType, message: where + " is not a string."}
	}
}

// pathText is memberText for a path. What is on the server may not be a whole Windows
// path; what is on the client's side may be.
func pathText(members grants.Object, name, where string, onServer bool) (string, *tokenFault) {
	raw, f := memberText(members, name, where)
	if raw == "" || f != nil {
		return "", f
	}
	if wrong := wrongPath(raw, onServer); wrong != "" {
		return "", &tokenFault{reason: reasonFile, message: fmt.Sprintf("%s: %s %s", where, shownPath(raw), wrong), path: raw}
	}
	return raw, nil
}

// wrongPath says what is wrong with a path, if anything. Percent signs are part
// of a name: nothing is decoded.
func wrongPath(raw string, onServer bool) string {
	switch {
	case len(raw) > maxPathBytes:
		return fmt.Sprintf("is longer than %d bytes.", maxPathBytes)
	case strings.ContainsFunc(raw, unicode.IsControl):
		return "holds a control character. Leave it out."
	case rules.ParsePath(raw).IsURL():
		return "is a URL, and paths are inside the docroot. Write the path alone."
	case goesUp(raw):
		return `has "..", so it is not known where it leads. Write the path out.`
	case onServer && isDrive(raw):
		return "is a whole Windows path, and paths are inside the docroot. Write it with slashes and without the drive."
	default:
		return ""
	}
}

// goesUp reports whether a segment is "..", also for who separates segments with
// backslashes.
func goesUp(raw string) bool {
	for segment := range strings.FieldsFuncSeq(raw, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == ".." {
			return true
		}
	}
	return false
}
