package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// config is what `sluice serve` runs with: the defaults, then the file, then
// the flags.
type config struct {
	listen, admin   string
	policies        string
	stored          storedConfig
	acceptByDefault bool
	uploadDirection string
	partialSuffix   string
	reloadInterval  time.Duration
	limits          validator.Limits
	shutdownDelay   time.Duration
	shutdownTimeout time.Duration
	files           filesConfig
	scanners        []scanner
	webhooks        []webhookConfig
	grants          grantsConfig
	tokens          tokensConfig
	journal         journalConfig
	state           stateConfig
	push            pushConfig
}

func defaultConfig() config {
	return config{
		listen: "127.0.0.1:8080", admin: "127.0.0.1:9080", policies: "policies",
		uploadDirection: "recv", reloadInterval: time.Second, limits: validator.DefaultLimits(),
		shutdownTimeout: 30 * time.Second, files: defaultFiles(),
		grants: grantsConfig{skew: time.Minute}, tokens: defaultTokens(), journal: defaultJournal(), state: defaultState(), stored: defaultStored(),
	}
}

// configSchema is the JSON Schema of the configuration file.
const configSchema = `{
"$schema": "http://json-schema.org/draft-07/schema#",
"title": "sluice configuration",
"type": "object", "additionalProperties": false,
"properties": {
	"listen": {"type": "string", "minLength": 1, "default": "127.0.0.1:8080", "description": "Address on which Aspera servers post file events."},
	"admin": {"type": "string", "minLength": 1, "default": "127.0.0.1:9080", "description": "Address of metrics, health and reload."},
	"policies": ` + policiesSchema + `,
	"default": {"enum": ["accept", "reject"], "default": "reject", "description": "What happens to events to which no policy applies."},
	"upload_direction": {"enum": ["recv", "send"], "default": "recv", "description": "What the Aspera server calls the direction of an upload."},
	"partial_suffix": {"type": "string", "pattern": "^\\.[^/]+$", "description": "What ascp appends to the names of unfinished files, with its dot"},
	"reload_interval": {"type": "string", "minLength": 1, "default": "1s", "description": "How often the folder is looked at for changes."},
	"scanners": ` + scannersSchema + `,
	"files": ` + filesSchema + `,
	"webhooks": ` + webhooksSchema + `,
	"grants": ` + grantsSchema + `,
	"docroots": ` + docrootsSchema + `,
	"tokens": ` + tokensSchema + `,
	"journal": ` + journalSchema + `,
	"state": ` + stateSchema + `,
	"push": ` + pushSchema + `,
	"limits": {"type": "object", "additionalProperties": false, "minProperties": 1, "properties": {
		"body": {"type": ["integer", "string"], "default": "1 MiB"},
		"header": {"type": ["integer", "string"], "default": "64 KiB"},
		"header_time": {"type": "string", "minLength": 1, "default": "10s"},
		"read_time": {"type": "string", "minLength": 1, "default": "30s"},
		"idle_time": {"type": "string", "minLength": 1, "default": "2m"},
		"connections": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 10000},
		"requests": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 2000}
	}},
	"shutdown": {"type": "object", "additionalProperties": false, "minProperties": 1, "properties": {
		"delay": {"type": "string", "minLength": 1, "default": "0s", "description": "How long to go on after saying not ready, so that load balancers notice."},
		"timeout": {"type": "string", "minLength": 1, "default": "30s", "description": "How long what is in flight may take to finish."}
	}}
}}`

// configSpec is the configuration as it is written.
type configSpec struct {
	Listen          *string         `json:"listen"`
	Admin           *string         `json:"admin"`
	Policies        json.RawMessage `json:"policies"`
	Default         string          `json:"default"`
	UploadDirection *string         `json:"upload_direction"`
	PartialSuffix   *string         `json:"partial_suffix"`
	ReloadInterval  string          `json:"reload_interval"`
	Limits          struct {
		Body        json.RawMessage `json:"body"`
		Header      json.RawMessage `json:"header"`
		HeaderTime  string          `json:"header_time"`
		ReadTime    string          `json:"read_time"`
		IdleTime    string          `json:"idle_time"`
		Connections json.Number     `json:"connections"`
		Requests    json.Number     `json:"requests"`
	} `json:"limits"`
	Shutdown struct {
		Delay   string `json:"delay"`
		Timeout string `json:"timeout"`
	} `json:"shutdown"`
	Files    filesSpec                             `json:"files"`
	Scanners map[string]map[string]json.RawMessage `json:"scanners"`
	Webhooks map[string]webhookSpec                `json:"webhooks"`
	Grants   grantsSpec                            `json:"grants"`
	Docroots map[string]string                     `json:"docroots"`
	Tokens   tokensSpec                            `json:"tokens"`
	Journal  journalSpec                           `json:"journal"`
	State    *stateSpec                            `json:"state"`
	Push     *pushSpec                             `json:"push"`
}

// readConfig puts a configuration file over the defaults. The error is
// document.Faults with every mistake.
func readConfig(name string) (config, error) {
	c := defaultConfig()
	text, err := os.ReadFile(name)
	if err != nil {
		var cause *fs.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return c, document.Faults{{File: name, Message: "the configuration cannot be read: " + err.Error()}}
	}
	doc, faults := document.Parse(name, text)
	if len(faults) > 0 {
		return c, faults.Err()
	}
	schema, err := document.CompileSchema(configSchema)
	if err != nil {
		return c, err
	}
	faults, at := doc.CheckParts(schema)
	var spec configSpec
	if err := doc.Without(at).Decode("", &spec); err != nil && len(faults) == 0 {
		return c, err
	}
	return c, slices.Concat(
		faults, c.apply(doc, &spec), c.applyWebhooks(doc, spec.Webhooks),
		c.applyGrants(doc, &spec.Grants, spec.Docroots), c.applyTokens(doc, &spec.Tokens), c.applyJournal(doc, &spec.Journal), c.applyState(doc, spec.State), c.applyPolicies(doc, spec.Policies), c.applyPush(doc, spec.Push),
	).Err()
}

// apply takes over what the file says. It reads what the schema cannot.
func (c *config) apply(doc *document.Document, spec *configSpec) (faults document.Faults) {
	set(&c.listen, spec.Listen)
	set(&c.admin, spec.Admin)
	set(&c.uploadDirection, spec.UploadDirection)
	set(&c.partialSuffix, spec.PartialSuffix)
	c.acceptByDefault = spec.Default == "accept"
	for _, d := range []struct {
		at, text string
		to       *time.Duration
		least    time.Duration
	}{
		{"/reload_interval", spec.ReloadInterval, &c.reloadInterval, 10 * time.Millisecond},
		{"/limits/header_time", spec.Limits.HeaderTime, &c.limits.HeaderTime, time.Millisecond},
		{"/limits/read_time", spec.Limits.ReadTime, &c.limits.ReadTime, time.Millisecond},
		{"/limits/idle_time", spec.Limits.IdleTime, &c.limits.IdleTime, time.Millisecond},
		{"/shutdown/delay", spec.Shutdown.Delay, &c.shutdownDelay, 0},
		{"/shutdown/timeout", spec.Shutdown.Timeout, &c.shutdownTimeout, time.Millisecond},
		{"/files/deadline", spec.Files.Deadline, &c.files.deadline, time.Millisecond},
	} {
		if d.text == "" {
			continue
		}
		value, err := time.ParseDuration(d.text)
		if err != nil || value < d.least || value > 24*time.Hour {
			faults = append(faults, doc.At(d.at, "%q is not a time such as 500ms, 30s or 2m, from %s to 24h", d.text, d.least))
			continue
		}
		*d.to = value
	}
	faults = append(faults, countAt(doc, "/limits/connections", spec.Limits.Connections, &c.limits.Connections)...)
	faults = append(faults, countAt(doc, "/limits/requests", spec.Limits.Requests, &c.limits.Requests)...)
	header := int64(c.limits.Header)
	faults = append(faults, sizeAt(doc, "/limits/body", spec.Limits.Body, 256<<20, &c.limits.Body)...)
	faults = append(faults, sizeAt(doc, "/limits/header", spec.Limits.Header, 16<<20, &header)...)
	c.limits.Header = int(header)
	faults = append(faults, c.files.apply(doc, &spec.Files)...)
	scanners, wrong := readScanners(doc, spec.Scanners)
	c.scanners = scanners
	return append(faults, wrong...)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// countAt reads a whole number. JSON Schema takes 5.0 and 1.0e3 for such, too.
func countAt(doc *document.Document, at string, written json.Number, to *int) document.Faults {
	if written == "" {
		return nil
	}
	n, err := strconv.Atoi(written.String())
	if err != nil {
		return document.Faults{doc.At(at, "%q is not written as a whole number", written)}
	}
	*to = n
	return nil
}

// sizeAt reads a size of at least 1 KiB, in bytes or with a unit.
func sizeAt(doc *document.Document, at string, raw json.RawMessage, most int64, to *int64) document.Faults {
	if len(raw) == 0 {
		return nil
	}
	size, err := rules.ParseSizeJSON(raw)
	if err != nil {
		return document.Faults{doc.At(at, "%s", err)}
	}
	if size < 1<<10 || size > most {
		return document.Faults{doc.At(at, "%q is not from 1 KiB to %s", strings.Trim(string(raw), `"`), rules.FormatSize(most))}
	}
	*to = size
	return nil
}
