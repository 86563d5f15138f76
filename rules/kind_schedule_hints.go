package rules

import (
	"fmt"
	"strings"
	"time"
)

// daysHint says what was probably meant by a text that is no range of days.
func daysHint(text string) string {
	switch lower := strings.ToLower(strings.TrimSpace(text)); lower {
	case "weekday", "weekdays", "workday", "workdays", "working days":
		return `did you mean "mon-fri"?`
	case "weekend", "weekends":
		return `did you mean "sat-sun"?`
	case "daily", "every day", "everyday", "all", "any", "*":
		return "leave days out to mean every day"
	}
	var meant []string
	for part := range strings.SplitSeq(strings.Trim(text, "- "), "-") {
		day := parseDay(part)
		if near := DidYouMean(part, weekdays); day < 0 && near != "" {
			day = parseDay(strings.TrimSuffix(strings.TrimPrefix(near, `did you mean "`), `"?`))
		}
		if day < 0 {
			return ""
		}
		meant = append(meant, weekdays[day])
	}
	if len(meant) > 2 {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", strings.Join(meant, "-"))
}

// clockHint says what was probably meant by a text such as 8:00, 2000 or 8 pm.
func clockHint(text string) string {
	for _, layout := range []string{"3PM", "3:04PM"} {
		if clock, err := time.Parse(layout, strings.ToUpper(strings.ReplaceAll(text, " ", ""))); err == nil {
			return fmt.Sprintf("did you mean %q?", clock.Format("15:04"))
		}
	}
	hour, minute, found := strings.Cut(strings.ReplaceAll(text, ".", ":"), ":")
	if !found && len(text) >= 3 {
		hour, minute = text[:len(text)-2], text[len(text)-2:]
	}
	if len(hour) == 1 {
		hour = "0" + hour
	}
	if _, err := time.Parse("15:04", hour+":"+minute); err != nil || len(minute) != 2 {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", hour+":"+minute)
}

// zoneHint says which zone was probably meant by a city alone.
func zoneHint(text string, load func(string) (*time.Location, error)) string {
	city := strings.ReplaceAll(strings.TrimSpace(text), " ", "_")
	for _, region := range []string{"Europe", "America", "Asia", "Africa", "Australia", "Pacific", "Atlantic"} {
		if _, err := load(region + "/" + city); err == nil && city != "" && !strings.ContainsAny(city, "/.") {
			return fmt.Sprintf("did you mean %q?", region+"/"+city)
		}
	}
	return "write it as in Europe/Zurich"
}
