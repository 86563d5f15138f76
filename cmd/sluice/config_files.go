package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/sluiceproject/sluice/files"
	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// filesConfig is how files are looked into.
type filesConfig struct {
	mounts []mountConfig
	// readRate is in bytes per second, for all looks together; 0 is no limit.
	readRate      int64
	heads, wholes gateConfig
	deadline      time.Duration
}

// gateConfig bounds one class of looks.
type gateConfig struct{ workers, waiting int }

// mountConfig is a mount, and where the file says so.
type mountConfig struct {
	files.Mount
	prefixAt, dirAt document.Fault
}

// defaultFiles has room for as many looks as there are processors to do them, and
// for more looks at heads, which mostly wait for a disk.
func defaultFiles() filesConfig {
	processors := runtime.GOMAXPROCS(0)
	return filesConfig{
		heads: gateConfig{2 * processors, 64}, wholes: gateConfig{processors, 64}, deadline: 25 * time.Second,
	}
}

// filesSchema is the JSON Schema of files in the configuration.
const filesSchema = `{"type": "object", "additionalProperties": false, "minProperties": 1, "properties": {
	"mounts": {"type": "array", "minItems": 1, "maxItems": 1000, "description": "Where on this machine the files of events are.", "items": {
		"type": "object", "additionalProperties": false, "required": ["prefix", "dir"], "properties": {
			"prefix": {"type": "string", "minLength": 1, "description": "How the paths of events begin: /, /data, C:/ or \\\\server\\share."},
			"dir": {"type": "string", "minLength": 1, "description": "The local folder with these files, an absolute path."}
		}}},
	"read_rate": {"type": ["integer", "string"], "description": "How much is read in a second, by all looks together."},
	"heads": {"type": "object", "additionalProperties": false, "minProperties": 1, "properties": {
		"workers": {"type": "integer", "minimum": 1, "maximum": 10000, "description": "How many looks at the heads of files at once; by default twice the number of processors."},
		"waiting": {"type": "integer", "minimum": 0, "maximum": 100000, "default": 64, "description": "How many such looks wait; beyond, on_error answers."}
	}},
	"wholes": {"type": "object", "additionalProperties": false, "minProperties": 1, "properties": {
		"workers": {"type": "integer", "minimum": 1, "maximum": 10000, "description": "How many whole files are read at once; by default the number of processors."},
		"waiting": {"type": "integer", "minimum": 0, "maximum": 100000, "default": 64, "description": "How many such looks wait; beyond, on_error answers."}
	}},
	"deadline": {"type": "string", "minLength": 1, "default": "25s", "description": "How long all looks of one event may take together."}
}}`

// filesSpec is files as it is written.
type filesSpec struct {
	Mounts []struct {
		Prefix string `json:"prefix"`
		Dir    string `json:"dir"`
	} `json:"mounts"`
	ReadRate json.RawMessage `json:"read_rate"`
	Heads    gateSpec        `json:"heads"`
	Wholes   gateSpec        `json:"wholes"`
	Deadline string          `json:"deadline"`
}

type gateSpec struct {
	Workers json.Number `json:"workers"`
	Waiting json.Number `json:"waiting"`
}

// The limits of what may be read in a second: with less, no file of some size
// would ever be read in time.
const (
	leastRate = 1 << 20
	mostRate  = 1e12
)

// apply takes over what the file says, but for whether the folders are there:
// they are the server's, and the file is also read elsewhere.
func (c *filesConfig) apply(doc *document.Document, spec *filesSpec) (faults document.Faults) {
	var mounts []files.Mount
	c.mounts = nil
	for i, m := range spec.Mounts {
		at := "/files/mounts/" + strconv.Itoa(i)
		mounts = append(mounts, files.Mount{Prefix: m.Prefix, Dir: m.Dir})
		c.mounts = append(c.mounts, mountConfig{mounts[i], doc.At(at+"/prefix", ""), doc.At(at+"/dir", "")})
	}
	faults = c.place(files.Check(mounts))
	faults = append(faults, rateAt(doc, "/files/read_rate", spec.ReadRate, &c.readRate)...)
	for _, n := range []struct {
		at   string
		from json.Number
		to   *int
	}{
		{"/files/heads/workers", spec.Heads.Workers, &c.heads.workers},
		{"/files/heads/waiting", spec.Heads.Waiting, &c.heads.waiting},
		{"/files/wholes/workers", spec.Wholes.Workers, &c.wholes.workers},
		{"/files/wholes/waiting", spec.Wholes.Waiting, &c.wholes.waiting},
	} {
		faults = append(faults, countAt(doc, n.at, n.from, n.to)...)
	}
	return faults
}

// place says where the mistakes in mounts are. What is empty the schema has
// complained about.
func (c *filesConfig) place(wrong files.Mistakes) (faults document.Faults) {
	for _, w := range wrong {
		m := c.mounts[w.Index]
		fault, text := m.prefixAt, m.Prefix
		if w.InDir {
			fault, text = m.dirAt, m.Dir
		}
		if text != "" {
			fault.Message = w.Message
			faults = append(faults, fault)
		}
	}
	return faults
}

// rateAt reads how many bytes a second may be read.
func rateAt(doc *document.Document, at string, raw json.RawMessage, to *int64) document.Faults {
	if len(raw) == 0 {
		return nil
	}
	written := strings.Trim(string(raw), `"`)
	size, err := rules.ParseSizeJSON(raw)
	if bare, perSecond := strings.CutSuffix(written, "/s"); err != nil && perSecond {
		return document.Faults{doc.At(at, "%q: write only the size, such as %q; it is for a second", written, strings.TrimSpace(bare))}
	}
	if err != nil {
		return document.Faults{doc.At(at, "%s", err)}
	}
	if size < leastRate || size > mostRate {
		return document.Faults{doc.At(at, "%q is not from %s to %s; it is for a second and for all looks together",
			written, rules.FormatSize(leastRate), rules.FormatSize(mostRate))}
	}
	*to = size
	return nil
}

// content returns what rules that look into files need, with the folders of the
// mounts as they are now. The error is document.Faults.
func (c *config) content(now func() time.Time) (*rules.ContentEnv, error) {
	f := &c.files
	env := &rules.ContentEnv{
		Heads: rules.NewGate(f.heads.workers, f.heads.waiting), Wholes: rules.NewGate(f.wholes.workers, f.wholes.waiting),
		Throttle: throttle(f.readRate), Deadline: f.deadline, Now: now,
	}
	if len(f.mounts) == 0 {
		return env, nil
	}
	mounts := make([]files.Mount, len(f.mounts))
	for i, m := range f.mounts {
		mounts[i] = m.Mount
	}
	source, err := files.New(mounts, c.partialSuffix)
	var wrong files.Mistakes
	if errors.As(err, &wrong) {
		return nil, f.place(wrong).Err()
	}
	if err != nil {
		return nil, err
	}
	env.Files = source
	return env, nil
}

// How much may be read at once, in bytes: what is allowed for a tenth of a second,
// but no less than a piece of a file that is read as a whole.
const (
	leastBurst = 256 << 10
	mostBurst  = 64 << 20
)

// throttle returns what waits until n more bytes may be read, nil where nothing
// limits that.
func throttle(perSecond int64) func(ctx context.Context, n int) error {
	if perSecond == 0 {
		return nil
	}
	burst := int(min(max(perSecond/10, leastBurst), mostBurst))
	limiter := rate.NewLimiter(rate.Limit(perSecond), burst)
	return func(ctx context.Context, n int) error {
		for n > 0 {
			piece := min(n, burst)
			n -= piece
			err := limiter.WaitN(ctx, piece)
			switch {
			case err == nil:
			case ctx.Err() != nil:
				return context.Cause(ctx)
			default: // It knows that it would not be its turn before the end.
				return fmt.Errorf("waiting for its turn to read, by files.read_rate: %w", context.DeadlineExceeded)
			}
		}
		return nil
	}
}
