package aspera

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// path returns the names of the open elements from a depth on.
func (r *reader) path(from int) string {
	names := make([]string, 0, len(r.stack))
	for _, e := range r.stack[min(from, len(r.stack)):] {
		names = append(names, e.name)
	}
	return strings.Join(names, "/")
}

// section begins a section, if the innermost element is one.
func (r *reader) section(t *xml.StartElement) error {
	n := len(r.stack)
	e := &r.stack[n-1]
	if e.of != nil {
		if n == e.depth+1 && e.name == "transfer" && e.of.Transfer.Line == 0 {
			e.of.Transfer = e.place
		}
		return nil
	}
	if n != 2 && n != 6 {
		return nil
	}
	var s *Section
	switch r.path(1) {
	case "default":
		s = once(&r.conf.Default, e.place)
	case "http_server":
		s = once(&r.conf.HTTP, e.place)
	case "central_server":
		s = once(&r.conf.Central, e.place)
	case "server":
		s = once(&r.conf.Node, e.place)
	case "aaa/realms/realm/users/user":
		s = newSection(User, e.place)
		r.conf.Users = append(r.conf.Users, s)
	case "aaa/realms/realm/groups/group":
		s = newSection(Group, e.place)
		r.conf.Groups = append(r.conf.Groups, s)
	case "WEB":
		for _, a := range t.Attr {
			if strings.EqualFold(a.Name.Local, "HttpFallback") {
				r.conf.WebFallback = Setting{Name: a.Name.Local, Value: strings.TrimSpace(a.Value), Place: e.place}
			}
		}
	}
	if e.of = s; s != nil {
		e.depth = n
		r.sections++
	}
	if r.sections > mostSections {
		return fmt.Errorf("the file has more than %d users and groups", mostSections)
	}
	return nil
}

func newSection(scope Scope, at Place) *Section {
	return &Section{Scope: scope, Place: at, Settings: map[string][]Setting{}}
}

// once returns the section that there should be one of: a second one adds to it.
func once(section **Section, at Place) *Section {
	if *section == nil {
		*section = newSection(Global, at)
	}
	return *section
}

// end ends the innermost element, and takes over what it says if it is an option.
func (r *reader) end() {
	e := &r.stack[len(r.stack)-1]
	switch {
	case e.inner:
	case e.of == nil:
		r.stray(e)
	default:
		r.option(e)
	}
	r.stack = r.stack[:len(r.stack)-1]
}

// option takes over an option of a section.
func (r *reader) option(e *element) {
	path := r.path(e.depth)
	s := Setting{Value: strings.TrimSpace(string(e.text)), Place: e.place}
	if e.of == r.conf.HTTP || e.of == r.conf.Central || e.of == r.conf.Node {
		s.Name = path
	} else {
		s.Name = option(path)
	}
	switch s.Name {
	case "":
		r.stray(e)
	case name:
		e.of.Name = s.Value
	default:
		e.of.Settings[s.Name] = append(e.of.Settings[s.Name], s)
	}
}

// mostStrays is how many elements at wrong places are told.
const mostStrays = 1000

// stray keeps an element that is about validation and not where it belongs.
func (r *reader) stray(e *element) {
	if len(r.conf.Strays) == mostStrays {
		return
	}
	stray := Stray{Path: r.path(0), Name: e.name, Place: e.place}
	if slices.Contains(validationOptions(), e.name) {
		stray.Misplaced = true
	} else {
		hint, about := meant(e.name)
		if !about {
			return
		}
		stray.Hint = hint
	}
	r.conf.Strays = append(r.conf.Strays, stray)
}
