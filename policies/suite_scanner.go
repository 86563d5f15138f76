package policies

import (
	"bytes"
	"context"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/rules/scan"
)

// standInSignature is what the stand-in finds. It is not the text that real
// scanners are tried out with, because they would find it in the policies too.
const standInSignature = "SLUICE-TEST-SIGNATURE"

// StandInScanner is for rules.Env.Scanners while tests are run: a scanner of
// every name, which finds SLUICE-TEST-SIGNATURE and nothing else, so that a test can
// show what a scan rule does on a machine that has no scanner.
func StandInScanner(name string) (*scan.Pool, error) {
	return scan.NewPool(standInScanner{}, scan.PoolOptions{Name: name, Gate: rules.NewGate(64, 1<<20)}), nil
}

type standInScanner struct{}

// Open implements scan.Scanner.
func (standInScanner) Open(context.Context, string, int64) (scan.Session, error) {
	return &standInSession{}, nil
}

// Status implements scan.Scanner.
func (standInScanner) Status(context.Context) (scan.Status, error) {
	return scan.Status{Engine: "sluice test"}, nil
}

type standInSession struct{ text bytes.Buffer } // At most what a test says: 1 MiB.

// Write implements scan.Session.
func (s *standInSession) Write(p []byte) (int, error) { return s.text.Write(p) }

// Finish implements scan.Session.
func (s *standInSession) Finish(context.Context) (scan.Answer, error) {
	answer := scan.Answer{Inspected: int64(s.text.Len())}
	if bytes.Contains(s.text.Bytes(), []byte(standInSignature)) {
		answer.Signature = "Sluice-Test"
	}
	return answer, nil
}

// Close implements scan.Session.
func (*standInSession) Close() {}
