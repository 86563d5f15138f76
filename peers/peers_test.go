package peers

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckURL: each mistake is told in words for what is asked, and shows nothing of
// the URL.
func TestCheckURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://siem.example.com/in?token=s3cr3t": "",
		"http://127.0.0.1:8000/in":                 "",
		"http://[::1]/":                            "",
		"http://localhost/":                        "",
		"http://siem.example.com/s3cr3t":           "http can be read and changed on the way; use https, or http for a receiver on this machine",
		"http://localhost.example.com/":            "http can be read and changed on the way; use https, or http for a receiver on this machine",
		"https://me:s3cr3t@siem.example.com/":      "a user and a password do not belong here; use a file",
		"https://siem.example.com/#s3cr3t":         "what follows the # of a URL is never sent; leave it out",
		"ftp://siem.example.com/s3cr3t":            "the URL of a receiver begins with https://",
		"siem.example.com":                         "this is no URL of the form https://host/path",
		"https://siem.example.com/%zz?k=s3cr3t":    "this is no URL of the form https://host/path",
		"":                                         "this is no URL of the form https://host/path",
	} {
		got := ""
		if err := CheckURL(text, "a receiver", "use a file"); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestTLS: whatever is named must be there and of the right form, and nothing turns
// verifying off.
func TestTLS(t *testing.T) {
	rubbish := filepath.Join(t.TempDir(), "rubbish.pem")
	if err := os.WriteFile(rubbish, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ ca, cert, key, want string }{
		{"/nowhere.pem", "", "", "reading the CA file: open /nowhere.pem: no such file or directory"},
		{rubbish, "", "", "the CA file " + rubbish + " has no certificate in PEM form"},
		{"", rubbish, "", "reading the certificate and its key: open : no such file or directory"},
		{"", "", rubbish, "reading the certificate and its key: open : no such file or directory"},
		{"", rubbish, rubbish, "reading the certificate and its key: tls: failed to find any PEM data in certificate input"},
	} {
		if _, err := TLS(row.ca, row.cert, row.key); err == nil || err.Error() != row.want {
			t.Errorf("%q %q %q: %v", row.ca, row.cert, row.key, err)
		}
	}
	c, err := TLS("", "", "")
	if err != nil || c.InsecureSkipVerify || c.MinVersion != tls.VersionTLS12 || c.RootCAs != nil {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestErrorsAreDiscreet: nothing that the peer has said is told, and no error is long.
func TestErrorsAreDiscreet(t *testing.T) {
	over, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("its time is up"))
	for _, row := range []struct {
		ctx       context.Context
		err       error
		want      string
		unwrapped error
	}{
		{t.Context(), errors.New("malformed answer s3cr3t"), "its answer makes no sense", nil},
		{t.Context(), io.EOF, "EOF", io.EOF},
		{t.Context(), &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}, "dial tcp: connection refused", nil},
		{t.Context(), tls.RecordHeaderError{Msg: "first record"}, "it does not speak TLS", nil},
		{t.Context(), &tls.CertificateVerificationError{Err: errors.New(strings.Repeat("x", 1000))}, "its certificate does not hold: " + strings.Repeat("x", 200) + "…", nil},
		{over, io.EOF, "its time is up", nil},
	} {
		got := Discreet(row.ctx, row.err)
		if got.Error() != row.want || row.unwrapped != nil && !errors.Is(got, row.unwrapped) {
			t.Errorf("%v: %v, want %s", row.err, got, row.want)
		}
	}
}
