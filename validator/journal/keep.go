package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// keep compresses closed segments and removes old ones, until the log is closed.
func (j *Journal) keep() {
	defer close(j.tidy)
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		j.tidyOnce()
		select {
		case <-j.due:
		case <-tick.C:
		case <-j.stop:
			return
		}
	}
}

// stopping reports whether the log is being closed, with which everything else
// ends.
func (j *Journal) stopping() bool {
	select {
	case <-j.stop:
		return true
	default:
		return false
	}
}

// tidyOnce does what is due with closed segments. What fails is told, and tried
// again the next time.
func (j *Journal) tidyOnce() {
	open, _, both, err := listBoth(j.o.Dir)
	j.mu.Lock()
	writing := j.writing
	j.mu.Unlock()
	for _, name := range both { // It ended between the two.
		if err := finishCompressed(j.o.Dir, name); err != nil {
			j.tell(Happening{What: Untidy, Detail: name.file(openEnding) + " is there twice", Err: err})
		}
	}
	for _, name := range open {
		if name == writing || j.stopping() {
			continue
		}
		switch err := compress(j.o.Dir, name, j.stopping); {
		case errors.Is(err, errStopped):
		case err != nil:
			j.tell(Happening{What: Uncompressed, Detail: name.file(openEnding) + " stays as it is", Err: err})
		default:
			j.tell(Happening{What: Compressed, Detail: name.file(closedEnding)})
		}
	}
	if err == nil && !j.stopping() {
		err = j.remove()
	}
	if err != nil {
		j.tell(Happening{What: Untidy, Detail: "old segments may still be there", Err: err})
	}
}

// kept is a closed segment.
type kept struct {
	name segmentName
	next segmentName // the segment behind it, which says where it ends
	size int64
	// ended is when it was closed at the latest: its file's time, or that of one
	// behind it if that is earlier, as after the clock was wrong.
	ended time.Time
}

// keptSegments lists what is there, from the first to the last, and how large all
// of it is.
func keptSegments(dir string) (list []kept, total int64, err error) {
	open, closed, err := segments(dir)
	if err != nil {
		return nil, 0, err
	}
	all := slices.Sorted(slices.Values(slices.Concat(open, closed)))
	for i, name := range all {
		k := kept{name: name}
		ending := openEnding
		if slices.Contains(closed, name) {
			ending = closedEnding
		}
		info, err := os.Stat(filepath.Join(dir, name.file(ending)))
		if err != nil {
			return nil, 0, err
		}
		k.size, k.ended = info.Size(), info.ModTime()
		if i+1 < len(all) {
			k.next = all[i+1]
		}
		total += k.size
		if ending == closedEnding {
			list = append(list, k)
		}
	}
	for i := len(list) - 2; i >= 0; i-- {
		if list[i+1].ended.Before(list[i].ended) {
			list[i].ended = list[i+1].ended
		}
	}
	return list, total, nil
}

// remove removes the oldest closed segments, as far as the log is too large or
// they are too old, and counts what is left. The last segment stays: it says where
// the log ends.
func (j *Journal) remove() error {
	list, total, err := keptSegments(j.o.Dir)
	if err != nil {
		return err
	}
	hold := ^uint64(0)
	if j.o.Hold != nil {
		hold = j.o.Hold()
	}
	removed := int64(0)
	for _, k := range list {
		old := j.o.KeepAge > 0 && j.o.Now().Sub(k.ended) > j.o.KeepAge
		large := j.o.KeepBytes > 0 && total-removed > j.o.KeepBytes
		if !old && !large || k.next == 0 {
			break
		}
		if uint64(k.next) > hold {
			j.tell(Happening{What: Held, Detail: fmt.Sprintf("%s is kept because a sink has read up to record %d only", k.name.file(closedEnding), hold-1)})
			break
		}
		if err := removeSegment(j.o.Dir, k.name); err != nil {
			return err
		}
		j.tell(Happening{What: Removed, Detail: fmt.Sprintf("%s with the records up to %d, closed at %s", k.name.file(closedEnding), uint64(k.next)-1, k.ended.UTC().Format(time.RFC3339))})
		removed += k.size
	}
	return j.count()
}

// count counts what is there.
func (j *Journal) count() error {
	open, closed, err := segments(j.o.Dir)
	if err != nil {
		return err
	}
	_, total, err := keptSegments(j.o.Dir)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats.Segments, j.stats.KeptBytes = len(closed)+len(open), total
	return nil
}

// removeSegment removes a segment before its index, without which that is
// nothing.
func removeSegment(dir string, name segmentName) error {
	if err := os.Remove(filepath.Join(dir, name.file(closedEnding))); err != nil {
		return err
	}
	err := os.Remove(filepath.Join(dir, name.file(indexEnding)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
