package grants

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sluiceproject/sluice/rules"
)

// maxName is the length of the longest id or name in a grant, in bytes.
const maxName = 256

// maxListed is how many roots and paths a grant can list together.
const maxListed = 256

// endOfTime is the last second that RFC 3339 can write.
const endOfTime = 253402300799

// claims are the members of a signed grant, in order.
type claims struct {
	ID         string   `json:"jti"`
	Client     string   `json:"client"`
	User       string   `json:"user"`
	Direction  string   `json:"direction"`
	Roots      []string `json:"roots,omitempty"`
	Paths      []string `json:"paths,omitempty"`
	PathCount  int      `json:"path_count"`
	PathDigest string   `json:"path_digest,omitempty"`
	Issued     int64    `json:"iat"`
	Expires    int64    `json:"exp"`
	MaxSize    int64    `json:"max_size,omitempty"`
	MaxFiles   int      `json:"max_files,omitempty"`
	Revision   string   `json:"revision"`
}

// PathDigest returns the SHA-256 in hexadecimal over the sorted paths, each
// followed by a line feed: what a grant says of a list that is too long for it.
func PathDigest(paths []string) string {
	sum := sha256.New()
	for _, path := range slices.Sorted(slices.Values(paths)) {
		sum.Write([]byte(path))
		sum.Write([]byte{'\n'})
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func encodeClaims(g *rules.Grant) ([]byte, error) {
	if err := check(g); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // Three of six bytes that a path's "&" would take.
	err := enc.Encode(claims{
		ID: g.ID, Client: g.Client, User: g.User, Direction: g.Direction.String(),
		Roots: g.Roots, Paths: g.Paths, PathCount: g.PathCount, PathDigest: g.PathDigest,
		Issued: g.Issued.Unix(), Expires: g.Expires.Unix(),
		MaxSize: g.MaxSize, MaxFiles: g.MaxFiles, Revision: g.Revision,
	})
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'}), err
}

func decodeClaims(payload []byte) (*rules.Grant, error) {
	tree, err := rules.ParseTree(string(payload))
	if err != nil {
		return nil, fmt.Errorf("no grant: its claims: %w", err)
	}
	object, ok := tree.(Object)
	if !ok {
		return nil, errors.New("no grant: its claims are not a JSON object")
	}
	m := members{left: object}
	g := &rules.Grant{
		ID: m.text("jti"), Client: m.text("client"), User: m.text("user"),
		Direction: m.direction(), Roots: m.list("roots"), Paths: m.list("paths"),
		PathCount: int(m.number("path_count", 0)),
		Issued:    time.Unix(m.number("iat", 1), 0).UTC(), Expires: time.Unix(m.number("exp", 1), 0).UTC(),
		Revision: m.text("revision"),
	}
	if m.has("path_digest") {
		if g.PathDigest = m.text("path_digest"); g.PathDigest == "" {
			m.wrong("has an empty path_digest")
		}
	}
	if m.has("max_size") {
		g.MaxSize = m.number("max_size", 1)
	}
	if m.has("max_files") {
		g.MaxFiles = int(m.number("max_files", 1))
	}
	if len(m.left) > 0 {
		m.wrong("has a member that is not known here")
	}
	if m.err == nil {
		m.err = check(g)
	}
	if m.err != nil {
		return nil, fmt.Errorf("no grant: %w", m.err)
	}
	return g, nil
}

// members are the claims that nobody has taken yet. The first mistake is kept.
type members struct {
	left Object
	err  error
}

func (m *members) wrong(format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf("its object of claims "+format, args...)
	}
}

func (m *members) has(name string) bool {
	_, ok := m.left[name]
	return ok
}

func (m *members) take(name string) any {
	value := m.left[name]
	delete(m.left, name)
	return value
}

func (m *members) text(name string) string {
	text, ok := m.take(name).(string)
	if !ok {
		m.wrong("has no text %s", name)
	}
	return text
}

// number takes a whole number in its one spelling: not 1.0, 1e3 or -0.
func (m *members) number(name string, low int64) int64 {
	text, _ := m.take(name).(json.Number)
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < low || string(text) != strconv.FormatInt(n, 10) {
		m.wrong("has no whole number %s of at least %d", name, low)
		return low
	}
	return n
}

func (m *members) direction() rules.Direction {
	switch m.take("direction") {
	case rules.Upload.String():
		return rules.Upload
	case rules.Download.String():
		return rules.Download
	default:
		m.wrong("has no direction that is upload or download")
		return rules.DirectionUnknown
	}
}

// list takes a list of texts, which is left out where it would be empty.
func (m *members) list(name string) []string {
	if !m.has(name) {
		return nil
	}
	values, ok := m.take(name).([]any)
	if !ok || len(values) == 0 || len(values) > maxListed {
		m.wrong("has no list %s of 1 to %d texts", name, maxListed)
		return nil
	}
	list := make([]string, len(values))
	for i, value := range values {
		if list[i], ok = value.(string); !ok {
			m.wrong("has no list %s of texts", name)
		}
	}
	return list
}

// check says what no grant can be, neither one to sign nor one that was signed.
func check(g *rules.Grant) error {
	for _, name := range [...]struct{ what, value string }{{"id", g.ID}, {"client", g.Client}, {"user", g.User}} {
		if name.value == "" || !isName(name.value) {
			return fmt.Errorf("its %s is not 1 to %d bytes of UTF-8 without control characters", name.what, maxName)
		}
	}
	if !isName(g.Revision) {
		return fmt.Errorf("its revision is not at most %d bytes of UTF-8 without control characters", maxName)
	}
	if g.Direction != rules.Upload && g.Direction != rules.Download {
		return errors.New("its direction is neither upload nor download")
	}
	if from, to := g.Issued.Unix(), g.Expires.Unix(); from < 1 || to <= from || to > endOfTime {
		return errors.New("it does not end at least a second after it began, between the years 1970 and 9999")
	}
	if g.MaxSize < 0 || g.MaxFiles < 0 || g.MaxFiles > math.MaxInt32 {
		return errors.New("its max_size or max_files is negative or too large")
	}
	return checkPaths(g)
}

func checkPaths(g *rules.Grant) error {
	switch listed := len(g.Roots) + len(g.Paths); {
	case listed == 0:
		return errors.New("it has neither roots nor paths")
	case listed > maxListed:
		return fmt.Errorf("it lists more than %d roots and paths", maxListed)
	}
	for _, path := range slices.Concat(g.Roots, g.Paths) {
		if p := rules.ParsePath(path); !p.Clean || p.Slash != path || !strings.HasPrefix(path, "/") || !utf8.ValidString(path) {
			return errors.New("one of its roots and paths is not absolute and plainly written, like /folder/file")
		}
	}
	switch {
	case g.PathCount < len(g.Paths) || g.PathCount > math.MaxInt32:
		return errors.New("its path_count is less than it lists, or too large")
	case g.PathCount == len(g.Paths) && g.PathDigest != "":
		return errors.New("it has a path_digest although it lists all paths")
	case g.PathCount > len(g.Paths) && (!isHex(g.PathDigest, 64) || len(g.Roots) == 0):
		return errors.New("it lists fewer paths than path_count, but has no path_digest of 64 hexadecimal digits and no roots")
	}
	return nil
}

func isName(text string) bool {
	return len(text) <= maxName && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
