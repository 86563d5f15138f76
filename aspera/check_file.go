package aspera

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// strays says which elements about validation ascp will not see.
func (c *checker) strays() {
	for _, s := range c.conf.Strays {
		f := Finding{
			Severity: Error, Code: "unknown-setting", Setting: rules.Printable(s.Name),
			Message: fmt.Sprintf("no version knows <%s>", rules.Printable(s.Name)),
			Effect:  "ascp passes over what it does not know, and validates as if it were not there",
		}
		if s.Hint != "" {
			f.Mend = []string{s.Hint}
		}
		if s.Misplaced {
			f.Code = "misplaced-setting"
			f.Message = fmt.Sprintf("<%s> is not where it is looked for: here it is %s", s.Name, rules.Printable(s.Path))
			f.Mend = []string{"put it into <transfer>, of <default>, of a <group> or of a <user>"}
		}
		c.add(&f, s.Place, "")
	}
}

// twice says which options of a section are there twice, and differ.
func (c *checker) twice() {
	for _, s := range slices.Concat([]*Section{c.conf.Default}, c.conf.Groups, c.conf.Users) {
		if s == nil {
			continue
		}
		for _, option := range slices.Sorted(maps.Keys(s.Settings)) {
			list := s.Settings[option]
			if len(list) < 2 || !strings.HasPrefix(option, "validation_") && !strings.HasPrefix(option, "authorization_") {
				continue
			}
			lines := make([]string, len(list))
			differ := false
			for i, set := range list {
				lines[i] = fmt.Sprint(set.Place.Line)
				differ = differ || set.Value != list[0].Value
			}
			if !differ {
				continue
			}
			c.add(&Finding{
				Severity: Error, Code: "set-twice", Setting: option, Mend: []string{"leave one of them"},
				Message: fmt.Sprintf("%s is there more than once and differs (lines %s)", option, strings.Join(lines, ", ")),
				Effect:  "which of them counts is not documented; the last one is taken here",
			}, list[len(list)-1].Place, s.who())
		}
	}
}

// who returns how a section's people are called.
func (s *Section) who() string {
	switch s.Scope {
	case Group:
		return "group " + s.Name
	case User:
		return s.Name
	default:
		return others
	}
}

// names says which users and groups have no name, or the name of another, and what
// is not known of groups.
func (c *checker) names() {
	for _, list := range [][]*Section{c.conf.Groups, c.conf.Users} {
		seen := map[string]Place{}
		for _, s := range list {
			first, again := seen[s.Name]
			seen[s.Name] = s.Place
			f := Finding{Severity: Error, Code: "name", Effect: "what holds for whom cannot be told"}
			switch {
			case s.Name == "":
				f.Message, f.Mend = fmt.Sprintf("a %s has no <name>", s.Scope), []string{"give it one, or take it out"}
			case again:
				f.Message = fmt.Sprintf("the %s %s is there twice; the other one begins in line %d", s.Scope, rules.Printable(s.Name), first.Line)
				f.Mend = []string{"make it one"}
			default:
				continue
			}
			c.add(&f, s.Place, "")
		}
	}
	if c.o.Members != nil {
		return
	}
	for _, g := range c.conf.Groups {
		if len(c.conf.Users) > 0 && len(g.Settings) > 0 {
			c.add(&Finding{
				Severity: Note, Code: "members-unknown", Mend: []string{"name the file of groups: --group-file /etc/group"},
				Message: "which users are in this group is not written here",
				Effect:  "the group was judged as a member without settings of their own, and users as if they were in no group",
			}, g.Place, "")
		}
	}
}
