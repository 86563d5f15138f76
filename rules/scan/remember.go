package scan

import (
	"container/list"
	"sync"
	"time"
)

// File tells one state of one file from every other on the machine.
type File struct {
	Device, Inode uint64
	// Size is in bytes.
	Size int64
	// Modified is when the content was last changed, and Status when anything
	// was, in nanoseconds of Unix time.
	Modified, Status int64
}

// What the time stamps of a file must be older than before they tell its states
// apart: a file that is changed twice between two ticks of the system's clock has
// the same stamps. Some file systems know whole seconds only.
const (
	tick       = 20 * time.Millisecond
	wholeTicks = 2 * time.Second
)

// settled reports whether a change of the file from now on would show in its
// stamps.
func (f File) settled(now time.Time) bool {
	if f.Inode == 0 { // It is known by nothing.
		return false
	}
	least := tick
	if f.Modified%int64(time.Second) == 0 && f.Status%int64(time.Second) == 0 {
		least = wholeTicks
	}
	return now.UnixNano()-max(f.Modified, f.Status) >= int64(least)
}

// question is what an answer is remembered for: a state of a file, and what the
// scanner knew then.
type question struct {
	file       File
	signatures string
}

// memory keeps answers, and lets whoever asks the same question at the same time
// wait for one answer. It is safe for concurrent use.
type memory struct {
	most int
	life time.Duration
	now  func() time.Time

	mu    sync.Mutex
	known map[question]*list.Element
	order *list.List // of *remembered, the one last used first
	asked map[question]chan struct{}
}

// remembered is an answer and when it was given.
type remembered struct {
	question question
	answer   Answer
	at       time.Time
}

func newMemory(most int, life time.Duration, now func() time.Time) *memory {
	return &memory{
		most: most, life: life, now: now,
		known: map[question]*list.Element{}, order: list.New(), asked: map[question]chan struct{}{},
	}
}

// ask looks a question up. Where the answer is not known, either somebody else
// is asking, and wait is closed when that has ended; or the caller is to ask and
// to call done, with an answer to remember or nil.
func (m *memory) ask(q question) (known *Answer, wait <-chan struct{}, done func(*Answer)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.known[q]; ok {
		if r := e.Value.(*remembered); m.now().Sub(r.at) < m.life {
			m.order.MoveToFront(e)
			answer := r.answer
			return &answer, nil, nil
		}
		m.forget(e)
	}
	if asking, ok := m.asked[q]; ok {
		return nil, asking, nil
	}
	asking := make(chan struct{})
	m.asked[q] = asking
	return nil, nil, func(a *Answer) { m.end(q, asking, a) }
}

// end keeps an answer and wakes who waits for it.
func (m *memory) end(q question, asking chan struct{}, a *Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.asked, q)
	close(asking)
	if a == nil || m.most <= 0 {
		return
	}
	m.known[q] = m.order.PushFront(&remembered{q, *a, m.now()})
	for m.order.Len() > m.most {
		m.forget(m.order.Back())
	}
}

func (m *memory) forget(e *list.Element) {
	delete(m.known, m.order.Remove(e).(*remembered).question)
}

// size returns how many answers are remembered.
func (m *memory) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.order.Len()
}
