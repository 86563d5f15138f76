package aspera

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// named writes the first of some rules, and how many more there are.
func named(list []string) string {
	const most = 3
	if n := len(list); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), n-most)
	}
	return strings.Join(list, ", ")
}

// milder returns a warning instead of an error about those who have no settings of
// their own, where others are validated: it may be meant so.
func (c *checker) milder(p *profile, option string) Severity {
	if p.scope == Global && c.set[option] && len(c.profiles) > 1 {
		return Warning
	}
	return Error
}

// event judges one event of files.
func (c *checker) event(p *profile, option string) {
	set, of, has := p.get(option)
	value := valueNone
	if has {
		value = set.Value
	}
	if has && !slices.Contains(eventValues(option), value) {
		hint := []string{of.command(option + "," + valueURI)}
		c.add(&Finding{
			Severity: Error, Code: "bad-value", Setting: option, Mend: hint,
			Message: fmt.Sprintf("%s is %q, which no version knows; known are %s", option, rules.Printable(value), strings.Join(eventValues(option), ", ")),
			Effect:  "what ascp makes of it is not documented: do not count on being asked",
		}, set.Place, p.who)
		return
	}
	if p.value(validationURI, "") == "" {
		return // That is said once for all events.
	}
	need := c.o.Needs.event(option)
	switch {
	case value == valueURI:
		c.wanted(p, set, of, need)
	case len(need.First) > 0:
		at, mend := c.where(p, option, option+","+valueURI)
		c.add(&Finding{
			Severity: c.milder(p, option), Code: "event-off", Setting: option, Mend: []string{mend},
			Message: fmt.Sprintf("%s, and without it these cannot be decided: %s", isNot(option, value, has), named(need.First)),
			Effect:  "ascp does not ask the service on this event, so files pass that these rules would refuse",
		}, at, p.who)
	case option == fileStop && len(need.Again) > 0:
		at, mend := c.where(p, option, option+","+valueURI)
		c.add(&Finding{
			Severity: Warning, Code: "event-again", Setting: option, Mend: []string{mend},
			Message: fmt.Sprintf("%s, and so these only believe what the beginning of the transfer announces: %s", isNot(option, value, has), named(need.Again)),
			Effect:  "a file that grows while it moves is judged by its first size",
		}, at, p.who)
	}
}

// isNot says what an event is instead of uri.
func isNot(option, value string, has bool) string {
	switch {
	case !has:
		return option + " is not set"
	case value == valueNone:
		return option + " is none"
	default:
		return fmt.Sprintf("%s is %s, so that something else than the service decides", option, value)
	}
}

// wanted judges an event on which ascp asks.
func (c *checker) wanted(p *profile, set Setting, of *Section, need Event) {
	if c.o.Needs.Known && !need.asked() {
		c.add(&Finding{
			Severity: Note, Code: "event-unused", Setting: set.Name, Mend: []string{of.command(set.Name + "," + valueNone)},
			Message: set.Name + " is uri, and no rule is asked on it",
			Effect:  "each file costs one more question, which only the default of the service answers",
		}, set.Place, p.who)
	}
	script := map[string]string{fileStart: luaFileStart, fileStop: luaFileStop}[set.Name]
	for _, suffix := range []string{"_path", "_base64"} {
		lua, whose, has := p.get(script + suffix)
		if script == "" || !has {
			continue
		}
		c.add(&Finding{
			Severity: Error, Code: "lua-and-uri", Setting: lua.Name, Mend: []string{whose.command(lua.Name + ",AS_NULL")},
			Message: fmt.Sprintf("%s is set, and %s is uri", lua.Name, set.Name),
			Effect:  "which of the two decides is not documented: if it is the script, the service is not asked",
		}, lua.Place, p.who)
	}
}

// anyEvent says that ascp asks about nothing, where no policies say what is needed.
func (c *checker) anyEvent(p *profile) {
	if c.o.Needs.Known || p.asks() || p.value(validationURI, "") == "" {
		return
	}
	at, start := c.where(p, fileStart, fileStart+","+valueURI)
	_, stop := c.where(p, fileStop, fileStop+","+valueURI)
	c.add(&Finding{
		Severity: c.milder(p, fileStart), Code: "event-off", Setting: fileStart, Mend: []string{start, stop},
		Message: "none of validation_file_start, validation_threshold and validation_file_stop is uri",
		Effect:  "validation_uri alone calls nothing: ascp does not ask about any file",
	}, at, p.who)
}

// session says what is known of events of sessions.
func (c *checker) session(p *profile) {
	for _, option := range []string{sessionStart, sessionStop} {
		set, of, has := p.get(option)
		if !has || set.Value != valueURI {
			continue
		}
		c.add(&Finding{
			Severity: Note, Code: "session-event", Setting: option, Mend: []string{of.command(option + "," + valueNone)},
			Message: option + " is uri, which the schema of 4.4.7 lists and the manuals do not",
			Effect:  "what such an event has in it is not documented; the service decides it by the rules that need no file",
		}, set.Place, p.who)
	}
}

// thresholdSize judges the size from which files are asked about while they move.
func (c *checker) thresholdSize(p *profile) {
	set, of, has := p.get(thresholdKB)
	on := p.value(threshold, "") == valueURI
	n, err := number(set.Value)
	switch {
	case has && err != nil:
		c.add(&Finding{
			Severity: Error, Code: "bad-number", Setting: thresholdKB, Mend: []string{of.command(thresholdKB + ",1024")},
			Message: fmt.Sprintf("%s is %q, which is not a whole number", thresholdKB, rules.Printable(set.Value)),
			Effect:  "if it counts as 0 and validation_threshold is on, the ascp session exits with an error",
		}, set.Place, p.who)
	case on && n == 0:
		at, mend := c.where(p, thresholdKB, thresholdKB+",1024")
		if !has {
			at = c.placeOf(p, threshold)
		}
		if !has {
			_, whose, _ := p.get(threshold)
			mend = whose.command(thresholdKB + ",1024")
		}
		c.add(&Finding{
			Severity: Error, Code: "threshold-without-size", Setting: thresholdKB, Mend: []string{mend},
			Message: "validation_threshold is uri, and validation_threshold_kb is 0 or not set",
			Effect:  "the ascp session exits with an error: nothing can be transferred",
		}, at, p.who)
	case has && n > 0 && !on:
		c.add(&Finding{
			Severity: Note, Code: "size-without-threshold", Setting: thresholdKB, Mend: []string{of.command(threshold + "," + valueURI)},
			Message: "validation_threshold_kb is set, and validation_threshold is not uri",
			Effect:  "it means nothing: ascp asks about no file while it moves",
		}, set.Place, p.who)
	}
}

// placeOf returns the place of an option that is set.
func (c *checker) placeOf(p *profile, option string) Place {
	s, _, _ := p.get(option)
	return s.Place
}
