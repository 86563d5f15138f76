package validator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/rules/scan"
	"github.com/sluiceproject/sluice/validator"
)

// looks decides by rules that look into files, each of which has the finding of
// its name.
func looks(findings map[string]rules.Finding, names ...string) deciderFunc {
	var chain rules.Chain
	for _, name := range names {
		chain = append(chain, &rules.Rule{
			Policy: "ingest", Name: name, Kind: "scan", Mode: rules.Shadow, Cost: rules.File, Code: "1032",
			Inspect: func(context.Context, *rules.Look) rules.Finding { return findings[name] },
		})
	}
	return func(ctx context.Context, e *rules.Event) rules.Decision {
		d := rules.Begin(e, revision)
		l := rules.NewLook(e, &rules.ContentEnv{})
		defer l.Close()
		chain.Look(ctx, l, e, &d)
		return d
	}
}

// shownField writes a member of a log line; an absent one is nothing.
func shownField(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// How far a look got is counted, logged and explained; a question to somebody
// else looks at nothing, and nothing is said of bytes.
func TestLooksAreTold(t *testing.T) {
	d := looks(map[string]rules.Finding{
		"clean": rules.FoundClean(7, 7),
		"part":  rules.FoundPart(2, 7, rules.ReasonLimit, errors.New("too large")),
		"none":  rules.FoundNothing(&rules.UninspectableError{Reason: rules.ReasonUnmounted, Detail: "no mount"}, 0, 7),
		"asks":  {},
	}, "clean", "part", "none", "asks")

	reg := prometheus.NewRegistry()
	measured := validator.Measured(d, reg, func() time.Time { return noon })
	before := gather(t, reg, "sluice_")
	measured.Decide(t.Context(), arrived(event()))
	got := changes(before, gather(t, reg, "sluice_"))
	for name := range got {
		if !strings.HasPrefix(name, "sluice_looks_total") && !strings.HasPrefix(name, "sluice_uninspected_bytes_total") {
			delete(got, name)
		}
	}
	want := map[string]float64{
		`sluice_looks_total{kind="scan",policy="ingest",rule="clean",state="clean"}`:        1,
		`sluice_looks_total{kind="scan",policy="ingest",rule="part",state="partial"}`:       1,
		`sluice_looks_total{kind="scan",policy="ingest",rule="none",state="uninspectable"}`: 1,
		`sluice_uninspected_bytes_total{policy="ingest",reason="limit",rule="part"}`:        5,
		`sluice_uninspected_bytes_total{policy="ingest",reason="unmounted",rule="none"}`:    7,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}

	steps, _ := logOf(t, d, event()).fields["steps"].([]any)
	var logged []string
	for _, s := range steps {
		step, _ := s.(map[string]any)
		logged = append(logged, strings.Join(strings.Fields(strings.Join([]string{shownField(step["rule"]), shownField(step["coverage"]), shownField(step["inspected"]), shownField(step["total"]), shownField(step["reason"])}, " ")), " "))
	}
	if diff := cmp.Diff([]string{"clean clean 7 7", "part partial 2 7 limit", "none uninspectable 0 7 unmounted", "asks"}, logged); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}

	e := arrived(event())
	decision := d(t.Context(), e)
	var explained []string
	for _, r := range validator.ExplainSteps(e, &decision) {
		line := r.Rule + " " + r.Coverage
		if (r.Inspected == nil) != (r.Coverage == "") {
			t.Errorf("%s: coverage %q, inspected %v", r.Rule, r.Coverage, r.Inspected)
		}
		explained = append(explained, strings.TrimSpace(line))
	}
	if diff := cmp.Diff([]string{"clean clean", "part partial", "none uninspectable", "asks"}, explained); diff != "" {
		t.Errorf("explained (-want +got):\n%s", diff)
	}
}

// TestScannersAreMeasured: every result has a series from the beginning.
func TestScannersAreMeasured(t *testing.T) {
	reg := prometheus.NewRegistry()
	validator.RegisterScanners(reg, func() map[string]scan.Stats {
		return map[string]scan.Stats{"clamav": {
			Counts:  scan.Counts{Clean: 1, Bad: 2, Part: 3, Failed: 4, TimedOut: 5, GivenUp: 6, Down: 7, Busy: 8, Remembered: 9, Took: 1500e6},
			Working: 2, Waiting: 3, Resting: true, Answers: 4, Status: scan.Status{Built: noon},
		}}
	})
	got := gather(t, reg, "sluice_")
	for name, want := range map[string]float64{
		`sluice_scans_total{result="clean",scanner="clamav"}`: 1, `sluice_scans_total{result="bad",scanner="clamav"}`: 2,
		`sluice_scans_total{result="partial",scanner="clamav"}`: 3, `sluice_scans_total{result="error",scanner="clamav"}`: 4,
		`sluice_scans_total{result="timeout",scanner="clamav"}`: 5, `sluice_scans_total{result="given_up",scanner="clamav"}`: 6,
		`sluice_scans_total{result="down",scanner="clamav"}`: 7, `sluice_scans_total{result="busy",scanner="clamav"}`: 8,
		`sluice_scans_total{result="remembered",scanner="clamav"}`: 9, `sluice_scan_seconds_total{scanner="clamav"}`: 1.5,
		`sluice_scans_in_progress{scanner="clamav"}`: 2, `sluice_scans_waiting{scanner="clamav"}`: 3,
		`sluice_scanner_up{scanner="clamav"}`: 0, `sluice_scan_answers_remembered{scanner="clamav"}`: 4,
		`sluice_scanner_signatures_timestamp_seconds{scanner="clamav"}`: float64(noon.Unix()),
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}
