package grants

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// KeyOptions name the keys that grants are signed and verified with. All of them
// are Ed25519 keys in PEM files of at most 16 KiB.
type KeyOptions struct {
	// KeyFile holds the private key (PKCS#8) that signs. It is created where it is
	// not there; its folder must be.
	KeyFile string
	// VerifyFiles hold further keys, private or public (PKIX), whose grants are
	// taken too: those of other servers, and those that signed before.
	VerifyFiles []string
}

// Keys sign grants, and tell who signed one. They do not change.
type Keys struct {
	signer jose.Signer // Nil for those who only verify.
	kid    string
	public map[string]ed25519.PublicKey
}

// OpenKeys reads the keys, and reports whether it had to create the one that
// signs: readable by its owner alone, and on the disk when this returns. Of
// several processes that start at once one creates it, and all use that. The
// error says which file is wrong and how to mend it; it shows nothing of a key.
func OpenKeys(o KeyOptions) (keys *Keys, created bool, err error) {
	if o.KeyFile == "" {
		return nil, false, errors.New("no key file is named, so no grant can be signed; name one in grants.key_file")
	}
	if created, err = createKey(o.KeyFile); err != nil {
		return nil, false, err
	}
	private, public, err := readEd25519(o.KeyFile)
	if err != nil {
		return nil, created, err
	}
	if private == nil {
		return nil, created, fmt.Errorf("key file %s: it holds a public key, which cannot sign; move it to grants.verify_key_files", o.KeyFile)
	}
	if keys, err = readVerifyKeys(o.VerifyFiles); err != nil {
		return nil, created, err
	}
	if err = keys.add(o.KeyFile, public); err != nil {
		return nil, created, err
	}
	keys.kid = KeyID(public)
	keys.signer, err = jose.NewSigner(
		jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: private, KeyID: keys.kid}},
		new(jose.SignerOptions).WithType(headerType))
	return keys, created, err
}

// OpenVerifyKeys reads keys for those who sign nothing, such as a service that
// gives out no tokens. Each file holds an Ed25519 key, private or public; there
// must be one. The error says which file is wrong and how to mend it.
func OpenVerifyKeys(files ...string) (*Keys, error) {
	if len(files) == 0 {
		return nil, errors.New("no key file is named, so no grant can be verified; name the file of the key that signed it")
	}
	return readVerifyKeys(files)
}

// OpenVerifier returns a Verifier that allows for no skew, for a command. The
// error is that of OpenVerifyKeys.
func OpenVerifier(files ...string) (*Verifier, error) {
	keys, err := OpenVerifyKeys(files...)
	if err != nil {
		return nil, err
	}
	return NewVerifier(keys, VerifierOptions{}), nil
}

func readVerifyKeys(files []string) (*Keys, error) {
	k := &Keys{public: make(map[string]ed25519.PublicKey, len(files)+1)}
	for _, name := range files {
		_, public, err := readEd25519(name)
		if err != nil {
			return nil, err
		}
		if err := k.add(name, public); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// add takes the same key twice: while keys are changed it may be in two files.
func (k *Keys) add(name string, public ed25519.PublicKey) error {
	kid := KeyID(public)
	if other, ok := k.public[kid]; ok && !other.Equal(public) {
		return fmt.Errorf("key file %s: another key has the same id %s; make a new one", name, kid)
	}
	k.public[kid] = public
	return nil
}

// KeyID returns the id that grants name a key by: the first 16 hexadecimal digits
// of the SHA-256 of the 32 bytes of the public key.
func KeyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// ID returns the id of the key that signs, empty where none does.
func (k *Keys) ID() string { return k.kid }

// IDs returns the ids of all keys whose grants are taken, in order.
func (k *Keys) IDs() []string { return slices.Sorted(maps.Keys(k.public)) }

// createKey makes a key file where there is none. The file gets its name when it
// is whole, so that no other process ever reads half of it, and whoever comes
// second loses.
func createKey(name string) (created bool, err error) {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return false, nil // What else is wrong is said when it is read.
	}
	folder := filepath.Dir(name)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("key file %s: its folder does not exist; make it, for the user that sluice runs as, with: mkdir -p -m 700 %s", name, folder)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("key file %s: it is not there and cannot be created: %w; create it with: openssl genpkey -algorithm ed25519 -out %s", name, err, name)
		}
	}()
	draft, err := writeDraft(folder)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.Remove(draft)) }()
	if err := os.Link(draft, name); errors.Is(err, fs.ErrExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, syncFolder(folder)
}

// writeDraft writes a new key to a file of its own, which is created for its
// owner alone.
func writeDraft(folder string) (name string, err error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(folder, ".grant-key-*")
	if err != nil {
		return "", err
	}
	err = pem.Encode(file, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

func syncFolder(name string) error {
	if !modesMean { // Where permissions mean nothing, folders cannot be synced either.
		return nil
	}
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
