package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// What a cache has beside a folder for each revision.
const (
	cacheLock    = "lock"
	cacheCurrent = "current.json"
)

// errNoCurrent says that a cache has no revision.
var errNoCurrent = errors.New("there is no revision in it")

// cache is a folder with the last good revision, and with the one that was tried
// last if that is another. One process has it. Its methods are called one at a time.
type cache struct {
	dir     string
	root    *os.Root
	unlock  func() error
	now     *current // the last good one, nil if there is none
	written time.Time
}

// current is what cacheCurrent has.
type current struct {
	Number    uint64    `json:"number"`
	Folder    string    `json:"folder"`
	Confirmed time.Time `json:"confirmed"`
	Revision  Revision  `json:"revision"`
}

// openCache opens a cache, and removes what a process left unfinished in it.
func openCache(ctx context.Context, dir string) (*cache, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, cacheLock))
	waiting, stop := context.WithTimeout(ctx, joinTime)
	defer stop()
	if _, err := lock.TryLockContext(waiting, 50*time.Millisecond); errors.Is(err, context.DeadlineExceeded) {
		return nil, errors.New("another process uses it: give each service a folder of its own")
	} else if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	c := &cache{dir: dir, root: root, unlock: lock.Unlock}
	c.now, err = c.read()
	if err == nil || errors.Is(err, errNoCurrent) {
		err = c.prune("")
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *cache) path(folder string) string { return filepath.Join(c.dir, folder) }

func (c *cache) close() error { return errors.Join(c.root.Close(), c.unlock()) }

// read reads which revision is the last good one. What cannot be read is as good as
// none: it is fetched again.
func (c *cache) read() (*current, error) {
	text, err := c.root.ReadFile(cacheCurrent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoCurrent
	}
	if err != nil {
		return nil, err
	}
	var now current
	if err := json.Unmarshal(text, &now); err != nil {
		return nil, fmt.Errorf("%w: %s cannot be read: %w", errNoCurrent, cacheCurrent, err)
	}
	now.Revision.Number = now.Number
	if folder, err := folderOf(&now.Revision); err != nil || folder != now.Folder || now.Revision.check() != nil {
		return nil, fmt.Errorf("%w: %s was changed", errNoCurrent, cacheCurrent)
	}
	return &now, nil
}

// current returns the last good revision if its files are as they were.
func (c *cache) current() (*current, error) {
	if c.now == nil {
		return nil, errNoCurrent
	}
	if err := verify(c.root, c.now.Folder, &c.now.Revision); err != nil {
		return nil, err
	}
	return c.now, nil
}

// use notes that a revision is the last good one, and removes the others.
func (c *cache) use(folder string, r Revision, confirmed time.Time) error {
	now := &current{r.Number, folder, confirmed.UTC(), r}
	if err := c.write(now); err != nil {
		return err
	}
	c.now = now
	return c.prune("")
}

// confirm notes when the engine was last heard.
func (c *cache) confirm(at time.Time) error {
	if c.now == nil || !at.After(c.now.Confirmed) {
		return nil
	}
	now := *c.now
	now.Confirmed = at.UTC()
	if err := c.write(&now); err != nil {
		return err
	}
	c.now = &now
	return nil
}

// write replaces cacheCurrent as a whole.
func (c *cache) write(now *current) error {
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	const name = unfinished + cacheCurrent
	file, err := c.root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := c.root.Rename(name, cacheCurrent); err != nil {
		return err
	}
	c.written = now.Confirmed
	return syncFolder(c.root, ".")
}

// prune removes all folders of revisions but that of the last good one and another,
// and what was left unfinished. What is not the cache's own stays.
func (c *cache) prune(other string) error {
	entries, err := fs.ReadDir(c.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if name == other || c.now != nil && name == c.now.Folder {
			continue
		}
		if strings.HasPrefix(name, folderPrefix) || strings.HasPrefix(name, unfinished) {
			if err := c.root.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// folderPrefix is what the names of the folders of revisions begin with.
const folderPrefix = "revision-"

// folderOf returns the folder of a revision. A store that began anew gives the same
// number to another revision, which has another folder.
func folderOf(r *Revision) (string, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return fmt.Sprintf("%s%d-%x", folderPrefix, r.Number, sum[:6]), nil
}
