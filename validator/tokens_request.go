package validator

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// Bounds of one call.
const (
	// maxRequests is how many transfer_requests it may have.
	maxRequests = 1_000
	// maxPaths is how many paths it may have, in all of them together.
	maxPaths = 10_000
	// maxPathBytes is how long a path may be, with all that is put before it; it is
	// what operating systems allow.
	maxPathBytes = 4096
)

// tokenFault is what is wrong with a call, or with one transfer_request of it.
type tokenFault struct {
	// reason is one of MalformedReasons.
	reason string
	// message is for the caller.
	message string
	// path is what the fault is about, if it is about a path.
	path string
	// at is the byte of the body, 0 if unknown.
	at int
}

// parseCall reads the body of a call: the transfer_requests, none of which has
// been looked into. Bytes after the first JSON value are not read, because the
// documented examples end in some.
func parseCall(body string) ([]any, *tokenFault) {
	text, wrong := firstValue(body)
	if wrong.reason != "" {
		return nil, unreadable(body, wrong)
	}
	tree, err := rules.ParseTree(text)
	if err != nil { // A number that is too long: all else the scanner has seen.
		return nil, &tokenFault{reason: reasonSyntax, message: "The request could not be read: " + err.Error() + "."}
	}
	call, _ := tree.(grants.Object) // firstValue has seen to it.
	list, ok := call["transfer_requests"].([]any)
	switch {
	case !ok && call["transfer_requests"] != nil:
		return nil, &tokenFault{reason: reasonType, message: "transfer_requests is not an array. " + callForm}
	case len(list) == 0:
		return nil, &tokenFault{reason: reasonRequest, message: "There are no transfer_requests. " + callForm}
	case len(list) > maxRequests:
		return nil, &tokenFault{reason: reasonRequest, message: fmt.Sprintf("There are %d transfer_requests, and %d may be asked for in one call. Ask in several calls.", len(list), maxRequests)}
	}
	if n := countPaths(list); n > maxPaths {
		return nil, &tokenFault{reason: reasonRequest, message: fmt.Sprintf("There are %d paths, and %d may be asked for in one call. Ask for the folder that they are in, or in several calls.", n, maxPaths)}
	}
	return list, nil
}

// callForm says what a call looks like.
const callForm = `Write {"transfer_requests":[{"transfer_request":{…}}]}.`

// firstValue returns the JSON object that a body begins with, or what is wrong
// with it. It is as strict as the decoder of events.
func firstValue(body string) (string, fault) {
	if hasMark(body) {
		return "", fault{reasonSyntax, "it begins with a byte-order mark (BOM)", 0}
	}
	valid := validUTF8(body)
	s := scanner{text: body[:valid]}
	first := s.peek()
	if s.at >= len(body) {
		return "", fault{reasonEmpty, "it is empty", 0}
	}
	if first != '{' && s.at < valid {
		return "", fault{reasonSyntax, "it is not a JSON object", s.at}
	}
	v, ok := s.value(0)
	switch {
	case ok:
		return v.raw, fault{}
	case valid < len(body) && s.fault.reason == reasonTruncated: // The scan came as far as the text did.
		return "", fault{reasonEncoding, "it holds bytes that are not UTF-8", valid}
	default:
		return "", s.fault
	}
}

// unreadable says where and why a body is not JSON.
func unreadable(body string, f fault) *tokenFault {
	message := "The request could not be read: " + f.what
	if place := explainFault(body, &rules.Fault{Offset: int64(f.at)}); place.Line > 0 {
		message += fmt.Sprintf(", at byte %d (line %d, column %d)", place.Byte, place.Line, place.Column)
	}
	return &tokenFault{reason: f.reason, message: message + ".", at: f.at}
}

// countPaths returns how many paths are asked for.
func countPaths(list []any) int {
	n := 0
	for _, item := range list {
		wrapper, _ := item.(grants.Object)
		members, _ := wrapper["transfer_request"].(grants.Object)
		paths, _ := members["paths"].([]any)
		n += len(paths)
	}
	return n
}

// bodyFault is how it is answered that a body could not be had, and what to do
// about it.
func (t *tokens) bodyFault(f *rules.Fault) (status int, told *tokenFault) {
	told = &tokenFault{reason: f.Reason}
	switch f.Reason {
	case reasonTooLarge:
		told.message = "The request is larger than " + rules.FormatSize(t.Limits.Body) + ". Ask for the folder that the files are in, or in several calls."
		return http.StatusRequestEntityTooLarge, told
	case reasonTimeout:
		told.message = "The request did not arrive in time. Try again."
		return http.StatusRequestTimeout, told
	default:
		told.message = "The request did not arrive whole. Try again."
		return http.StatusBadRequest, told
	}
}

// shownPath returns a path as a message shows it: in quotes, printable and at
// most 96 bytes long.
func shownPath(raw string) string {
	const limit = 96
	path := rules.ParsePath(raw).Shown()
	for keep := limit; ; keep = keep * 3 / 4 { // Shortened before it is escaped, so that no escape is cut in two.
		if shown := rules.Printable(rules.Shorten(path, keep)); len(shown) <= limit {
			return `"` + shown + `"`
		}
	}
}

// isDrive reports whether a path begins where a Windows path does: with a drive
// or the name of a server.
func isDrive(raw string) bool {
	if strings.HasPrefix(raw, `\\`) {
		return true
	}
	return len(raw) >= 3 && raw[1] == ':' && (raw[2] == '\\' || raw[2] == '/') && (raw[0]|0x20 >= 'a' && raw[0]|0x20 <= 'z')
}
