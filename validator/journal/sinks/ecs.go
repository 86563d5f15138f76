package sinks

import (
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"path"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

// ecsVersion is the version of the Elastic Common Schema whose names are used.
const ecsVersion = "8.17.0"

// tree is a JSON object that is being put together.
type tree map[string]any

// put sets a member by its name with dots, unless the value is a zero value.
func put[T comparable](t tree, name string, value T) {
	var zero T
	if value != zero {
		t.set(name, value)
	}
}

// set sets a member by its name with dots.
func (t tree) set(name string, value any) {
	for {
		first, rest, more := strings.Cut(name, ".")
		if !more {
			t[name] = value
			return
		}
		below, ok := t[first].(tree)
		if !ok {
			below = tree{}
			t[first] = below
		}
		t, name = below, rest
	}
}

// ecs returns a record by the names of the Elastic Common Schema.
func ecs(e *entry) []byte {
	r := &e.record
	t := tree{}
	t.set("ecs.version", ecsVersion)
	t.set("@timestamp", r.Time.UTC().Format(time.RFC3339Nano))
	t.set("event.sequence", r.Sequence)
	t.set("event.hash", hex.EncodeToString(e.hash[:]))
	t.set("event.module", "sluice")
	t.set("event.dataset", "sluice.decisions")
	t.set("service.name", "sluice")
	put(t, "service.node.name", r.Instance)
	put(t, "sluice.prev", r.Previous)
	put(t, "sluice.note", r.Note)
	put(t, "sluice.count", r.Count)
	put(t, "sluice.verdict", r.Verdict)
	put(t, "event.id", r.ID)
	put(t, "message", r.Message)
	put(t, "sluice.revision", r.Revision)
	ecsKind(t, r)
	put(t, "event.code", r.Code)
	put(t, "rule.ruleset", r.Policy)
	put(t, "rule.name", r.Rule)
	put(t, "rule.category", r.Kind)
	if r.Rule != "" {
		put(t, "rule.version", r.Revision)
	}
	put(t, "event.reason", r.Reason)
	put(t, "error.message", r.Error)
	put(t, "sluice.policies", r.Applied)
	put(t, "event.duration", r.TookMicros*int64(time.Microsecond))
	if len(r.Steps) > 0 {
		t.set("sluice.steps", r.Steps)
	}
	put(t, "sluice.steps_left_out", r.Unlisted)
	if r.Event != nil {
		ecsEvent(t, r.Event)
	}
	ecsFacts(t, r.Facts)
	text, err := json.Marshal(t)
	if err != nil {
		return e.line // Whatever it is, it is not lost.
	}
	return text
}

// ecsKind says what a record is by the four fields of the schema for that.
func ecsKind(t tree, r *journal.Record) {
	t.set("event.kind", "event")
	if r.Note != "" {
		t.set("event.category", []string{"process"})
		t.set("event.type", []string{noteType(r.Note)})
		t.set("event.action", "log-"+r.Note)
		if r.Note == journal.NoteLost || r.Note == journal.NoteRefused {
			t.set("event.outcome", "failure")
		}
		return
	}
	category, kind, action := "file", "access", "validate"
	if r.Event != nil {
		action += "-" + r.Event.Phase
		if r.Event.Session {
			category, kind = "session", "info"
		}
	}
	outcome, answer := "success", "allowed"
	if r.Verdict != journal.Accept {
		outcome, answer = "failure", "denied"
	}
	t.set("event.category", []string{category})
	t.set("event.type", []string{kind, answer})
	t.set("event.action", action)
	t.set("event.outcome", outcome)
}

func noteType(note string) string {
	switch note {
	case journal.NoteOpened:
		return "start"
	case journal.NoteClosed:
		return "end"
	default:
		return "info"
	}
}

// ecsEvent says what was decided.
func ecsEvent(t tree, e *journal.Event) {
	put(t, "sluice.phase", e.Phase)
	put(t, "sluice.direction", e.Direction)
	put(t, "sluice.session", e.Session)
	put(t, "user.name", e.User)
	put(t, "user.id", e.UserID)
	put(t, "client.user.name", e.Client)
	put(t, "client.address", e.ClientIP)
	if ip, err := netip.ParseAddr(e.ClientIP); err == nil { // The schema's type takes nothing else.
		t.set("client.ip", ip.WithZone("").String())
	}
	put(t, "host.name", e.Host)
	put(t, "sluice.session_id", e.SessionID)
	put(t, "sluice.xfer_id", e.TransferID)
	put(t, "sluice.cookie", e.Cookie)
	put(t, "file.path", e.File)
	if e.File != "" && !e.Below {
		name := path.Base(strings.ReplaceAll(e.File, `\`, "/"))
		t.set("file.name", name)
		put(t, "file.extension", strings.TrimPrefix(path.Ext(name), "."))
	}
	put(t, "sluice.below", e.Below)
	putNumber(t, "file.size", e.Size)
	putNumber(t, "sluice.start_byte", e.StartByte)
	putNumber(t, "sluice.bytes_written", e.BytesWritten)
	put(t, "sluice.cipher", e.Cipher)
	put(t, "sluice.rate_policy", e.RatePolicy)
	putNumber(t, "sluice.target_rate_kbps", e.TargetRateKbps)
	putNumber(t, "sluice.min_rate_kbps", e.MinRateKbps)
	put(t, "sluice.manifest_file", e.ManifestFile)
	put(t, "sluice.file_name_encoding", e.NameEncoding)
	put(t, "sluice.file_csum", e.Checksum)
	put(t, "sluice.file_csum_type", e.ChecksumType)
	ecsHash(t, e.ChecksumType, e.Checksum)
	// As text: whoever transfers names the members, and each would become a field of
	// the index.
	put(t, "sluice.tags", string(e.Tags))
	if len(e.Missing) > 0 {
		t.set("sluice.missing", e.Missing)
	}
}

func putNumber(t tree, name string, n *int64) {
	if n != nil {
		t.set(name, *n)
	}
}

// ecsHash sets a digest of the file, if the schema has a name for its algorithm.
func ecsHash(t tree, algorithm, digest string) {
	switch algorithm = strings.ReplaceAll(strings.ToLower(algorithm), "-", ""); algorithm {
	case "md5", "sha1", "sha256", "sha384", "sha512":
		put(t, "file.hash."+algorithm, strings.ToLower(digest))
	}
}

// ecsFacts says what looking into the file has told. Its digests win over the one
// that the event has announced: they were computed here.
func ecsFacts(t tree, raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	t.set("sluice.facts", raw)
	var facts rules.Facts
	if json.Unmarshal(raw, &facts) != nil {
		return
	}
	for algorithm, digest := range facts.Digests {
		ecsHash(t, algorithm, digest)
	}
	if len(facts.Types) > 0 {
		t.set("file.mime_type", facts.Types[0])
	}
}
