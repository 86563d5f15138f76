//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// scanning is a service with scanners, whose metadata decisions are measured
// while the scanners have nothing to do and while all their workers are busy.
type scanning struct {
	bench  *bench
	server *server
	load   load
	script string
	// stopped is the event of a file that stopped, whose file is to be scanned.
	stopped string
	files   map[string][]string // by scanner
	hung    *standIn
	clamd   *clamd // nil if there is none
	scans   []scanned
}

// scanned is what one turn has scanned beside the load.
type scanned struct {
	files int
	cpu   float64 // of clamd, in cores
}

// What is beside the load while a turn is measured. Nothing is measured against
// nothing, too, which is how far the machine alone moves a figure.
const (
	nothing = "no scan"
	hanging = "a scanner that hangs"
	working = "clamd at work"
)

// besideLoad is a load of metadata events of the connections that one session
// of ascp has.
type besideLoad struct {
	name string
	load load
}

func besideLoads(body string) []besideLoad {
	return []besideLoad{
		{"5 connections, 0 to 8 ms apart", load{body: body, connections: 5, pause: 8}},
		{"5 connections", load{body: body, connections: 5}},
	}
}

// besideCase is the name of a case.
func besideCase(state, load string) string { return "beside " + state + ", " + load }

// beside measures how long decisions by metadata take beside scans.
func (b *bench) beside(ctx context.Context) error {
	small, err := os.ReadFile(filepath.Join(b.root, "validator", "testdata", "bench", "small.json"))
	if err != nil {
		return err
	}
	var s *scanning
	for _, l := range besideLoads(string(small)) {
		var states []string
		for _, state := range []string{nothing, hanging, working} {
			if b.wants(besideCase(state, l.name)) {
				states = append(states, state)
			}
		}
		if len(states) == 0 {
			continue
		}
		if s == nil {
			s, err = b.startScanning(ctx, string(small))
			defer s.close()
			if err != nil {
				return err
			}
		}
		if err := s.compare(ctx, l, states); err != nil {
			return fmt.Errorf("beside scanners, %s: %w", l.name, err)
		}
	}
	return nil
}

// scanningConfig is the configuration of the service: the folder of the files,
// and the addresses of the scanners.
const scanningConfig = `files:
  mounts: [{prefix: /scanned, dir: %q}]
  deadline: 1h
scanners:
  hung: {clamd: %q, workers: %d, remember: 0}
  clamd: {clamd: %q, workers: %[3]d, remember: 0}
`

// startScanning starts the service and its scanners, and makes what they scan.
func (b *bench) startScanning(ctx context.Context, small string) (*scanning, error) {
	s := &scanning{bench: b, stopped: stoppedEvent(small), files: map[string][]string{}}
	if err := s.scanners(ctx); err != nil {
		return s, err
	}
	policies, err := b.policySet("policies-scanning", 1_000)
	if err != nil {
		return s, err
	}
	for scanner := range s.files {
		policy := fmt.Sprintf("version: 1\npolicy: scanned-by-%s\napplies_to: {path: [/scanned/%[1]s/**]}\nrules: [{name: clean, scan: {with: %[1]s}}]\n", scanner)
		if err := os.WriteFile(filepath.Join(policies, "scan-"+scanner+".yaml"), []byte(policy), 0o600); err != nil {
			return s, err
		}
	}
	config, address := filepath.Join(b.dir, "scanning.yaml"), "unix:"+s.hung.listener.Addr().String()
	clamd := address // Where there is none, nobody asks it.
	if s.clamd != nil {
		clamd = s.clamd.address
	}
	text := fmt.Appendf(nil, scanningConfig, filepath.Join(b.dir, "scanned"), address, scanWorkers, clamd)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return s, err
	}
	s.server, err = b.startSluice(ctx, "scanning", policies, true, "--config", config)
	return s, err
}

// scanners starts both and makes their files. On a machine with two cores clamd
// has that of the load, of which it only gets what the load leaves.
func (s *scanning) scanners(ctx context.Context) (err error) {
	b := s.bench
	if s.hung, err = newStandIn(filepath.Join(b.dir, "hung.sock")); err != nil {
		return err
	}
	if s.files["hung"], err = b.scannedFiles("hung", 1<<20); err != nil {
		return err
	}
	how := "on core " + b.scanCPU + " of its own"
	if b.scanCPU == b.loadCPU {
		how = "on core " + b.scanCPU + " with wrk, which it makes way for (SCHED_IDLE)"
	}
	s.clamd, err = b.startClamd(ctx, how, "taskset", "-c", b.scanCPU, "chrt", "--idle", "0")
	if errors.Is(err, errNoClamd) {
		return nil
	}
	if err != nil {
		return err
	}
	s.files["clamd"], err = b.scannedFiles("clamd", 32<<20)
	return err
}

func (s *scanning) close() {
	if s.hung != nil {
		_ = s.hung.close() // The numbers are what was asked for.
	}
	if s.server != nil {
		s.bench.end(s.server)
	}
}
