//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// measure is a figure of the samples of a case, and what is asked of the ratio
// between the two servers.
type measure struct {
	name   string
	of     func(sample) float64
	format func(float64) string
	target target
}

func rate(t target) measure {
	return measure{"throughput", func(s sample) float64 { return s.rate }, func(v float64) string { return fmt.Sprintf("%.0f/s", v) }, t}
}

func median50() measure {
	return measure{"p50", func(s sample) float64 { return s.p50 }, microseconds, target{}}
}

func p99(t target) measure {
	return measure{"p99", func(s sample) float64 { return s.p99 }, microseconds, t}
}

func cpu(t target) measure {
	return measure{"CPU a request", func(s sample) float64 { return s.cpu }, func(v float64) string { return fmt.Sprintf("%.1f µs", v) }, t}
}

func ownWork() measure {
	return measure{"p99 of own work", func(s sample) float64 { return s.own }, microseconds, target{}}
}

func microseconds(v float64) string { return fmt.Sprintf("%.0f µs", v) }

// loadCase compares two servers under one load.
type loadCase struct {
	name       string
	load       load
	base, with string // names of servers
	measures   []measure
}

// loadCases are the loads in the order of the table.
func (b *bench) loadCases() ([]loadCase, error) {
	bodies := map[string]string{}
	for name, size := range map[string]int{"small": 1044, "large": 3247} {
		body, err := os.ReadFile(filepath.Join(b.root, "validator", "testdata", "bench", name+".json"))
		if err != nil {
			return nil, err
		}
		if len(body) != size {
			return nil, fmt.Errorf("%s.json has %d bytes and not %d, so results could not be compared", name, len(body), size)
		}
		bodies[name] = string(body)
	}
	small, large, stopped := bodies["small"], bodies["large"], stoppedEvent(bodies["small"])
	return []loadCase{
		{"small event, 64 connections", load{body: small, connections: 64}, "floor", "sluice", []measure{rate(target{least: 0.80}), median50(), p99(target{most: 1.25}), cpu(target{})}},
		{"large event, 64 connections", load{body: large, connections: 64}, "floor", "sluice", []measure{rate(target{least: 0.70}), median50(), p99(target{}), cpu(target{})}},
		{"small event, 5 connections", load{body: small, connections: 5}, "floor", "sluice", []measure{rate(target{}), median50(), p99(target{most: 1.5}), cpu(target{})}},
		{"stopped file with its digest, 64 connections", load{body: stopped, connections: 64}, "floor", "sluice", []measure{rate(target{}), cpu(target{})}},
		{"small event, a new connection each", load{body: small, connections: 64, fresh: true}, "floor", "sluice", []measure{rate(target{}), p99(target{}), cpu(target{})}},
		{"10 → 10,000 policies, small event, 64 connections", load{body: small, connections: 64}, "sluice-10", "sluice-10000", []measure{rate(target{}), cpu(target{most: 1.05})}},
	}, nil
}

// stoppedEvent returns what is sent when the file of an event that starts has
// stopped, with a digest that is on no list.
func stoppedEvent(start string) string {
	return strings.NewReplacer(`"startstop":"start"`, `"startstop":"stop"`, `"bytes_written":0`, `"bytes_written":734003200`,
		`"file_csum_type":"none"`, `"file_csum_type":"sha256","file_csum":"`+strings.Repeat("5eed", 16)+`"`).Replace(start)
}

// loads measures the cases that are asked for.
func (b *bench) loads(ctx context.Context) error {
	cases, err := b.loadCases()
	if err != nil {
		return err
	}
	for _, c := range cases {
		if !b.wants(c.name) {
			continue
		}
		b.say("measuring: %s", c.name)
		if err := b.compare(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// compare measures the two servers of a case in turns.
func (b *bench) compare(ctx context.Context, c loadCase) error {
	var pair [2]*server
	script, err := b.writeScript(c.load)
	if err != nil {
		return err
	}
	for i, name := range []string{c.base, c.with} {
		if pair[i], err = b.running(ctx, name); err != nil {
			return err
		}
		if err := pair[i].post(c.load.body); err != nil {
			return err
		}
		// The warm-up is a turn that is not counted.
		if _, err := b.take(ctx, pair[i], c.load, script, max(b.turn/4, time.Second)); err != nil {
			return err
		}
	}
	samples := make([][2]sample, b.rounds)
	for round := range samples {
		for i, s := range pair {
			if samples[round][i], err = b.take(ctx, s, c.load, script, b.turn); err != nil {
				return err
			}
		}
	}
	for _, m := range c.measures {
		b.rows = append(b.rows, compared(c.name, m, samples))
	}
	return errors.Join(pair[0].release(ctx), pair[1].release(ctx))
}

// running returns a server by its name, and starts it if it does not run.
func (b *bench) running(ctx context.Context, name string) (*server, error) {
	if s := b.servers[name]; s != nil {
		return s, s.resume()
	}
	switch name {
	case "floor":
		return b.startFloor(ctx)
	case "sluice":
		return b.startFromSet(ctx, name, 1_000, true)
	case "sluice-10":
		return b.startFromSet(ctx, name, 10, true)
	default:
		return b.startFromSet(ctx, name, 10_000, true)
	}
}

// release makes sure of a server's answers and pauses it until the next case.
func (s *server) release(ctx context.Context) error {
	if err := s.checkAnswers(ctx); err != nil {
		return err
	}
	return s.pause()
}

// get returns the text at a URL.
func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	return string(text), err
}
