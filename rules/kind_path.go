package rules

import (
	"context"
	"fmt"
)

func pathKind() Kind {
	return Kind{
		Name:         "path",
		Doc:          "the path is not in `allow` or is in `deny` (globs); a path that is not clean (`..`, `//`, `/./`) never matches an `allow`",
		Schema:       fmt.Sprintf(allowDenySchema, "paths that match one of these globs", `"/ingest/**"`, "Paths that match one of these globs", ""),
		Phases:       EveryPhase,
		NeedsFile:    true,
		Reads:        "path",
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
	var allow, deny PathGlobs
	for _, glob := range spec.Allow {
		allow.Add(glob, 0)
	}
	for _, glob := range spec.Deny {
		deny.Add(glob, 0)
	}
	unclean := builtinMessage(`The path {path} is not plain: it has "..", "." or "//". Rename the folder and try again.`)
	denied := builtinMessage("Nothing may be transferred to or from {path}. Choose another folder.")
	notAllowed := builtinMessage("{path} is outside the folders that may be used. Choose another folder.")
	reach := pathReach{spec.Allow != nil, NewPathReach(spec.Allow), NewPathReach(spec.Deny)}
	return Compiled{Reach: reach, Check: func(_ context.Context, e *Event) (*Objection, error) {
		p := e.File
		switch {
		case p.Raw == "":
			return nil, MissingError{"file"}
		case deny.Match(p.Slash) || !p.Clean && deny.Match(resolve(p.Slash)):
			return &Objection{Message: denied, Found: p.Shown()}, nil
		case spec.Allow == nil:
			return nil, nil
		case !p.Clean:
			return &Objection{Message: unclean, Found: p.Shown()}, nil
		case !allow.Match(p.Slash):
			return &Objection{Message: notAllowed, Found: p.Shown()}, nil
		default:
			return nil, nil
		}
	}}, nil
}
