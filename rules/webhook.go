package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
)

// webhookEvent is an event as webhooks get it: a form that only ever grows. What
// is not known is left out. The cookie is not in it, because it can be a secret.
type webhookEvent struct {
	Version          int             `json:"version"`
	ID               string          `json:"id"`
	Received         string          `json:"received"`
	Phase            string          `json:"phase"`
	Direction        string          `json:"direction"`
	Client           string          `json:"client,omitempty"`
	User             string          `json:"user,omitempty"`
	UserID           string          `json:"user_id,omitempty"`
	Host             string          `json:"host,omitempty"`
	ClientIP         string          `json:"client_ip,omitempty"`
	SessionID        string          `json:"session_id,omitempty"`
	TransferID       string          `json:"xfer_id,omitempty"`
	Path             string          `json:"path,omitempty"`
	Below            bool            `json:"below,omitempty"`
	Name             string          `json:"name,omitempty"`
	Size             *int64          `json:"size,omitempty"`
	StartByte        *int64          `json:"start_byte,omitempty"`
	BytesWritten     *int64          `json:"bytes_written,omitempty"`
	Checksum         string          `json:"checksum,omitempty"`
	ChecksumType     string          `json:"checksum_type,omitempty"`
	Cipher           string          `json:"cipher,omitempty"`
	RatePolicy       string          `json:"rate_policy,omitempty"`
	TargetRateKbps   *int64          `json:"target_rate_kbps,omitempty"`
	MinRateKbps      *int64          `json:"min_rate_kbps,omitempty"`
	ManifestFile     string          `json:"manifest_file,omitempty"`
	FileNameEncoding string          `json:"file_name_encoding,omitempty"`
	Tags             json.RawMessage `json:"tags,omitempty"`
}

// webhookBody returns the JSON of an event for a webhook.
func webhookBody(e *Event, sendTags bool) ([]byte, error) {
	out := webhookEvent{
		Version: 1, ID: e.ID.String(), Received: e.Received.UTC().Format(time.RFC3339Nano),
		Phase: e.Phase.String(), Direction: e.Direction.String(),
		Client: e.Client, User: e.User, UserID: e.UserID, Host: e.Host, ClientIP: e.ClientIP, SessionID: e.SessionID, TransferID: e.TransferID,
		Path: e.File.Shown(), Below: e.Below, Name: e.File.ShownName(),
		Size: known(e.Size), StartByte: known(e.StartByte), BytesWritten: known(e.BytesWritten),
		Checksum: strings.ToLower(e.Checksum), ChecksumType: checksumType(e),
		Cipher: strings.ToLower(e.Cipher), RatePolicy: e.RatePolicy,
		TargetRateKbps: known(e.TargetRateKbps), MinRateKbps: known(e.MinRateKbps),
		ManifestFile: ParsePath(e.ManifestFile).Shown(), FileNameEncoding: e.FileNameEncoding,
	}
	if sendTags {
		tags := e.Tags // A copy: what it remembers is nobody else's.
		tree, err := tags.Value()
		switch {
		case errors.Is(err, ErrNoTags):
		case err != nil:
			out.Tags = json.RawMessage("null")
		default:
			if out.Tags, err = marshalPlain(withoutCredentials(tree)); err != nil {
				return nil, err
			}
		}
	}
	return marshalPlain(&out)
}

// known returns a number that the event gave, or nil.
func known(n Number) *int64 {
	if !n.Known {
		return nil
	}
	return &n.Value
}

// marshalPlain returns a value as JSON, in which & and < are themselves.
func marshalPlain(value any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, fmt.Errorf("writing the event as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// withoutCredentials returns tags without the keys of an object storage, which
// servers put in /aspera/node/storage_credentials. The tags stay as they are.
func withoutCredentials(tags map[string]any) map[string]any {
	aspera, _ := tags["aspera"].(map[string]any)
	node, _ := aspera["node"].(map[string]any)
	if _, has := node["storage_credentials"]; !has {
		return tags
	}
	tags, aspera, node = maps.Clone(tags), maps.Clone(aspera), maps.Clone(node)
	delete(node, "storage_credentials")
	aspera["node"], tags["aspera"] = node, aspera
	return tags
}

// singleLine returns a text with its line breaks and tabs, and the blanks around
// them, as one blank each.
func singleLine(s string) string { return strings.Join(strings.Fields(s), " ") }
