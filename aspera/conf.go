package aspera

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/sluiceproject/sluice/rules"
)

// Conf is what an aspera.conf says, as far as it matters for validation.
type Conf struct {
	// File is the name by which the reader knows the file.
	File string
	// Root is where its outermost element begins.
	Root Place
	// Default holds for everybody; nil where there is none.
	Default *Section
	// Groups and Users are in the order of the file.
	Groups, Users []*Section
	// HTTP is asperahttpd, which does HTTP fallback; Central is asperacentral,
	// Node is asperanoded. Each is nil where the file says nothing of it.
	HTTP, Central, Node *Section
	// WebFallback is HttpFallback of the old <WEB> element; its Value is empty where
	// there is none.
	WebFallback Setting
	// Strays are elements about validation where no ascp looks for them.
	Strays []Stray
}

// Place is a place in a file. Both count from 1, Column in bytes.
type Place struct{ Line, Column int }

// Scope says for whom a section holds.
type Scope string

// The scopes of sections.
const (
	Global Scope = "global"
	Group  Scope = "group"
	User   Scope = "user"
)

// Section is a part of aspera.conf that sets options.
type Section struct {
	// Scope and Name say for whom; Name is empty where everybody is meant.
	Scope Scope
	Name  string
	// Place is where the section begins, and Transfer where its <transfer> does; its
	// Line is 0 where it has none.
	Place, Transfer Place
	// Settings are the options by their names, in the order of the file. An option
	// that is there more than once may be set twice; docroots are often many.
	Settings map[string][]Setting
}

// Setting is an option that is set. Value has no space around it.
type Setting struct {
	Name, Value string
	Place       Place
}

// Stray is an element about validation that ascp will not see.
type Stray struct {
	// Path is where it is: the names of the elements around it, and its own.
	Path string
	// Name is its own name.
	Name string
	// Misplaced says that the name is right and the place is not.
	Misplaced bool
	// Hint says what was probably meant, or nothing.
	Hint  string
	Place Place
}

// get returns the last setting of an option that says something.
func (s *Section) get(option string) (Setting, bool) {
	if s == nil {
		return Setting{}, false
	}
	list := s.Settings[option]
	for i := len(list) - 1; i >= 0; i-- {
		// Asconfigurator writes AS_NULL where an option is taken back.
		if v := list[i].Value; v != "" && v != "AS_NULL" {
			return list[i], true
		}
	}
	return Setting{}, false
}

// command returns the line that sets options in a section, such as
// "validation_uri,http://…".
func (s *Section) command(set string) string { return Command(s.Scope, s.Name, set) }

// Command returns the call of asconfigurator that sets an option, written as
// "option,value", for a scope. What a shell or asconfigurator would take for
// something else is to be done by hand.
func Command(scope Scope, name, set string) string {
	value := set[strings.IndexByte(set, ',')+1:]
	switch {
	case !Plain(name) || !Plain(value):
		return "by hand, in aspera.conf: " + rules.Printable(strings.Replace(set, ",", " = ", 1))
	case scope == Group:
		return fmt.Sprintf(`asconfigurator -x "set_group_data;group_name,%s;%s"`, name, set)
	case scope == User:
		return fmt.Sprintf(`asconfigurator -x "set_user_data;user_name,%s;%s"`, name, set)
	default:
		return fmt.Sprintf(`asconfigurator -x "set_node_data;%s"`, set)
	}
}

// httpCommand returns the call that sets an option of asperahttpd.
func httpCommand(set string) string {
	return fmt.Sprintf(`asconfigurator -x "set_http_server_data;%s"`, set)
}

// Plain reports whether a name or a value can stand between double quotes in a call
// of asconfigurator: it has no comma or semicolon, and nothing that shells expand. A
// backslash can be there, as in the names of Windows, if a letter or digit follows.
func Plain(text string) bool {
	for i, r := range text {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r >= 0x80 && unicode.IsLetter(r):
		case strings.ContainsRune("-._~:/%@+=[] ", r):
		case r == '\\' && i+1 < len(text) && Plain(text[i+1:i+2]) && text[i+1] != '\\':
		default:
			return false
		}
	}
	return true
}

// SyntaxError says that a file is not an aspera.conf.
type SyntaxError struct {
	File    string
	Place   Place
	Message string
}

// Error returns file:line:column: message.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Place.Line, e.Place.Column, e.Message)
}
