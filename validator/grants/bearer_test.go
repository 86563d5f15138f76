package grants_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

var _ grants.Issuer = (*grants.BearerIssuer)(nil)

// rsaKey is made once: it takes a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func bearerIssuer(tb testing.TB, user string) *grants.BearerIssuer {
	tb.Helper()
	issuer, err := grants.NewBearer(grants.BearerOptions{AccessKey: "ak_1", UserID: user, Key: rsaKey(), Transfer: grants.TransferOptions{RemoteHost: "hst"}})
	if err != nil {
		tb.Fatal(err)
	}
	return issuer
}

// What a node does to verify a token, in a few lines of the standard library.
func TestBearerVerifiedIndependently(t *testing.T) {
	for user, want := range map[string]string{"": "xfer", `portal "<&>"`: `portal \"<&>\"`} {
		spec := issue(t, bearerIssuer(t, user), rules.Upload, `{"paths":[{}],"destination_root":"/in"}`)
		if spec["remote_host"] != "hst" || spec["remote_user"] != "xfer" || spec["direction"] != "send" {
			t.Error(spec)
		}
		word, token, _ := strings.Cut(spec["token"].(string), " ")
		if word != "Bearer" {
			t.Error(word)
		}
		packed, err := base64.StdEncoding.Strict().DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		r, err := zlib.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(plain), "\n")
		wantJSON := `{"user_id":"` + want + `","scope":"node.ak_1:user:all","auth_type":"access_key","expires_at":"2027-01-16T08:00:00Z"}`
		if lines[0] != wantJSON || lines[1] != "==SIGNATURE==" || len(lines[2]) != 60 || lines[len(lines)-1] != "" || len(lines) != 2+6+1 {
			t.Errorf("%q\nwant %s", lines, wantJSON)
		}
		signature, err := base64.StdEncoding.Strict().DecodeString(strings.Join(lines[2:], ""))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha512.Sum512([]byte(lines[0]))
		if err := rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA512, sum[:], signature); err != nil {
			t.Error(err)
		}
	}
}

func foreign(tb testing.TB) string {
	tb.Helper()
	token, err := os.ReadFile("testdata/bearer/token")
	if err != nil {
		tb.Fatal(err)
	}
	return string(token)
}

// A token that openssl and perl have made: testdata/bearer/README.md says how.
func TestBearerMadeElsewhere(t *testing.T) {
	token := foreign(t)
	public, err := grants.OpenRSAPublicKey("testdata/bearer/public.pem")
	if err != nil {
		t.Fatal(err)
	}
	want := grants.Bearer{
		UserID: "ops@example.com", Scope: "node.ak_Zq0-7:user:all", AuthType: "access_key",
		ExpiresAt: time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC), GroupIDs: []string{"staff", "42"},
	}
	for _, text := range []string{token, "Bearer " + token, "bearer " + token, strings.TrimRight(token, "="), token + "\n"} {
		got, err := grants.VerifyBearer(text, public)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(grants.Bearer{}, "Claims", "Payload", "Signature")); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if got.AccessKey() != "ak_Zq0-7" || len(got.Claims) != 5 || len(got.Signature) != 256 {
			t.Errorf("%+v", got)
		}
	}
	if _, err := grants.VerifyBearer(token, &rsaKey().PublicKey); !errors.Is(err, grants.ErrBearerSignature) {
		t.Error("with another key:", err)
	}
}

func TestBearerRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := grants.Bearer{
			UserID: rapid.String().Draw(t, "user"), Scope: "node." + name().Draw(t, "key") + ":admin:all", AuthType: "access_key",
			ExpiresAt: time.Unix(rapid.Int64Range(0, 1<<34).Draw(t, "expires"), 0).UTC(),
			GroupIDs:  rapid.SliceOfN(rapid.String(), 0, 4).Draw(t, "groups"),
		}
		token, err := grants.SignBearer(want, rsaKey())
		if err != nil {
			t.Fatal(err)
		}
		got, err := grants.VerifyBearer(token, &rsaKey().PublicKey)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(grants.Bearer{}, "Claims", "Payload", "Signature")); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	})
}

// packers are used again: a new one takes a megabyte.
var packers = sync.Pool{New: func() any { return zlib.NewWriter(io.Discard) }}

// pack makes a token of any text.
func pack(text string) string {
	var b bytes.Buffer
	w := packers.Get().(*zlib.Writer)
	defer packers.Put(w)
	w.Reset(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func unpack(tb testing.TB, token string) string {
	tb.Helper()
	packed, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		tb.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		tb.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return string(plain)
}

// No byte of what is signed, nor of the signature, can be altered.
func TestBearerAlteredByte(t *testing.T) {
	token := foreign(t)
	public, err := grants.OpenRSAPublicKey("testdata/bearer/public.pem")
	if err != nil {
		t.Fatal(err)
	}
	good, err := grants.VerifyBearer(token, public)
	if err != nil {
		t.Fatal(err)
	}
	same := func(altered string) {
		t.Helper()
		if got, err := grants.VerifyBearer(altered, public); err == nil && !bytes.Equal(got.Payload, good.Payload) {
			t.Fatalf("verified: %q", got.Payload)
		}
	}
	plain := unpack(t, token)
	for i := range len(plain) {
		for _, b := range []byte("A\n\"\xff") {
			same(pack(plain[:i] + string([]byte{b}) + plain[i+1:]))
			same(pack(plain[:i] + string([]byte{b}) + plain[i:]))
		}
		same(pack(plain[:i] + plain[i+1:]))
	}
	for i := range len(token) {
		same(token[:i] + "A" + token[i+1:])
		same(token[:i])
	}
}

func TestBearerTokensRefused(t *testing.T) {
	token := foreign(t)
	plain := unpack(t, token)
	packed, _ := base64.StdEncoding.DecodeString(token)
	edit := func(old, with string) string {
		if !strings.Contains(plain, old) {
			t.Fatal(old)
		}
		return pack(strings.Replace(plain, old, with, 1))
	}
	for name, c := range map[string]struct{ token, want string }{
		"empty":                  {"", "not packed with zlib"},
		"no base64":              {"!", "it is not base64"},
		"other base64":           {"aGVsbG8gd29ybGQ=", "not packed with zlib"},
		"cut off":                {base64.StdEncoding.EncodeToString(packed[:len(packed)-9]), "cut off or damaged"},
		"wrong checksum":         {base64.StdEncoding.EncodeToString(append(bytes.Clone(packed[:len(packed)-1]), packed[len(packed)-1]^1)), "cut off or damaged"},
		"something behind":       {base64.StdEncoding.EncodeToString(append(bytes.Clone(packed), 0)), "something follows"},
		"too long":               {strings.Repeat("A", 64<<10+1), "longer than"},
		"a bomb":                 {pack(strings.Repeat(" ", 30<<20)), "unpacks to more than"},
		"no signature":           {edit("==SIGNATURE==", "==SIG=="), "no line ==SIGNATURE=="},
		"a signature of rubbish": {edit("==SIGNATURE==\n", "==SIGNATURE==\n!"), "signature is not base64"},
		"no JSON":                {edit(`{"user_id"`, `"user_id"`), "there is more after the value"},
		"a member twice":         {edit(`{`, `{"user_id":"a",`), "given twice"},
		"a list":                 {pack("[]\n==SIGNATURE==\n"), "not a JSON object"},
		"no user":                {edit("user_id", "user"), "no text user_id"},
		"a number as scope":      {edit(`"node.ak_Zq0-7:user:all"`, `7`), "no text scope"},
		"no auth_type":           {edit(`"auth_type"`, `"auth"`), "no text auth_type"},
		"no such time":           {edit("2031-02-03", "2031-02-30"), "no time of RFC 3339"},
		"a local time":           {edit("04:05:06Z", "04:05:06"), "no time of RFC 3339"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := grants.DecodeBearer(c.token)
			if err == nil || !strings.HasPrefix(err.Error(), "no node bearer token: ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "ops@") {
				t.Errorf("%+v, %v\nwant: %s", got, err, c.want)
			}
		})
	}
}

func TestRSAKeys(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	own := block(t, "RSA PRIVATE KEY")(x509.MarshalPKCS1PrivateKey(rsaKey()), nil)
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"PKCS#8":                {privatePEM(t, rsaKey()), 0o600, ""},
		"PKCS#1":                {own, 0o400, ""},
		"readable by the group": {own, 0o640, "chmod 600"},
		"small":                 {privatePEM(t, small), 0o600, "1024 bits"},
		"Ed25519":               {privatePEM(t, newPrivate(t)), 0o600, "no private RSA key"},
		"public":                {publicPEM(t, &rsaKey().PublicKey), 0o600, "no private RSA key"},
		"two":                   {own + own, 0o600, "several PEM blocks"},
		"damaged":               {block(t, "RSA PRIVATE KEY")([]byte("x"), nil), 0o600, "no private RSA key"},
		"with a passphrase":     {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", 0o600, "passphrase"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := grants.OpenRSAKey(write(t, c.content, c.mode))
			if c.want == "" {
				if err != nil || !key.Equal(rsaKey()) {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant: %s", err, c.want)
			}
		})
	}
}

func TestRSAPublicKeys(t *testing.T) {
	public := &rsaKey().PublicKey
	for name, c := range map[string]struct{ content, want string }{
		"PKIX":               {publicPEM(t, public), ""},
		"PKCS#1":             {block(t, "RSA PUBLIC KEY")(x509.MarshalPKCS1PublicKey(public), nil), ""},
		"of the private key": {privatePEM(t, rsaKey()), ""},
		"Ed25519":            {publicPEM(t, newPrivate(t).Public()), "no public RSA key"},
		"Ed25519, private":   {privatePEM(t, newPrivate(t)), "no private RSA key"},
		"a certificate":      {block(t, "CERTIFICATE")([]byte("x"), nil), "no public RSA key"},
		"damaged":            {block(t, "PUBLIC KEY")([]byte("x"), nil), "no public RSA key"},
		"nothing":            {"", "no key in PEM form"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := grants.OpenRSAPublicKey(write(t, c.content, 0o600))
			if c.want == "" {
				if err != nil || !key.Equal(public) {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant: %s", err, c.want)
			}
		})
	}
}

func TestBearerOptionsRefused(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		options grants.BearerOptions
		want    string
	}{
		"no access key":    {grants.BearerOptions{Key: rsaKey()}, "access_key"},
		"a colon in it":    {grants.BearerOptions{Key: rsaKey(), AccessKey: "a:admin"}, "access_key"},
		"a user of lines":  {grants.BearerOptions{Key: rsaKey(), AccessKey: "a", UserID: "a\nb"}, "user_id"},
		"no key":           {grants.BearerOptions{AccessKey: "a"}, "private_key_file"},
		"a small key":      {grants.BearerOptions{AccessKey: "a", Key: small}, "1024 bits"},
		"a port too large": {grants.BearerOptions{AccessKey: "a", Key: rsaKey(), Transfer: grants.TransferOptions{SSHPort: 1 << 17}}, "ssh_port"},
	} {
		if _, err := grants.NewBearer(c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A caller that has gone away costs no more signatures.
func TestBearerGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if answers, err := bearerIssuer(t, "").Issue(ctx, grants.Call{Requests: []grants.Request{{Grant: example()}}}); !errors.Is(err, context.Canceled) {
		t.Error(answers, err)
	}
}

// What one user asks for at once is signed once, and what another asks for is not
// answered with it.
func TestBearerRemembers(t *testing.T) {
	issuer := bearerIssuer(t, "")
	for i := range 300 { // More than are remembered.
		g := example()
		g.User, g.Expires = "user", g.Expires.Add(time.Duration(i/2)*time.Second)
		if i%2 == 1 {
			g.User = "other"
		}
		answers, err := issuer.Issue(t.Context(), grants.Call{Requests: []grants.Request{{Grant: g}, {Grant: g}}})
		if err != nil || answers[0].Spec["token"] != answers[1].Spec["token"] {
			t.Fatal(err)
		}
		b, err := grants.DecodeBearer(answers[0].Spec["token"].(string))
		if err != nil || b.UserID != g.User || !b.ExpiresAt.Equal(g.Expires) {
			t.Fatal(b, err)
		}
	}
}

// FuzzBearer holds that what decodes says what its payload says, from bytes that
// are packed and from any.
func FuzzBearer(f *testing.F) {
	token := foreign(f)
	f.Add(token, unpack(f, token))
	f.Add("", "{}\n==SIGNATURE==\n")
	f.Add("eJw=", `{"user_id":"","scope":"","auth_type":"","expires_at":"2031-02-03T04:05:06+01:00"}`+"\n==SIGNATURE==\n")
	f.Fuzz(func(t *testing.T, token, plain string) {
		for _, text := range []string{token, pack(plain)} {
			b, err := grants.DecodeBearer(text)
			if err != nil {
				continue
			}
			if len(b.Payload) > 64<<10 || b.Claims["user_id"] != b.UserID || b.Claims["scope"] != b.Scope {
				t.Fatalf("%+v", b)
			}
			if _, err := grants.VerifyBearer(text, &rsaKey().PublicKey); err == nil {
				t.Fatal("verified without a signature")
			}
			_ = b.AccessKey()
		}
	})
}

func BenchmarkBearer(b *testing.B) {
	g := example()
	said := grants.Bearer{UserID: g.User, Scope: "node.ak:user:all", AuthType: "access_key", ExpiresAt: g.Expires}
	b.Run("signed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := grants.SignBearer(said, rsaKey()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("remembered", func(b *testing.B) {
		issuer := bearerIssuer(b, "")
		call := grants.Call{Requests: []grants.Request{{Grant: g}}}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := issuer.Issue(b.Context(), call); err != nil {
				b.Fatal(err)
			}
		}
	})
}
