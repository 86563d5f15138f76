package journal_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/journal"
)

func options(dir string) journal.Options {
	return journal.Options{
		Dir: dir, Instance: "test", Patience: 10 * time.Second, Interval: 10 * time.Millisecond,
		SegmentSize: 1 << 20, SegmentAge: time.Hour, Now: time.Now,
	}
}

func TestRecordsOfManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(options(dir))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 50 {
				e := &rules.Event{Received: time.Now(), Phase: rules.PhaseStart, User: "x\u202ey", File: rules.ParsePath("/a/b.mov"), Tags: rules.Tags{Raw: `{"a": {"password": "x", "b":[1, 2]}}`}}
				if err := j.Append(e, &rules.Decision{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	t.Log(files, j.Stats())
	text, _ := os.ReadFile(files[0])
	t.Log(string(text[len(text)-2000:]))
}

func BenchmarkAppend(b *testing.B) {
	o := options(b.TempDir())
	o.Durability, o.SegmentSize = journal.Off, 1<<30
	j, err := journal.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	r := &rules.Rule{Policy: "partner-ingest", Name: "finished-video-only", Kind: "extension"}
	e := &rules.Event{Received: time.Now(), Phase: rules.PhaseStart, User: "xfer", File: rules.ParsePath("/ingest/film/clip-0001.mov"), SessionID: "d1c9a6e2-8c2b-4a35-9d07-3b5a7d1c1b77", TransferID: "d1c9a6e2-8c2b-4a35-9d07-3b5a7d1c1b77", Size: rules.Known(1234567), Host: "hst-eu-1", ClientIP: "203.0.113.7", Cipher: "aes-256", RatePolicy: "fair", Tags: rules.Tags{Raw: `{"aspera":{"xfer_id":"d1c9a6e2-8c2b-4a35-9d07-3b5a7d1c1b77","node":{"access_key":"k"}},"project":"film"}`}}
	d := &rules.Decision{Steps: []rules.Step{{Rule: r}, {Rule: r}, {Rule: r}}}
	b.ReportAllocs()
	for b.Loop() {
		if err := j.Append(e, d); err == journal.ErrBacklog {
			time.Sleep(time.Millisecond)
		}
	}
}
