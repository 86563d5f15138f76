package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/rules/scan"
)

// scanner is one of `scanners`: where it is, and how much is asked of it.
type scanner struct {
	Name string
	// Clamd or ICAP is its address; the other is empty.
	Clamd, ICAP string
	// Descriptors gives clamd open files instead of their bytes.
	Descriptors bool
	// CAFile vouches for an ICAP server with TLS.
	CAFile string
	// MaxSize is the largest file that it takes, in bytes; 0 is what its client
	// takes for granted.
	MaxSize int64
	// Workers files are with it at once, and Waiting ones wait for that.
	Workers, Waiting int
	ConnectTimeout   time.Duration
	// Remember is how many answers are remembered.
	Remember int
}

// scannersSchema is the JSON Schema of `scanners`. Which keys a scanner has is
// looked at by scannerKeys.
const scannersSchema = `{"type": "object", "minProperties": 1, "description": "Content scanners, by the names that rules use.", "additionalProperties": {"type": "object", "minProperties": 1, "properties": {
		"clamd": {"type": "string", "minLength": 1, "description": "A clamd: unix:/path/of/the/socket or tcp:host:port."},
		"icap": {"type": "string", "minLength": 1, "description": "A scanner that speaks ICAP: icap://host:port/service or icaps://host:port/service."},
		"method": {"enum": ["stream", "fildes"], "default": "stream", "description": "How clamd gets a file: its bytes, or the open file itself through a unix socket."},
		"ca_file": {"type": "string", "minLength": 1, "description": "The authorities, in PEM, that vouch for an icaps server."},
		"max_size": {"type": ["integer", "string"], "default": "100 MiB", "description": "The largest file that the scanner takes whole; 25 MiB by default where it speaks ICAP."},
		"workers": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 4, "description": "How many files are with the scanner at once."},
		"waiting": {"type": "integer", "minimum": 0, "maximum": 100000, "default": 32, "description": "How many more may wait for that."},
		"connect_timeout": {"type": "string", "minLength": 1, "default": "2s", "description": "How long clamd may take to accept a connection."},
		"remember": {"type": "integer", "minimum": 0, "maximum": 1000000, "default": 10000, "description": "How many answers are remembered for files that have not changed."}
	}}}`

// scannerSpec is a scanner as it is written.
type scannerSpec struct {
	Clamd          string          `json:"clamd"`
	ICAP           string          `json:"icap"`
	Method         string          `json:"method"`
	CAFile         string          `json:"ca_file"`
	MaxSize        json.RawMessage `json:"max_size"`
	Workers        json.Number     `json:"workers"`
	Waiting        json.Number     `json:"waiting"`
	ConnectTimeout string          `json:"connect_timeout"`
	Remember       json.Number     `json:"remember"`
}

func scannerKeys() []string {
	return []string{"clamd", "icap", "method", "ca_file", "max_size", "workers", "waiting", "connect_timeout", "remember"}
}

var scannerName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// readScanners takes over `scanners`, in the order of their names. It reads what
// the schema cannot.
func readScanners(doc *document.Document, written map[string]map[string]json.RawMessage) (list []scanner, faults document.Faults) {
	for _, name := range slices.Sorted(maps.Keys(written)) {
		at := "/scanners/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if !scannerName.MatchString(name) {
			faults = append(faults, doc.AtKey(at, "a scanner cannot be called %q: a name is up to 64 letters, digits, dots, dashes and underscores", name))
			continue
		}
		s, wrong := readScanner(doc, at, written[name], asWritten(doc, name))
		s.Name = name
		list, faults = append(list, s), append(faults, wrong...)
	}
	return list, faults
}

// asWritten returns a scanner with the keys that the schema faults, too.
func asWritten(doc *document.Document, name string) map[string]any {
	root, _ := doc.Tree.(map[string]any)
	all, _ := root["scanners"].(map[string]any)
	one, _ := all[name].(map[string]any)
	return one
}

func readScanner(doc *document.Document, at string, written map[string]json.RawMessage, asWritten map[string]any) (s scanner, faults document.Faults) {
	for _, key := range slices.Sorted(maps.Keys(written)) {
		if known := scannerKeys(); !slices.Contains(known, key) {
			hint := rules.DidYouMean(key, known)
			if hint == "" {
				hint = "known here: " + strings.Join(known, ", ")
			}
			faults = append(faults, doc.AtKey(at+"/"+key, "unknown key %q", key).WithHint(hint))
			delete(written, key)
		}
	}
	spec, err := decodeScanner(written)
	if err != nil {
		return s, append(faults, doc.At(at, "%s", err))
	}
	s = scanner{Clamd: spec.Clamd, ICAP: spec.ICAP, Descriptors: spec.Method == "fildes", CAFile: spec.CAFile, Workers: 4, Waiting: 32, ConnectTimeout: 2 * time.Second, Remember: 10_000}
	most := int64(math.MaxInt64)
	if spec.Clamd != "" {
		s.MaxSize, most = scan.DefaultClamdSize, scan.MostClamdSize
	}
	faults = append(faults, sizeAt(doc, at+"/max_size", spec.MaxSize, most, &s.MaxSize)...)
	faults = append(faults, countAt(doc, at+"/workers", spec.Workers, &s.Workers)...)
	faults = append(faults, countAt(doc, at+"/waiting", spec.Waiting, &s.Waiting)...)
	faults = append(faults, countAt(doc, at+"/remember", spec.Remember, &s.Remember)...)
	if spec.ConnectTimeout != "" {
		s.ConnectTimeout, err = time.ParseDuration(spec.ConnectTimeout)
		if err != nil || s.ConnectTimeout < time.Millisecond || s.ConnectTimeout > time.Minute {
			faults = append(faults, doc.At(at+"/connect_timeout", "%q is not a time such as 500ms or 2s, from 1ms to 1m", spec.ConnectTimeout))
		}
	}
	return s, append(faults, s.address(doc, at, asWritten)...)
}

func decodeScanner(written map[string]json.RawMessage) (spec scannerSpec, err error) {
	text, err := json.Marshal(written)
	if err != nil {
		return spec, fmt.Errorf("the scanner cannot be read: %w", err)
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return spec, fmt.Errorf("the scanner cannot be read: %w", err)
	}
	return spec, nil
}

// address looks at where the scanner is, and at the keys that only go with
// another kind of address.
func (s *scanner) address(doc *document.Document, at string, asWritten map[string]any) (faults document.Faults) {
	_, clamd := asWritten["clamd"] // Also where what it says is of the wrong type.
	_, icap := asWritten["icap"]
	switch {
	case clamd && icap:
		return document.Faults{doc.AtKey(at+"/icap", "a scanner has one address: clamd or icap").WithHint("make it two scanners")}
	case !clamd && !icap:
		return document.Faults{doc.AtKey(at, "nothing says where the scanner is").WithHint("add clamd: unix:/run/clamav/clamd.ctl, or icap: icap://host:port/service")}
	}
	others := []string{"ca_file"}
	if icap {
		others = []string{"method", "connect_timeout"}
	}
	for _, key := range others {
		if _, has := asWritten[key]; has {
			faults = append(faults, doc.AtKey(at+"/"+key, "%s is of no use to this scanner", key).WithHint("leave it out"))
		}
	}
	if len(faults) == 0 && s.Clamd+s.ICAP != "" {
		faults = s.reachable(doc, at)
	}
	return faults
}

// reachable looks at the address itself. It connects to nothing.
func (s *scanner) reachable(doc *document.Document, at string) document.Faults {
	bare := *s
	bare.MaxSize, bare.ConnectTimeout, bare.Descriptors, bare.CAFile = 0, 0, false, ""
	if _, err := bare.client(); err != nil {
		if s.Clamd != "" {
			return document.Faults{doc.At(at+"/clamd", "%s", err)}
		}
		return document.Faults{doc.At(at+"/icap", "%s", err)}
	}
	bare.Descriptors, bare.CAFile = s.Descriptors, s.CAFile
	if _, err := bare.client(); err != nil {
		if s.Clamd != "" {
			return document.Faults{doc.At(at+"/method", "%s", err).WithHint("write method: stream")}
		}
		return document.Faults{doc.At(at+"/ca_file", "%s", err)}
	}
	return nil
}

func (s *scanner) client() (scan.Scanner, error) {
	if s.Clamd != "" {
		return scan.NewClamd(scan.ClamdOptions{Address: s.Clamd, MaxSize: s.MaxSize, Descriptors: s.Descriptors, ConnectTimeout: s.ConnectTimeout})
	}
	return scan.NewICAP(scan.ICAPOptions{URL: s.ICAP, CAFile: s.CAFile, Limit: s.MaxSize})
}

// scannerSet is the scanners of a configuration, by name.
type scannerSet map[string]*scan.Pool

// openScanners returns the scanners of the configuration. It connects to none.
func (c *config) openScanners() (scannerSet, error) {
	set := scannerSet{}
	for _, s := range c.scanners {
		client, err := s.client()
		if err != nil {
			return nil, fmt.Errorf("the scanner %s: %w", s.Name, err)
		}
		set[s.Name] = scan.NewPool(client, scan.PoolOptions{Name: s.Name, Gate: rules.NewGate(s.Workers, s.Waiting), Remember: s.Remember})
	}
	return set, nil
}

// named is what rules.Env.Scanners wants.
func (set scannerSet) named(name string) (*scan.Pool, error) {
	if pool, ok := set[name]; ok {
		return pool, nil
	}
	if len(set) == 0 {
		return nil, errors.New("the service's configuration has no scanners")
	}
	return nil, unknown("scanner", name, slices.Sorted(maps.Keys(set)))
}

// unknown is the mistake of naming something that the configuration does not
// have.
func unknown(what, name string, known []string) error {
	hint := rules.DidYouMean(name, known)
	if hint == "" {
		hint = "configured: " + strings.Join(known, ", ")
	}
	return rules.At("", "no %s of the configuration is called %q", what, name).WithHint("%s", hint)
}
