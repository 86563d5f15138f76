//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// probe asks a server beside the load, again and again, and notes how much CPU
// the server used between each question and its answer. On one core that is how
// long the question waited for the server itself; what other processes do to
// the machine meanwhile is not in it.
type probe struct {
	server *server
	body   string
	over   chan struct{}
	done   sync.WaitGroup
	used   []float64 // in microseconds
	err    error
}

// probePause is the longest time between an answer and the next question.
const probePause = 4 * time.Millisecond

func newProbe(ctx context.Context, s *server, body string) *probe {
	p := &probe{server: s, body: body, over: make(chan struct{})}
	p.done.Add(1)
	go func() {
		defer p.done.Done()
		client := http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		for p.err == nil {
			select {
			case <-p.over:
				return
			case <-time.After(rand.N(probePause)):
				p.err = p.ask(ctx, &client)
			}
		}
	}()
	return p
}

func (p *probe) ask(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.server.events, strings.NewReader(p.body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	before, err := clockOf(p.server.process.Process.Pid)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	after, err := clockOf(p.server.process.Process.Pid)
	_, _ = io.Copy(io.Discard, response.Body) // So that the connection is used again.
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("a probe was answered by %s", response.Status)
	}
	p.used = append(p.used, float64(after-before)/float64(time.Microsecond))
	return err
}

// end returns the 99th percentile.
func (p *probe) end() (p99 float64, err error) {
	close(p.over)
	p.done.Wait()
	if p.err != nil || len(p.used) == 0 {
		return 0, fmt.Errorf("a probe: %w", p.err)
	}
	slices.Sort(p.used)
	return p.used[len(p.used)*99/100], nil
}

// clockOf returns how much CPU a process has used, to the nanosecond.
func clockOf(pid int) (time.Duration, error) {
	var t syscall.Timespec
	// Linux makes the number of a process's clock of its id: see clock_getcpuclockid.
	if _, _, e := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(^pid<<3|2), uintptr(unsafe.Pointer(&t)), 0); e != 0 {
		return 0, fmt.Errorf("reading the CPU clock of process %d: %w", pid, e)
	}
	return time.Duration(t.Nano()), nil
}
