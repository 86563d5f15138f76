package rules

import (
	"context"
	"fmt"
	"strings"
)

func pathKind() Kind {
	return Kind{
		Name:         "path",
		Doc:          "the path is not in `allow` or is in `deny` (globs); a path that is not clean (`..`, `//`, `/./`) never matches an `allow`; a folder for which a token is asked must be all in `allow` and not partly in `deny`",
		Schema:       fmt.Sprintf(allowDenySchema, "paths that match one of these globs", `"/ingest/**"`, "Paths that match one of these globs", ""),
		Phases:       EveryPhase,
		NeedsFile:    true,
		Reads:        "path",
		Fields:       []string{"file"},
		Code:         "1020",
		Placeholders: []string{"found"},
		Saw:          sawPath,
		Compile:      compilePath,
	}
}

func sawPath(e *Event) string { return e.File.Shown() }

func compilePath(_ Env, dec Decoder) (Compiled, error) {
	var spec allowDeny
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var wrong mistakes
	spec.each(func(at, glob string) {
		if err := CheckFolderGlob(glob); err != nil {
			wrong.add(placed(at, err))
		}
	})
	if len(wrong) > 0 {
		return Compiled{}, wrong.err()
	}
	allow, deny := &PathGlobs{}, &PathGlobs{}
	for _, glob := range spec.Allow {
		allow.Add(glob, 0)
	}
	for _, glob := range spec.Deny {
		deny.Add(glob, 0)
	}
	p := &paths{allows: spec.Allow != nil, allow: allow, deny: deny}
	reach := pathReach{p.allows, NewPathReach(spec.Allow), NewPathReach(spec.Deny)}
	return Compiled{Reach: reach, Check: func(_ context.Context, e *Event) (*Objection, error) {
		switch {
		case e.File.Raw == "":
			return nil, MissingError{"file"}
		case e.Below:
			return p.below(e.File), nil
		default:
			return p.file(e.File), nil
		}
	}}, nil
}

// paths is a compiled path rule.
type paths struct {
	allows      bool
	allow, deny *PathGlobs
}

// file judges one path.
func (r *paths) file(p Path) *Objection {
	switch {
	case r.deny.Match(p.Slash) || !p.Clean && r.deny.Match(resolve(p.Slash)):
		return &Objection{Message: builtinMessage("Nothing may be transferred to or from {path}. Choose another folder."), Found: p.Shown()}
	case !r.allows:
		return nil
	case !p.Clean:
		return notPlain(p)
	case !r.allow.Match(p.Slash):
		return &Objection{Message: builtinMessage("{path} is outside the folders that may be used. Choose another folder."), Found: p.Shown()}
	default:
		return nil
	}
}

// below judges a folder and every path that may be below it.
func (r *paths) below(p Path) *Objection {
	switch clean := isPlainFolder(p); {
	case r.deny.Meets(p.Slash) || !clean && r.deny.Meets(resolve(p.Slash)):
		return &Objection{Message: builtinMessage("Not everything in the folder {path} may be transferred. Ask for less than all of it."), Found: p.Shown()}
	case !r.allows:
		return nil
	case !clean:
		return notPlain(p)
	case !r.allow.Covers(p.Slash):
		return &Objection{Message: builtinMessage("Not all of the folder {path} is inside the folders that may be used. Ask for less than all of it."), Found: p.Shown()}
	default:
		return nil
	}
}

// notPlain is the objection to a path that leads nobody knows where.
func notPlain(p Path) *Objection {
	return &Objection{Message: builtinMessage(`The path {path} is not plain: it has "..", "." or "//". Rename the folder and try again.`), Found: p.Shown()}
}

// isPlainFolder reports whether the path of a folder is clean but for the slash
// that may stand at its end.
func isPlainFolder(p Path) bool {
	return p.Clean || strings.HasSuffix(p.Raw, "/") && ParsePath(p.Raw[:len(p.Raw)-1]).Clean
}
