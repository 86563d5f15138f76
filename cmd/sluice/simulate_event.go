package main

import (
	"context"
	"crypto/md5"  //nolint:gosec // A server may be set to MD5; nothing is protected by it here.
	"crypto/sha1" //nolint:gosec // A server may be set to SHA-1; nothing is protected by it here.
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sluiceproject/sluice/rules"
)

// simEvent is an event as ascp sends it.
type simEvent struct {
	Phase        string         `json:"startstop"`
	SessionID    string         `json:"session_id"`
	Host         string         `json:"host"`
	ClientIP     string         `json:"client_ip"`
	User         string         `json:"user"`
	UserID       int64          `json:"userid"`
	Direction    string         `json:"direction"`
	TargetRate   int64          `json:"target_rate_kbps"`
	MinRate      int64          `json:"min_rate_kbps"`
	RatePolicy   string         `json:"rate_policy"`
	Cipher       string         `json:"cipher"`
	Cookie       string         `json:"cookie"`
	Manifest     string         `json:"manifest_file"`
	File         string         `json:"file"`
	Size         int64          `json:"size"`
	StartByte    int64          `json:"start_byte"`
	BytesWritten int64          `json:"bytes_written"`
	Tags         jsontext.Value `json:"tags"`
	Encoding     string         `json:"file_name_encoding"`
	Checksum     string         `json:"file_csum,omitempty"`
	ChecksumType string         `json:"file_csum_type"`
	TransferID   string         `json:"xfer_id"`
}

// simMaxEvents is how many events a file can have.
const simMaxEvents = 3

// phases returns the phases of a file, in order.
func (p *simPlan) phases(size int64) []rules.Phase {
	if p.threshold >= 0 && size > p.threshold {
		return []rules.Phase{rules.PhaseStart, rules.PhaseRunning, rules.PhaseStop}
	}
	return []rules.Phase{rules.PhaseStart, rules.PhaseStop}
}

// simSource is a file that is being simulated.
type simSource struct {
	simFile
	content *os.File
	size    int64
}

// openSimSource opens a file, so that one which ascp could not read is found
// before anything is said about it.
func openSimSource(f simFile) (*simSource, error) {
	content, err := os.Open(f.local)
	if err != nil {
		return nil, simCause(err)
	}
	info, err := content.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a file any more")
	}
	if err != nil {
		content.Close()
		return nil, simCause(err)
	}
	return &simSource{simFile: f, content: content, size: info.Size()}, nil
}

// event returns the event of a phase: the plan's, the session's and the file's
// part of it. With stop the file is read for its digest, until over reports
// that nobody wants it any more.
func (s *simSession) event(ctx context.Context, src *simSource, phase rules.Phase, buf []byte) ([]byte, error) {
	e := s.base
	e.Phase, e.File, e.Size = phase.String(), src.remote, src.size
	switch phase {
	case rules.PhaseRunning: // Just above the threshold.
		e.BytesWritten = s.run.plan.threshold + 1
	case rules.PhaseStop:
		e.BytesWritten = src.size
		if s.run.plan.checksum != "none" {
			var err error
			if e.Checksum, err = s.digest(ctx, src, buf); err != nil {
				return nil, err
			}
		}
	default:
	}
	body, err := json.Marshal(&e)
	if err != nil {
		return nil, fmt.Errorf("the event cannot be written: %w", err)
	}
	return body, nil
}

// errSimOver says that the session ended while a file was read.
var errSimOver = errors.New("the session has ended")

// digest returns the digest of the file's content. A file that is not as long
// as the earlier events said is an error, and a growing one cannot hold it up.
func (s *simSession) digest(ctx context.Context, src *simSource, buf []byte) (string, error) {
	sum := newSimDigest(s.run.plan.checksum)
	content := simReaderFunc(func(p []byte) (int, error) {
		if s.over(ctx) {
			return 0, errSimOver
		}
		return src.content.Read(p)
	})
	n, err := io.CopyBuffer(sum, io.LimitReader(content, src.size+1), buf)
	if err != nil {
		return "", simCause(err)
	}
	if n != src.size {
		return "", errors.New("the file changed while it was read")
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// simReaderFunc is a reader made of a function.
type simReaderFunc func([]byte) (int, error)

// Read implements io.Reader.
func (f simReaderFunc) Read(p []byte) (int, error) { return f(p) }

// newSimDigest returns the hash of a name that --checksum has.
func newSimDigest(name string) hash.Hash {
	switch name {
	case "md5":
		return md5.New() //nolint:gosec // See the import.
	case "sha1":
		return sha1.New() //nolint:gosec // See the import.
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	default:
		return sha256.New()
	}
}
