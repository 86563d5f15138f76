package journal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/klauspost/compress/zstd"
)

// noDisk takes everything and keeps nothing.
type noDisk struct{}

func (noDisk) Create(string) (diskFile, error) { return noFile{}, nil }
func (noDisk) Open(string) (diskFile, error)   { return noFile{}, nil }

type noFile struct{}

func (noFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (noFile) Truncate(int64) error                   { return nil }
func (noFile) Sync() error                            { return nil }
func (noFile) Close() error                           { return nil }
func (noFile) Linked() error                          { return nil }

// badDisk is the disk of the operating system with faults. What is not synced is
// lost in part when the machine stops.
type badDisk struct {
	osDisk
	mu sync.Mutex
	// fault, when not nil, is asked before an operation: create, open, write,
	// truncate, sync. Of a write that fails, part is written.
	fault func(operation string) error
	// part is how much of a write that fails is written.
	part float64
	// cheap asks nothing of the real disk that takes its time.
	cheap bool
	// synced is how far files are safe.
	synced map[string]int64
}

func (d *badDisk) set(fault func(string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fault
}

func (d *badDisk) ask(operation string) error {
	d.mu.Lock()
	fault := d.fault
	d.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(operation)
}

func (d *badDisk) Create(name string) (diskFile, error) {
	if err := d.ask("create"); err != nil {
		return nil, err
	}
	d.mark(name, 0)
	if d.cheap {
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o640)
		return &badFile{osFile{file}, name, d}, err
	}
	file, err := d.osDisk.Create(name)
	return &badFile{file, name, d}, err
}

func (d *badDisk) Open(name string) (diskFile, error) {
	if err := d.ask("open"); err != nil {
		return nil, err
	}
	file, err := d.osDisk.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(name)
	d.mark(name, info.Size())
	return &badFile{file, name, d}, err
}

func (d *badDisk) mark(name string, size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.synced == nil {
		d.synced = map[string]int64{}
	}
	d.synced[name] = size
}

type badFile struct {
	diskFile
	name string
	disk *badDisk
}

func (f *badFile) WriteAt(p []byte, at int64) (int, error) {
	if err := f.disk.ask("write"); err != nil {
		f.disk.mu.Lock()
		part := int(float64(len(p)) * f.disk.part)
		f.disk.mu.Unlock()
		n, _ := f.diskFile.WriteAt(p[:part], at)
		return n, err
	}
	return f.diskFile.WriteAt(p, at)
}

func (f *badFile) Truncate(size int64) error {
	if err := f.disk.ask("truncate"); err != nil {
		return err
	}
	return f.diskFile.Truncate(size)
}

func (f *badFile) Sync() error {
	if err := f.disk.ask("sync"); err != nil {
		return err
	}
	if !f.disk.cheap {
		if err := f.diskFile.Sync(); err != nil {
			return err
		}
	}
	info, err := os.Stat(f.name)
	if err == nil {
		f.disk.mark(f.name, info.Size())
	}
	return nil
}

// failsAt fails operations of a name.
func failsAt(operations ...string) func(string) error {
	return func(operation string) error {
		if slices.Contains(operations, operation) {
			return syscall.ENOSPC
		}
		return nil
	}
}

// readChain reads a log, and fails unless it is in order.
func readChain(dir string) (records []Record, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl*"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var lines [][]byte
	for _, file := range files {
		if !strings.HasSuffix(file, ".jsonl") && !strings.HasSuffix(file, ".zst") {
			continue
		}
		text, err := unpacked(file)
		if err != nil {
			return nil, err
		}
		if len(text) > 0 && text[len(text)-1] != '\n' {
			return nil, fmt.Errorf("%s ends in the middle of a line", file)
		}
		in := bufio.NewScanner(bytes.NewReader(text))
		in.Buffer(nil, 8<<20)
		for in.Scan() {
			lines = append(lines, bytes.Clone(in.Bytes()))
		}
	}
	previous := strings.Repeat("0", 64)
	for i, line := range lines {
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("line %d: %w: %q", i+1, err, line)
		}
		if r.Sequence != uint64(i+1) || r.Previous != previous {
			return nil, fmt.Errorf("line %d of %d has number %d, and %s before it for %s", i+1, len(lines), r.Sequence, r.Previous, previous)
		}
		sum := sha256.Sum256(line)
		previous = hex.EncodeToString(sum[:])
		records = append(records, r)
	}
	return records, nil
}

func unpacked(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil || !strings.HasSuffix(file, ".zst") {
		return text, err
	}
	unpacker, err := zstd.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	defer unpacker.Close()
	all, err := io.ReadAll(unpacker)
	return all, errors.Join(err)
}
