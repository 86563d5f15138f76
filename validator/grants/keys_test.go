package grants_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// block returns a PEM block of a key that x509 has marshalled.
func block(tb testing.TB, kind string) func(der []byte, err error) string {
	tb.Helper()
	return func(der []byte, err error) string {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
}

func write(tb testing.TB, content string, mode os.FileMode) string {
	tb.Helper()
	name := filepath.Join(tb.TempDir(), "key.pem")
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil { // The umask may have taken some away.
		tb.Fatal(err)
	}
	return name
}

func newPrivate(tb testing.TB) ed25519.PrivateKey {
	tb.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return private
}

func privatePEM(tb testing.TB, key any) string {
	tb.Helper()
	return block(tb, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(key))
}

func publicPEM(tb testing.TB, key any) string {
	tb.Helper()
	return block(tb, "PUBLIC KEY")(x509.MarshalPKIXPublicKey(key))
}

// open returns the keys of a private key that is known to the test.
func open(tb testing.TB, private ed25519.PrivateKey, verify ...string) *grants.Keys {
	tb.Helper()
	keys, created, err := grants.OpenKeys(grants.KeyOptions{KeyFile: write(tb, privatePEM(tb, private), 0o600), VerifyFiles: verify})
	if err != nil || created {
		tb.Fatal(created, err)
	}
	return keys
}

func TestKeyFileIsCreated(t *testing.T) {
	name := filepath.Join(t.TempDir(), "grant-key.pem")
	first, created, err := grants.OpenKeys(grants.KeyOptions{KeyFile: name})
	if err != nil || !created {
		t.Fatal("created:", created, err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode() != 0o600 {
		t.Fatal("mode:", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), "*")); len(left) != 1 {
		t.Error("other files are left:", left)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".*")); len(left) != 0 {
		t.Error("hidden files are left:", left)
	}
	again, created, err := grants.OpenKeys(grants.KeyOptions{KeyFile: name})
	if err != nil || created || again.ID() != first.ID() {
		t.Error("at the second start:", created, again.ID(), first.ID(), err)
	}
	if out, err := exec.Command("openssl", "pkey", "-in", name, "-noout").CombinedOutput(); err != nil && !strings.Contains(err.Error(), "executable file not found") {
		t.Errorf("openssl does not read the key: %s", out)
	}
}

func TestOneKeyOfManyThatStartAtOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "grant-key.pem")
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		ids  = map[string]int{}
		made int
	)
	start := make(chan struct{})
	for range 32 {
		wg.Go(func() {
			<-start
			keys, created, err := grants.OpenKeys(grants.KeyOptions{KeyFile: name})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			ids[keys.ID()]++
			if created {
				made++
			}
		})
	}
	close(start)
	wg.Wait()
	if len(ids) != 1 || made != 1 {
		t.Errorf("%d keys, and %d processes that created one", len(ids), made)
	}
}

func TestKeyID(t *testing.T) {
	private := newPrivate(t)
	sum := sha256.Sum256(private.Public().(ed25519.PublicKey))
	if got, want := open(t, private).ID(), hex.EncodeToString(sum[:])[:16]; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestKeyFilesRefused(t *testing.T) {
	private := newPrivate(t)
	good := privatePEM(t, private)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"readable by the group":        {good, 0o640, "chmod 600"},
		"readable by all":              {good, 0o604, "chmod 600"},
		"writable by the group":        {good, 0o620, "chmod 600"},
		"an RSA key":                   {privatePEM(t, small), 0o600, "openssl genpkey -algorithm ed25519"},
		"an RSA key in its own form":   {block(t, "RSA PRIVATE KEY")(x509.MarshalPKCS1PrivateKey(small), nil), 0o600, "this is no such key"},
		"a key of a curve":             {privatePEM(t, curve), 0o600, "this is no such key"},
		"a key of a curve, other form": {block(t, "EC PRIVATE KEY")(x509.MarshalECPrivateKey(curve)), 0o600, "this is no such key"},
		"a certificate":                {block(t, "CERTIFICATE")([]byte("x"), nil), 0o600, "this is no such key"},
		"a key with a passphrase":      {block(t, "ENCRYPTED PRIVATE KEY")([]byte("x"), nil), 0o600, "passphrase"},
		"two keys":                     {good + good, 0o600, "several PEM blocks"},
		"two keys, one of them broken": {"-----BEGIN PRIVATE KEY-----\n!\n" + good, 0o600, "several PEM blocks"},
		"text behind the key":          {good + "and more", 0o600, "something follows the key"},
		"the label of another":         {strings.ReplaceAll(good, "PRIVATE", "PUBLIC"), 0o600, "this is no such key"},
		"half a key":                   {good[:len(good)/2], 0o600, "no key in PEM form"},
		"damaged":                      {block(t, "PRIVATE KEY")([]byte("rubbish"), nil), 0o600, "this is no such key"},
		"empty":                        {"", 0o600, "no key in PEM form"},
		"bytes":                        {"\x00\x01\x02", 0o600, "no key in PEM form"},
		"too large":                    {good + strings.Repeat("\n", 16<<10), 0o600, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, c.content, c.mode)
			_, created, err := grants.OpenKeys(grants.KeyOptions{KeyFile: file})
			if err == nil || created || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
				t.Fatalf("%v\nwant: %s", err, c.want)
			}
			_, err2 := grants.OpenVerifier(file)
			if err2 == nil || err2.Error() != err.Error() {
				t.Errorf("as a key that verifies: %v", err2)
			}
			for line := range strings.Lines(c.content) {
				if len(line) > 8 && !strings.HasPrefix(line, "-----") && strings.Contains(err.Error(), strings.TrimSpace(line)) {
					t.Errorf("the error shows the content: %v", err)
				}
			}
		})
	}
}

func TestKeyFilesThatAreNotFiles(t *testing.T) {
	folder := t.TempDir()
	public := write(t, publicPEM(t, newPrivate(t).Public()), 0o644)
	for name, c := range map[string]struct{ file, want string }{
		"none named":         {"", "grants.key_file"},
		"a folder":           {folder, "it is a folder"},
		"no folder around":   {filepath.Join(folder, "no", "key.pem"), "mkdir -p -m 700 " + filepath.Join(folder, "no")},
		"a file around":      {filepath.Join(public, "key.pem"), "not a directory"},
		"a public key":       {public, "cannot sign"},
		"a link to nowhere":  {link(t, filepath.Join(folder, "gone")), "no such file"},
		"a device":           {os.DevNull, "it is a folder or a device"},
		"a folder kept from": {"/proc/key.pem", "openssl genpkey"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, created, err := grants.OpenKeys(grants.KeyOptions{KeyFile: c.file}); err == nil || created || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v\nwant: %s", err, c.want)
			}
		})
	}
}

func link(t *testing.T, to string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "link.pem")
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
	return name
}

// A private key may be a link, as those of Kubernetes are, and may have text in
// front of it, as those of openssl have.
func TestKeyFilesTaken(t *testing.T) {
	private := newPrivate(t)
	content := "Bag Attributes: none\n" + privatePEM(t, private) + "\n\n"
	for _, mode := range []os.FileMode{0o600, 0o400} {
		keys, _, err := grants.OpenKeys(grants.KeyOptions{KeyFile: link(t, write(t, content, mode))})
		if err != nil || keys.ID() != grants.KeyID(private.Public().(ed25519.PublicKey)) {
			t.Error(mode, err)
		}
	}
}

// The old key goes to verify_key_files, as it is or as its public half, and what
// it has signed is taken until it is removed.
func TestRotation(t *testing.T) {
	before, after, other := newPrivate(t), newPrivate(t), newPrivate(t)
	old, err := open(t, before).Sign(example())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		verify []string
		want   error
	}{
		"private half": {[]string{write(t, privatePEM(t, before), 0o600)}, nil},
		"public half":  {[]string{write(t, publicPEM(t, before.Public()), 0o644)}, nil},
		"named twice":  {[]string{write(t, publicPEM(t, before.Public()), 0o644), write(t, publicPEM(t, before.Public()), 0o644), write(t, publicPEM(t, after.Public()), 0o644)}, nil},
		"another key":  {[]string{write(t, publicPEM(t, other.Public()), 0o644)}, rules.ErrForged},
		"removed":      {nil, rules.ErrForged},
	} {
		t.Run(name, func(t *testing.T) {
			keys := open(t, after, c.verify...)
			if _, err := grants.NewVerifier(keys, grants.VerifierOptions{}).Verify(old); err != c.want { //nolint:errorlint // The error itself is promised.
				t.Errorf("%v, want %v", err, c.want)
			}
			if keys.ID() != grants.KeyID(after.Public().(ed25519.PublicKey)) {
				t.Error("the old key signs")
			}
		})
	}
	if keys := open(t, after, write(t, publicPEM(t, before.Public()), 0o644)); len(keys.IDs()) != 2 {
		t.Error(keys.IDs())
	}
}

func TestOpenVerifier(t *testing.T) {
	private := newPrivate(t)
	text, err := open(t, private).Sign(example())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := grants.OpenVerifier(write(t, publicPEM(t, private.Public()), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	got, err := verifier.Verify(text)
	if diff := cmp.Diff(example(), got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := grants.OpenVerifier(); err == nil {
		t.Error("a verifier without keys")
	}
}

// Nothing that prints a key's holder shows the key.
func TestErrorsHideKeys(t *testing.T) {
	private := newPrivate(t)
	seed := private.Seed()
	file := write(t, privatePEM(t, private)+"tail", 0o600)
	_, _, err := grants.OpenKeys(grants.KeyOptions{KeyFile: file})
	if err == nil {
		t.Fatal("taken")
	}
	for _, secret := range []string{base64.StdEncoding.EncodeToString(seed)[:12], hex.EncodeToString(seed)[:12]} {
		if strings.Contains(err.Error(), secret) {
			t.Error(err)
		}
	}
}
