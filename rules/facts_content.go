package rules

import "slices"

// namesOf returns the names of types; nil if one of them is not the same type
// again when it has only its name, as that of a sort of QuickTime which is a case
// of MP4, unlike every other.
func namesOf(types []lineage) []string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.name()
		if again := lineageOf(names[i]); !again.covers(t) || !t.covers(again) {
			return nil
		}
	}
	return names
}

// covers reports whether the lineage has every type of another.
func (l lineage) covers(other lineage) bool {
	return !slices.ContainsFunc(other, func(name string) bool { return !l.is(name) })
}

// recall judges the types that the head was found to have.
func (c *contents) recall(e *Event, f *Facts) (Finding, error) {
	if found, ok := f.unread(); ok {
		return found, nil
	}
	if err := c.needsName(e); err != nil {
		return FoundNothing(err, 0, f.Size), nil
	}
	if len(f.Types) == 0 {
		return Finding{}, &UndecidableError{Reason: UndecidableUnseen}
	}
	types := make([]lineage, len(f.Types))
	for i, name := range f.Types {
		types[i] = lineageOf(name)
	}
	return c.conclude(e, types, f.Head, f.Size), nil
}
