package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"
)

// keep compresses closed segments and removes old ones, until the log is closed.
func (j *Journal) keep() {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		j.tidy()
		select {
		case <-j.closed:
		case <-tick.C:
		case <-j.done:
			return
		}
	}
}

// tidy does what is due with closed segments. What fails is told, and tried again
// the next time.
func (j *Journal) tidy() {
	open, _, err := segments(j.o.Dir)
	for i, name := range open {
		if i == len(open)-1 { // It is written to, or will be.
			break
		}
		if err := compress(j.o.Dir, name); err != nil {
			j.tell(Happening{What: "uncompressed", Detail: name.file(openEnding) + " stays as it is", Err: err})
			continue
		}
		j.tell(Happening{What: "compressed", Detail: name.file(closedEnding)})
	}
	if err == nil {
		err = j.remove()
	}
	if err != nil {
		j.tell(Happening{What: "untidy", Detail: "old segments may still be there", Err: err})
	}
}

// remove removes the oldest closed segments, as far as the log is too large or
// they are too old, and counts what is left.
func (j *Journal) remove() error {
	open, closed, err := segments(j.o.Dir)
	if err != nil {
		return err
	}
	total := int64(0)
	sizes := make([]int64, len(closed))
	for i, name := range closed {
		if sizes[i], err = sizeOf(j.o.Dir, name.file(closedEnding)); err != nil {
			return err
		}
		total += sizes[i]
	}
	for _, name := range open {
		size, err := sizeOf(j.o.Dir, name.file(openEnding))
		if err != nil {
			return err
		}
		total += size
	}
	removed := 0
	for i, name := range closed {
		index, err := ReadIndex(j.o.Dir, uint64(name))
		if err != nil {
			return err
		}
		old := j.o.KeepAge > 0 && j.o.Now().Sub(index.To) > j.o.KeepAge
		large := j.o.KeepBytes > 0 && total > j.o.KeepBytes
		if !old && !large {
			break
		}
		if err := removeSegment(j.o.Dir, name); err != nil {
			return err
		}
		j.tell(Happening{What: "removed", Detail: fmt.Sprintf("%s with the decisions from %s to %s", name.file(closedEnding), index.From.Format(time.RFC3339), index.To.Format(time.RFC3339))})
		total -= sizes[i]
		removed++
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats.Segments, j.stats.KeptBytes = len(closed)-removed+len(open), total
	return nil
}

func sizeOf(dir, file string) (int64, error) {
	info, err := os.Stat(filepath.Join(dir, file))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func removeSegment(dir string, name segmentName) error {
	err := os.Remove(filepath.Join(dir, name.file(indexEnding)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Remove(filepath.Join(dir, name.file(closedEnding)))
}

// compress replaces a segment by its compressed form with an index. What is
// there before is removed when both are on disk.
func compress(dir string, name segmentName) error {
	from, err := os.Open(filepath.Join(dir, name.file(openEnding)))
	if err != nil {
		return err
	}
	defer from.Close()
	index := newIndexing()
	if err := replace(filepath.Join(dir, name.file(closedEnding)), func(to io.Writer) error { return pack(from, to, index) }); err != nil {
		return fmt.Errorf("compressing %s: %w", name.file(openEnding), err)
	}
	if err := writeIndex(dir, name, index); err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, name.file(openEnding)))
}

// pack compresses lines and notes what they are.
func pack(from io.Reader, to io.Writer, index *indexing) error {
	packer, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	lines := bufio.NewReaderSize(from, 1<<16)
	for {
		line, err := readLine(lines)
		if len(line) > 0 {
			index.add(line)
			if _, err := packer.Write(line); err != nil {
				return errors.Join(err, packer.Close())
			}
		}
		if errors.Is(err, io.EOF) {
			return packer.Close()
		}
		if err != nil {
			return errors.Join(err, packer.Close())
		}
	}
}

// replace writes a file that is either whole on disk or not there.
func replace(name string, write func(io.Writer) error) error {
	temporary := name + ".new"
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if err := os.Rename(temporary, name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}
