package validator_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/validator"
)

// isHash reports whether a text is taken for a hash.
func isHash(text string) bool {
	_, err := validator.NewClientSet([]*validator.Client{{Name: "a", PasswordHash: text}})
	return err == nil
}

// matches reports whether a real verification finds a password right.
func matches(t *testing.T, hash, password string) bool {
	t.Helper()
	set := clientSet(t, &validator.Client{Name: "a", PasswordHash: hash})
	auth := validator.NewAuthenticator(validator.AuthOptions{Clients: func() *validator.ClientSet { return set }})
	client, err := auth.Authenticate(t.Context(), "a", password, "192.0.2.1")
	switch {
	case err == nil && client != nil && client.Name == "a":
		return true
	case errors.Is(err, validator.ErrCredentials) && client == nil:
		return false
	}
	t.Fatalf("%v, %v", client, err)
	return false
}

// TestVerify has hashes from the test vectors of other programs: crypt_blowfish
// and the reference implementation of argon2.
func TestVerify(t *testing.T) {
	for _, tc := range []struct{ name, hash, password string }{
		{"bcrypt $2a$", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
		{"bcrypt $2y$", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
		{"bcrypt $2b$", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
		{"argon2id", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
		{"argon2id, two lanes", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "password"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !matches(t, tc.hash, tc.password) {
				t.Error("the right password is wrong")
			}
			for _, wrong := range []string{"", tc.password + " ", strings.ToUpper(tc.password) + "x", tc.password[1:]} {
				if matches(t, tc.hash, wrong) {
					t.Errorf("%q is right", wrong)
				}
			}
		})
	}
}

func TestMadeHashesAreOfTheirPassword(t *testing.T) {
	cheap := validator.Argon2idCost{Memory: 8 << 10, Passes: 1, Lanes: 1}
	seen := map[string]bool{}
	for _, password := range []string{"x", "Korrekt Pferd", "pässwörd 密 $:#", strings.Repeat("p", 1024)} {
		for range 2 {
			hash, err := validator.HashArgon2id(password, cheap)
			if err != nil || !isHash(hash) || !matches(t, hash, password) || matches(t, hash, password[1:]) || seen[hash] {
				t.Errorf("%s is not a new hash of %q: %v", hash, password, err)
			}
			seen[hash] = true
		}
	}
	if hash, err := validator.HashArgon2id("x", validator.DefaultArgon2idCost()); err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=3,p=4$") || len(hash) != 97 || !matches(t, hash, "x") {
		t.Errorf("by default: %s, %v", hash, err)
	}
}

// TestBcryptIsOfWholePasswords: to bcrypt, passwords are equal that begin with
// the same 72 bytes, and to a portal they are not.
func TestBcryptIsOfWholePasswords(t *testing.T) {
	password := strings.Repeat("p", 72)
	hash, err := validator.HashBcrypt(password, 10)
	if err != nil || !strings.HasPrefix(hash, "$2a$10$") || !isHash(hash) || !matches(t, hash, password) {
		t.Fatalf("%s is not a hash of %q: %v", hash, password, err)
	}
	for _, wrong := range []string{password + "p", strings.Repeat("p", 100), password[1:]} {
		if matches(t, hash, wrong) {
			t.Errorf("%d bytes are right", len(wrong))
		}
	}
}

func TestNotMade(t *testing.T) {
	cost := func(memory, passes uint32, lanes uint8) validator.Argon2idCost {
		return validator.Argon2idCost{Memory: memory, Passes: passes, Lanes: lanes}
	}
	argon := func(password string, cost validator.Argon2idCost) error {
		_, err := validator.HashArgon2id(password, cost)
		return err
	}
	bcrypt := func(password string, cost int) error {
		_, err := validator.HashBcrypt(password, cost)
		return err
	}
	const control = "the password has control characters, or is not UTF-8: HTTP Basic cannot carry it"
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"no password", argon("", cost(8192, 1, 1)), "the password is empty"},
		{"a password too long", argon(strings.Repeat("p", 1025), cost(8192, 1, 1)), "the password is longer than 1024 bytes"},
		{"a tab", argon("a\tb", cost(8192, 1, 1)), control},
		{"ISO 8859-1", argon("p\xe4ss", cost(8192, 1, 1)), control},
		{"little memory", argon("x", cost(8191, 1, 1)), "argon2id with 8191 KiB of memory; use 8 MiB to 1 GiB"},
		{"much memory", argon("x", cost(1048577, 1, 1)), "argon2id with 1048577 KiB of memory; use 8 MiB to 1 GiB"},
		{"no pass", argon("x", cost(8192, 0, 1)), "argon2id with 0 passes; use 1 to 16"},
		{"many passes", argon("x", cost(8192, 65, 1)), "argon2id with 65 passes; use 1 to 16"},
		{"no lanes", argon("x", cost(8192, 1, 0)), "argon2id without lanes; use 1 to 255"},
		{"bcrypt, no password", bcrypt("", 10), "the password is empty"},
		{"bcrypt, a NUL", bcrypt("a\x00a", 10), control},
		{"bcrypt, a password too long", bcrypt(strings.Repeat("p", 73), 10), "the password is longer than 72 bytes, which is all that bcrypt knows of one; use argon2id, or a shorter one"},
		{"bcrypt, too cheap", bcrypt("x", 9), "bcrypt with a cost of 9; use 10 to 16"},
		{"bcrypt, too dear", bcrypt("x", 17), "bcrypt with a cost of 17; use 10 to 16"},
	} {
		if tc.err == nil || tc.err.Error() != tc.want {
			t.Errorf("%s: got %v, want %s", tc.name, tc.err, tc.want)
		}
	}
}

func TestHashesAreReadStrictly(t *testing.T) {
	argon := func(parameters, salt, sum string) string {
		return "$argon2id$v=19$" + parameters + "$" + salt + "$" + sum
	}
	const salt, sum = "c29tZSBzYWx0", "MTIzNDU2Nzg5MDEyMzQ1Ng"
	for text, want := range map[string]bool{
		someArgon2id: true, someBcrypt: true,
		argon("m=1048576,t=16,p=255", salt, sum):                   true,
		argon("m=8,t=1,p=1", salt, sum):                            true,
		argon("m=1048577,t=1,p=1", salt, sum):                      false,
		argon("m=4294967304,t=1,p=1", salt, sum):                   false,
		argon("m=7,t=1,p=1", salt, sum):                            false,
		argon("m=64,t=1,p=9", salt, sum):                           false,
		argon("m=65536,t=0,p=1", salt, sum):                        false,
		argon("m=65536,t=17,p=1", salt, sum):                       false,
		argon("m=65536,t=1,p=0", salt, sum):                        false,
		argon("m=65536,t=1,p=256", salt, sum):                      false,
		argon("m=65536,p=1,t=1", salt, sum):                        false,
		argon("m=065536,t=1,p=1", salt, sum):                       false,
		argon("m=65536,t=+1,p=1", salt, sum):                       false,
		argon("m=65536,t=1", salt, sum):                            false,
		argon("m=65536,t=1,p=1,", salt, sum):                       false,
		argon("m=65536,t=1,p=1,x=1", salt, sum):                    false,
		argon(",m=65536,t=1,p=1", salt, sum):                       false,
		argon("", salt, sum):                                       false,
		argon("m=65536,t=3,p=4", "c29tZSBz", sum):                  false,
		argon("m=65536,t=3,p=4", salt, "MTIzNDU2Nzg5MDEyMzQ1"):     false,
		argon("m=65536,t=3,p=4", salt, sum+"=="):                   false,
		argon("m=65536,t=3,p=4", salt, sum+"$"):                    false,
		argon("m=65536,t=3,p=4", salt, sum+"\n"):                   false,
		argon("m=65536,t=3,p=4", salt, strings.Repeat("AAAA", 22)): false,
		strings.Replace(someArgon2id, "v=19", "v=16", 1):           false,
		strings.Replace(someArgon2id, "argon2id", "argon2i", 1):    false,
		strings.Replace(someBcrypt, "$2y$", "$2x$", 1):             false,
		strings.Replace(someBcrypt, "$12$", "$03$", 1):             false,
		strings.Replace(someBcrypt, "$12$", "$32$", 1):             false,
		strings.Replace(someBcrypt, "$12$", "$+9$", 1):             false,
		someBcrypt + "x":                                           false, someBcrypt[:59] + "=": false, someBcrypt[:59]: false, "": false, "$": false, "$2": false,
	} {
		if got := isHash(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

// written writes what was read of an argon2id hash as it is written.
func written(memory, passes uint32, lanes uint8, salt []byte) string {
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$", memory, passes, lanes, base64.RawStdEncoding.EncodeToString(salt))
}

// readAs verifies a password by a hash and returns what the functions that hash
// were asked for.
func readAs(t rapid.TB, hash string) string {
	t.Helper()
	asked := ""
	set, err := validator.NewClientSet([]*validator.Client{{Name: "a", PasswordHash: hash}})
	if err != nil {
		return ""
	}
	auth := validator.NewAuthenticator(validator.AuthOptions{
		Clients: func() *validator.ClientSet { return set },
		Hashers: validator.Hashers{
			Argon2id: func(_, salt []byte, passes, memory uint32, lanes uint8, length uint32) []byte {
				asked = written(memory, passes, lanes, salt)
				sum, err := base64.RawStdEncoding.DecodeString(strings.TrimPrefix(hash, asked))
				if err != nil || len(sum) != int(length) {
					t.Fatalf("%q is read as %q and %d bytes", hash, asked, length)
				}
				asked += base64.RawStdEncoding.EncodeToString(sum)
				return sum
			},
			Bcrypt: func(text, _ []byte) error {
				asked = string(text)
				return nil
			},
		},
	})
	if _, err := auth.Authenticate(context.Background(), "a", "x", ""); err != nil {
		t.Fatalf("%q: %v", hash, err)
	}
	return asked
}

// FuzzPasswordHash: a hash that is accepted is read as it is written, within the
// bounds; there is no second spelling.
func FuzzPasswordHash(f *testing.F) {
	for _, seed := range []string{
		someArgon2id, someBcrypt, "", "$argon2id$v=19$m=8,t=1,p=1$c29tZSBzYWx0$MTIzNDU2Nzg5MDEyMzQ1Ng",
		"$argon2id$v=19$m=65536,t=3,p=4$c29tZSBzYWx0$MTIzNDU2Nzg5MDEyMzQ1Ng==", "$argon2id$v=19$m=1,t=1,p=1$$",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if isHash(text) {
			if read := readAs(t, text); read != text {
				t.Errorf("%q is read as %q", text, read)
			}
		}
	})
}

func TestHashesAreReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lanes := rapid.Uint8Range(1, 255).Draw(t, "lanes")
		hash := written(rapid.Uint32Range(8*uint32(lanes), 1<<20).Draw(t, "memory"), rapid.Uint32Range(1, 16).Draw(t, "passes"), lanes,
			rapid.SliceOfN(rapid.Byte(), 8, 64).Draw(t, "salt")) +
			base64.RawStdEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 16, 64).Draw(t, "sum"))
		if read := readAs(t, hash); read != hash {
			t.Fatalf("%q is read as %q", hash, read)
		}
	})
}
