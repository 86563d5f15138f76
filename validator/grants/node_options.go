package grants

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// maxNodePassword is the longest password of a node user, in bytes.
const maxNodePassword = 4 << 10

// ReadNodePassword reads a file with the password of a node user. A line break
// at its end is not part of it.
func ReadNodePassword(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("reading the node's password: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxNodePassword+3))
	if err != nil {
		return "", fmt.Errorf("reading the node's password: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if err := checkNodePassword(password); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return password, nil
}

func checkNodePassword(password string) error {
	switch {
	case password == "":
		return errors.New("there is no password; it is that of the node user, in one line")
	case len(password) > maxNodePassword:
		return fmt.Errorf("the password has more than %d bytes", maxNodePassword)
	case hasNodeControl(password):
		return errors.New("the password has a line break or another control character; write it in one line")
	default:
		return nil
	}
}

func checkNodeUser(user, password string) error {
	switch {
	case user == "":
		return errors.New("there is no user; sluice asks the node as a node user of its own")
	case strings.Contains(user, ":") || hasNodeControl(user):
		return errors.New("the name of a node user has no colon and no control character")
	default:
		return checkNodePassword(password)
	}
}

func hasNodeControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// CheckNodeURL says what is wrong with the address of a Node API. It shows
// nothing of the address itself, which may hold a secret.
func CheckNodeURL(text string) error {
	_, err := parseNodeURL(text)
	return err
}

func parseNodeURL(text string) (*url.URL, error) {
	at, err := url.Parse(text)
	switch {
	case err != nil || at.Hostname() == "" || at.Opaque != "":
		return nil, errors.New("this is no URL of the form https://host:9092")
	case at.User != nil:
		return nil, errors.New("a user and a password do not belong into the URL; they have settings of their own")
	case at.RawQuery != "" || at.ForceQuery || at.Fragment != "":
		return nil, errors.New("the URL of a node ends with its path; leave out what follows the ? or #")
	case strings.Contains(at.Path, "/files/"):
		return nil, errors.New("the URL of a node ends before /files, such as https://host:9092")
	case at.Scheme == "https", at.Scheme == "http" && isNodeLocal(at.Hostname()):
		return at, nil
	case at.Scheme == "http":
		return nil, errors.New("http can be read and changed on the way; use https, or http for a node on this machine")
	default:
		return nil, errors.New("a node is asked by https")
	}
}

func isNodeLocal(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// nodeTLS returns how a node proves who it is.
func nodeTLS(scheme, caFile, pin string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		text, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("reading the CA file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("the CA file %s has no certificate in PEM form", caFile)
		}
	}
	if pin == "" {
		return config, nil
	}
	want, err := hex.DecodeString(pin)
	switch {
	case err != nil || len(want) != sha256.Size:
		return nil, errors.New("the pin is not a SHA-256 in 64 hex digits; make it with: openssl x509 -in cert.pem -noout -pubkey | openssl pkey -pubin -outform der | sha256sum")
	case scheme != "https":
		return nil, errors.New("a pin is for a certificate, and http has none; use https or leave out the pin")
	}
	config.InsecureSkipVerify = true // VerifyConnection does it, by the key instead of the chain.
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return &pinError{}
		}
		found := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
		if subtle.ConstantTimeCompare(found[:], want) != 1 {
			return &pinError{found: hex.EncodeToString(found[:])}
		}
		return nil
	}
	return config, nil
}

// pinError says that a node has another key than the pinned one.
type pinError struct{ found string }

// Error implements error.
func (p *pinError) Error() string {
	return "its certificate has another key than the pinned one: SHA-256 " + p.found
}
