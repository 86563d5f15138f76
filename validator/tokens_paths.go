package validator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator/grants"
)

// target is one path that is asked for.
type target struct {
	// path is inside the docroot, in the form of rules.Path.Slash.
	path string
	// below says that it is a folder, and everything below it is meant.
	below bool
	// file is docroot and path: what an Aspera server will call it.
	file rules.Path
}

// sides are the names of the members that say where on the server something is,
// and where on the client's side.
type sides struct {
	server, serverRoot, client, clientRoot string
}

func sidesOf(d rules.Direction) sides {
	if d == rules.Upload {
		return sides{"destination", "destination_root", "source", "source_root"}
	}
	return sides{"source", "source_root", "destination", "destination_root"}
}

// pair is one of paths: where something is on the server and on the client's
// side, either of which can be left out.
type pair struct {
	server, client string
	members        grants.Object
}

// expand finds out what is asked for, and tidies the members that say so.
func (w *wanted) expand(d rules.Direction, docroot string) *tokenFault {
	names := sidesOf(d)
	root, f := pathText(w.members, names.serverRoot, names.serverRoot, true)
	if f != nil {
		return f
	}
	if _, f := pathText(w.members, names.clientRoot, names.clientRoot, false); f != nil {
		return f
	}
	pairs, f := w.readPaths(names)
	if f != nil {
		return f
	}
	rooted := root != ""
	if !rooted {
		if root, f = rootOf(pairs, d); f != nil {
			return f
		}
	}
	root = folder(root)
	if d == rules.Upload || rooted { // A client takes an upload's root and nothing else out of the answer.
		w.members[names.serverRoot] = root
	}
	seen := make(map[target]bool, len(pairs))
	for i, p := range pairs {
		to, below := p.leadsTo(d)
		t, wrong := newTarget(docroot, root, to, below)
		if wrong != "" {
			return &tokenFault{reason: reasonFile, message: fmt.Sprintf("paths[%d]: %s %s", i, shownPath(root+"/"+to), wrong), path: root + "/" + to}
		}
		if !seen[t] {
			seen[t] = true
			w.targets = append(w.targets, t)
		}
	}
	return nil
}

// readPaths reads paths, and tidies those that are on the server.
func (w *wanted) readPaths(names sides) ([]pair, *tokenFault) {
	list, ok := w.members["paths"].([]any)
	switch {
	case !ok && w.members["paths"] != nil:
		return nil, &tokenFault{reason: reasonType, message: `paths is not an array. Write [{"source":"…"}], or [{}] for anywhere below the root.`}
	case len(list) == 0:
		return nil, &tokenFault{reason: reasonRequest, message: "There are no paths. Write [{}] for anywhere below the root."}
	}
	pairs := make([]pair, len(list))
	for i := range list {
		where := fmt.Sprintf("paths[%d]", i)
		members, ok := list[i].(grants.Object)
		if !ok {
			return nil, &tokenFault{reason: reasonType, message: where + ` is not an object. Write {"source":"…"}, or {} for anywhere below the root.`}
		}
		p := pair{members: members}
		var f *tokenFault
		if p.server, f = pathText(members, names.server, where+"."+names.server, true); f != nil {
			return nil, f
		}
		if p.client, f = pathText(members, names.client, where+"."+names.client, false); f != nil {
			return nil, f
		}
		if p.server == "" {
			delete(members, names.server)
		} else {
			p.server = tidy(p.server)
			members[names.server] = p.server
		}
		pairs[i] = p
	}
	return pairs, nil
}

// rootOf returns the root where the request does not name one: that of the
// docroot if each path says where it is, and the only destination of an upload
// if it is no file's.
func rootOf(pairs []pair, d rules.Direction) (string, *tokenFault) {
	if p := pairs[0]; d == rules.Upload && len(pairs) == 1 && p.server != "" && p.client == "" {
		delete(p.members, "destination")
		pairs[0].server = ""
		return p.server, nil
	}
	if slices.ContainsFunc(pairs, func(p pair) bool { return p.server == "" || d == rules.Upload && p.client == "" }) {
		message := "It is not said where the files are. Write source_root, or a source for each path."
		if d == rules.Upload {
			message = "It is not said where the files go. Write destination_root, or source and destination for each path."
		}
		return "", &tokenFault{reason: reasonRequest, message: message}
	}
	return "/", nil
}

// leadsTo returns where below the root a pair leads, and whether it is a folder
// that is meant with everything in it.
func (p pair) leadsTo(d rules.Direction) (to string, below bool) {
	if p.server != "" || d == rules.Download {
		return cutFolder(p.server)
	}
	source := p.client
	if isDrive(source) {
		source = strings.ReplaceAll(source[2:], `\`, "/")
	}
	last := strings.TrimRight(source, "/")
	last = last[strings.LastIndexByte(last, '/')+1:]
	if last == "" || last == "." || last == "*" { // Whatever is in that folder goes into the root.
		return "", true
	}
	return last, strings.HasSuffix(source, "/")
}

// cutFolder takes off the end of a path what stands for the folder and everything
// below it, and reports whether there is such an end.
func cutFolder(raw string) (path string, below bool) {
	for {
		i := strings.LastIndexByte(raw, '/')
		switch raw[i+1:] {
		case "", ".", "*":
			if i < 0 {
				return "", true
			}
			raw, below = raw[:i], true
		default:
			return raw, below
		}
	}
}

// tidy returns a path without empty and "." segments. It leads to the same
// place, and still ends in a slash if it did.
func tidy(raw string) string {
	tidied := rules.ParsePath("/" + raw).Slash
	if !strings.HasPrefix(raw, "/") {
		tidied = tidied[1:]
	}
	switch {
	case tidied == "":
		return "."
	case tidied != "/" && (strings.HasSuffix(raw, "/") || strings.HasSuffix(raw, "/.")):
		return tidied + "/"
	default:
		return tidied
	}
}

// folder returns the folder that a root stands for, in the form of
// rules.Path.Slash.
func folder(root string) string {
	path, _ := cutFolder(root)
	return rules.ParsePath("/" + path).Slash
}

// newTarget returns the target that is below a root, or what is wrong with it.
func newTarget(docroot, root, to string, below bool) (t target, wrong string) {
	inside := rules.ParsePath("/" + root + "/" + to).Slash
	file := rules.ParsePath(docroot + inside)
	if inside == "/" && docroot != "" {
		file = rules.ParsePath(docroot)
	}
	// Seen with the docroot before it, a backslash may be a separator.
	inside, under := strings.CutPrefix(file.Slash, docroot)
	if inside == "" {
		inside = "/"
	}
	switch {
	case len(file.Raw) > maxPathBytes:
		return t, fmt.Sprintf("is longer than %d bytes.", maxPathBytes)
	case !under || !file.Clean || file.Up || inside[0] != '/':
		return t, "is not a plain path. Write it out with slashes."
	}
	return target{path: inside, below: below, file: file}, ""
}
