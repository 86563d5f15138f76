package rules

import (
	"context"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func transferKind() Kind {
	return Kind{
		Name: "transfer",
		Doc: "the session's cipher is not in `cipher`, its rate policy not in `rate_policy`, or its target rate outside `target_rate`; " +
			"a cipher without a mode (`aes-256`) stands for all its modes (`aes-256-gcm`)",
		Schema: `{
	"type": "object", "additionalProperties": false, "minProperties": 1, "examples": [{"cipher": ["aes-128", "aes-192", "aes-256"]}],
	"properties": {
		"cipher": {"type": "array", "minItems": 1, "items": ` + spelledFreely(ciphers(), cipherPattern) + `, "description": "The encryption in transit that is accepted.", "examples": [["aes-128", "aes-192", "aes-256"]]},
		"rate_policy": {"type": "array", "minItems": 1, "items": ` + spelledFreely(ratePolicies(), ratePolicyPattern) + `, "description": "The rate policies that are accepted.", "examples": [["fair", "low"]]},
		"target_rate": {"type": "object", "additionalProperties": false, "minProperties": 1, "description": "The target rate that is accepted.", "examples": [{"max": "1 Gbps"}], "properties": {
			"min": {"type": "string", "minLength": 1, "description": "At least this: kbps, Mbps or Gbps.", "examples": ["1 Mbps"]},
			"max": {"type": "string", "minLength": 1, "description": "At most this: kbps, Mbps or Gbps.", "examples": ["1 Gbps"]}
		}}
	}
}`,
		Phases:       TransferPhases,
		Late:         "the client chooses its cipher and rates when the session starts",
		Reads:        "cipher, rate_policy, target_rate_kbps",
		Fields:       []string{"cipher", "rate_policy"},
		Code:         "1027",
		Placeholders: []string{"found", "cipher", "rate_policy", "min", "max"},
		Saw: func(e *Event) string {
			saw := e.Cipher + " " + e.RatePolicy
			if e.TargetRateKbps.Known {
				saw += " " + FormatRate(e.TargetRateKbps.Value)
			}
			return strings.TrimSpace(saw)
		},
		Compile: compileTransfer,
	}
}

// ciphers returns the ciphers that ascp knows, as policies write them.
func ciphers() []string {
	list := []string{"none"}
	for _, bits := range []string{"128", "192", "256"} {
		list = append(list, "aes-"+bits, "aes-"+bits+"-cfb", "aes-"+bits+"-gcm")
	}
	return list
}

// cipherPattern matches the ciphers in the spellings that servers and people
// use: AES128, aes_128, aes128-gcm.
const cipherPattern = "^([Nn][Oo][Nn][Ee]|[Aa][Ee][Ss][-_]?(128|192|256)([-_]?([Cc][Ff][Bb]|[Gg][Cc][Mm]))?)$"

// parseCipher returns the spelling in ciphers of a cipher.
func parseCipher(name string) (string, bool) {
	plain := string(appendCipher(nil, name))
	for _, c := range ciphers() {
		if strings.ReplaceAll(c, "-", "") == plain {
			return c, true
		}
	}
	return "", false
}

// ratePolicies returns the rate policies that ascp knows.
func ratePolicies() []string { return []string{"fixed", "fair", "high", "low"} }

// ratePolicyPattern matches them in any case.
const ratePolicyPattern = "^([Ff][Ii][Xx][Ee][Dd]|[Ff][Aa][Ii][Rr]|[Hh][Ii][Gg][Hh]|[Ll][Oo][Ww])$"

// parseRatePolicy returns the spelling in ratePolicies of a rate policy.
func parseRatePolicy(name string) (string, bool) {
	name = strings.ToLower(name)
	return name, slices.Contains(ratePolicies(), name)
}

// appendCipher appends a cipher's canonical form: lower case without dashes.
func appendCipher(to []byte, name string) []byte {
	kept := to
	for _, c := range appendLower(to, name) {
		if c != '-' && c != '_' {
			kept = append(kept, c)
		}
	}
	return kept
}

// transfers is a compiled transfer rule.
type transfers struct {
	ciphers      map[string]bool
	ratePolicies []string
	low, high    int64
	asksRate     bool

	cipher, ratePolicy, slow, fast *Template
}

func compileTransfer(_ Env, dec Decoder) (Compiled, error) {
	var spec struct {
		Cipher     []string `json:"cipher"`
		RatePolicy []string `json:"rate_policy"`
		TargetRate struct {
			Min string `json:"min"`
			Max string `json:"max"`
		} `json:"target_rate"`
	}
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var wrong mistakes
	spec.Cipher = respell("cipher", "a cipher", spec.Cipher, ciphers(), parseCipher, &wrong)
	spec.RatePolicy = respell("rate_policy", "a rate policy", spec.RatePolicy, ratePolicies(), parseRatePolicy, &wrong)
	t := &transfers{
		ciphers: cipherSet(spec.Cipher), ratePolicies: spec.RatePolicy,
		low:      rateAt("/target_rate/min", spec.TargetRate.Min, 0, &wrong),
		high:     rateAt("/target_rate/max", spec.TargetRate.Max, 1<<62, &wrong),
		asksRate: spec.TargetRate.Min != "" || spec.TargetRate.Max != "",

		cipher:     builtinMessage("This transfer's encryption is {found}, but must be {cipher}. Change it in your client."),
		ratePolicy: builtinMessage("This transfer's rate policy is {found}, but must be {rate_policy}. Change it in your client."),
		slow:       builtinMessage("This transfer's target rate is {found}, but must be at least {min}. Change it in your client."),
		fast:       builtinMessage("This transfer's target rate is {found}, but must be at most {max}. Change it in your client."),
	}
	if len(wrong) == 0 && t.low > t.high {
		wrong.add(At("/target_rate/min", "min is larger than max, so no transfer could pass"))
	}
	return Compiled{Check: t.check, Reach: t, Values: map[string]string{
		"cipher": strings.Join(spec.Cipher, " or "), "rate_policy": strings.Join(spec.RatePolicy, " or "),
		"min": spec.TargetRate.Min, "max": spec.TargetRate.Max,
	}}, wrong.err()
}

// cipherSet holds each cipher that is accepted, in canonical form and as most
// servers write it; one without a mode stands for all modes.
func cipherSet(list []string) map[string]bool {
	if list == nil {
		return nil
	}
	set := map[string]bool{}
	for _, name := range list {
		plain := string(appendCipher(nil, name))
		set[name], set[plain] = true, true
		if strings.Count(name, "-") == 1 {
			for _, mode := range []string{"cfb", "gcm", "ctr", "cbc"} {
				set[name+"-"+mode], set[plain+mode] = true, true
			}
		}
	}
	return set
}

func (t *transfers) check(_ context.Context, e *Event) (*Objection, error) {
	if t.ciphers != nil {
		if e.Cipher == "" {
			return nil, MissingError{"cipher"}
		}
		var room [24]byte
		if !t.ciphers[e.Cipher] && !t.ciphers[string(appendCipher(room[:0], e.Cipher))] {
			return &Objection{Message: t.cipher, Found: e.Cipher}, nil
		}
	}
	if t.ratePolicies != nil {
		if e.RatePolicy == "" {
			return nil, MissingError{"rate_policy"}
		}
		if !slices.Contains(t.ratePolicies, e.RatePolicy) {
			return &Objection{Message: t.ratePolicy, Found: e.RatePolicy}, nil
		}
	}
	if !t.asksRate {
		return nil, nil
	}
	switch rate := e.TargetRateKbps; {
	case !rate.Known:
		return nil, MissingError{"target_rate_kbps"}
	case rate.Value < t.low:
		return &Objection{Message: t.slow, Found: FormatRate(rate.Value)}, nil
	case rate.Value > t.high:
		return &Objection{Message: t.fast, Found: FormatRate(rate.Value)}, nil
	default:
		return nil, nil
	}
}

var rateUnits = []struct {
	name string
	kbps int64
}{{"Gbps", 1_000_000}, {"Mbps", 1000}, {"kbps", 1}}

// FormatRate writes kilobits per second for a person.
func FormatRate(kbps int64) string {
	for _, u := range rateUnits {
		if kbps >= u.kbps && kbps%u.kbps == 0 {
			return strconv.FormatInt(kbps/u.kbps, 10) + " " + u.name
		}
	}
	return strconv.FormatInt(kbps, 10) + " kbps"
}

func rateAt(at, text string, absent int64, wrong *mistakes) int64 {
	if text == "" {
		return absent
	}
	for _, u := range rateUnits {
		head, found := cutSuffixFold(text, u.name)
		if !found || strings.HasSuffix(text, "Bps") { // MBps are megabytes.
			continue
		}
		n, err := strconv.ParseUint(strings.TrimRight(head, " "), 10, 63) // Takes no sign.
		if err != nil || n > uint64(1<<62/u.kbps) {
			break
		}
		return int64(n) * u.kbps
	}
	wrong.add(At(at, "%q is not a rate; write a whole number and kbps, Mbps or Gbps, such as 500 Mbps", text).WithHint("%s", rateHint(text)))
	return absent
}

// nearRate matches what is a rate but for its unit, or for a fraction.
var nearRate = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) *([KMGkmg])(?i:(b|bit|bits|byte|bytes)?(?:ps|/s|/sec|/second| per second)?)$`)

// rateHint says what was probably meant by a text that is no rate.
func rateHint(text string) string {
	parts := nearRate.FindStringSubmatch(text)
	if parts == nil {
		return ""
	}
	value, _ := new(big.Rat).SetString(parts[1])
	for _, u := range rateUnits {
		if strings.EqualFold(u.name[:1], parts[2]) {
			value.Mul(value, new(big.Rat).SetInt64(u.kbps))
		}
	}
	if parts[3] == "B" || strings.HasPrefix(strings.ToLower(parts[3]), "byte") {
		value.Mul(value, big.NewRat(8, 1))
	}
	if !value.IsInt() || !value.Num().IsInt64() || value.Num().Int64() > 1<<62 {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", FormatRate(value.Num().Int64()))
}
