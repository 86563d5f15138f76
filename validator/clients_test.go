package validator_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/validator"
)

const (
	someArgon2id = "$argon2id$v=19$m=65536,t=3,p=4$c29tZSBzYWx0$MTIzNDU2Nzg5MDEyMzQ1Ng"
	someBcrypt   = "$2y$12$JqV3bBhbqbC4iYrO0L9V0e5l4L4K0m8b1q2w3e4r5t6y7u8i9o0pa"
)

// clientSet is a set that has no faults.
func clientSet(tb testing.TB, clients ...*validator.Client) *validator.ClientSet {
	tb.Helper()
	set, err := validator.NewClientSet(clients)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func TestClientSet(t *testing.T) {
	const notHash = "its password hash is not one of argon2id or bcrypt within the bounds; make one with `sluice password`"
	for _, tc := range []struct {
		name    string
		clients []*validator.Client
		want    string
	}{
		{"none", nil, ""},
		{"two", []*validator.Client{{Name: "a", PasswordHash: someArgon2id}, {Name: "b", PasswordHash: someBcrypt}}, ""},
		{"the longest name", []*validator.Client{{Name: strings.Repeat("n", 64), PasswordHash: someBcrypt}}, ""},
		{"a longer name", []*validator.Client{{Name: strings.Repeat("n", 65), PasswordHash: someBcrypt}}, `client "` + strings.Repeat("n", 65) + `": it needs a name of 1 to 64 bytes of plain text`},
		{"no name", []*validator.Client{{PasswordHash: someBcrypt}}, `client "": it needs a name of 1 to 64 bytes of plain text`},
		{"a name of two lines", []*validator.Client{{Name: "a\nb", PasswordHash: someBcrypt}}, `client "a\nb": it needs a name of 1 to 64 bytes of plain text`},
		{"one name twice", []*validator.Client{{Name: "a", PasswordHash: someBcrypt}, {Name: "a", PasswordHash: someArgon2id}}, `client "a": there are two of this name`},
		{"a password for a hash", []*validator.Client{{Name: "a", PasswordHash: "hunter2"}}, `client "a": ` + notHash},
		{"all at once", []*validator.Client{{Name: "a"}, {Name: "b", PasswordHash: "x"}}, `client "a": ` + notHash + "\n" + `client "b": ` + notHash},
	} {
		t.Run(tc.name, func(t *testing.T) {
			set, err := validator.NewClientSet(tc.clients)
			got := ""
			if err != nil {
				got = err.Error()
			} else if set.Len() != len(tc.clients) {
				t.Errorf("a set of %d clients has %d", len(tc.clients), set.Len())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestClientsShowNoHash(t *testing.T) {
	client := validator.Client{Name: "portal", PasswordHash: someArgon2id, TransferUser: "xfer"}
	encoded, err := json.Marshal(client)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{string(encoded)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T %v"} {
		for _, value := range []any{client, &client, []validator.Client{client}, struct{ C *validator.Client }{&client}} {
			if verb == "%T %v" {
				shown = append(shown, fmt.Sprintf(verb, value, value))
				continue
			}
			if _, isStruct := value.(struct{ C *validator.Client }); isStruct {
				continue // fmt prints a pointer there.
			}
			text := fmt.Sprintf(verb, value)
			if !strings.Contains(text, "portal") {
				t.Errorf("%s of %T shows %s", verb, value, text)
			}
			shown = append(shown, text)
		}
	}
	for _, text := range shown {
		if strings.Contains(text, "argon") || strings.Contains(text, "MTIz") || strings.Contains(text, "c29t") {
			t.Errorf("shows %s", text)
		}
	}
}

func TestBasicCredentials(t *testing.T) {
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, tc := range []struct {
		name           string
		headers        []string
		user, password string
		refused        bool
	}{
		{"a name and a password", []string{basic("portal:s3cret")}, "portal", "s3cret", false},
		{"the scheme in lower case", []string{"b" + basic("portal:s3cret")[1:]}, "portal", "s3cret", false},
		{"a password with colons", []string{basic("portal:a:b:")}, "portal", "a:b:", false},
		{"a password in UTF-8", []string{basic("portal:pässwörd 密")}, "portal", "pässwörd 密", false},
		{"an empty password", []string{basic("portal:")}, "portal", "", false},
		{"no header", nil, "", "", true},
		{"two headers", []string{basic("a:b"), basic("c:d")}, "", "", true},
		{"another scheme", []string{"Bearer abc"}, "", "", true},
		{"no name", []string{basic(":x")}, "", "", true},
		{"no colon", []string{basic("portal")}, "", "", true},
		{"no base64", []string{"Basic portal:x"}, "", "", true},
		{"base64 of URLs", []string{"Basic cG9ydGFsOj_-"}, "", "", true},
		{"ISO 8859-1", []string{basic("portal:p\xe4ss")}, "", "", true},
		{"a NUL", []string{basic("portal:a\x00a")}, "", "", true},
		{"a line end", []string{basic("portal:a\n")}, "", "", true},
		{"DEL in the name", []string{basic("por\x7ftal:a")}, "", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/files/upload_setup", http.NoBody)
			for _, header := range tc.headers {
				r.Header.Add("Authorization", header)
			}
			user, password, err := validator.BasicCredentials(r)
			if user != tc.user || password != tc.password || errors.Is(err, validator.ErrNoCredentials) != tc.refused || (err != nil) != tc.refused {
				t.Errorf("got %q, %q, %v", user, password, err)
			}
		})
	}
}
