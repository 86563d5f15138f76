package grants

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// maxKeyFile is the size of the largest file that can hold a key, in bytes.
const maxKeyFile = 16 << 10

// modesMean reports whether the permissions of a file say who can read it.
const modesMean = runtime.GOOS != "windows"

// minRSA and maxRSA are the sizes of RSA keys that are taken, in bits. A larger
// key takes seconds to sign with.
const minRSA, maxRSA = 2048, 8192

// readPEM returns the PEM block that is all of a file. What holds a private key
// must be readable by its owner alone. No error shows anything of the content.
func readPEM(name string) (*pem.Block, error) {
	text, mode, err := readKeyFile(name)
	if err != nil {
		return nil, err
	}
	if strings.Count(text, "-----BEGIN ") > 1 {
		return nil, fmt.Errorf("key file %s: it has several PEM blocks; keep one key in each file", name)
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf(`key file %s: there is no key in PEM form in it; one begins with a line like "-----BEGIN PRIVATE KEY-----"`, name)
	}
	if strings.TrimSpace(string(rest)) != "" {
		return nil, fmt.Errorf("key file %s: something follows the key; remove it", name)
	}
	if isPrivate(block) && modesMean && mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key file %s: others than its owner can read the private key (mode %04o); take that away with: chmod 600 %s", name, mode.Perm(), name)
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
		return nil, fmt.Errorf("key file %s: the key has a passphrase, which nobody could type at a start; take it off with: openssl pkey -in %s -out NEWFILE", name, name)
	}
	return block, nil
}

func readKeyFile(name string) (text string, mode os.FileMode, err error) {
	info, err := os.Stat(name) // Opening a pipe would wait for its writer.
	if err != nil {
		return "", 0, fmt.Errorf("key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", 0, fmt.Errorf("key file %s: it is a folder or a device; name a file", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return "", 0, fmt.Errorf("key file: %w", err)
	}
	defer file.Close()
	if info, err = file.Stat(); err != nil {
		return "", 0, fmt.Errorf("key file: %w", err)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return "", 0, fmt.Errorf("key file: %w", err)
	}
	if len(content) > maxKeyFile {
		return "", 0, fmt.Errorf("key file %s: it is larger than %d bytes, so it is not one key", name, maxKeyFile)
	}
	return string(content), info.Mode(), nil
}

func isPrivate(block *pem.Block) bool { return strings.HasSuffix(block.Type, "PRIVATE KEY") }

// readEd25519 returns the key of a file. The private one is nil where the file
// holds a public key.
func readEd25519(name string) (ed25519.PrivateKey, ed25519.PublicKey, error) {
	block, err := readPEM(name)
	if err != nil {
		return nil, nil, err
	}
	switch block.Type {
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if private, ok := key.(ed25519.PrivateKey); err == nil && ok {
			return private, private.Public().(ed25519.PublicKey), nil
		}
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if public, ok := key.(ed25519.PublicKey); err == nil && ok {
			return nil, public, nil
		}
	}
	return nil, nil, fmt.Errorf("key file %s: grants are signed with Ed25519, and this is no such key; make one with: openssl genpkey -algorithm ed25519 -out NEWFILE", name)
}

// OpenRSAKey returns the RSA key of a PEM file in the form of PKCS#1 or PKCS#8,
// of 2048 to 8192 bits. The error says which file is wrong and how to mend it; it
// shows nothing of the key.
func OpenRSAKey(name string) (*rsa.PrivateKey, error) {
	block, err := readPEM(name)
	if err != nil {
		return nil, err
	}
	var key any
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	private, ok := key.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("key file %s: this is no private RSA key; make one with: openssl genrsa -out NEWFILE 3072", name)
	}
	return private, checkRSA(name, &private.PublicKey)
}

// OpenRSAPublicKey returns the public RSA key of a PEM file, for VerifyBearer: in
// the form of PKIX or PKCS#1, or that of a private key. The error says which file
// is wrong.
func OpenRSAPublicKey(name string) (*rsa.PublicKey, error) {
	block, err := readPEM(name)
	if err != nil {
		return nil, err
	}
	if isPrivate(block) {
		private, err := OpenRSAKey(name)
		if err != nil {
			return nil, err
		}
		return &private.PublicKey, nil
	}
	var key any
	switch block.Type {
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	default:
		err = errors.New("another type")
	}
	public, ok := key.(*rsa.PublicKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("key file %s: this is no public RSA key; take it from the private one with: openssl pkey -in PRIVATE -pubout -out %s", name, name)
	}
	return public, checkRSA(name, public)
}

func checkRSA(name string, key *rsa.PublicKey) error {
	if bits := key.N.BitLen(); bits < minRSA || bits > maxRSA {
		return fmt.Errorf("key file %s: the RSA key has %d bits, and must have %d to %d; make one with: openssl genrsa -out NEWFILE 3072", name, bits, minRSA, maxRSA)
	}
	return nil
}
