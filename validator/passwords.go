package validator

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Bounds of hashes and of what is hashed. Those of argon2id are in KiB, passes,
// lanes and bytes; they bound the work that anybody can cause who asks for a
// token.
const (
	maxArgonMemory   = 1 << 20
	maxArgonPasses   = 16
	minSalt, minSum  = 8, 16
	maxSaltSum       = 64
	maxBcryptCost    = 16
	bcryptLength     = 60
	bcryptAlphabet   = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	maxBcryptSecret  = 72
	maxClientName    = 64
	maxSecret        = 1 << 10
	argonPrefix      = "$argon2id$v=19$"
	argonParallelism = 255
)

// errNotHash says what a hash must be, and repeats none of it: it can be the
// password itself.
var errNotHash = errors.New("its password hash is not one of argon2id or bcrypt within the bounds; make one with `sluice password`")

// Hashers are the functions by which passwords are verified. Those that are nil
// stand for the functions of golang.org/x/crypto.
type Hashers struct {
	// Argon2id is argon2.IDKey; memory is in KiB.
	Argon2id func(password, salt []byte, passes, memory uint32, lanes uint8, length uint32) []byte
	// Bcrypt is bcrypt.CompareHashAndPassword; nil means that they belong together.
	Bcrypt func(hash, password []byte) error
}

// orReal fills in the functions that were not given.
func (h Hashers) orReal() Hashers {
	if h.Argon2id == nil {
		h.Argon2id = argon2.IDKey
	}
	if h.Bcrypt == nil {
		h.Bcrypt = bcrypt.CompareHashAndPassword
	}
	return h
}

// passwordHash is the hash of a password, read.
type passwordHash struct {
	// text is the hash as it was written. bcrypt needs nothing more; an argon2id
	// hash has lanes.
	text           string
	memory, passes uint32
	lanes          uint8
	salt, sum      []byte
}

// parsePasswordHash reads an argon2id hash in PHC form, version 19 of the
// algorithm, or a bcrypt hash. Only the one spelling that hashing programs write
// is accepted.
func parsePasswordHash(text string) (passwordHash, error) {
	if isBcryptHash(text) {
		return passwordHash{text: text}, nil
	}
	rest, ok := strings.CutPrefix(text, argonPrefix)
	parameters, rest, _ := strings.Cut(rest, "$")
	salt, sum, _ := strings.Cut(rest, "$")
	memory, parameters := cutParameter(parameters, "m=", maxArgonMemory)
	passes, parameters := cutParameter(parameters, ",t=", maxArgonPasses)
	lanes, parameters := cutParameter(parameters, ",p=", argonParallelism)
	hash := passwordHash{
		text: text, memory: memory, passes: passes, lanes: uint8(lanes),
		salt: rawBase64(salt, minSalt), sum: rawBase64(sum, minSum),
	}
	if !ok || parameters != "" || passes == 0 || lanes == 0 || memory < 8*lanes || hash.salt == nil || hash.sum == nil {
		return passwordHash{}, errNotHash
	}
	return hash, nil
}

// cutParameter reads the number behind a name at the beginning of a text, and
// returns it with what follows; 0 stands for one that is absent, above most or
// not written as numbers are.
func cutParameter(text, name string, most uint64) (number uint32, rest string) {
	digits, named := strings.CutPrefix(text, name)
	if end := strings.IndexByte(digits, ','); end >= 0 {
		digits, rest = digits[:end], digits[end:]
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if !named || err != nil || n > most || strconv.FormatUint(n, 10) != digits {
		return 0, rest
	}
	return uint32(n), rest
}

// rawBase64 reads bytes in base64 without padding, or returns nil if there are
// fewer than least or too many.
func rawBase64(text string, least int) []byte {
	read, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || len(read) < least || len(read) > maxSaltSum || strings.ContainsAny(text, "\r\n") {
		return nil
	}
	return read
}

// isBcryptHash reports whether a text is a bcrypt hash, such as $2y$12$ and 53
// letters. $2x$ is not among them: it marks hashes made by a broken program.
func isBcryptHash(text string) bool {
	if len(text) != bcryptLength || text[:2] != "$2" || text[3] != '$' || text[6] != '$' {
		return false
	}
	if variant := text[2]; variant != 'a' && variant != 'b' && variant != 'y' {
		return false
	}
	cost, err := strconv.ParseUint(text[4:6], 10, 8)
	return err == nil && cost >= uint64(bcrypt.MinCost) && cost <= maxBcryptCost && strings.Trim(text[7:], bcryptAlphabet) == ""
}

// matches reports whether a hash is of this password. bcrypt knows 72 bytes of
// one: a longer password is wrong, at the cost of any other that is wrong. The
// comparison takes the same time wherever the sums differ.
func (p *passwordHash) matches(with Hashers, password string) bool {
	if p.lanes == 0 {
		known := password[:min(len(password), maxBcryptSecret)]
		return with.Bcrypt([]byte(p.text), []byte(known)) == nil && known == password
	}
	sum := with.Argon2id([]byte(password), p.salt, p.passes, p.memory, p.lanes, uint32(len(p.sum)))
	return subtle.ConstantTimeCompare(sum, p.sum) == 1
}
