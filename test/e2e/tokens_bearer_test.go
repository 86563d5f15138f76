package e2e

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// unbase64 reads base64, padded or not, of either alphabet.
func unbase64(t *testing.T, text string) []byte {
	t.Helper()
	plain, err := base64.RawURLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_", "=", "", "\n", "").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// TestABearerTokenIsWhatNodesVerify: by a few lines that know nothing of sluice.
func TestABearerTokenIsWhatNodesVerify(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	private, public := filepath.Join(dir, "rsa.pem"), filepath.Join(dir, "rsa.pub.pem")
	whole, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	half, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{private: {Type: "PRIVATE KEY", Bytes: whole}, public: {Type: "PUBLIC KEY", Bytes: half}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := give(t, "issuer: bearer, bearer: {access_key: ak-1, user_id: ann, private_key_file: "+private+"}", setup{})
	asked := time.Now()
	a := g.upload(t, wants("/ingest/a")+`,"token_life_seconds":600`)
	token, _ := a.specs[0].Spec["token"].(string)

	packed, found := strings.CutPrefix(token, "Bearer ")
	if !found {
		t.Fatalf("the token begins with %.10q", token)
	}
	g.keep(packed)
	unpack, err := zlib.NewReader(bytes.NewReader(unbase64(t, packed)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(unpack)
	if err != nil {
		t.Fatal(err)
	}
	said, signature, found := strings.Cut(string(plain), "\n==SIGNATURE==\n")
	sum := sha512.Sum512([]byte(said))
	if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA512, sum[:], unbase64(t, signature)); err != nil || !found {
		t.Fatalf("%v: %q", err, plain)
	}
	for i, line := range strings.Split(strings.TrimSuffix(signature, "\n"), "\n") {
		if len(line) != 60 && i < len(base64.StdEncoding.EncodeToString(make([]byte, 256)))/60 {
			t.Errorf("line %d of the signature has %d columns", i, len(line))
		}
	}
	var claims struct {
		UserID    string    `json:"user_id"`
		Scope     string    `json:"scope"`
		AuthType  string    `json:"auth_type"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(said), &claims); err != nil {
		t.Fatal(err)
	}
	left := claims.ExpiresAt.Sub(asked)
	if claims.UserID != "ann" || claims.Scope != "node.ak-1:user:all" || claims.AuthType != "access_key" || left < 590*time.Second || left > 600*time.Second+patience {
		t.Errorf("it says %s", said)
	}
	// The grant goes along, and holds the transfer.
	g.moves(t, "", a.tags(t), "--as", "/ingest/a", "--user", "lion")
	g.moves(t, notCovered, a.tags(t), "--as", "/ingest/b", "--user", "lion")

	// One that is made elsewhere is read by ours.
	said = fmt.Sprintf(`{"expires_at":%q,"scope":"node.ak-1:admin:all","auth_type":"access_key","user_id":"bob"}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	sum = sha512.Sum512([]byte(said))
	raw, err := rsa.SignPKCS1v15(nil, key, crypto.SHA512, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var foreign bytes.Buffer
	pack := zlib.NewWriter(&foreign)
	if _, err := io.WriteString(pack, said+"\n==SIGNATURE==\n"+base64.StdEncoding.EncodeToString(raw)+"\n"); err != nil || pack.Close() != nil {
		t.Fatal(err)
	}
	text := "Bearer " + base64.StdEncoding.EncodeToString(foreign.Bytes())
	out, err := exec.Command(binary, "token", "verify", "--public-key", public, text).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "valid: signed by this key, for bob, scope node.ak-1:admin:all, until ") {
		t.Errorf("%v, %s", err, out)
	}
	out, err = exec.Command(binary, "token", "decode", text).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "bob") || !strings.Contains(string(out), "ak-1") {
		t.Errorf("%v, %s", err, out)
	}
}
