//go:build linux

package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// applying are the policies that apply to the benchmark's events, and accept
// them. The list of digests is asked when a file has stopped.
var applying = []string{
	`version: 1
policy: everyone
rules:
  - name: honest-name
    filename: {forbid: [control, bidi, double-extension, reserved, trailing-dot, trailing-space], max_bytes: 255}
  - name: no-programs
    extension: {deny: [exe, com, scr, bat, cmd, msi, ps1, vbs, js, hta, lnk]}
  - name: no-work-folders
    path: {deny: ["/**/.work/**", "/**/*.tmp"]}
`, `version: 1
policy: uploads
applies_to:
  direction: [upload]
rules:
  - name: not-too-big
    size: {min: 1 B, max: 500 GiB}
  - name: encrypted
    transfer: {cipher: [aes-128, aes-192, aes-256]}
  - name: known-bad
    checksum: {deny: lists/known-bad.digests}
`, `version: 1
policy: account
applies_to:
  user: [xfer, "xfer-*"]
rules:
  - name: known-networks
    network: {allow: [203.0.113.0/24, 2001:db8::/32]}
  - name: film-only
    extension: {allow: [mov, mxf, mp4]}
  - name: fair
    transfer: {rate_policy: [fair, low], target_rate: {max: 1 Gbps}}
`, `version: 1
policy: film-ingest
applies_to:
  client_ip: [203.0.113.0/24]
  path: ["/ingest/film/**"]
rules:
  - name: only-ingest
    path: {allow: ["/ingest/**"], deny: ["/ingest/**/.trash/**"]}
  - name: short-name
    filename: {max_bytes: 128}
  - name: not-empty
    size: {min: 1 KiB}
`,
}

// selectors are the applies_to of policies that do not apply to the events.
// Most miss them by one field only, so that no field alone tells them apart.
// NUMBER is the policy's, in five digits, HIGH and LOW are its bytes.
var selectors = []string{
	`direction: [upload]
  user: [acct-NUMBER, "svc-NUMBER-*"]`,
	`direction: [upload, download]
  client_ip: [10.HIGH.LOW.0/24]`,
	`path: ["/projects/pNUMBER/**"]`,
	`user: [xfer]
  path: ["/ingest/show-NUMBER/**", "/outgoing/show-NUMBER/*.mxf"]`,
	`user: [partner-NUMBER]
  client_ip: [203.0.113.0/24]`,
	`direction: [download]
  path: ["/ingest/**", "/outgoing/NUMBER/**"]`,
	`direction: [upload]
  client_ip: ["2001:db8:NUMBER::/48", 198.51.100.LOW]
  path: ["/ingest/**"]`,
	`user: ["*-team-NUMBER"]
  path: ["/**/team-NUMBER/**"]`,
}

// kinds are rules of the policies that do not apply.
var kinds = []string{
	"extension: {allow: [mov, mxf, mp4, wav, xml]}",
	"size: {min: 2 B, max: 2 TiB}",
	"transfer: {cipher: [aes-256]}",
	"filename: {forbid: [control, bidi, leading-dot], max_bytes: 200}",
	"network: {allow: [10.0.0.0/8, 192.0.2.0/24]}",
	"path: {deny: [\"/**/private/**\"]}",
	"schedule: {days: [mon-fri], from: \"06:00\", to: \"22:00\", zone: Europe/Zurich}",
}

// bystander returns the policy of a number that does not apply.
func bystander(i int) string {
	number := fmt.Sprintf("%05d", i)
	to := strings.NewReplacer("2001:db8:NUMBER", fmt.Sprintf("2001:db8:%x", i), // Groups of an address have four digits.
		"NUMBER", number, "HIGH", strconv.Itoa(i>>8), "LOW", strconv.Itoa(i&255)).Replace(selectors[i%len(selectors)])
	var text strings.Builder
	fmt.Fprintf(&text, "version: 1\npolicy: bystander-%s\napplies_to:\n  %s\nrules:\n", number, to)
	for k := range 3 {
		fmt.Fprintf(&text, "  - name: rule-%d\n    %s\n", k+1, kinds[(i+2*k)%len(kinds)])
	}
	return text.String()
}

// writePolicies makes a set of n policies, with a list of digests that exists.
// Those that apply to the events are spread over it.
func writePolicies(dir string, n int, list string) error {
	if err := os.MkdirAll(filepath.Join(dir, "lists"), 0o750); err != nil {
		return err
	}
	if err := os.Link(list, filepath.Join(dir, "lists", "known-bad.digests")); err != nil {
		return err
	}
	for i := range n {
		text, every := bystander(i), n/len(applying)
		if i%every == 0 && i/every < len(applying) {
			text = applying[i/every]
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.yaml", i)), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// writeDigests makes a list of n digests of so many bytes, in no order and the
// same each time.
func writeDigests(name string, n, width int) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	out := bufio.NewWriterSize(file, 1<<20)
	random := rand.NewChaCha8([32]byte{1})
	digest, line := make([]byte, width), make([]byte, 0, 2*width+1)
	for range n {
		_, _ = random.Read(digest) // It never fails.
		line = append(hex.AppendEncode(line[:0], digest), '\n')
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return file.Sync()
}
