package rules

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// weekdays are the days as policies write them, indexed by time.Weekday.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func scheduleKind() Kind {
	return Kind{
		Name: "schedule",
		Doc:  "the event comes outside the window; a window that ends before it begins runs past midnight and belongs to the day on which it began",
		Schema: `{
	"type": "object", "additionalProperties": false, "minProperties": 1, "examples": [{"days": ["mon-fri"], "from": "20:00", "to": "06:00", "zone": "Europe/Zurich"}],
	"properties": {
		"days": {"type": "array", "minItems": 1, "items": {"type": "string"}, "description": "Days, or ranges of days, on which the window begins; every day if left out.", "examples": [["mon-fri"]]},
		"from": {"type": "string", "minLength": 1, "description": "When the window begins, HH:MM.", "examples": ["20:00"]},
		"to": {"type": "string", "minLength": 1, "description": "When the window ends, HH:MM, up to 24:00.", "examples": ["06:00"]},
		"zone": {"type": "string", "minLength": 1, "default": "UTC", "description": "A time zone of the IANA database.", "examples": ["Europe/Zurich"]}
	},
	"dependencies": {"from": ["to"], "to": ["from"]}
}`,
		Phases:       EveryPhase,
		Reads:        "the clock",
		Fields:       []string{},
		Code:         "1028",
		Placeholders: []string{"found", "window"},
		Saw:          func(e *Event) string { return e.Received.UTC().Format(time.RFC3339) },
		Compile:      compileSchedule,
	}
}

// window is a compiled schedule: minutes of the day and the days on which it
// begins.
type window struct {
	days     [7]bool
	from, to int
	zone     *time.Location
}

func compileSchedule(env Env, dec Decoder) (Compiled, error) {
	var spec struct {
		Days []string `json:"days"`
		From string   `json:"from"`
		To   string   `json:"to"`
		Zone string   `json:"zone"`
	}
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var wrong mistakes
	w := &window{to: 24 * 60, days: daysAt(spec.Days, &wrong)}
	if spec.From != "" {
		w.from = minuteAt("/from", spec.From, &wrong)
		w.to = minuteAt("/to", spec.To, &wrong)
		if len(wrong) == 0 && w.from == w.to {
			wrong.add(At("/to", "from and to are the same, so the window is empty").WithHint("leave both out to mean the whole day"))
		}
	}
	if spec.Days == nil && spec.From == "" {
		wrong.add(At("/zone", "a zone alone is no window; add days, or from and to"))
	}
	if spec.Zone == "" {
		spec.Zone = "UTC"
	}
	load, err := env.Zone, error(nil)
	if load == nil {
		load = time.LoadLocation
	}
	if w.zone, err = load(spec.Zone); err != nil || spec.Zone == "Local" {
		wrong.add(At("/zone", "%q is not a time zone of the IANA database", spec.Zone).WithHint("%s", zoneHint(spec.Zone, load)))
	}
	if len(wrong) > 0 {
		return Compiled{}, wrong.err()
	}
	outside := builtinMessage("Transfers are possible here only {window}; it is {found}.")
	return Compiled{
		Values: map[string]string{"window": describeWindow(spec.Days, spec.From, spec.To, spec.Zone)},
		Reach:  SameReach(fmt.Sprint(w.days, w.from, w.to, w.zone)),
		Check: func(_ context.Context, e *Event) (*Objection, error) {
			now := e.Received.In(w.zone)
			if w.contains(now) {
				return nil, nil
			}
			return &Objection{Message: outside, Found: strings.ToLower(now.Format("Mon 15:04"))}, nil
		},
	}, nil
}

func describeWindow(days []string, from, to, zone string) string {
	text := strings.Join(days, ", ")
	if from != "" {
		text += " " + from + " to " + to
	}
	return strings.TrimSpace(text + " " + zone)
}

// contains reports whether a wall clock is inside the window.
func (w *window) contains(now time.Time) bool {
	minute, today := now.Hour()*60+now.Minute(), int(now.Weekday())
	if w.from < w.to {
		return w.days[today] && minute >= w.from && minute < w.to
	}
	yesterday := (today + 6) % 7
	return w.days[today] && minute >= w.from || w.days[yesterday] && minute < w.to
}

// parseDay returns the weekday of an English name in any case, whole or cut
// after its third letter or later, or -1.
func parseDay(text string) int {
	text = strings.ToLower(strings.TrimSpace(text))
	for day := range weekdays {
		if len(text) >= 3 && strings.HasPrefix(strings.ToLower(time.Weekday(day).String()), text) {
			return day
		}
	}
	return -1
}

// daysAt reads the days of a schedule, and writes them in the list as they are
// told to people.
func daysAt(list []string, wrong *mistakes) (days [7]bool) {
	if len(list) == 0 {
		return [7]bool{true, true, true, true, true, true, true}
	}
	for i, text := range list {
		first, last, isRange := strings.Cut(text, "-")
		if !isRange {
			last = first
		}
		from, to := parseDay(first), parseDay(last)
		if from < 0 || to < 0 {
			wrong.add(At(item("days", i), "%q is not a day or range of days; write mon, tue, wed, thu, fri, sat, sun, or mon-fri", text).WithHint("%s", daysHint(text)))
			continue
		}
		list[i] = weekdays[from]
		if isRange {
			list[i] += "-" + weekdays[to]
		}
		for d := from; ; d = (d + 1) % 7 {
			days[d] = true
			if d == to {
				break
			}
		}
	}
	return days
}

// minuteAt reads HH:MM as minutes since midnight, 0 to 1440.
func minuteAt(at, text string, wrong *mistakes) int {
	if text == "24:00" {
		return 24 * 60
	}
	clock, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		wrong.add(At(at, "%q is not a time of day; write HH:MM from 00:00 to 24:00, in quotes", text).WithHint("%s", clockHint(text)))
		return 0
	}
	return clock.Hour()*60 + clock.Minute()
}
