package rules

// Code is the machine-readable part of a refusal: a string of up to 32 letters,
// digits, dots, dashes and underscores. The table of codes is in
// policies/README.md; a test holds the two together.
type Code string

// Codes of refusals that no rule made.
const (
	// CodeDefault: no policy applies and the server's default is reject.
	CodeDefault Code = "1000"
	// CodeMalformed: the event could not be read.
	CodeMalformed Code = "1001"
	// CodeOverloaded: too many events are being decided at once.
	CodeOverloaded Code = "1002"
	// CodeTimeout: the event did not arrive, or could not be decided, in time.
	CodeTimeout Code = "1003"
	// CodeInternal: a fault inside sluice.
	CodeInternal Code = "1004"
	// CodeSelector: whether a policy applies could not be told.
	CodeSelector Code = "1005"
	// CodeClient: the client may not ask for a token for such a path.
	CodeClient Code = "1006"
	// CodeJournal: the decision could not be recorded.
	CodeJournal Code = "1007"
	// CodeStale: nobody has confirmed for too long that the policies are the newest.
	CodeStale Code = "1008"
	// CodeRevoked: the transfer's grant was taken back.
	CodeRevoked Code = "1009"
)

// ServiceCode is a code that no rule gives, with what it means and what the
// person who transfers reads.
type ServiceCode struct {
	Code             Code
	Meaning, Message string
}

// ServiceCodes returns the codes of refusals that no rule made, in order.
func ServiceCodes() []ServiceCode {
	return []ServiceCode{
		{CodeDefault, "no policy applies to the event, and the server's default is reject", "No policy of this server allows this transfer. Ask its administrator."},
		{CodeMalformed, "the event could not be read", "The Aspera server's file event could not be read. Tell its administrator."},
		{CodeOverloaded, "more events at once than `limits.requests`", "The file validation service is busy. Try again in a minute."},
		{CodeTimeout, "the event did not arrive in `limits.read_time`", "The Aspera server's file event did not arrive in time. Try again."},
		{CodeInternal, "a fault inside sluice", "The file validation service has a fault and refuses to be safe. Tell the server's administrator."},
		{CodeSelector, "a policy may or may not apply: the event lacks a field that `applies_to` names, or its path has a `..`", "It cannot be told which policy applies to this file. Check its path, or tell the server's administrator."},
		{CodeClient, "a token is asked for what `upload` or `download` of the client does not allow", "This client may not ask for a token for that path. Ask the server's administrator."},
		{CodeJournal, "the decision could not be recorded in the decision log, whose `on_error` is reject", "The file validation service could not record this file. Try again, and tell the server's administrator if it happens again."},
		{CodeStale, "for longer than `policies.max_age` the policy store has not said that the policies are the newest, and `when_older` is refuse", "The file validation service does not know whether its policies are up to date. Tell the server's administrator."},
		{CodeRevoked, "the transfer's grant was revoked; or for longer than `grants.max_silence` the policy store has not said which are", "This transfer was stopped: its token was revoked. Ask the server's administrator."},
	}
}

// Verdict returns the refusal with the code's own message. It panics for a
// code that a rule gives: only rules have messages for those.
func (c Code) Verdict() Verdict {
	for _, s := range ServiceCodes() {
		if s.Code == c {
			return Verdict{Code: c, Message: s.Message}
		}
	}
	panic("rules: no service code " + string(c))
}
