package grants_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// example is a grant of a folder and two files.
func example() *rules.Grant {
	return &rules.Grant{
		ID: "0198c5a0-1111-7abc-8def-001122334455", Client: "portal", User: "xfer", Direction: rules.Upload,
		Roots: []string{"/in"}, Paths: []string{"/a&b/ü.txt", "/c/\u202ed"}, PathCount: 2,
		Issued: time.Unix(1_800_000_000, 0).UTC(), Expires: time.Unix(1_800_086_400, 0).UTC(),
		GrantLimits: rules.GrantLimits{MaxSize: 1 << 40, MaxFiles: 100}, Revision: "3f2a",
	}
}

const exampleClaims = `{"jti":"0198c5a0-1111-7abc-8def-001122334455","client":"portal","user":"xfer","direction":"upload","roots":["/in"],"paths":["/a&b/ü.txt","/c/` + "\u202e" + `d"],` +
	`"path_count":2,"iat":1800000000,"exp":1800086400,"max_size":1099511627776,"max_files":100,"revision":"3f2a"}`

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forge signs whatever header and claims it is given.
func forge(private ed25519.PrivateKey, header, payload string) string {
	signed := b64(header) + "." + b64(payload)
	return signed + "." + b64(string(ed25519.Sign(private, []byte(signed))))
}

func goodHeader(private ed25519.PrivateKey) string {
	return `{"alg":"EdDSA","kid":"` + grants.KeyID(private.Public().(ed25519.PublicKey)) + `","typ":"sluice-grant"}`
}

func verifier(tb testing.TB, private ed25519.PrivateKey) *grants.Verifier {
	tb.Helper()
	return grants.NewVerifier(open(tb, private), grants.VerifierOptions{})
}

// What is signed is exactly this: others may have to read it.
func TestSignedText(t *testing.T) {
	private := newPrivate(t)
	text, err := open(t, private).Sign(example())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(forge(private, goodHeader(private), exampleClaims), text); diff != "" {
		t.Error(diff)
	}
	got, kid, err := grants.Decode(text)
	if diff := cmp.Diff(example(), got); err != nil || diff != "" || kid != open(t, private).ID() {
		t.Error(kid, err, diff)
	}
}

func TestPathDigest(t *testing.T) {
	const want = "c9c85f71e6f8acdc0eaecce7ca9cbd3bfcfe29dc62c5b82370338562ba0e8c0e" // printf '/a\n/b\n' | sha256sum
	paths := []string{"/b", "/a"}
	if got := grants.PathDigest(paths); got != want || paths[0] != "/b" {
		t.Error(got, paths)
	}
}

func name() *rapid.Generator[string] { return rapid.StringMatching(`[a-zA-Z0-9 .@é"\\&<>-]{1,40}`) }

func path() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return "/" + strings.Join(rapid.SliceOfN(rapid.StringMatching(`[a-z0-9 é"\\:*{}\x{202e}]{1,8}`), 0, 4).Draw(t, "segments"), "/")
	})
}

// anyGrant draws grants that can be signed.
func anyGrant() *rapid.Generator[*rules.Grant] {
	return rapid.Custom(func(t *rapid.T) *rules.Grant {
		issued := time.Unix(rapid.Int64Range(1, 4_000_000_000).Draw(t, "issued"), 0).UTC()
		g := &rules.Grant{
			ID: name().Draw(t, "id"), Client: name().Draw(t, "client"), User: name().Draw(t, "user"),
			Direction: rapid.SampledFrom([]rules.Direction{rules.Upload, rules.Download}).Draw(t, "direction"),
			Roots:     rapid.SliceOfN(path(), 1, 5).Draw(t, "roots"), Paths: rapid.SliceOfN(path(), 0, 20).Draw(t, "paths"),
			Issued: issued, Expires: issued.Add(time.Duration(rapid.IntRange(1, 1e8).Draw(t, "life")) * time.Second),
			GrantLimits: rules.GrantLimits{MaxSize: rapid.Int64Min(0).Draw(t, "size"), MaxFiles: rapid.IntRange(0, 1<<31-1).Draw(t, "files")},
			Revision:    rapid.StringMatching(`[0-9a-f]{0,16}`).Draw(t, "revision"),
		}
		g.PathCount = len(g.Paths)
		if rapid.Bool().Draw(t, "digest") {
			g.PathCount += rapid.IntRange(1, 10_000).Draw(t, "more")
			g.PathDigest = grants.PathDigest(g.Paths)
		}
		return g
	})
}

func TestSignedIsVerified(t *testing.T) {
	private := newPrivate(t)
	keys, v := open(t, private), verifier(t, private)
	rapid.Check(t, func(t *rapid.T) {
		g := anyGrant().Draw(t, "grant")
		text, err := keys.Sign(g)
		if err != nil {
			t.Fatal(err)
		}
		for _, ask := range []string{"cold", "remembered"} {
			got, err := v.Verify(text)
			if diff := cmp.Diff(g, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Fatal(ask, err, diff)
			}
		}
	})
}

// Times are cut to seconds, and MaxLife is in Expires already.
func TestWhatDoesNotTravel(t *testing.T) {
	private := newPrivate(t)
	g := example()
	g.Issued, g.Expires, g.MaxLife = g.Issued.Add(999*time.Millisecond), g.Expires.Add(time.Nanosecond), time.Hour
	text, err := open(t, private).Sign(g)
	if err != nil {
		t.Fatal(err)
	}
	got, err := verifier(t, private).Verify(text)
	if diff := cmp.Diff(example(), got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// No byte of a grant can be altered, left out or put in: the text is nobody's
// grant any more, whatever it decodes to.
func TestAlteredByte(t *testing.T) {
	private := newPrivate(t)
	text, err := open(t, private).Sign(example())
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, private)
	if _, err := v.Verify(text); err != nil { // The unaltered one is remembered, and must not help.
		t.Fatal(err)
	}
	tried := 0
	try := func(altered string) {
		tried++
		if g, err := v.Verify(altered); err == nil {
			t.Fatalf("verified: %q as %+v", altered, g)
		}
	}
	for i := range len(text) {
		for _, b := range []byte("A-.=\n\x00 \xffw") {
			if text[i] != b {
				try(text[:i] + string([]byte{b}) + text[i+1:])
			}
			try(text[:i] + string([]byte{b}) + text[i:])
		}
		for bit := range 8 {
			try(text[:i] + string([]byte{text[i] ^ 1<<bit}) + text[i+1:])
		}
		try(text[:i] + text[i+1:])
		try(text[:i])
	}
	for _, more := range []string{" ", "\n", "=", ".", "A", ".e30"} {
		try(text + more)
		try(more + text)
	}
	if tried < 5_000 {
		t.Error("too few were tried:", tried)
	}
}

// Two grants cannot be put together to a third.
func TestMixedParts(t *testing.T) {
	private := newPrivate(t)
	keys, v := open(t, private), verifier(t, private)
	rapid.Check(t, func(t *rapid.T) {
		a, err1 := keys.Sign(anyGrant().Draw(t, "a"))
		b, err2 := keys.Sign(anyGrant().Draw(t, "b"))
		if err1 != nil || err2 != nil || a == b {
			t.Skip()
		}
		pa, pb := strings.Split(a, "."), strings.Split(b, ".")
		if _, err := v.Verify(pa[0] + "." + pa[1] + "." + pb[2]); !errors.Is(err, rules.ErrForged) {
			t.Fatal(err)
		}
	})
}

// Every way that is known of talking a verifier of signed JSON into something.
func TestAlgorithmsConfused(t *testing.T) {
	private, theirs := newPrivate(t), newPrivate(t)
	public := private.Public().(ed25519.PublicKey)
	kid := grants.KeyID(public)
	v := verifier(t, private)
	good := forge(private, goodHeader(private), exampleClaims)
	if _, err := v.Verify(good); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	mac := func(key []byte) string {
		signed := b64(`{"alg":"HS256","kid":"`+kid+`","typ":"sluice-grant"}`) + "." + parts[1]
		h := hmac.New(sha256.New, key)
		h.Write([]byte(signed))
		return signed + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
	}
	header := func(alg, typ, more string) string {
		return `{"alg":"` + alg + `","kid":"` + kid + `","typ":"` + typ + `"` + more + `}`
	}
	jwk, err := json.Marshal(jose.JSONWebKey{Key: theirs.Public()})
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"alg none without a signature":       b64(header("none", "sluice-grant", "")) + "." + parts[1] + ".",
		"alg none with one":                  forge(private, header("none", "sluice-grant", ""), exampleClaims),
		"alg None":                           forge(private, header("None", "sluice-grant", ""), exampleClaims),
		"HS256 with the public key":          mac(public),
		"HS256 with the key in PEM form":     mac([]byte(publicPEM(t, public))),
		"HS256 with nothing":                 mac(nil),
		"another algorithm's name":           forge(private, header("Ed25519", "sluice-grant", ""), exampleClaims),
		"the name in small letters":          forge(private, header("eddsa", "sluice-grant", ""), exampleClaims),
		"typ JWT":                            forge(private, header("EdDSA", "JWT", ""), exampleClaims),
		"typ in capitals":                    forge(private, header("EdDSA", "SLUICE-GRANT", ""), exampleClaims),
		"no typ":                             forge(private, `{"alg":"EdDSA","kid":"`+kid+`"}`, exampleClaims),
		"no kid":                             forge(private, `{"alg":"EdDSA","typ":"sluice-grant"}`, exampleClaims),
		"no alg":                             forge(private, `{"kid":"`+kid+`","typ":"sluice-grant"}`, exampleClaims),
		"a list as kid":                      forge(private, `{"alg":"EdDSA","kid":["`+kid+`"],"typ":"sluice-grant"}`, exampleClaims),
		"kid in capitals":                    forge(private, strings.Replace(goodHeader(private), kid, strings.ToUpper(kid)+"A", 1), exampleClaims),
		"another's kid":                      forge(private, goodHeader(theirs), exampleClaims),
		"our kid, another's key":             forge(theirs, goodHeader(private), exampleClaims),
		"another's key and kid":              forge(theirs, goodHeader(theirs), exampleClaims),
		"another's key inside":               forge(theirs, header("EdDSA", "sluice-grant", `,"jwk":`+string(jwk)), exampleClaims),
		"another's key inside, signed by us": forge(private, header("EdDSA", "sluice-grant", `,"jwk":`+string(jwk)), exampleClaims),
		"a key's address inside":             forge(theirs, header("EdDSA", "sluice-grant", `,"jku":"https://example.com/k"`), exampleClaims),
		"a certificate inside":               forge(theirs, header("EdDSA", "sluice-grant", `,"x5c":["AAAA"]`), exampleClaims),
		"something critical":                 forge(private, header("EdDSA", "sluice-grant", `,"crit":["exp"]`), exampleClaims),
		"payload that is not base64":         forge(private, header("EdDSA", "sluice-grant", `,"b64":false,"crit":["b64"]`), exampleClaims),
		"a member twice in the header":       forge(private, header("EdDSA", "sluice-grant", `,"alg":"EdDSA"`), exampleClaims),
		"a header with more behind":          forge(private, goodHeader(private)+"{}", exampleClaims),
		"a header that is a list":            forge(private, "["+goodHeader(private)+"]", exampleClaims),
		"a long header":                      forge(private, strings.Repeat(" ", 300)+goodHeader(private), exampleClaims),
		"two signatures":                     good + "." + parts[2],
		"five parts, as if encrypted":        good + ".AA.AA",
		"flattened JSON":                     `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"general JSON":                       `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`,
		"JSON with dots":                     `{"a.b.c":1,"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"detached payload":                   parts[0] + ".." + parts[2],
		"no signature":                       parts[0] + "." + parts[1] + ".",
		"zeros for a signature":              parts[0] + "." + parts[1] + "." + b64(strings.Repeat("\x00", 64)),
		"half a signature":                   parts[0] + "." + parts[1] + "." + parts[2][:43],
		"a signature and more":               parts[0] + "." + parts[1] + "." + parts[2] + "AAAA",
		"padding":                            parts[0] + "." + parts[1] + "." + parts[2] + "==",
		"space in front":                     " " + good,
		"a line feed behind":                 good + "\n",
		"a line feed inside":                 parts[0] + ".\n" + parts[1] + "." + parts[2],
		"too long":                           forge(private, goodHeader(private), exampleClaims+strings.Repeat(" ", grants.MaxText)),
		"empty":                              "",
		"dots":                               "..",
	} {
		t.Run(what, func(t *testing.T) {
			if g, err := v.Verify(text); err == nil {
				t.Errorf("verified as %+v", g)
			}
		})
	}
}

// A key that signs is not reason enough: what it has signed must be a grant that
// this version understands in full.
func TestClaimsRefused(t *testing.T) {
	private := newPrivate(t)
	v := verifier(t, private)
	for what, edit := range map[string][2]string{
		"an unknown claim":         {`"revision"`, `"nbf":1,"revision"`},
		"a claim in capitals":      {`"user"`, `"User"`},
		"a claim twice":            {`"user":"xfer"`, `"user":"xfer","user":"root"`},
		"no user":                  {`"user":"xfer",`, ``},
		"an empty user":            {`"user":"xfer"`, `"user":""`},
		"no id":                    {`"jti":"0198c5a0-1111-7abc-8def-001122334455",`, ``},
		"a number as user":         {`"user":"xfer"`, `"user":7`},
		"null as user":             {`"user":"xfer"`, `"user":null`},
		"a line feed in the user":  {`"user":"xfer"`, `"user":"x\nfer"`},
		"a long user":              {`"user":"xfer"`, `"user":"` + strings.Repeat("x", 300) + `"`},
		"no revision":              {`,"revision":"3f2a"`, ``},
		"direction send":           {`"direction":"upload"`, `"direction":"send"`},
		"direction unknown":        {`"direction":"upload"`, `"direction":"unknown"`},
		"no direction":             {`"direction":"upload",`, ``},
		"a text as roots":          {`["/in"]`, `"/in"`},
		"null as roots":            {`["/in"]`, `null`},
		"empty roots":              {`["/in"]`, `[]`},
		"a number among roots":     {`["/in"]`, `["/in",7]`},
		"a relative root":          {`["/in"]`, `["in"]`},
		"an empty root":            {`["/in"]`, `[""]`},
		"a root that goes up":      {`["/in"]`, `["/in/.."]`},
		"a root with a slash":      {`["/in"]`, `["/in/"]`},
		"a root with a dot":        {`["/in"]`, `["/./in"]`},
		"a root with NUL":          {`["/in"]`, `["/in\u0000"]`},
		"a root in object storage": {`["/in"]`, `["s3://bucket/in"]`},
		"a root of Windows":        {`["/in"]`, `["C:/in"]`},
		"a root that is too many":  {`["/in"]`, `[` + strings.Repeat(`"/in",`, 256) + `"/in"]`},
		"half a character":         {`["/in"]`, `["/\ud800"]`},
		"bytes that are not UTF-8": {`["/in"]`, "[\"/\xff\"]"},
		"neither roots nor paths":  {`"roots":["/in"],"paths":["/a&b/ü.txt","/c/` + "\u202e" + `d"],"path_count":2`, `"path_count":0`},
		"fewer than are listed":    {`"path_count":2`, `"path_count":1`},
		"more, without a digest":   {`"path_count":2`, `"path_count":3`},
		"more, with a short one":   {`"path_count":2`, `"path_count":3,"path_digest":"00"`},
		"more, with one in capitals": {
			`"path_count":2`, `"path_count":3,"path_digest":"` + strings.Repeat("A", 64) + `"`,
		},
		"more, without roots":      {`"roots":["/in"],"paths":["/a&b/ü.txt","/c/` + "\u202e" + `d"],"path_count":2`, `"paths":["/a"],"path_count":2,"path_digest":"` + strings.Repeat("0", 64) + `"`},
		"a digest for nothing":     {`"path_count":2`, `"path_count":2,"path_digest":"` + strings.Repeat("0", 64) + `"`},
		"an empty digest":          {`"path_count":2`, `"path_count":2,"path_digest":""`},
		"a negative count":         {`"path_count":2`, `"path_count":-2`},
		"no count":                 {`"path_count":2,`, ``},
		"a beginning with a point": {`"iat":1800000000`, `"iat":1800000000.0`},
		"a beginning in thousands": {`"iat":1800000000`, `"iat":18e8`},
		"a beginning as text":      {`"iat":1800000000`, `"iat":"1800000000"`},
		"a beginning before 1970":  {`"iat":1800000000`, `"iat":-1`},
		"no beginning":             {`"iat":1800000000,`, ``},
		"an end before":            {`"exp":1800086400`, `"exp":1700000000`},
		"an end at the beginning":  {`"exp":1800086400`, `"exp":1800000000`},
		"an end after all time":    {`"exp":1800086400`, `"exp":9223372036854775807`},
		"an end beyond 64 bits":    {`"exp":1800086400`, `"exp":9223372036854775808`},
		"no end":                   {`"exp":1800086400,`, ``},
		"no size at all":           {`"max_size":1099511627776`, `"max_size":0`},
		"a negative size":          {`"max_size":1099511627776`, `"max_size":-1`},
		"a null size":              {`"max_size":1099511627776`, `"max_size":null`},
		"a quoted size":            {`"max_size":1099511627776`, `"max_size":"1099511627776"`},
		"no files at all":          {`"max_files":100`, `"max_files":0`},
		"too many files":           {`"max_files":100`, `"max_files":4294967296`},
		"true files":               {`"max_files":100`, `"max_files":true`},
		"something behind":         {`"revision":"3f2a"}`, `"revision":"3f2a"}{}`},
		"a list":                   {exampleClaims, `[` + exampleClaims + `]`},
		"no JSON":                  {exampleClaims, `hello`},
		"deep":                     {exampleClaims, strings.Repeat("[", 100)},
	} {
		t.Run(what, func(t *testing.T) {
			payload := strings.Replace(exampleClaims, edit[0], edit[1], 1)
			if payload == exampleClaims {
				t.Fatal("the edit changes nothing")
			}
			text := forge(private, goodHeader(private), payload)
			g, err := v.Verify(text)
			if err == nil || errors.Is(err, rules.ErrForged) {
				t.Fatalf("%+v, %v", g, err)
			}
			if _, _, err := grants.Decode(text); err == nil {
				t.Error("decoded")
			}
			for _, shown := range []string{"xfer", "/in", "portal", "0198c5a0"} {
				if strings.Contains(err.Error(), shown) {
					t.Errorf("the error shows the text: %v", err)
				}
			}
		})
	}
}

// What would not be taken is not signed.
func TestGrantsNotSigned(t *testing.T) {
	private := newPrivate(t)
	keys := open(t, private)
	long := make([]string, 200)
	for i := range long {
		long[i] = fmt.Sprintf("/%0400d", i)
	}
	for what, edit := range map[string]func(g *rules.Grant){
		"no id":                 func(g *rules.Grant) { g.ID = "" },
		"no client":             func(g *rules.Grant) { g.Client = "" },
		"user not in UTF-8":     func(g *rules.Grant) { g.User = "\xff" },
		"revision of two lines": func(g *rules.Grant) { g.Revision = "a\nb" },
		"no direction":          func(g *rules.Grant) { g.Direction = rules.DirectionUnknown },
		"no paths":              func(g *rules.Grant) { g.Roots, g.Paths, g.PathCount = nil, nil, 0 },
		"a path not in UTF-8":   func(g *rules.Grant) { g.Paths[0] = "/\xff" },
		"a path that goes up":   func(g *rules.Grant) { g.Paths[0] = "/a/../b" },
		"no times":              func(g *rules.Grant) { g.Issued, g.Expires = time.Time{}, time.Time{} },
		"no life":               func(g *rules.Grant) { g.Expires = g.Issued },
		"negative size":         func(g *rules.Grant) { g.MaxSize = -1 },
		"negative files":        func(g *rules.Grant) { g.MaxFiles = -1 },
		"a wrong count":         func(g *rules.Grant) { g.PathCount = 1 },
		"a digest not in hex":   func(g *rules.Grant) { g.PathCount, g.PathDigest = 7, strings.Repeat("x", 64) },
	} {
		t.Run(what, func(t *testing.T) {
			g := example()
			edit(g)
			if text, err := keys.Sign(g); err == nil || errors.Is(err, grants.ErrTooLong) {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
	g := example()
	g.Paths, g.PathCount = long, len(long)
	if _, err := keys.Sign(g); !errors.Is(err, grants.ErrTooLong) {
		t.Error("too long:", err)
	}
}

// FuzzDecode holds that what decodes can be signed, and is then the same.
func FuzzDecode(f *testing.F) {
	private := newPrivate(f)
	keys := open(f, private)
	f.Add(goodHeader(private), exampleClaims)
	f.Add(`{"alg":"none"}`, `{"jti":"a","path_count":1e3}`)
	f.Add(goodHeader(private), `{"jti":"a","client":"b","user":"c","direction":"download","roots":["/"],"path_count":9,"path_digest":"`+strings.Repeat("0", 64)+`","iat":1,"exp":2,"revision":""}`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		g, _, err := grants.Decode(forge(private, header, payload))
		if err != nil {
			return
		}
		text, err := keys.Sign(g)
		if err != nil {
			t.Fatalf("%+v is decoded but cannot be signed: %v", g, err)
		}
		again, kid, err := grants.Decode(text)
		if diff := cmp.Diff(g, again); err != nil || diff != "" || kid != keys.ID() {
			t.Fatal(err, diff)
		}
	})
}

// FuzzVerify holds that nothing verifies that was not signed.
func FuzzVerify(f *testing.F) {
	private := newPrivate(f)
	text, err := open(f, private).Sign(example())
	if err != nil {
		f.Fatal(err)
	}
	v := verifier(f, private)
	parts := strings.Split(text, ".")
	f.Add(text)
	f.Add(parts[0] + "." + parts[1] + ".")
	f.Add(parts[0] + ".e30." + parts[2])
	f.Add(`{"payload":"` + parts[1] + `"}`)
	f.Fuzz(func(t *testing.T, mutant string) {
		// The corpus holds texts of other runs' keys: the signature of this one is put in.
		for _, candidate := range []string{mutant, mutant + "." + parts[2], parts[0] + "." + mutant + "." + parts[2], mutant + "." + parts[1] + "." + parts[2]} {
			if g, err := v.Verify(candidate); err == nil && candidate != text {
				t.Fatalf("verified as %+v: %q", g, candidate)
			}
		}
	})
}
