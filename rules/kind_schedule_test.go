package rules

import (
	"testing"
	"time"
)

// at is an event that was received at a time in RFC 3339.
func at(when string) *Event {
	received, err := time.Parse(time.RFC3339, when)
	if err != nil {
		panic(err)
	}
	return session(func(e *Event) { e.Received = received })
}

// 23 November 2026 is a Monday.
func TestSchedule(t *testing.T) {
	const office, nights = `{"from": "08:00", "to": "18:00"}`, `{"days": ["mon-fri"], "from": "20:00", "to": "06:00"}`
	judge(t, scheduleKind(), Env{}, []row{
		{office, at("2026-11-23T08:00:00Z"), accept()},
		{office, at("2026-11-23T17:59:59.999Z"), accept()},
		{office, at("2026-11-23T07:59:59.999Z"), refuse("mon 07:59")},
		{office, at("2026-11-23T18:00:00Z"), refuse("mon 18:00")},
		{office, at("2026-11-23T08:30:00+01:00"), refuse("mon 07:30")},

		{`{"days": ["mon"]}`, at("2026-11-23T00:00:00Z"), accept()},
		{`{"days": ["mon"]}`, at("2026-11-23T23:59:59Z"), accept()},
		{`{"days": ["mon"]}`, at("2026-11-24T00:00:00Z"), refuse("tue 00:00")},
		{`{"days": ["mon", "sat-sun"]}`, at("2026-11-22T12:00:00Z"), accept()},
		{`{"days": ["mon", "sat-sun"]}`, at("2026-11-24T12:00:00Z"), refuse("tue 12:00")},
		{`{"days": ["mon-mon"]}`, at("2026-11-24T12:00:00Z"), refuse("tue 12:00")},

		// Ranges of days wrap around the week.
		{`{"days": ["fri-mon"]}`, at("2026-11-20T12:00:00Z"), accept()},
		{`{"days": ["fri-mon"]}`, at("2026-11-22T12:00:00Z"), accept()},
		{`{"days": ["fri-mon"]}`, at("2026-11-23T12:00:00Z"), accept()},
		{`{"days": ["fri-mon"]}`, at("2026-11-24T12:00:00Z"), refuse("tue 12:00")},
		{`{"days": ["fri-mon"]}`, at("2026-11-19T12:00:00Z"), refuse("thu 12:00")},
		{`{"days": ["sun-sat"]}`, at("2026-11-25T12:00:00Z"), accept()},

		// A window past midnight belongs to the day on which it began.
		{nights, at("2026-11-23T20:00:00Z"), accept()},
		{nights, at("2026-11-23T23:59:59Z"), accept()},
		{nights, at("2026-11-24T00:00:00Z"), accept()},
		{nights, at("2026-11-24T05:59:59Z"), accept()},
		{nights, at("2026-11-24T06:00:00Z"), refuse("tue 06:00")},
		{nights, at("2026-11-23T05:00:00Z"), refuse("mon 05:00")},
		{nights, at("2026-11-28T05:00:00Z"), accept()},
		{nights, at("2026-11-28T20:00:00Z"), refuse("sat 20:00")},
		{nights, at("2026-11-29T05:00:00Z"), refuse("sun 05:00")},
		{`{"days": ["sun"], "from": "22:00", "to": "02:00"}`, at("2026-11-23T01:00:00Z"), accept()},

		// 24:00 is the end of the day.
		{`{"from": "20:00", "to": "24:00"}`, at("2026-11-23T23:59:59Z"), accept()},
		{`{"from": "20:00", "to": "24:00"}`, at("2026-11-24T00:00:00Z"), refuse("tue 00:00")},
		{`{"from": "20:00", "to": "00:00"}`, at("2026-11-23T23:59:59Z"), accept()},
		{`{"from": "20:00", "to": "00:00"}`, at("2026-11-24T00:00:00Z"), refuse("tue 00:00")},
		{`{"from": "00:00", "to": "24:00"}`, at("2026-11-24T00:00:00Z"), accept()},
		{`{"days": ["mon"], "from": "24:00", "to": "06:00"}`, at("2026-11-24T05:00:00Z"), accept()},
		{`{"days": ["mon"], "from": "24:00", "to": "06:00"}`, at("2026-11-23T05:00:00Z"), refuse("mon 05:00")},

		// The clock on the wall of the zone counts.
		{`{"from": "08:00", "to": "18:00", "zone": "Europe/Zurich"}`, at("2026-11-23T07:00:00Z"), accept()},
		{`{"from": "08:00", "to": "18:00", "zone": "Europe/Zurich"}`, at("2026-07-23T06:00:00Z"), accept()},
		{`{"from": "08:00", "to": "18:00", "zone": "Europe/Zurich"}`, at("2026-07-23T05:59:00Z"), refuse("thu 07:59")},
		{`{"days": ["tue"], "zone": "Europe/Zurich"}`, at("2026-11-23T23:00:00Z"), accept()},
		{`{"days": ["mon"], "zone": "Asia/Kathmandu"}`, at("2026-11-22T18:15:00Z"), accept()},

		// On 29 March 2026 there is no 02:30 in Zurich; on 25 October there are two.
		{`{"from": "02:00", "to": "03:00", "zone": "Europe/Zurich"}`, at("2026-03-29T00:59:59Z"), refuse("sun 01:59")},
		{`{"from": "02:00", "to": "03:00", "zone": "Europe/Zurich"}`, at("2026-03-29T01:00:00Z"), refuse("sun 03:00")},
		{`{"from": "01:00", "to": "04:00", "zone": "Europe/Zurich"}`, at("2026-03-29T01:00:00Z"), accept()},
		{`{"from": "02:00", "to": "03:00", "zone": "Europe/Zurich"}`, at("2026-10-25T00:30:00Z"), accept()},
		{`{"from": "02:00", "to": "03:00", "zone": "Europe/Zurich"}`, at("2026-10-25T01:30:00Z"), accept()},
		{`{"from": "02:00", "to": "03:00", "zone": "Europe/Zurich"}`, at("2026-10-25T02:00:00Z"), refuse("sun 03:00")},
		{`{"days": ["sat"], "from": "20:00", "to": "06:00", "zone": "Europe/Zurich"}`, at("2026-03-29T03:59:59Z"), accept()},
		{`{"days": ["sat"], "from": "20:00", "to": "06:00", "zone": "Europe/Zurich"}`, at("2026-03-29T04:00:00Z"), refuse("sun 06:00")},
	})
	judgeMessages(t, scheduleKind(), Env{}, []reads{
		{`{"days": ["mon-fri"], "from": "20:00", "to": "06:00", "zone": "Europe/Zurich"}`, at("2026-11-23T12:00:00Z"), "Transfers are possible here only mon-fri 20:00 to 06:00 Europe/Zurich; it is mon 13:00."},
		{`{"days": ["Monday-FRI", "sunday"], "from": "20:00", "to": "06:00"}`, at("2026-11-23T12:00:00Z"), "Transfers are possible here only mon-fri, sun 20:00 to 06:00 UTC; it is mon 12:00."},
		{`{"days": ["mon", "wed"]}`, at("2026-11-24T12:00:00Z"), "Transfers are possible here only mon, wed UTC; it is tue 12:00."},
		{office, at("2026-11-24T19:00:00Z"), "Transfers are possible here only 08:00 to 18:00 UTC; it is tue 19:00."},
	})
}

func TestScheduleMistakes(t *testing.T) {
	const day = " is not a day or range of days; write mon, tue, wed, thu, fri, sat, sun, or mon-fri"
	const clock = " is not a time of day; write HH:MM from 00:00 to 24:00, in quotes"
	const zone = " is not a time zone of the IANA database; write it as in Europe/Zurich"
	judgeMistakes(t, scheduleKind(), Env{}, []slip{
		{`{"days": ["Montag", "mon", "mon-", "-fri", "mon-fri-sun", "mo", ""]}`, []string{
			`/days/0: "Montag"` + day, `/days/2: "mon-"` + day + `; did you mean "mon"?`, `/days/3: "-fri"` + day + `; did you mean "fri"?`,
			`/days/4: "mon-fri-sun"` + day, `/days/5: "mo"` + day + `; did you mean "mon"?`, `/days/6: ""` + day,
		}},
		{`{"days": ["mon-frei", "munday", "x-y"]}`, []string{`/days/0: "mon-frei"` + day + `; did you mean "mon-fri"?`, `/days/1: "munday"` + day, `/days/2: "x-y"` + day}},
		{`{"days": ["mon"], "zone": "Zurich"}`, []string{`/zone: "Zurich" is not a time zone of the IANA database; did you mean "Europe/Zurich"?`}},
		{`{"days": ["mon"], "zone": "New York"}`, []string{`/zone: "New York" is not a time zone of the IANA database; did you mean "America/New_York"?`}},
		{`{"from": "8 pm", "to": "6:30AM"}`, []string{`/from: "8 pm"` + clock + `; did you mean "20:00"?`, `/to: "6:30AM"` + clock + `; did you mean "06:30"?`}},
		{`{"days": ["weekdays", "Weekend", "daily", "mondays"]}`, []string{
			`/days/0: "weekdays"` + day + `; did you mean "mon-fri"?`, `/days/1: "Weekend"` + day + `; did you mean "sat-sun"?`,
			`/days/2: "daily"` + day + `; leave days out to mean every day`, `/days/3: "mondays"` + day,
		}},
		{`{"from": "8:00", "to": "25:00"}`, []string{`/from: "8:00"` + clock + `; did you mean "08:00"?`, `/to: "25:00"` + clock}},
		{`{"from": "2000", "to": "6.30"}`, []string{`/from: "2000"` + clock + `; did you mean "20:00"?`, `/to: "6.30"` + clock + `; did you mean "06:30"?`}},
		{`{"from": "20:60", "to": "24:01"}`, []string{`/from: "20:60"` + clock, `/to: "24:01"` + clock}},
		{`{"from": "eight", "to": "06:00"}`, []string{`/from: "eight"` + clock}},
		{`{"from": "08:00", "to": "08:00"}`, []string{"/to: from and to are the same, so the window is empty; leave both out to mean the whole day"}},
		{`{"days": ["mon"], "zone": "Europe/Zuerich"}`, []string{`/zone: "Europe/Zuerich"` + zone}},
		{`{"days": ["mon"], "zone": "Local"}`, []string{`/zone: "Local"` + zone}},
		{`{"days": ["mon"], "zone": "../../etc/passwd"}`, []string{`/zone: "../../etc/passwd"` + zone}},
		{`{"days": ["x"], "from": "x", "to": "y", "zone": "z"}`, []string{`/days/0: "x"` + day, `/from: "x"` + clock, `/to: "y"` + clock, `/zone: "z"` + zone}},
		{`{"zone": "UTC"}`, []string{"/zone: a zone alone is no window; add days, or from and to"}},
	})
	judgeSchema(t, scheduleKind(), `{}`, `{"days": []}`, `{"days": "mon"}`, `{"from": "08:00"}`, `{"to": "08:00"}`, `{"from": "", "to": ""}`, `{"from": "", "to": "06:00"}`,
		`{"from": 8, "to": 18}`, `{"days": ["mon"], "zone": ""}`, `{"weekdays": ["mon"]}`)
}
