package validator

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/sluiceproject/sluice/rules"
)

// bodies reads request bodies of at most limit bytes into strings. The text is
// copied once, out of memory that is used again, so that events and what is
// made of them may live as long as they like.
type bodies struct {
	limit int64
	pool  sync.Pool
}

func newBodies(limit int64) *bodies {
	b := &bodies{limit: limit}
	b.pool.New = func() any { return new([]byte) }
	return b
}

// maxPooled is the largest buffer that is kept, in bytes.
const maxPooled = 64 << 10

// read returns the body, or why there is none.
func (b *bodies) read(r *http.Request) (string, *rules.Fault) {
	if r.ContentLength > b.limit {
		return "", b.tooLarge()
	}
	buffer, _ := b.pool.Get().(*[]byte) // New makes nothing else.
	text, err := appendAll((*buffer)[:0], r.Body, r.ContentLength, b.limit)
	if cap(text) <= maxPooled {
		*buffer = text
		defer b.pool.Put(buffer)
	}
	switch {
	case err != nil:
		return "", bodyFault(err)
	case int64(len(text)) > b.limit:
		return "", b.tooLarge()
	default:
		return string(text), nil
	}
}

// appendAll appends what r has to b, and stops soon after limit bytes. A known
// length saves growing.
func appendAll(b []byte, r io.Reader, length, limit int64) ([]byte, error) {
	const chunk = 4 << 10
	if length >= 0 && int64(cap(b)) <= length { // One more for the end of the body.
		b = make([]byte, 0, min(length+1, maxPooled))
	}
	for int64(len(b)) <= limit {
		if len(b) == cap(b) {
			b = append(b, make([]byte, max(chunk, cap(b)))...)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

func (b *bodies) tooLarge() *rules.Fault {
	return &rules.Fault{
		Code: rules.CodeMalformed, Reason: reasonTooLarge,
		Message: "The Aspera server's file event is larger than " + rules.FormatSize(b.limit) + ". Tell its administrator.",
	}
}

// bodyFault says why a body did not arrive whole.
func bodyFault(err error) *rules.Fault {
	var timeout net.Error
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return &rules.Fault{Code: rules.CodeTimeout, Reason: reasonTimeout, Message: rules.CodeTimeout.Verdict().Message}
	}
	return &rules.Fault{
		Code: rules.CodeMalformed, Reason: reasonAborted,
		Message: "The Aspera server's file event did not arrive whole. Try again.",
	}
}

// isFiles reports whether a path is that of the files endpoint: ascp appends
// /validation/files to whatever validation_uri says.
func isFiles(path string) bool {
	return strings.HasSuffix(strings.TrimRight(path, "/"), "/validation/files")
}
