package sinks

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// HTTPFormat is what a batch is.
type HTTPFormat uint8

// The formats of batches.
const (
	// JSONLines is one record a line.
	JSONLines HTTPFormat = iota
	// JSONArray is an array of records.
	JSONArray
	// SplunkHEC is what Splunk's HTTP event collector takes.
	SplunkHEC
)

func (f HTTPFormat) contentType() string {
	switch f {
	case JSONLines:
		return "application/x-ndjson"
	default:
		return "application/json"
	}
}

// append appends a batch.
func (o *httpOut) append(to *bytes.Buffer, batch []item) {
	for i := range batch {
		switch o.Format {
		case JSONArray:
			to.WriteByte("[,"[min(i, 1)])
			to.Write(batch[i].text)
		case SplunkHEC:
			o.appendEvent(to, &batch[i])
		default:
			to.Write(batch[i].text)
			to.WriteByte('\n')
		}
	}
	if o.Format == JSONArray {
		to.WriteByte(']')
	}
}

// appendEvent appends a record in the collector's envelope.
func (o *httpOut) appendEvent(to *bytes.Buffer, i *item) {
	at := i.record.Time
	fmt.Fprintf(to, `{"time":%d.%06d`, at.Unix(), at.Nanosecond()/1000)
	host := i.record.Instance
	if host == "" {
		host = o.instance
	}
	for _, member := range [...]struct{ name, value string }{
		{"host", host}, {"source", o.Source}, {"sourcetype", o.SourceType}, {"index", o.Index},
	} {
		if member.value == "" {
			continue
		}
		text, _ := json.Marshal(member.value) // A text can be written.
		fmt.Fprintf(to, `,%q:%s`, member.name, text)
	}
	to.WriteString(`,"event":`)
	to.Write(i.text)
	to.WriteByte('}')
}
