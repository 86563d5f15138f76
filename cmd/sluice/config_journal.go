package main

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/validator/journal"
	"github.com/sluiceproject/sluice/validator/journal/sinks"
)

// journalConfig is how decisions are recorded.
type journalConfig struct {
	// Dir is the folder of the decision log; empty where there is none.
	Dir, Instance string
	Durability    journal.Durability
	Interval      time.Duration
	Patience      time.Duration
	// AcceptOnError has a decision answered that cannot be recorded.
	AcceptOnError bool
	SegmentSize   int64
	SegmentAge    time.Duration
	KeepBytes     int64
	KeepAge       time.Duration
	Sinks         []sinks.Sink
}

func defaultJournal() journalConfig {
	return journalConfig{
		Interval: 100 * time.Millisecond, Patience: 5 * time.Second,
		SegmentSize: 64 << 20, SegmentAge: 24 * time.Hour, KeepBytes: 50 << 30, KeepAge: 400 * day,
	}
}

const day = 24 * time.Hour

// journalSchema is the JSON Schema of journal in the configuration.
const journalSchema = `{"type": "object", "additionalProperties": false, "required": ["dir"], "description": "The decision log: every decision is recorded before it is answered.", "properties": {
	"dir": {"type": "string", "minLength": 1, "description": "Its folder, which is made if need be and which one service has for itself."},
	"instance": {"type": "string", "minLength": 1, "maxLength": 256, "description": "What records call this service; by default the name of the machine."},
	"durability": {"enum": ["commit", "interval", "off"], "default": "commit", "description": "When a decision is answered: once its record is on disk, or at once, with the record on disk within the interval, or whenever the operating system writes it."},
	"interval": {"type": "string", "minLength": 1, "default": "100ms", "description": "How often records are brought to disk with the durability interval."},
	"patience": {"type": "string", "minLength": 1, "default": "5s", "description": "How long a decision waits for its record."},
	"on_error": {"enum": ["reject", "accept"], "default": "reject", "description": "What happens to a decision that cannot be recorded: the event is refused with code 1007, or the decision is answered all the same."},
	"segment_size": {"type": ["integer", "string"], "default": "64 MiB", "description": "How large a file of the log becomes before the next one is begun."},
	"segment_age": {"type": "string", "minLength": 1, "default": "24h", "description": "How old it becomes."},
	"keep_bytes": {"type": ["integer", "string"], "default": "50 GiB", "description": "How large the log becomes before its oldest files are removed."},
	"keep_age": {"type": "string", "minLength": 1, "default": "400d", "description": "How old files become before they are removed."},
	"sinks": ` + sinksSchema + `
}}`

// journalSpec is journal as it is written.
type journalSpec struct {
	Dir         string          `json:"dir"`
	Instance    string          `json:"instance"`
	Durability  string          `json:"durability"`
	Interval    string          `json:"interval"`
	Patience    string          `json:"patience"`
	OnError     string          `json:"on_error"`
	SegmentSize json.RawMessage `json:"segment_size"`
	SegmentAge  string          `json:"segment_age"`
	KeepBytes   json.RawMessage `json:"keep_bytes"`
	KeepAge     string          `json:"keep_age"`

	Sinks map[string]sinkSpec `json:"sinks"`
}

// applyJournal takes over journal.
func (c *config) applyJournal(doc *document.Document, spec *journalSpec) (faults document.Faults) {
	to := &c.journal
	to.Dir, to.Instance = spec.Dir, spec.Instance
	to.AcceptOnError = spec.OnError == "accept"
	switch spec.Durability {
	case "interval":
		to.Durability = journal.Interval
	case "off":
		to.Durability = journal.Off
	}
	for _, d := range []struct {
		key, text   string
		to          *time.Duration
		least, most time.Duration
		example     string
	}{
		{"interval", spec.Interval, &to.Interval, time.Millisecond, time.Minute, "100ms or 1s, from 1ms to 1m"},
		{"patience", spec.Patience, &to.Patience, 10 * time.Millisecond, time.Minute, "500ms or 5s, from 10ms to 1m"},
		{"segment_age", spec.SegmentAge, &to.SegmentAge, time.Minute, 30 * day, "1h or 1d, from 1m to 30d"},
		{"keep_age", spec.KeepAge, &to.KeepAge, time.Hour, 36_500 * day, "720h or 400d, from 1h to 36500d"},
	} {
		if d.text == "" {
			continue
		}
		value, err := parseAge(d.text)
		if err != nil || value < d.least || value > d.most {
			faults = append(faults, doc.At("/journal/"+d.key, "%q is not a time such as %s", d.text, d.example))
			continue
		}
		*d.to = value
	}
	faults = append(faults, sizeAt(doc, "/journal/segment_size", spec.SegmentSize, 1<<30, &to.SegmentSize)...)
	faults = append(faults, sizeAt(doc, "/journal/keep_bytes", spec.KeepBytes, 1<<50, &to.KeepBytes)...)
	faults = append(faults, to.applySinks(doc, spec.Sinks)...)
	if len(faults) == 0 && to.KeepBytes < 2*to.SegmentSize {
		faults = append(faults, doc.At("/journal", "keep_bytes must be at least twice segment_size: the file that is written to is never removed"))
	}
	return faults
}

// parseAge reads a time that may also be in days, such as 400d.
func parseAge(text string) (time.Duration, error) {
	digits, days := strings.CutSuffix(text, "d")
	if !days {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	return time.Duration(n) * day, err
}

// instance returns what records call this service.
func (c *journalConfig) instance() string {
	if c.Instance != "" {
		return c.Instance
	}
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
