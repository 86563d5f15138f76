package main

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestHealthAsksTheAdminListener: the status is that of the answer, and what is
// said is what /readyz says.
func TestHealthAsksTheAdminListener(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		says   string
		exit   int
		out    string
	}{
		{"ready", 200, "ready: 3 policies, revision 0123456789ab\n", 0, "ready: 3 policies, revision 0123456789ab\n"},
		{"degraded and still deciding", 200, "degraded: the policies on disk have mistakes\nscanner clamav\n", 0, "degraded: the policies on disk have mistakes\nscanner clamav\n"},
		{"shutting down", 503, "not ready: shutting down\n", 1, "not ready: shutting down\n"},
		{"something else listens there", 404, "no such page", 1, "no such page\n"},
		{"it leads elsewhere, where it is not followed", 302, "", 1, ""},
		{"it says what a terminal obeys", 200, "ready\x1b[2J\n", 0, `ready\u001b[2J` + "\n"},
		{"it says more than anybody reads", 200, strings.Repeat("x", 1<<20), 0, strings.Repeat("x", maxHealth) + "\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var asked string
			admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.Method + " " + r.URL.Path
				if tc.status == http.StatusFound {
					w.Header().Set("Location", "/elsewhere")
				}
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.says))
			}))
			defer admin.Close()
			for _, address := range []string{admin.URL, admin.URL + "/", admin.Listener.Addr().String(), strings.Replace(admin.Listener.Addr().String(), "127.0.0.1", "0.0.0.0", 1)} {
				got := runs(t, "health", "--admin", address)
				if got.status != tc.exit || got.out != tc.out {
					t.Errorf("at %s it exits with %d and says %q (%s), want %d and %q", address, got.status, got.out, got.err, tc.exit, tc.out)
				}
				if asked != "GET /readyz" {
					t.Errorf("it asks %q", asked)
				}
				if runs(t, "health", "--live", "--admin", address); asked != "GET /healthz" {
					t.Errorf("with --live it asks %q", asked)
				}
			}
		})
	}
}

// TestHealthSaysWhyThereIsNoAnswer in one line, whoever is not there.
func TestHealthSaysWhyThereIsNoAnswer(t *testing.T) {
	stuck := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stuck:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(stuck)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	empty := filepath.Join(t.TempDir(), "token")
	for _, tc := range []struct {
		name     string
		args     []string
		exit     int
		out, err string // Parts.
	}{
		{"nobody listens", []string{"--admin", gone.URL}, 1, "no answer from " + gone.URL + ": dial tcp ", ""},
		{"it is slow", []string{"--admin", slow.URL, "--timeout", "50ms"}, 1, "it took longer than 50ms", ""},
		{"a stranger's certificate", []string{"--admin", secure.URL}, 1, "its certificate does not hold", ""},
		{"no address", []string{"--admin", "http:///"}, 2, "", `--admin cannot be "http:///": write an address`},
		{"another scheme", []string{"--admin", "ftp://a"}, 2, "", `--admin cannot be "ftp://a"`},
		{"a path", []string{"--admin", "http://a/readyz"}, 2, "", `--admin cannot be`},
		{"no time", []string{"--timeout", "0s"}, 2, "", "--timeout must be longer than nothing"},
		{"no token", []string{"--token-file", empty}, 2, "", "--token-file: open " + empty},
		{"no authority", []string{"--ca-file", empty}, 2, "", empty},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := runs(t, append([]string{"health"}, tc.args...)...)
			if got.status != tc.exit || !strings.Contains(got.out, tc.out) || !strings.Contains(got.err, tc.err) || strings.Count(got.out, "\n") > 1 {
				t.Errorf("it exits with %d, says %q and complains %q, want %d, %q and %q", got.status, got.out, got.err, tc.exit, tc.out, tc.err)
			}
		})
	}
}

// TestHealthShowsItsToken to a listener that asks for one, over TLS.
func TestHealthShowsItsToken(t *testing.T) {
	admin := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer kept-secret" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer admin.Close()
	dir := t.TempDir()
	authority, token := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: admin.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(token, []byte("kept-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if got := runs(t, "health", "--admin", admin.URL, "--ca-file", authority, "--token-file", token, "--timeout", "30s"); got.status != 0 {
		t.Errorf("it exits with %d and says %q %q after %s", got.status, got.out, got.err, time.Since(begun))
	}
	if got := runs(t, "health", "--admin", admin.URL, "--ca-file", authority); got.status != 1 {
		t.Errorf("without the token it exits with %d", got.status)
	}
}
