//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// scans keep every worker of a scanner busy, and as many files waiting behind
// them, until they are ended.
type scans struct {
	server  *server
	scanner string
	files   []string
	done    atomic.Int64 // files that were answered
	over    atomic.Bool
	working sync.WaitGroup
	failed  chan error // the first error
}

// scanWorkers is how many files are with a scanner at once: what the
// configuration of the service says if nobody changes it.
const scanWorkers = 4

// scannedFiles makes the files for a scanner: as many as are with it and wait.
// Each is different from all others.
func (b *bench) scannedFiles(scanner string, size int) (files []string, err error) {
	block := make([]byte, 1<<20)
	for i := range 2 * scanWorkers {
		name := filepath.Join(b.dir, "scanned", scanner, fmt.Sprintf("clip-%d.mov", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		f, err := os.Create(name)
		if err != nil {
			return nil, err
		}
		random := rand.NewChaCha8([32]byte{2, byte(i)})
		for at := 0; at < size && err == nil; at += len(block) {
			_, _ = random.Read(block) // It never fails.
			_, err = f.Write(block[:min(len(block), size-at)])
		}
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return nil, err
		}
		files = append(files, name)
	}
	return files, nil
}

// begin posts the event of a file that stopped for each of the files, and again
// when it is answered, until end. It returns when all workers are busy.
func (b *bench) begin(ctx context.Context, s *server, scanner, stopped string, files []string) (*scans, error) {
	w := &scans{server: s, scanner: scanner, files: files, failed: make(chan error, 1)}
	for _, name := range files {
		w.working.Add(1)
		go func() {
			defer w.working.Done()
			body := strings.Replace(stopped, "/ingest/film/clip.mov", "/scanned/"+scanner+"/"+filepath.Base(name), 1)
			for !w.over.Load() {
				if err := w.scan(ctx, name, body); err != nil {
					select {
					case w.failed <- err:
					default:
					}
					return
				}
			}
		}()
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		busy, err := w.busy(ctx)
		if err != nil || busy == scanWorkers {
			return w, err
		}
		if time.Now().After(end) {
			return w, fmt.Errorf("%d of %d workers of the scanner %s are busy after 20 s", busy, scanWorkers, scanner)
		}
	}
}

// scan has one file scanned. It changes the file first, so that no scanner knows
// it again.
func (w *scans) scan(ctx context.Context, name, body string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(binary.LittleEndian.AppendUint64(nil, rand.Uint64()), 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.server.events, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the scan of %s was answered by %s", name, response.Status)
	}
	w.done.Add(1)
	return nil
}

// busy returns how many workers of the scanner are busy, as the service says.
func (w *scans) busy(ctx context.Context) (n int, err error) {
	select {
	case err := <-w.failed:
		return 0, err
	default:
	}
	text, err := get(ctx, w.server.admin+"/metrics")
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(text, "\nsluice_scans_in_progress{scanner=\""+w.scanner+"\"} ")
	if !found {
		return 0, fmt.Errorf("the service has no sluice_scans_in_progress of %s", w.scanner)
	}
	_, err = fmt.Sscan(rest, &n)
	return n, err
}

// end lets what is under way be answered, and returns the first error there was.
func (w *scans) end() error {
	w.over.Store(true)
	w.working.Wait()
	select {
	case err := <-w.failed:
		return err
	default:
		return nil
	}
}
