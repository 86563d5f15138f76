package validator

import "github.com/sluiceproject/sluice/rules"

// The reasons for which an event is malformed. They are values of a metric
// label, so the set is closed.
const (
	// reasonAborted: the connection broke before the whole body was there.
	reasonAborted = "aborted"
	// reasonClientLimit: a token is asked for what the client may not ask for.
	reasonClientLimit = "client_limit"
	// reasonDepth: nested beyond rules.MaxDepth.
	reasonDepth = "depth"
	// reasonDuplicate: a member is given twice in one object.
	reasonDuplicate = "duplicate"
	// reasonEmpty: there is no body, or nothing but white space.
	reasonEmpty = "empty"
	// reasonEncoding: bytes or escapes that are not UTF-8.
	reasonEncoding = "encoding"
	// reasonFile: the path is empty, not a string or holds a NUL.
	reasonFile = "file"
	// reasonMethod: the request is not a POST.
	reasonMethod = "method"
	// reasonPolicyLimit: a token is asked for more files than a rule allows.
	reasonPolicyLimit = "policy_limit"
	// reasonRequest: a token request that does not say what is wanted, or asks for
	// too much at once.
	reasonRequest = "request"
	// reasonSize: the size is not a whole number from 0 to 2⁶³−1.
	reasonSize = "size"
	// reasonStartStop: the phase is missing or unknown.
	reasonStartStop = "startstop"
	// reasonSyntax: not a JSON object.
	reasonSyntax = "syntax"
	// reasonTimeout: the body did not arrive in time.
	reasonTimeout = "timeout"
	// reasonTooLarge: the body is longer than the limit.
	reasonTooLarge = "too_large"
	// reasonTrailing: something follows the event.
	reasonTrailing = "trailing"
	// reasonTruncated: the body ends inside the event.
	reasonTruncated = "truncated"
	// reasonType: an object or an array where a text belongs.
	reasonType = "type"
)

// MalformedReasons returns every word that Fault.Reason can be for an event
// that could not be read, in alphabetical order: those of Decoder.Decode,
// those of a body that never came so far (aborted, method, timeout, too_large),
// and those of token requests alone (client_limit, policy_limit, request).
func MalformedReasons() []string {
	return []string{
		reasonAborted, reasonClientLimit, reasonDepth, reasonDuplicate, reasonEmpty, reasonEncoding,
		reasonFile, reasonMethod, reasonPolicyLimit, reasonRequest, reasonSize, reasonStartStop, reasonSyntax,
		reasonTimeout, reasonTooLarge, reasonTrailing, reasonTruncated, reasonType,
	}
}

// malformed returns the fault of an event that could not be read. What f says
// goes on after "could not be read:" and must hold nothing hostile.
func malformed(f fault) *rules.Fault {
	return &rules.Fault{
		Code:    rules.CodeMalformed,
		Reason:  f.reason,
		Message: "The Aspera server's file event could not be read: " + f.what + ". Tell the server's administrator.",
		Offset:  int64(f.at),
	}
}
