package policies

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// noon is when the events of tests arrive that do not say when: on a Monday.
const noon = "2024-01-01T12:00:00Z"

// eventKey is one key of an event in a test: its schema, and what it does to the
// event. set takes values that have passed the schema and are not null.
type eventKey struct {
	name, schema string
	set          func(e *rules.Event, value any) error
}

// eventKeys returns the keys of an event in the order in which people tell one.
func eventKeys() []eventKey {
	return []eventKey{
		{"phase", `{"enum": ["request", "start", "running", "stop"], "default": "start", "description": "The moment of the transfer: request (a token is asked for), start, running (the head of the file is there) or stop (the file is complete)."}`, setPhase},
		{"direction", `{"enum": ["upload", "download"], "description": "Where the files go, seen from the person who transfers."}`, setDirection},
		{"user", textSchema("The transfer account.", "partner-7"), setText(func(e *rules.Event) *string { return &e.User })},
		{"user_id", `{"type": ["string", "integer"], "minLength": 1, "description": "The transfer account's number on the server.", "examples": [1001]}`, setText(func(e *rules.Event) *string { return &e.UserID })},
		{"client", textSchema("The client that asks for a token, on request.", "portal"), setText(func(e *rules.Event) *string { return &e.Client })},
		{"host", textSchema("The Aspera server, as it names itself.", "hst-eu-1"), setText(func(e *rules.Event) *string { return &e.Host })},
		{"client_ip", textSchema("The client's address.", "203.0.113.7"), setClient},
		{"path", textSchema("The path of the file on the server. An event with neither path nor size is about the session. On request, a slash at its end stands for the folder and everything below it.", "/ingest/film/clip.mov"), setPath},
		{"size", amountSchema("The file's size: bytes, or a number and a unit.", "40 GiB"), setSize(func(e *rules.Event) *rules.Number { return &e.Size })},
		{"start_byte", amountSchema("Where a transfer that resumes begins: bytes, or a number and a unit.", "1 GiB"), setSize(func(e *rules.Event) *rules.Number { return &e.StartByte })},
		{"bytes_written", amountSchema("How far the transfer has come: bytes, or a number and a unit.", "64 MiB"), setSize(func(e *rules.Event) *rules.Number { return &e.BytesWritten })},
		{"cipher", textSchema("The encryption in transit, as the server writes it.", "aes-256"), setText(func(e *rules.Event) *string { return &e.Cipher })},
		{"rate_policy", `{"enum": ["fixed", "fair", "high", "low"], "description": "The session's rate policy."}`, setText(func(e *rules.Event) *string { return &e.RatePolicy })},
		{"target_rate", amountSchema("The target rate: kilobits per second, or a number and kbps, Mbps or Gbps.", "100 Mbps"), setRate(func(e *rules.Event) *rules.Number { return &e.TargetRateKbps })},
		{"min_rate", amountSchema("The minimum rate: kilobits per second, or a number and kbps, Mbps or Gbps.", "1 Mbps"), setRate(func(e *rules.Event) *rules.Number { return &e.MinRateKbps })},
		{"cookie", textSchema("Whatever the client's application set.", "portal-7"), setText(func(e *rules.Event) *string { return &e.Cookie })},
		{"session_id", textSchema("The name of the ascp session.", "c2f6c6d0-7a5e"), setText(func(e *rules.Event) *string { return &e.SessionID })},
		{"xfer_id", textSchema("The name of the transfer, which joins its sessions.", "a8e2b9c4-11d0"), setText(func(e *rules.Event) *string { return &e.TransferID })},
		{"manifest_file", textSchema("The path of the session's manifest on the server.", "/var/log/manifest-7.txt"), setText(func(e *rules.Event) *string { return &e.ManifestFile })},
		{"tags", `{"type": ["object", "string"], "description": "The transfer's tags: keys and values, or a text as some servers send them (JSON, or base64 of it).", "examples": [{"project": "film", "contact": "ann@example.com"}]}`, setTags},
		{grantKey, grantSchema, setGrant},
		{"checksum", `{"type": "string", "pattern": "^[0-9A-Fa-f]+$", "description": "The file's digest, in hexadecimal digits.", "examples": ["d41d8cd98f00b204e9800998ecf8427e"]}`, setText(func(e *rules.Event) *string { return &e.Checksum })},
		{"checksum_type", textSchema("The algorithm of the digest, or none.", "sha256"), setAlgorithm},
		{"file_name_encoding", `{"enum": ["utf8", "utf16"], "description": "The encoding of file names."}`, setText(func(e *rules.Event) *string { return &e.FileNameEncoding })},
		{contentKey, contentSchema, setContent},
		{countedKey, countedSchema, setCounted},
		{"time", `{"type": "string", "minLength": 1, "default": "` + noon + `", "description": "When the event arrives, as RFC 3339 writes times: the clock of rules that ask for it.", "examples": ["2024-03-09T23:30:00+01:00"]}`, setTime},
	}
}

// textSchema returns the schema of a text.
func textSchema(description, example string) string {
	return fmt.Sprintf(`{"type": "string", "minLength": 1, "description": %q, "examples": [%q]}`, description, example)
}

// amountSchema returns the schema of a number that may have a unit.
func amountSchema(description, example string) string {
	return fmt.Sprintf(`{"type": ["integer", "string"], "minLength": 1, "description": %q, "examples": [%q]}`, description, example)
}

func setPhase(e *rules.Event, value any) error {
	e.Phase, _ = rules.ParsePhase(fmt.Sprint(value)) // The schema has seen the name.
	return nil
}

func setDirection(e *rules.Event, value any) error {
	e.Direction = rules.Upload
	if value == "download" {
		e.Direction = rules.Download
	}
	return nil
}

// setText takes a text, or a number for its own text.
func setText(field func(*rules.Event) *string) func(*rules.Event, any) error {
	return func(e *rules.Event, value any) error {
		*field(e) = written(value)
		return nil
	}
}

// written returns what a text or number of a document says.
func written(value any) string {
	if n, ok := value.(json.Number); ok {
		return n.String()
	}
	s, _ := value.(string) // The schema has seen that it is one of the two.
	return s
}

func setClient(e *rules.Event, value any) error {
	e.ClientIP = written(value)
	addr, err := netip.ParseAddr(e.ClientIP)
	if err != nil {
		return rules.At("", "%q is not an address such as 203.0.113.7 or 2001:db8::7", e.ClientIP).WithHint("leave the key out where the client is not known")
	}
	e.ClientAddr = addr.Unmap()
	return nil
}

func setPath(e *rules.Event, value any) error {
	path := written(value)
	if strings.IndexByte(path, 0) >= 0 {
		return errors.New("a path cannot hold a NUL; the service refuses such an event before it asks any rule")
	}
	if folder, isFolder := strings.CutSuffix(path, "/"); isFolder && e.Phase == rules.PhaseRequest {
		e.Below = true
		if path = folder; path == "" {
			path = "/"
		}
	}
	e.File = rules.ParsePath(path)
	return nil
}

func setSize(field func(*rules.Event) *rules.Number) func(*rules.Event, any) error {
	return func(e *rules.Event, value any) error {
		bytes, err := rules.ParseSize(written(value))
		*field(e) = rules.Known(bytes)
		return err
	}
}

func setRate(field func(*rules.Event) *rules.Number) func(*rules.Event, any) error {
	return func(e *rules.Event, value any) (err error) {
		text, kbps := written(value), int64(0)
		if _, plain := value.(json.Number); !plain {
			kbps, err = rules.ParseRate(text)
		} else if kbps, err = strconv.ParseInt(text, 10, 64); err != nil || kbps < 0 {
			err = fmt.Errorf("%s is not a rate; write a whole number of kilobits per second, or one and a unit, such as 500 Mbps", text)
		}
		*field(e) = rules.Known(kbps)
		return err
	}
}

func setTags(e *rules.Event, value any) error {
	raw, err := json.Marshal(value)
	e.Tags.Raw = string(raw)
	return err
}

func setAlgorithm(e *rules.Event, value any) error {
	e.ChecksumType = written(value)
	names := []string{"md5", "sha1", "sha256", "sha384", "sha512", "none", "any"}
	if _, _, ok := rules.ParseAlgorithm(e.ChecksumType); ok || slices.Contains(names, e.ChecksumType) {
		return nil
	}
	return rules.At("", "%q is not an algorithm that servers name", e.ChecksumType).
		WithHint("%s", cmp.Or(rules.DidYouMean(e.ChecksumType, names), "they write "+strings.Join(names, ", ")))
}

func setTime(e *rules.Event, value any) (err error) {
	if e.Received, err = time.Parse(time.RFC3339, written(value)); err != nil {
		return fmt.Errorf("%q is not a time with its zone, such as %s or 2024-03-09T23:30:00+01:00", written(value), noon)
	}
	return nil
}
