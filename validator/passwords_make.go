package validator

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Argon2idCost is what it costs to hash a password by argon2id.
type Argon2idCost struct {
	// Memory is in KiB: 8192 to 1048576.
	Memory uint32
	// Passes over the memory are 1 to 64, and Lanes that are worked on at once 1
	// to 255.
	Passes uint32
	Lanes  uint8
}

// DefaultArgon2idCost is the second recommended option of RFC 9106: 64 MiB, 3
// passes, 4 lanes. The salt of 16 bytes and the sum of 32 bytes that
// HashArgon2id makes belong to it.
func DefaultArgon2idCost() Argon2idCost { return Argon2idCost{Memory: 64 << 10, Passes: 3, Lanes: 4} }

// Check says what is wrong with a cost.
func (c Argon2idCost) Check() error {
	switch {
	case c.Memory < minMadeMemory || c.Memory > maxArgonMemory:
		return fmt.Errorf("argon2id with %d KiB of memory; use 8 MiB to 1 GiB", c.Memory)
	case c.Passes < 1 || c.Passes > maxArgonPasses:
		return fmt.Errorf("argon2id with %d passes; use 1 to %d", c.Passes, maxArgonPasses)
	case c.Lanes < 1:
		return fmt.Errorf("argon2id without lanes; use 1 to %d", argonParallelism)
	}
	return nil
}

// CheckBcryptCost says what is wrong with a cost of bcrypt.
func CheckBcryptCost(cost int) error {
	if cost < minMadeBcrypt || cost > maxMadeBcrypt {
		return fmt.Errorf("bcrypt with a cost of %d; use %d to %d", cost, minMadeBcrypt, maxMadeBcrypt)
	}
	return nil
}

// Bounds of hashes that are made. Cheaper ones can be guessed too fast, and dearer
// ones take seconds.
const (
	minMadeMemory                = 8 << 10
	madeSalt, madeSum            = 16, 32
	minMadeBcrypt, maxMadeBcrypt = 10, 16
)

// HashArgon2id hashes a password with a random salt, and returns the hash in PHC
// form. The error says what is wrong with the password or with the cost, and
// repeats nothing of the password.
func HashArgon2id(password string, cost Argon2idCost) (string, error) {
	if err := checkSecret(password, maxSecret); err != nil {
		return "", err
	}
	if err := cost.Check(); err != nil {
		return "", err
	}
	salt := make([]byte, madeSalt)
	rand.Read(salt) // It never fails: the process ends instead.
	sum := argon2.IDKey([]byte(password), salt, cost.Passes, cost.Memory, cost.Lanes, madeSum)
	raw := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("%sm=%d,t=%d,p=%d$%s$%s", argonPrefix, cost.Memory, cost.Passes, cost.Lanes, raw(salt), raw(sum)), nil
}

// HashBcrypt hashes a password of at most 72 bytes by bcrypt, with a cost of 10
// to 16. The error says what is wrong with the password or with the cost, and
// repeats nothing of the password.
func HashBcrypt(password string, cost int) (string, error) {
	if err := checkSecret(password, maxBcryptSecret); err != nil {
		return "", err
	}
	if err := CheckBcryptCost(cost); err != nil {
		return "", err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		return "", fmt.Errorf("hashing by bcrypt: %w", err)
	}
	return string(hash), nil
}

// checkSecret says what keeps a text from being a password.
func checkSecret(password string, most int) error {
	switch {
	case password == "":
		return errors.New("the password is empty")
	case len(password) > most && most == maxBcryptSecret:
		return fmt.Errorf("the password is longer than %d bytes, which is all that bcrypt knows of one; use argon2id, or a shorter one", most)
	case len(password) > most:
		return fmt.Errorf("the password is longer than %d bytes", most)
	case !isCredential(password):
		return errors.New("the password has control characters, or is not UTF-8: HTTP Basic cannot carry it")
	}
	return nil
}
