package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/validator/journal/sinks"
)

// sinksSchema is the JSON Schema of journal.sinks in the configuration.
const sinksSchema = `{"type": "object", "minProperties": 1, "maxProperties": 20, "description": "Where the records of the decision log are sent, by names of the operator's choice.", "additionalProperties": {
	"type": "object", "additionalProperties": false, "minProperties": 1, "properties": {
		"file": {"type": "string", "minLength": 1, "description": "A file to which lines are appended."},
		"fsync": {"type": "boolean", "default": false, "description": "Has every batch of a file on disk before the next."},
		"syslog": {"type": "string", "minLength": 1, "description": "A receiver of syslog messages.", "examples": ["tls://siem.example.com:6514", "tcp://127.0.0.1:514"]},
		"facility": {"type": "string", "minLength": 1, "default": "local0", "description": "The facility of syslog messages."},
		"app_name": {"type": "string", "pattern": "^[!-~]{1,48}$", "default": "sluice", "description": "The name of the application in syslog messages."},
		"msgid": {"enum": ["verdict", "phase"], "default": "verdict", "description": "The id of syslog messages."},
		"structured_data": {"type": "string", "minLength": 1, "description": "The id of structured data in syslog messages; none by default.", "examples": ["sluice@32473"]},
		"http": ` + sinkHTTPSchema + `,
		"store": {"type": "object", "additionalProperties": false, "description": "The stream of decisions in the policy store that state names."},
		"ca_file": {"type": "string", "minLength": 1, "description": "The authorities, in PEM, that vouch for the receiver; by default those of the operating system."},
		"cert_file": {"type": "string", "minLength": 1, "description": "The certificate, in PEM, that is shown to a receiver which asks."},
		"key_file": {"type": "string", "minLength": 1, "description": "Its key."},
		"timeout": {"type": "string", "minLength": 1, "default": "30s", "description": "How long one batch may take."},
		"fields": {"enum": ["sluice", "ecs"], "default": "sluice", "description": "The names of members: the log's own, or those of the Elastic Common Schema."},
		"filter": {"type": "object", "additionalProperties": false, "minProperties": 1, "description": "Which decisions are sent; the log's own notes always are.", "properties": {
			"verdict": {"enum": ["accept", "reject"]},
			"phases": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": ["request", "start", "running", "stop"]}},
			"policies": {"type": "array", "minItems": 1, "maxItems": 1000, "uniqueItems": true, "items": {"type": "string", "minLength": 1}, "description": "Policies of which one refused, or had a rule that was asked."}
		}},
		"begin": {"enum": ["oldest", "newest"], "default": "oldest", "description": "Where a sink begins that has never sent anything."},
		"batch": {"type": "object", "additionalProperties": false, "minProperties": 1, "description": "What is sent at once, at most.", "properties": {
			"records": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 500},
			"bytes": {"type": ["integer", "string"], "default": "1 MiB"}
		}}
	}}}`

// sinkHTTPSchema is that of http of a sink.
const sinkHTTPSchema = `{"type": "object", "additionalProperties": false, "required": ["url"], "description": "A receiver of batches by HTTP.", "properties": {
	"url": {"type": "string", "minLength": 1, "description": "Where batches are posted: https, or http on this machine."},
	"format": {"enum": ["json", "splunk_hec"], "default": "json"},
	"layout": {"enum": ["lines", "array"], "default": "lines", "description": "How records of the format json follow each other."},
	"gzip": {"type": "boolean", "default": false, "description": "Has batches compressed."},
	"token_file": {"type": "string", "minLength": 1, "description": "A file with the token of Splunk's event collector."},
	"index": {"type": "string", "minLength": 1, "description": "Splunk's index; by default that of the token."},
	"sourcetype": {"type": "string", "minLength": 1, "description": "Splunk's source type; by default that of the token."},
	"source": {"type": "string", "minLength": 1, "description": "Splunk's source; by default that of the token."},
	"headers": {"type": "object", "minProperties": 1, "maxProperties": 50, "additionalProperties": {"type": "string"}, "description": "What is sent before every batch."},
	"header_files": {"type": "object", "minProperties": 1, "maxProperties": 50, "additionalProperties": {"type": "string", "minLength": 1}, "description": "The same for what is secret: files that have the values."}
}}`

// sinkSpec is a sink as it is written.
type sinkSpec struct {
	File           string        `json:"file"`
	Fsync          bool          `json:"fsync"`
	Syslog         string        `json:"syslog"`
	Facility       string        `json:"facility"`
	AppName        string        `json:"app_name"`
	MsgID          string        `json:"msgid"`
	StructuredData string        `json:"structured_data"`
	HTTP           *sinkHTTPSpec `json:"http"`
	Store          *struct{}     `json:"store"`
	CAFile         string        `json:"ca_file"`
	CertFile       string        `json:"cert_file"`
	KeyFile        string        `json:"key_file"`
	Timeout        string        `json:"timeout"`
	Fields         string        `json:"fields"`
	Filter         struct {
		Verdict  string   `json:"verdict"`
		Phases   []string `json:"phases"`
		Policies []string `json:"policies"`
	} `json:"filter"`
	Begin string `json:"begin"`
	Batch struct {
		Records json.Number     `json:"records"`
		Bytes   json.RawMessage `json:"bytes"`
	} `json:"batch"`
}

type sinkHTTPSpec struct {
	URL         string            `json:"url"`
	Format      string            `json:"format"`
	Layout      string            `json:"layout"`
	Gzip        bool              `json:"gzip"`
	TokenFile   string            `json:"token_file"`
	Index       string            `json:"index"`
	SourceType  string            `json:"sourcetype"`
	Source      string            `json:"source"`
	Headers     map[string]string `json:"headers"`
	HeaderFiles map[string]string `json:"header_files"`
}

// applySinks takes over journal.sinks, in the order of their names, but for whether
// the files are there: the configuration is also read elsewhere.
func (c *journalConfig) applySinks(doc *document.Document, written map[string]sinkSpec) (faults document.Faults) {
	for _, name := range slices.Sorted(maps.Keys(written)) {
		at := "/journal/sinks/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if !scannerName.MatchString(name) {
			faults = append(faults, doc.AtKey(at, "a sink cannot be called %q: a name is up to 64 letters, digits, dots, dashes and underscores", name))
			continue
		}
		spec := written[name]
		sink, wrong := spec.sink(doc, at)
		sink.Name = name
		c.Sinks = append(c.Sinks, sink)
		faults = append(faults, wrong...)
		faults = append(faults, fittingSink(doc, at, name)...)
	}
	return faults
}

// sink reads one sink.
func (spec *sinkSpec) sink(doc *document.Document, at string) (s sinks.Sink, faults document.Faults) {
	s.Filter = sinks.Filter{Verdict: spec.Filter.Verdict, Phases: spec.Filter.Phases, Policies: spec.Filter.Policies}
	s.OnlyNew = spec.Begin == "newest"
	s.BatchRecords, s.BatchBytes = sinks.DefaultBatchRecords, sinks.DefaultBatchBytes
	if fields, err := sinks.ParseFields(cmp.Or(spec.Fields, "sluice")); err == nil { // Otherwise the schema has complained.
		s.Fields = fields
	}
	size := int64(s.BatchBytes)
	faults = slices.Concat(
		countAt(doc, at+"/batch/records", spec.Batch.Records, &s.BatchRecords),
		sizeAt(doc, at+"/batch/bytes", spec.Batch.Bytes, 64<<20, &size),
	)
	s.BatchBytes = int(size)
	timeout := 30 * time.Second
	if spec.Timeout != "" {
		value, err := time.ParseDuration(spec.Timeout)
		if err != nil || value < time.Millisecond || value > 5*time.Minute {
			faults = append(faults, doc.At(at+"/timeout", "%q is not a time such as 500ms or 30s, from 1ms to 5m", spec.Timeout))
		}
		timeout = value
	}
	switch {
	case spec.File != "":
		s.File = &sinks.File{Path: spec.File, Fsync: spec.Fsync}
	case spec.Syslog != "":
		s.Syslog = &sinks.Syslog{
			Address: spec.Syslog, Facility: spec.Facility, AppName: spec.AppName, ByPhase: spec.MsgID == "phase", DataID: spec.StructuredData,
			CAFile: spec.CAFile, CertFile: spec.CertFile, KeyFile: spec.KeyFile, Timeout: timeout,
		}
		faults = append(faults, spec.checkSyslog(doc, at)...)
	case spec.HTTP != nil:
		s.HTTP = spec.HTTP.receiver(spec, timeout)
		faults = append(faults, spec.HTTP.check(doc, at+"/http")...)
	case spec.Store != nil:
		s.Store = &sinks.Store{Timeout: timeout} // What publishes comes with the policy store.
		faults = append(faults, spec.checkStore(doc, at)...)
	}
	return s, faults
}

// receiver returns the receiver of batches.
func (h *sinkHTTPSpec) receiver(spec *sinkSpec, timeout time.Duration) *sinks.HTTP {
	to := &sinks.HTTP{
		URL: h.URL, Gzip: h.Gzip, TokenFile: h.TokenFile, Index: h.Index, SourceType: h.SourceType, Source: h.Source,
		Headers: h.Headers, HeaderFiles: h.HeaderFiles, CAFile: spec.CAFile, CertFile: spec.CertFile, KeyFile: spec.KeyFile, Timeout: timeout,
	}
	switch {
	case h.Format == "splunk_hec":
		to.Format = sinks.SplunkHEC
	case h.Layout == "array":
		to.Format = sinks.JSONArray
	}
	return to
}
