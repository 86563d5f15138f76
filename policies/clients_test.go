package policies_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

const (
	goodArgon2id = "$argon2id$v=19$m=65536,t=3,p=4$c29tZSBzYWx0$MTIzNDU2Nzg5MDEyMzQ1Ng"
	goodBcrypt   = "$2y$12$JqV3bBhbqbC4iYrO0L9V0e5l4L4K0m8b1q2w3e4r5t6y7u8i9o0pa"
)

// clients returns a set of a policy and of a document of clients.
func clients(text string) fstest.MapFS {
	return set("10-policy.yaml", policy("p", noProgram), "clients.yaml", "version: 1\nclients:\n"+text)
}

// portal is a client without mistakes, with what is added to it.
func portal(more ...string) string {
	return "  - name: portal\n    password_hash: \"" + goodArgon2id + "\"\n    transfer_user: xfer\n    upload: [/ingest/**]\n    max_life: 8h\n" + strings.Join(more, "")
}

func TestClients(t *testing.T) {
	files := clients(portal("  - {name: archive, password_hash: \"" + goodBcrypt + "\", transfer_user: arc, upload: [/a/**, /b/*], download: [/out/**], max_life: 720h}\n"))
	maps.Copy(files, set("20-more.yml", "version: 1\nclients: [{name: z.Z-1_, password_hash: \""+goodBcrypt+"\", transfer_user: z, download: [/z], max_life: 1ns}]\n"))
	s := compile(t, files)
	want := []*policies.Client{
		{Name: "z.Z-1_", File: "20-more.yml", PasswordHash: goodBcrypt, TransferUser: "z", Download: []string{"/z"}, MaxLife: 1},
		{Name: "portal", File: "clients.yaml", PasswordHash: goodArgon2id, TransferUser: "xfer", Upload: []string{"/ingest/**"}, MaxLife: 8 * time.Hour},
		{Name: "archive", File: "clients.yaml", PasswordHash: goodBcrypt, TransferUser: "arc", Upload: []string{"/a/**", "/b/*"}, Download: []string{"/out/**"}, MaxLife: 720 * time.Hour},
	}
	if diff := cmp.Diff(want, s.Clients); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(s.Policies) != 1 || s.RuleCount() != 1 {
		t.Errorf("clients count as policies: %d policies, %d rules", len(s.Policies), s.RuleCount())
	}
}

func TestClientsCountForTheRevision(t *testing.T) {
	revision := func(text string) string { return compile(t, clients(text)).Revision }
	if revision(portal()) == revision(portal("    download: [/out/**]\n")) {
		t.Error("what a client may do does not count for the revision")
	}
	if revision(portal()) == compile(t, set("10-policy.yaml", policy("p", noProgram))).Revision {
		t.Error("clients do not count for the revision")
	}
}

func TestHashesAreNotShown(t *testing.T) {
	client := compile(t, clients(portal())).Clients[0]
	text, err := json.Marshal(client)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{string(text), fmt.Sprint(client), fmt.Sprintf("%+v", client), fmt.Sprintf("%#v", client)} {
		if !strings.Contains(shown, "portal") || strings.Contains(shown, "argon2id") || strings.Contains(shown, "c29t") {
			t.Errorf("shows %s", shown)
		}
	}
}

// faultsIn compiles a set that has mistakes and returns them.
func faultsIn(t rapid.TB, files fstest.MapFS) document.Faults {
	t.Helper()
	_, err := policies.Compile(files, policies.Options{Kinds: rules.Builtin()})
	var faults document.Faults
	if err != nil && !errors.As(err, &faults) {
		t.Fatal(err)
	}
	return faults
}

func TestClientsWithMistakes(t *testing.T) {
	hash := func(text string) string { return strings.Replace(portal(), goodArgon2id, text, 1) }
	without := func(line string) string {
		before, rest, _ := strings.Cut(portal(), "    "+line+":")
		_, after, _ := strings.Cut(rest, "\n")
		return before + after
	}
	const (
		notHash   = `clients.yaml:4:20: "password_hash" is not a hash of a password; hash it with ` + "`sluice password`, and write in quotes what that prints"
		notArgon  = `clients.yaml:4:20: "password_hash" is not a whole argon2id hash; it looks like $argon2id$v=19$m=65536,t=3,p=4$SALT$HASH, with at most 1 GiB of memory (m=1048576) and 16 passes (t=16)`
		notBcrypt = `clients.yaml:4:20: "password_hash" is not a whole bcrypt hash; it looks like $2y$12$ and 53 more letters, digits, dots and slashes; the cost is from 04 to 16`
	)
	for _, tc := range []struct{ name, text, want string }{
		{"no mistake", portal(), ""},
		{"a password", hash("hunter2"), notHash},
		{"a password that begins as a hash does", hash("$ecret"), notHash},
		{"what htpasswd prints", hash("portal:" + goodBcrypt), `clients.yaml:4:20: "password_hash" has a name before the hash; write only what follows the colon`},
		{"a hash of another algorithm", hash("$6$rounds=5000$abc$def"), `clients.yaml:4:20: "password_hash" is a hash that is not used here; use argon2id or bcrypt`},
		{"a hash of argon2i", hash(strings.Replace(goodArgon2id, "argon2id", "argon2i", 1)), `clients.yaml:4:20: "password_hash" is a hash that is not used here; use argon2id or bcrypt`},
		{"half an argon2id hash", hash("$argon2id$v=19$m=65536,t=3,p=4$c29tZSBzYWx0"), notArgon},
		{"half a bcrypt hash", hash(goodBcrypt[:59]), notBcrypt},
		{"an empty hash", hash(""), notHash},
		{"a number as password", strings.Replace(portal(), `"`+goodArgon2id+`"`, "12345678", 1), notHash},
		{"a misspelt key", portal("    downlod: [/x]\n"), `clients.yaml:8:5: unknown key "downlod"; did you mean "download"?`},
		{"a missing key", without("transfer_user"), `clients.yaml:3:5: an element of "clients" lacks the key "transfer_user"`},
		{"no lifetime", without("max_life"), `clients.yaml:3:5: an element of "clients" lacks the key "max_life"`},
		{"nothing to do", without("upload"), `clients.yaml:3:5: the client may do nothing; give it upload or download`},
		{"nothing to do, by a misspelt key", strings.Replace(portal(), "upload", "uplod", 1), `clients.yaml:6:5: unknown key "uplod"; did you mean "upload"?`},
		{"no folder", portal("    download: []\n"), `clients.yaml:8:15: "download" is empty; leave the key out if it says nothing`},
		{"a text for a list", portal("    download: /out/**\n"), `clients.yaml:8:15: "download" must be a list, not a text; write it in brackets: [/out/**]`},
		{"a glob that matches nothing", portal("    download: [out/**]\n"), `clients.yaml:8:16: "out/**" matches no path, because paths begin with a slash; did you mean "/out/**" or "**/out/**"?`},
		{"a lifetime without a unit", strings.Replace(portal(), "8h", "8", 1), `clients.yaml:7:15: "max_life" must be a text, not a whole number; write it with its unit, as in 8h`},
		{"a lifetime in days", strings.Replace(portal(), "8h", "7d", 1), `clients.yaml:7:15: "7d" is not a time such as 30m or 8h, up to 720h; did you mean "168h"?`},
		{"a lifetime in days, spelled out", strings.Replace(portal(), "8h", "2 days", 1), `clients.yaml:7:15: "2 days" is not a time such as 30m or 8h, up to 720h; did you mean "48h"?`},
		{"a lifetime of nothing", strings.Replace(portal(), "8h", "0s", 1), `clients.yaml:7:15: "0s" is not a time such as 30m or 8h, up to 720h`},
		{"a lifetime too long", strings.Replace(portal(), "8h", "721h", 1), `clients.yaml:7:15: "721h" is not a time such as 30m or 8h, up to 720h`},
		{"a name with a colon", strings.Replace(portal(), "name: portal", "name: a:b", 1), `clients.yaml:3:11: "name" cannot be "a:b"; the user of HTTP Basic, unique in the set: up to 64 letters, digits, dots, dashes and underscores`},
		{"two of one name", portal(portal()), `clients.yaml:8:11: the client portal is also in clients.yaml; names are unique in a set`},
		{"a policy in the same file", portal("policy: p\n"), `clients.yaml:8:1: unknown key "policy"; policies and clients have files of their own`},
		{"a hash in braces without quotes", "  - {name: p, password_hash: " + goodArgon2id + ", transfer_user: x, upload: [/x], max_life: 1h}\n", strings.Join([]string{
			strings.Replace(notArgon, "4:20", "3:30", 1),
			"clients.yaml:3:53: a key that says nothing; put a hash or text that has commas in quotes",
			"clients.yaml:3:57: a key that says nothing; put a hash or text that has commas in quotes",
		}, "\n")},
		{"all at once", "  - name: a b\n    password_hash: x\n    upload: [in, /ok]\n    max_life: 8d\n    pin: 7\n", strings.Join([]string{
			`clients.yaml:3:5: an element of "clients" lacks the key "transfer_user"`,
			`clients.yaml:3:11: "name" cannot be "a b"; did you mean "a-b"?`,
			notHash,
			`clients.yaml:5:14: "in" matches no path, because paths begin with a slash; did you mean "/in" or "**/in"?`,
			`clients.yaml:6:15: "8d" is not a time such as 30m or 8h, up to 720h; did you mean "192h"?`,
			`clients.yaml:7:5: unknown key "pin"; known here: download, max_life, name, password_hash, transfer_user, upload`,
		}, "\n")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			faults := faultsIn(t, clients(tc.text))
			if diff := cmp.Diff(tc.want, faults.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, fault := range faults {
				if fault.Source != "" {
					t.Errorf("a fault shows a line: %q", fault.Source)
				}
			}
		})
	}
}

func TestDocumentsThatAreNotPolicies(t *testing.T) {
	lone := "version: 1\nclients:\n" + portal()
	for _, tc := range []struct {
		name  string
		files fstest.MapFS
		want  string
	}{
		{"clients alone", set("clients.yaml", lone), ".: there is no policy here; a policy set is a folder with files that end in .yaml"},
		{"clients of one name in two files", set("10.yaml", policy("p", noProgram), "20.yaml", lone, "30.yaml", lone), "30.yaml:3:11: the client portal is also in 20.yaml; names are unique in a set"},
		{"an empty list of clients", set("10.yaml", policy("p", noProgram), "20.yaml", "version: 1\nclients: []\n"), `20.yaml:2:10: "clients" is empty`},
		{"clients as a group", set("10.yaml", policy("p", noProgram), "20.yaml", "version: 1\nclients: {portal: x}\n"), `20.yaml:2:10: "clients" must be a list, not a group of keys`},
		{"tests under the name of a policy", set("10.yaml", policy("p", noProgram), "20-p.yml", "version: 1\ntests: []\n"), "20-p.yml:2:1: tests are not loaded with the policies; rename the file to 20-p_test.yml"},
		{"neither", set("10.yaml", "version: 1\n"), "10.yaml:1:1: the document lacks the key \"policy\"\n10.yaml:1:1: the document lacks the key \"rules\""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
			if diff := cmp.Diff(strings.Split(tc.want, "\n"), strings.Split(faultsIn(t, tc.files).Error(), "\n"), sorted); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHashes(t *testing.T) {
	argon := func(parameters, salt, sum string) string {
		return "$argon2id$v=19$" + parameters + "$" + salt + "$" + sum
	}
	const salt, sum = "c29tZSBzYWx0", "MTIzNDU2Nzg5MDEyMzQ1Ng"
	for text, good := range map[string]bool{
		goodArgon2id: true, goodBcrypt: true,
		strings.Replace(goodBcrypt, "$2y$", "$2a$", 1): true, strings.Replace(goodBcrypt, "$2y$", "$2b$", 1): true,
		strings.Replace(goodBcrypt, "$12$", "$04$", 1): true, strings.Replace(goodBcrypt, "$12$", "$16$", 1): true,
		argon("m=1048576,t=16,p=255", salt, sum): true,
		argon("m=8,t=1,p=1", salt, sum):          true,

		strings.Replace(goodBcrypt, "$2y$", "$2x$", 1): false,
		strings.Replace(goodBcrypt, "$12$", "$03$", 1): false,
		strings.Replace(goodBcrypt, "$12$", "$17$", 1): false,
		strings.Replace(goodBcrypt, "$12$", "$+9$", 1): false,
		strings.Replace(goodBcrypt, "$12$", "$-9$", 1): false,
		goodBcrypt + "x":      false,
		goodBcrypt[:59] + "=": false,
		" " + goodBcrypt:      false,
		goodBcrypt + "\n":     false,
		goodArgon2id + "\n":   false,
		goodArgon2id + "$":    false,
		strings.Replace(goodArgon2id, "v=19", "v=16", 1):           false,
		argon("m=1048577,t=1,p=1", salt, sum):                      false,
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
		argon("m=65536,t=1,p=1,x=1", salt, sum):                    false,
		argon("m=65536,t=3,p=4", "c29tZSBz", sum):                  false, // 6 bytes.
		argon("m=65536,t=3,p=4", salt, "MTIzNDU2Nzg5MDEyMzQ1"):     false, // 15 bytes.
		argon("m=65536,t=3,p=4", salt, sum+"=="):                   false,
		argon("m=65536,t=3,p=4", salt, strings.Repeat("AAAA", 22)): false, // 66 bytes.
		argon("m=65536,t=3,p=4", salt, "MTIzNDU2Nzg5MDEyMzQ1N_"):   false,
	} {
		files := clients(strings.Replace(portal(), `"`+goodArgon2id+`"`, fmt.Sprintf("%q", text), 1))
		if faults := faultsIn(t, files); (len(faults) == 0) != good {
			t.Errorf("%q: want good %v, got %v", text, good, faults)
		}
	}
}

// TestPasswordsAreNeverShown: whatever is wrong with a file that has a password
// where its hash should be, no part of the password is in what is said of it.
func TestPasswordsAreNeverShown(t *testing.T) {
	const password = "Korrekt-Pferd"
	parts := []string{"orrek", "ferd"}
	texts := []string{
		strings.Replace(portal(), `"`+goodArgon2id+`"`, password, 1),
		strings.Replace(portal(), goodArgon2id, password, 1),
		"  - {name: portal, password_hash: " + password + ", transfer_user: xfer, upload: [/x], max_life: 8h}\n",
		"  - name: portal\n    password_hash: >\n      " + password + "\n    upload: [x]\n",
	}
	quiet := func(t rapid.TB, text string) (faults int) {
		t.Helper()
		for _, fault := range faultsIn(t, clients(text)) {
			faults++
			shown := fault.Error() + fault.Excerpt() + fault.Source
			for _, part := range parts {
				if strings.Contains(shown, part) {
					t.Fatalf("shown of\n%s\n%s", text, shown)
				}
			}
		}
		return faults
	}
	for _, text := range texts {
		for _, change := range [][2]string{
			{"", ""},
			{password, password + "\t"},
			{password, "\t" + password},
			{password, "@" + password},
			{password, "`" + password},
			{password, "%" + password},
			{password, "'" + password},
			{password, `"` + password},
			{password, "[" + password},
			{password, "{" + password},
			{password, "{" + password + "}"},
			{password, "[" + password + "]"},
			{password, password + ": x"},
			{password, password + ",x"},
			{password, "x," + password},
			{password, "&" + password},
			{password, "*" + password},
			{password, "!" + password},
			{password, "|" + password},
			{password, "0123" + password},
			{password, password + "\x01"},
			{password, password + "\xff"},
			{password, password + "\n" + password},
			{password, "- " + password},
			{password, "<<: *" + password},
			{password, "? " + password},
			{password, "$6$" + password + "$" + password},
			{password, "$argon2id$" + password},
			{password, "$2y$12$" + password},
			{password, password + ":$2y$"},
			{"password_hash:", "password:"},
			{"password_hash:", "pasword_hash:"},
			{"password_hash:", "password_hash"},
			{"password_hash: ", "password_hash:"},
			{"password_hash:", "password_hash: x\n    password_hash:"},
			{"  - ", "  "},
			{"  - ", "\t- "},
			{"upload", "password_hash"},
		} {
			if quiet(t, strings.ReplaceAll(text, change[0], change[1])) == 0 {
				t.Errorf("no fault in a file with a password:\n%s", strings.ReplaceAll(text, change[0], change[1]))
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(texts).Draw(t, "text")
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			at := rapid.IntRange(0, len(text)).Draw(t, "at")
			text = text[:at] + rapid.SampledFrom([]string{"", " ", "\n", "\t", ":", ": ", ",", "{", "}", "[", "]", "- ", "\"", "'", "#", " #", "&", "*", "!", "|", ">", "%", "@", "\\", "---\n", "\x00"}).Draw(t, "insert") + text[at:]
		}
		quiet(t, text)
	})
}
