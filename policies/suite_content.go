package policies

import (
	"context"
	"hash/fnv"
	"io"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// contentKey is the key of an event that says what its file has in it.
const contentKey = "content"

// contentSchema is the schema of that key.
const contentSchema = `{"type": ["string", "object"], "additionalProperties": false, "required": ["from"], "description": "What is in the file, for rules that look into it: the text itself, or a file of the set. Without it there is no file to look into, and such rules cannot tell.", "examples": [{"from": "samples/film.mov"}, "MZ and so on"],
			"properties": {"from": {"type": "string", "minLength": 1, "description": "A file of the set, of at most 1 MiB, by its path.", "examples": ["samples/film.mov"]}}}`

// setContent changes nothing in the event: the content is beside it.
func setContent(*rules.Event, any) error { return nil }

// contentOf returns what is in the file of a test; nil if there is none.
func (b *suiteBuilder) contentOf(at string, given []Given) *string {
	for _, g := range given {
		if g.Key != contentKey {
			continue
		}
		if text, ok := g.Value.(string); ok {
			return &text
		}
		from, _ := g.Value.(map[string]any)
		name, _ := from["from"].(string)
		if name == "" {
			return nil // Said by the schema.
		}
		text, err := b.files.read(name)
		if err != nil {
			b.fault(b.doc.At(at+"/event/"+contentKey+"/from", "the content cannot be used: %s", err))
			return nil
		}
		content := string(text)
		return &content
	}
	return nil
}

// inMemory is a rules.Source of one file.
type inMemory string

// Open implements rules.Source.
func (m inMemory) Open(context.Context, *rules.Event) (rules.Handle, error) {
	sum := fnv.New64a()
	_, _ = io.WriteString(sum, string(m)) // A hash returns no error.
	return memoryHandle{strings.NewReader(string(m)), sum.Sum64()}, nil
}

// memoryHandle is text as a file. Equal texts are one file, so that whoever
// remembers answers by file is right to.
type memoryHandle struct {
	*strings.Reader
	inode uint64
}

// Identity implements rules.Handle.
func (m memoryHandle) Identity() rules.Identity {
	return rules.Identity{Inode: m.inode, Size: m.Size()}
}

// Unchanged implements rules.Handle.
func (memoryHandle) Unchanged() error { return nil }

// Close implements rules.Handle.
func (memoryHandle) Close() error { return nil }
