package grants

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/sluiceproject/sluice/rules"
)

// TransferOptions are what the issuers local and bearer say of the Aspera server.
// A member that is zero leaves the matter to the request, and then to the default
// that is named with it.
type TransferOptions struct {
	// RemoteHost is the server's name or address, as clients reach it. The request
	// decides where it is empty; there is no default.
	RemoteHost string
	// SSHPort and FASPPort are TCP and UDP ports: 33001.
	SSHPort, FASPPort int
	// SSHFingerprint is the sshfp that clients hold the server's host key to: none.
	SSHFingerprint string
	// HTTPFallback lets clients fall back to HTTP, unless their request has
	// http_fallback: false. Files that come that way are not validated inline.
	HTTPFallback bool
	// HTTPFallbackPort is where: 8080.
	HTTPFallbackPort int
	// Cipher is the weakest encryption in transit: none, or aes-128, aes-192 or
	// aes-256, with -cfb or -gcm behind it or not. A request's cipher_allowed may
	// name a stronger one. Where it is empty the request decides: aes-128.
	Cipher string
	// TargetRateKbps is the rate of requests that name none, in kbps.
	TargetRateKbps int64
	// TargetRateCapKbps is the largest rate, in kbps; a request may name a smaller
	// cap.
	TargetRateCapKbps int64
}

// check says which option is wrong.
func (o *TransferOptions) check() error {
	for _, port := range [...]struct {
		name  string
		value int
	}{{"ssh_port", o.SSHPort}, {"fasp_port", o.FASPPort}, {"http_fallback_port", o.HTTPFallbackPort}} {
		if port.value < 0 || port.value > maxPort {
			return fmt.Errorf("%s: %d is no port; it is from 1 to %d", port.name, port.value, maxPort)
		}
	}
	for _, text := range [...]struct{ name, value string }{{"remote_host", o.RemoteHost}, {"sshfp", o.SSHFingerprint}} {
		if !isWord(text.value) {
			return fmt.Errorf("%s: it has a space or a character that does not print", text.name)
		}
	}
	if _, ok := strength(o.Cipher); o.Cipher != "" && !ok {
		return errors.New("cipher: it is not known; it is one of none, aes-128, aes-192, aes-256, aes-128-gcm, aes-192-gcm and aes-256-gcm")
	}
	if o.TargetRateKbps < 0 || o.TargetRateCapKbps < 0 {
		return errors.New("target_rate_kbps, target_rate_cap_kbps: a rate is not negative")
	}
	return nil
}

const maxPort = 65535

// spec returns the transfer_spec that answers a request. What the server decides
// replaces what the request says; the request's other members travel on, but for
// those that are not for clients.
func (o *TransferOptions) spec(r *Request, token string) Object {
	spec := make(Object, len(r.Members)+16)
	for name, value := range r.Members {
		if travels(name, value) {
			spec[name] = value
		}
	}
	spec["token"] = token
	spec["remote_user"] = r.Grant.User
	setDirection(spec, r)
	setText(spec, "remote_host", o.RemoteHost, "")
	if setText(spec, "sshfp", o.SSHFingerprint, ""); spec["sshfp"] == "" {
		delete(spec, "sshfp")
	}
	setPort(spec, "ssh_port", o.SSHPort, 33001)
	setPort(spec, "fasp_port", o.FASPPort, 33001)
	o.setFallback(spec)
	o.setRates(spec)
	spec["cipher"] = o.cipher(r.Members)
	return spec
}

// travels reports whether a member of a request belongs into its answer, which
// portals hand to browsers. What tells the server what to do was done or is not
// done here; a secret that the client has already is not sent back.
func travels(name string, value any) bool {
	switch name {
	case "token_life_seconds", "cipher_allowed", "public_keys":
		return false
	case "authentication": // How the client logs in: a word.
		_, isText := value.(string)
		return isText
	}
	name = strings.ToLower(name)
	for _, secret := range [...]string{"password", "passphrase", "private_key", "secret", "credential"} {
		if strings.Contains(name, secret) {
			return false
		}
	}
	return true
}

// setDirection sets the direction and the roots. A client takes the folder that it
// uploads to from destination_root alone.
func setDirection(spec Object, r *Request) {
	setText(spec, "source_root", "", "")
	if r.Grant.Direction == rules.Download {
		spec["direction"] = "receive"
		setText(spec, "destination_root", "", "")
		return
	}
	spec["direction"] = "send"
	setText(spec, "destination_root", "", "")
	if spec["destination_root"] != "" {
		return
	}
	spec["destination_root"] = "/"
	if paths, ok := r.Members["paths"].([]any); ok && len(paths) == 1 {
		pair, _ := paths[0].(Object)
		source, _ := pair["source"].(string)
		if destination, _ := pair["destination"].(string); destination != "" && source == "" {
			spec["destination_root"] = destination
		}
	}
}

func (o *TransferOptions) setFallback(spec Object) {
	asked, isBool := spec["http_fallback"].(bool)
	if !o.HTTPFallback || isBool && !asked {
		spec["http_fallback"] = false
		delete(spec, "http_fallback_port")
		delete(spec, "https_fallback_port")
		return
	}
	spec["http_fallback"] = true
	setPort(spec, "http_fallback_port", o.HTTPFallbackPort, 8080)
}

func (o *TransferOptions) setRates(spec Object) {
	policy := "fair"
	if asked, _ := spec["rate_policy"].(string); isWord(asked) && asked != "" {
		policy = asked
	}
	spec["rate_policy"] = policy
	setText(spec, "rate_policy_allowed", "", policy)
	limit := rate(spec["target_rate_cap_kbps"])
	if o.TargetRateCapKbps > 0 && (limit < 0 || limit > o.TargetRateCapKbps) {
		limit = o.TargetRateCapKbps
	}
	target := rate(spec["target_rate_kbps"])
	if target < 0 && o.TargetRateKbps > 0 {
		target = o.TargetRateKbps
	}
	if limit >= 0 && target > limit {
		target = limit
	}
	setRate(spec, "target_rate_cap_kbps", limit)
	setRate(spec, "target_rate_kbps", target)
	setRate(spec, "min_rate_kbps", max(rate(spec["min_rate_kbps"]), 0))
}

// rate returns -1 for what is not one. Some clients put it in quotes.
func rate(value any) int64 {
	text, ok := value.(string)
	if number, isNumber := value.(json.Number); isNumber {
		text, ok = string(number), true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || n < 0 {
		return -1
	}
	return n
}

func setRate(spec Object, name string, kbps int64) {
	if kbps < 0 {
		delete(spec, name)
		return
	}
	spec[name] = json.Number(strconv.FormatInt(kbps, 10))
}

// setText sets what is configured, or leaves the request's text, or sets other.
func setText(spec Object, name, configured, other string) {
	if configured != "" {
		spec[name] = configured
	} else if asked, ok := spec[name].(string); !ok || asked == "" {
		spec[name] = other
	}
}

// setPort sets what is configured, or leaves the request's port, or sets other.
func setPort(spec Object, name string, configured, other int) {
	asked := rate(spec[name])
	switch {
	case configured > 0:
		asked = int64(configured)
	case asked < 1 || asked > maxPort:
		asked = int64(other)
	}
	setRate(spec, name, asked)
}

// cipher returns the stronger of the server's cipher and the one asked for.
func (o *TransferOptions) cipher(asked Object) string {
	name, _ := asked["cipher_allowed"].(string)
	theirs, known := strength(name)
	ours, configured := strength(o.Cipher)
	switch {
	case known && (!configured || theirs > ours):
		return name
	case configured:
		return o.Cipher
	default:
		return "aes-128"
	}
}

// strength returns the length of a cipher's key in bits, whatever the spelling.
func strength(cipher string) (bits int, known bool) {
	plain := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(cipher))
	if plain == "none" {
		return 0, true
	}
	plain = strings.TrimSuffix(strings.TrimSuffix(plain, "gcm"), "cfb")
	switch plain {
	case "aes128", "aes192", "aes256":
		bits, _ = strconv.Atoi(plain[len("aes"):])
		return bits, true
	default:
		return 0, false
	}
}

// isWord reports whether a text is empty or prints, with no space in it.
func isWord(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
}
