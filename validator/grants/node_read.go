package grants

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sluiceproject/sluice/rules"
)

// MaxNodeAnswer is the longest answer that is read from a node, in bytes.
const MaxNodeAnswer = 4 << 20

// nodeReply is what came back from a node: its status, and its body or why there
// is none.
type nodeReply struct {
	status int
	tree   any
	err    error
}

// readNode returns the first JSON value of an answer. What follows it is ignored,
// because nodes have been seen to send a second status line or a text there; but
// where the answer has a length, or is in chunks, it must be whole.
func readNode(response *http.Response) (any, error) {
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, answerError("it is compressed, which was not asked for")
	}
	source := &watchedReader{reader: response.Body}
	body := &io.LimitedReader{R: source, N: MaxNodeAnswer}
	value, err := jsontext.NewDecoder(body).ReadValue()
	if err == nil && (response.ContentLength >= 0 || len(response.TransferEncoding) > 0) {
		_, err = io.Copy(io.Discard, body)
	}
	var syntactic *jsontext.SyntacticError
	switch {
	case err == nil:
		return parseNode(string(value))
	case source.err != nil && !errors.Is(source.err, io.ErrUnexpectedEOF):
		return nil, source.err // The decoder may take it for the end of the text.
	case body.N <= 0:
		return nil, answerError(fmt.Sprintf("it has more than %d bytes", MaxNodeAnswer))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, answerError("it breaks off")
	case errors.Is(err, io.EOF):
		return nil, answerError("it is empty")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return nil, answerError("a member is given twice")
	case errors.As(err, &syntactic):
		return nil, answerError(fmt.Sprintf("it is not JSON at byte %d", syntactic.ByteOffset))
	default:
		return nil, err
	}
}

// watchedReader remembers an error that is not the end.
type watchedReader struct {
	reader io.Reader
	err    error
}

// Read implements io.Reader.
func (w *watchedReader) Read(b []byte) (int, error) {
	n, err := w.reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

func parseNode(text string) (any, error) {
	tree, err := rules.ParseTree(text)
	if err != nil {
		return nil, answerError("it is " + err.Error()) // The error shows nothing of the text.
	}
	return tree, nil
}

// answerError says what is wrong with a node's answer, and shows nothing secret
// of it.
type answerError string

// Error implements error.
func (a answerError) Error() string { return "the node's answer is of no use: " + string(a) }
