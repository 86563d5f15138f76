package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// types is `sluice password` with something piped in.
func types(t *testing.T, input string, args ...string) ran {
	t.Helper()
	var out, errs bytes.Buffer
	status := run(t.Context(), append([]string{"password"}, args...), &stdio{in: strings.NewReader(input), out: &out, err: &errs})
	return ran{status, out.String(), errs.String()}
}

// TestPrintedHashesLetIn: what is printed compiles as a document of clients, and
// the client that is compiled from it is let in with the password alone.
func TestPrintedHashesLetIn(t *testing.T) {
	cheap := []string{"--argon2-memory", "8 MiB", "--argon2-passes", "1", "--argon2-lanes", "2"}
	bcrypt := []string{"--bcrypt", "--bcrypt-cost", "10"}
	for _, tc := range []struct {
		name, input, password string
		flags                 []string
	}{
		{"a line", "Korrekt Pferd\n", "Korrekt Pferd", cheap},
		{"without its end", "Korrekt Pferd", "Korrekt Pferd", cheap},
		{"as Windows writes it", "Korrekt Pferd\r\n", "Korrekt Pferd", cheap},
		{"with blanks around", " x \n", " x ", cheap},
		{"UTF-8", "pässwörd 密\n", "pässwörd 密", bcrypt},
		{"what YAML and shells read", "$a: \"b\" #'%[1]s\\\n", "$a: \"b\" #'%[1]s\\", cheap},
		{"the longest", strings.Repeat("p", 1024) + "\r\n", strings.Repeat("p", 1024), cheap},
		{"the longest by bcrypt", strings.Repeat("p", 72) + "\n", strings.Repeat("p", 72), bcrypt},
	} {
		t.Run(tc.name, func(t *testing.T) {
			printed := types(t, tc.input, append([]string{"--name", "portal-1.a_B"}, tc.flags...)...)
			if printed.status != 0 || printed.err != "" {
				t.Fatalf("%+v", printed)
			}
			files := fstest.MapFS{"10.yaml": {Data: []byte(goodPolicy)}, "clients.yaml": {Data: []byte(printed.out)}}
			snapshot, err := policies.Compile(files, policies.Options{Kinds: rules.Builtin()})
			if err != nil {
				t.Fatalf("%v\n%s", err, printed.out)
			}
			compiled := snapshot.Clients[0]
			set, err := validator.NewClientSet([]*validator.Client{{Name: compiled.Name, PasswordHash: compiled.PasswordHash}})
			if err != nil {
				t.Fatal(err)
			}
			auth := validator.NewAuthenticator(validator.AuthOptions{Clients: func() *validator.ClientSet { return set }})
			if client, err := auth.Authenticate(t.Context(), "portal-1.a_B", tc.password, ""); err != nil || client.Name != "portal-1.a_B" {
				t.Errorf("with its password: %v, %v", client, err)
			}
			if _, err := auth.Authenticate(t.Context(), "portal-1.a_B", tc.password[1:], ""); !errors.Is(err, validator.ErrCredentials) {
				t.Errorf("with another: %v", err)
			}
		})
	}
}

func TestNoPassword(t *testing.T) {
	for _, tc := range []struct {
		name, input string
		args        []string
		want        string
	}{
		{"nothing", "", nil, "sluice: the password is empty\n"},
		{"an empty line", "\n", nil, "sluice: the password is empty\n"},
		{"an empty line of Windows", "\r\n", nil, "sluice: the password is empty\n"},
		{"two lines", "s3cret\ns3cret\n", nil, "sluice: the input has more than one line, and a password is one; pipe in that line alone\n"},
		{"two ends of a line", "s3cret\n\n", nil, "sluice: the input has more than one line, and a password is one; pipe in that line alone\n"},
		{"too long", strings.Repeat("p", 1025), nil, "sluice: the password is longer than 1024 bytes\n"},
		{"far too long", strings.Repeat("p", 1<<20), nil, "sluice: the password is longer than 1024 bytes\n"},
		{"a carriage return", "s3\rcret", nil, "sluice: the password has control characters, or is not UTF-8: HTTP Basic cannot carry it\n"},
		{"an argument", "", []string{"s3cret"}, "sluice: the password is never an argument: other users of the machine see it in the list of processes, and the shell writes it into its history; type it when you are asked, or pipe it in\n"},
		{"more arguments", "", []string{"--bcrypt", "s3cret", "s3cret"}, "sluice: the password is never an argument: other users of the machine see it in the list of processes, and the shell writes it into its history; type it when you are asked, or pipe it in\n"},
	} {
		if got := types(t, tc.input, tc.args...); got != (ran{2, "", tc.want}) {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
}

// TestPasswordIsNotReadInVain: what is wrong with the flags is said first.
func TestPasswordIsNotReadInVain(t *testing.T) {
	input := strings.NewReader("s3cret\n")
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"password", "--argon2-lanes=0"}, &stdio{in: input, out: &out, err: &errs}); status != 2 || input.Len() != 7 {
		t.Errorf("status %d, %d bytes are left", status, input.Len())
	}
}

func TestClosedInput(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	if _, err := readPassword(context.Background(), &stdio{in: file}); err == nil {
		t.Error("a file that is closed was read")
	}
}

// FuzzHashes: a document of clients is accepted if and only if the service can
// verify passwords by its hash.
func FuzzHashes(f *testing.F) {
	const argon, bcrypt = "$argon2id$v=19$m=65536,t=3,p=4$c29tZSBzYWx0$MTIzNDU2Nzg5MDEyMzQ1Ng", "$2y$12$JqV3bBhbqbC4iYrO0L9V0e5l4L4K0m8b1q2w3e4r5t6y7u8i9o0pa"
	for _, seed := range []string{argon, bcrypt, "", "x", argon + "=", argon + "$", strings.Replace(argon, "m=65536", "m=065536", 1), strings.Replace(argon, "p=4", "p=4,", 1), bcrypt[:59], strings.Replace(bcrypt, "12", "+9", 1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, hash string) {
		for _, c := range []byte(hash) {
			if c < ' ' || c > '~' || c == '"' || c == '\\' {
				return // It would have to be escaped, and is in no hash.
			}
		}
		files := fstest.MapFS{
			"10.yaml":      {Data: []byte(goodPolicy)},
			"clients.yaml": {Data: []byte("version: 1\nclients:\n  - {name: a, password_hash: \"" + hash + "\", transfer_user: x, upload: [/x], max_life: 1h}\n")},
		}
		_, checked := policies.Compile(files, policies.Options{Kinds: rules.Builtin()})
		_, used := validator.NewClientSet([]*validator.Client{{Name: "a", PasswordHash: hash}})
		if (checked == nil) != (used == nil) {
			t.Errorf("%q: check says %v, the service %v", hash, checked, used)
		}
	})
}
