package policies

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Bounds of argon2id: memory in KiB, passes, lanes, and lengths in bytes. What
// they bound is the work that anybody can cause who asks for a token.
const (
	maxMemory           = 1 << 20
	maxPasses           = 16
	maxLanes            = 255
	minSalt, minHash    = 8, 16
	maxSaltHash         = 64
	minCost, maxCost    = 4, 16
	bcryptLength        = 60
	bcryptAlphabet      = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	howToHash           = "hash it with `sluice password`, and write in quotes what that prints"
	argonForm           = "it looks like $argon2id$v=19$m=65536,t=3,p=4$SALT$HASH, with at most 1 GiB of memory (m=1048576) and 16 passes (t=16)"
	bcryptForm          = "it looks like $2y$12$ and 53 more letters, digits, dots and slashes; the cost is from 04 to 16"
	notHashed           = `"password_hash" is not a hash of a password`
	notWhole, notThatOf = `"password_hash" is not a whole `, `"password_hash" is a hash that is not used here`
)

// checkHash says what is wrong with the hash of a password, and how to mend it.
// It never repeats any of it: it can be the password itself.
func checkHash(text string) (message, hint string) {
	before, _, isLine := strings.Cut(text, ":$")
	switch {
	case strings.HasPrefix(text, "$argon2id$"):
		if !isArgon2id(text) {
			return notWhole + "argon2id hash", argonForm
		}
	case strings.HasPrefix(text, "$2a$"), strings.HasPrefix(text, "$2b$"), strings.HasPrefix(text, "$2y$"):
		if !isBcrypt(text) {
			return notWhole + "bcrypt hash", bcryptForm
		}
	case isLine && !strings.Contains(before, "$"):
		return `"password_hash" has a name before the hash`, "write only what follows the colon"
	case strings.HasPrefix(text, "$") && strings.Count(text, "$") > 2:
		return notThatOf, "use argon2id or bcrypt"
	default:
		return notHashed, howToHash
	}
	return "", ""
}

// isArgon2id reports whether a text is an argon2id hash in PHC form, version 19
// of the algorithm, within the bounds.
func isArgon2id(text string) bool {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[2] != "v=19" {
		return false
	}
	numbers := strings.Split(parts[3], ",")
	if len(numbers) != 3 {
		return false
	}
	memory, passes, lanes := parameter(numbers[0], "m="), parameter(numbers[1], "t="), parameter(numbers[2], "p=")
	return lanes >= 1 && lanes <= maxLanes && passes >= 1 && passes <= maxPasses &&
		memory >= 8*lanes && memory <= maxMemory && isBase64(parts[4], minSalt) && isBase64(parts[5], minHash)
}

// parameter reads a number behind its name, or returns 0.
func parameter(text, name string) int {
	digits, named := strings.CutPrefix(text, name)
	n, err := strconv.Atoi(digits)
	if !named || err != nil || n < 0 || strconv.Itoa(n) != digits {
		return 0
	}
	return n
}

// isBase64 reports whether a text is so many bytes at least in base64 without
// padding.
func isBase64(text string, least int) bool {
	bytes, err := base64.RawStdEncoding.Strict().DecodeString(text)
	return err == nil && len(bytes) >= least && len(bytes) <= maxSaltHash && !strings.ContainsAny(text, "\r\n")
}

// isBcrypt reports whether a text that begins as a bcrypt hash is one.
func isBcrypt(text string) bool {
	if len(text) != bcryptLength || text[6] != '$' {
		return false
	}
	cost, err := strconv.Atoi(text[4:6])
	return err == nil && cost >= minCost && cost <= maxCost && text[4] != '+' && strings.Trim(text[7:], bcryptAlphabet) == ""
}
