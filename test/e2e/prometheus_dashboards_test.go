package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is what the tests read of a dashboard of Grafana.
type dashboard struct {
	ID                      *int
	UID, Title, Description string
	SchemaVersion           int
	Tags                    []string
	Annotations             struct {
		List []struct {
			Name, Expr string
			Datasource source
		}
	}
	Templating struct {
		List []struct {
			Name, Type, Definition string
			Query                  json.RawMessage
			Datasource             *source
		}
	}
	Panels []panel
}

// source is a data source.
type source struct{ Type, UID string }

// panel is one panel.
type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               source
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			Thresholds struct {
				Steps []struct {
					Color string
					Value *float64
				}
			}
		}
	}
	Targets []struct {
		RefID, Expr    string
		Instant, Range bool
		Datasource     source
	}
}

// asks is one query of a dashboard.
type asks struct {
	where, expr string
	instant     bool
}

// queries are those of all panels and annotations.
func (d *dashboard) queries() (all []asks) {
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, asks{fmt.Sprintf("%s (%d %s)", p.Title, p.ID, target.RefID), target.Expr, target.Instant})
		}
	}
	for _, a := range d.Annotations.List {
		all = append(all, asks{"the annotation " + a.Name, a.Expr, false})
	}
	return all
}

// dashboards are those that ship, by their files.
func dashboards(t *testing.T) map[string]*dashboard {
	t.Helper()
	names, err := filepath.Glob(root + "/deploy/grafana/*.json")
	if err != nil || len(names) < 3 {
		t.Fatalf("there are the dashboards %q (%v)", names, err)
	}
	all := map[string]*dashboard{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		d := &dashboard{}
		if err := json.NewDecoder(bytes.NewReader(text)).Decode(d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[filepath.Base(name)] = d
	}
	return all
}

// TestDashboardsCanBeImported by any Grafana from 10 on: nothing in them belongs to
// the one where they were made, and every panel says what it shows.
func TestDashboardsCanBeImported(t *testing.T) {
	t.Parallel()
	variable := regexp.MustCompile(`\$\{?([a-zA-Z_]\w*)`)
	ours := source{"prometheus", "${datasource}"}
	uids := map[string]bool{}
	for file, d := range dashboards(t) {
		if d.ID != nil || d.SchemaVersion < 39 || uids[d.UID] || d.UID != "sluice-"+strings.TrimSuffix(file, ".json") || d.Title == "" || d.Description == "" || !slices.Equal(d.Tags, []string{"sluice"}) {
			t.Errorf("%s: id %v, schemaVersion %d, uid %q, title %q, tags %q", file, d.ID, d.SchemaVersion, d.UID, d.Title, d.Tags)
		}
		uids[d.UID] = true
		known := []string{"__rate_interval", "__interval", "__range"}
		for _, v := range d.Templating.List {
			known = append(known, v.Name)
			if v.Type == "query" && (v.Datasource == nil || *v.Datasource != ours) {
				t.Errorf("%s: the variable %s asks %v", file, v.Name, v.Datasource)
			}
		}
		if first := d.Templating.List[0]; first.Name != "datasource" || first.Type != "datasource" || string(first.Query) != `"prometheus"` {
			t.Errorf("%s: the first variable is %+v", file, first)
		}
		for _, a := range d.Annotations.List {
			if a.Datasource != ours {
				t.Errorf("%s: the annotation %s asks %v", file, a.Name, a.Datasource)
			}
		}
		for _, q := range d.queries() {
			for _, m := range variable.FindAllStringSubmatch(q.expr, -1) {
				if !slices.Contains(known, m[1]) {
					t.Errorf("%s: %s uses $%s, which is no variable", file, q.where, m[1])
				}
			}
			if !strings.Contains(q.expr, "ALERTS") && (!strings.Contains(q.expr, `"$job"`)) {
				t.Errorf("%s: %s asks about all fleets", file, q.where)
			}
		}
		for _, flaw := range d.flaws(ours) {
			t.Errorf("%s: %s", file, flaw)
		}
	}
}

// flaws says what is wrong with the panels.
func (d *dashboard) flaws(ours source) (flaws []string) {
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		flaw := func(format string, args ...any) {
			flaws = append(flaws, fmt.Sprintf("%s (%d): ", p.Title, p.ID)+fmt.Sprintf(format, args...))
		}
		if ids[p.ID] || p.Title == "" {
			flaw("its id is taken, or it has no title")
		}
		ids[p.ID] = true
		at := p.GridPos
		if at.W < 1 || at.H < 1 || at.X < 0 || at.X+at.W > 24 {
			flaw("it is at %v", at)
		}
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					flaw("it is where %s is", other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		steps := p.FieldConfig.Defaults.Thresholds.Steps
		if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(steps) == 0 || steps[0].Value != nil {
			flaw("description %q, unit %q, %d thresholds", p.Description, p.FieldConfig.Defaults.Unit, len(steps))
		}
		for i := 2; i < len(steps); i++ {
			if *steps[i].Value <= *steps[i-1].Value {
				flaw("its thresholds do not rise")
			}
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if refs[q.RefID] || q.Expr == "" || q.Datasource != ours || q.Instant == q.Range {
				flaw("the query %q asks %v for %q, instant %t, range %t", q.RefID, q.Datasource, q.Expr, q.Instant, q.Range)
			}
			refs[q.RefID] = true
		}
		if len(refs) == 0 || p.Datasource != ours {
			flaw("it asks %v for nothing", p.Datasource)
		}
	}
	return flaws
}
