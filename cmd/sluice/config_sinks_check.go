package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/validator/journal/sinks"
)

// checkSyslog looks at what the schema cannot.
func (spec *sinkSpec) checkSyslog(doc *document.Document, at string) (faults document.Faults) {
	if err := sinks.CheckSyslog(spec.Syslog); err != nil {
		faults = append(faults, doc.At(at+"/syslog", "%s", err).WithHint("such as tls://siem.example.com:6514"))
	} else if rest, plain := strings.CutPrefix(spec.Syslog, "tcp://"); plain && spec.CAFile != "" {
		faults = append(faults, doc.AtKey(at+"/ca_file", "tcp:// is not encrypted, and verifies nobody").WithHint("write tls://"+rest))
	}
	if spec.Facility != "" && !slices.Contains(sinks.Facilities(), spec.Facility) {
		faults = append(faults, doc.At(at+"/facility", "there is no facility %q", spec.Facility).WithHint("one of "+strings.Join(sinks.Facilities(), ", ")))
	}
	if spec.StructuredData != "" {
		if err := sinks.CheckDataID(spec.StructuredData); err != nil {
			faults = append(faults, doc.At(at+"/structured_data", "%s", err))
		}
	}
	return append(faults, spec.checkPair(doc, at)...)
}

// checkStore looks at what the schema cannot. Whoever reads the stream takes it for
// the log.
func (spec *sinkSpec) checkStore(doc *document.Document, at string) (faults document.Faults) {
	if root, _ := doc.Tree.(map[string]any); root["state"] == nil {
		faults = append(faults, doc.AtKey(at+"/store", "there is no policy store").WithHint("write state, which names it"))
	}
	if spec.Fields == "ecs" {
		faults = append(faults, doc.At(at+"/fields", "the policy store takes the log's own fields only, so that it can be searched like the log").WithHint("leave fields out"))
	}
	return faults
}

// storeSinks counts the sinks to the policy store.
func storeSinks(all map[string]any) (n int) {
	for _, sink := range all {
		if written, _ := sink.(map[string]any); written["store"] != nil {
			n++
		}
	}
	return n
}

// checkPair looks for a certificate without its key, and the other way round.
func (spec *sinkSpec) checkPair(doc *document.Document, at string) document.Faults {
	if (spec.CertFile == "") != (spec.KeyFile == "") {
		return document.Faults{doc.AtKey(at, "cert_file and key_file go together")}
	}
	return nil
}

// headerName is what names of headers look like here.
var headerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)

// check looks at what the schema cannot.
func (h *sinkHTTPSpec) check(doc *document.Document, at string) (faults document.Faults) {
	if h.URL != "" { // Otherwise the schema has complained.
		if err := sinks.CheckURL(h.URL); err != nil {
			fault := doc.At(at+"/url", "%s", err)
			fault.Source = "" // It may have a password.
			faults = append(faults, fault)
		}
	}
	if h.Format == "splunk_hec" {
		if h.TokenFile == "" {
			faults = append(faults, doc.At(at+"/format", "Splunk's event collector wants a token").WithHint("add token_file: FILE"))
		}
		if h.Layout != "" {
			faults = append(faults, doc.AtKey(at+"/layout", "the format splunk_hec has a layout of its own").WithHint("leave layout out"))
		}
	} else {
		for _, key := range []struct{ name, value string }{
			{"token_file", h.TokenFile}, {"index", h.Index}, {"sourcetype", h.SourceType}, {"source", h.Source},
		} {
			if key.value != "" {
				faults = append(faults, doc.AtKey(at+"/"+key.name, "%s is for the format splunk_hec", key.name).WithHint("add format: splunk_hec, or leave "+key.name+" out"))
			}
		}
	}
	for _, key := range []struct {
		name   string
		values map[string]string
	}{{"headers", h.Headers}, {"header_files", h.HeaderFiles}} {
		for _, name := range slices.Sorted(maps.Keys(key.values)) {
			place := at + "/" + key.name + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			faults = append(faults, checkHeader(doc, place, name, key.values[name])...)
		}
	}
	return faults
}

func checkHeader(doc *document.Document, at, name, value string) document.Faults {
	switch strings.ToLower(name) {
	case "host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection":
		return document.Faults{doc.AtKey(at, "the header %s is set by the sink itself", name)}
	}
	if !headerName.MatchString(name) {
		return document.Faults{doc.AtKey(at, "%q is no name of a header", name)}
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return document.Faults{doc.At(at, "a header has one line, of text that prints")}
	}
	return nil
}

// fittingSink looks at whether a sink names one place, and has no settings of
// another.
func fittingSink(doc *document.Document, at, name string) (faults document.Faults) {
	root, _ := doc.Tree.(map[string]any)
	journal, _ := root["journal"].(map[string]any)
	all, _ := journal["sinks"].(map[string]any)
	written, ok := all[name].(map[string]any)
	if !ok {
		return nil // The schema has complained.
	}
	var places []string
	for _, place := range []string{"file", "syslog", "http", "store"} {
		if _, has := written[place]; has {
			places = append(places, place)
		}
	}
	if len(places) != 1 {
		return document.Faults{doc.AtKey(at, "the sink %s must have one of file, syslog, http and store", name)}
	}
	if places[0] == "store" && storeSinks(all) > 1 {
		return document.Faults{doc.AtKey(at+"/store", "several sinks with store would send the same log to one stream").WithHint("leave one of them")}
	}
	for _, key := range []struct{ name, places string }{
		{"fsync", "file"},
		{"facility", "syslog"},
		{"app_name", "syslog"},
		{"msgid", "syslog"},
		{"structured_data", "syslog"},
		{"ca_file", "syslog http"},
		{"cert_file", "syslog http"},
		{"key_file", "syslog http"},
		{"timeout", "syslog http store"},
	} {
		if _, has := written[key.name]; has && !slices.Contains(strings.Fields(key.places), places[0]) {
			faults = append(faults, doc.AtKey(at+"/"+key.name, "%s is not for a sink with %s", key.name, places[0]).WithHint("leave "+key.name+" out"))
		}
	}
	return faults
}
