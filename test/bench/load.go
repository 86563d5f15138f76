//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// load is what wrk sends.
type load struct {
	body        string
	connections int
	// fresh asks for a new connection for each request.
	fresh bool
	// pause is the longest time, in milliseconds, between an answer and the next
	// request of its connection; the times are random.
	pause int
}

// sample is what one turn of a server measured.
type sample struct {
	rate     float64 // requests a second
	p50, p99 float64 // of the time to the answer, in microseconds
	cpu      float64 // of the server, in microseconds a request
	own      float64 // p99 of the CPU that the server uses until it answers a probe, in microseconds; 0 without probes
}

// script is what makes wrk post and print what it counted in one line. Its
// first verb is the file of the body, its second what else is set.
const script = `wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = assert(io.open(%q, "rb"))
wrk.body = file:read("*a")
file:close()
%s
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("counted %%d %%d %%d %%d %%d %%d %%d %%f %%f\n", summary.requests, summary.duration,
    e.connect, e.read, e.write, e.timeout, e.status, latency:percentile(50), latency:percentile(99)))
end
`

// writeScript writes the script of a load and returns its name.
func (b *bench) writeScript(l load) (string, error) {
	body, name := filepath.Join(b.dir, "body.json"), filepath.Join(b.dir, "post.lua")
	more := ""
	if l.fresh {
		more = `wrk.headers["Connection"] = "close"`
	}
	if l.pause > 0 {
		more += fmt.Sprintf("\nfunction delay() return math.random(0, %d) end", l.pause)
	}
	if err := os.WriteFile(body, []byte(l.body), 0o600); err != nil {
		return "", err
	}
	return name, os.WriteFile(name, fmt.Appendf(nil, script, body, more), 0o600)
}

// take loads one server for a time, which is one turn. The others are paused
// meanwhile.
func (b *bench) take(ctx context.Context, s *server, l load, script string, length time.Duration) (sample, error) {
	if err := s.resume(); err != nil {
		return sample{}, err
	}
	m, err := b.hit(ctx, s, l, script, length)
	if err != nil {
		return sample{}, err
	}
	return m, errors.Join(s.pause(), s.settle())
}

// hit loads a server that runs.
func (b *bench) hit(ctx context.Context, s *server, l load, script string, length time.Duration) (sample, error) {
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	wrk := exec.CommandContext(ctx, "taskset", "-c", b.loadCPU, "wrk", "-t1", "-c"+strconv.Itoa(l.connections),
		"-d"+strconv.Itoa(int(length/time.Second))+"s", "--latency", "-s", script, s.events)
	text, err := wrk.CombinedOutput()
	if err != nil {
		return sample{}, fmt.Errorf("wrk against %s: %w\n%s", s.name, err, text)
	}
	after, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	if s.gone() {
		return sample{}, fmt.Errorf("%s is gone, so somebody else has answered", s.name)
	}
	m, err := parseCounts(string(text), after-before)
	if err != nil {
		return sample{}, fmt.Errorf("wrk against %s: %w\n%s", s.name, err, text)
	}
	return m, nil
}

// parseCounts reads the line of the script. An answer that is not 2xx, or none,
// is an error, because such an answer costs something else.
func parseCounts(text string, cpu time.Duration) (sample, error) {
	_, line, found := strings.Cut(text, "counted ")
	if !found {
		return sample{}, errors.New("it counted nothing")
	}
	var requests, micros, connect, read, write, timeout, status, p50, p99 float64
	if _, err := fmt.Sscanln(line, &requests, &micros, &connect, &read, &write, &timeout, &status, &p50, &p99); err != nil {
		return sample{}, fmt.Errorf("reading what it counted: %w", err)
	}
	if failed := connect + read + write + timeout + status; failed > 0 {
		return sample{}, fmt.Errorf("%.0f of %.0f requests failed", failed, requests)
	}
	if requests == 0 || micros == 0 {
		return sample{}, errors.New("it sent nothing")
	}
	return sample{rate: requests / micros * 1e6, p50: p50, p99: p99, cpu: float64(cpu.Microseconds()) / requests}, nil
}

// checkAnswers fails unless a server that counts its answers counted only 200.
func (s *server) checkAnswers(ctx context.Context) error {
	if s.admin == "" {
		return nil
	}
	if err := s.resume(); err != nil {
		return err
	}
	text, err := get(ctx, s.admin+"/metrics")
	if err != nil {
		return err
	}
	accepted := false
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "sluice_http_requests_total{") || !strings.Contains(line, `listener="service"`) {
			continue
		}
		usual, none := strings.Contains(line, `code="200"`), strings.HasSuffix(line, " 0\n")
		accepted = accepted || usual && !none
		if !usual && !none {
			return fmt.Errorf("%s gave other answers than 200: %s", s.name, line)
		}
	}
	if !accepted {
		return fmt.Errorf("%s counted no answer", s.name)
	}
	return nil
}
