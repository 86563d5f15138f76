package grants

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// checkSpecs reports the first transfer_spec that is not for what was asked, and
// sees to it that each carries its grant.
func checkSpecs(call Call, answers []Answer) error {
	for i := range answers {
		spec, request := answers[i].Spec, &call.Requests[i]
		if spec == nil {
			continue
		}
		err := checkSpec(call.Direction, request, spec)
		if err == nil {
			err = carryGrant(request, spec)
		}
		if err != nil {
			return fmt.Errorf("the node's answer is not for what was asked (item %d): %w", i+1, err)
		}
	}
	return nil
}

func checkSpec(direction rules.Direction, request *Request, spec Object) error {
	want := "send"
	if direction == rules.Download {
		want = "receive"
	}
	if err := mustBe(spec, "direction", want); err != nil {
		return err
	}
	if request.Grant != nil && request.Grant.User != "" {
		if err := mustBe(spec, "remote_user", request.Grant.User); err != nil {
			return err
		}
	}
	return checkPlaces(direction, request.Members, spec)
}

// mustBe reports a member that is there and is not what it must be.
func mustBe(spec Object, name, want string) error {
	given, err := nodeMember(spec, name)
	if err == nil && given != "" && given != want {
		err = fmt.Errorf("its %s is %s instead of %s", name, nodeQuoted(given), nodeQuoted(want))
	}
	return err
}

// nodeMember returns a member that is a string; empty if it is not there or null.
func nodeMember(object Object, name string) (string, error) {
	switch given := object[name].(type) {
	case nil:
		return "", nil
	case string:
		return given, nil
	default:
		return "", errors.New("its " + name + " is no string")
	}
}

// nodeQuoted returns a path or a name for the log.
func nodeQuoted(text string) string {
	const most = 96
	return strconv.Quote(rules.Shorten(rules.ParsePath(text).Shown(), most))
}

// nodePlace is a file, or a folder and everything below it. Both sides of a
// comparison are made in the same way.
type nodePlace struct {
	path  string
	below bool
}

// nodePlaceOf returns where a path below a root is.
func nodePlaceOf(root, path string) nodePlace {
	if path == "*" || strings.HasSuffix(path, "/*") {
		path = strings.TrimSuffix(path, "*")
	}
	below := path == "." || path == "" || strings.HasSuffix(path, "/") || strings.HasSuffix(path, "/.")
	return nodePlace{rules.ParsePath("/" + root + "/" + path).Slash, below}
}

// nodeSides are the names of the members that say where files are on the server.
type nodeSides struct{ rootName, pathName string }

func nodeSidesOf(direction rules.Direction) nodeSides {
	if direction == rules.Download {
		return nodeSides{"source_root", "source"}
	}
	return nodeSides{"destination_root", "destination"}
}

// pathOf returns what a pair of paths says of the server, below the root.
func (s nodeSides) pathOf(entry any) (string, error) {
	pair, ok := entry.(Object)
	if !ok {
		return "", errors.New("a path of it is no object")
	}
	path, err := nodeMember(pair, s.pathName)
	if err != nil || path != "" || s.pathName == "source" {
		return path, err
	}
	source, err := nodeMember(pair, "source")
	name := rules.ParsePath(source).Name()
	if name != "" && strings.HasSuffix(source, "/") {
		name += "/"
	}
	return name, err
}

// askedPlaces are where the files of a request may be.
type askedPlaces struct {
	nodeSides
	root string
	// roots stand for root: itself and, if the request has none, what its only path
	// says.
	roots  map[string]bool
	places map[nodePlace]bool
}

func newAskedPlaces(s nodeSides, asked Object) *askedPlaces {
	root, _ := nodeMember(asked, s.rootName)
	list, _ := asked["paths"].([]any)
	a := &askedPlaces{s, root, map[string]bool{nodePlaceOf(root, "").path: true}, make(map[nodePlace]bool, len(list))}
	for _, entry := range list {
		path, err := s.pathOf(entry)
		if err != nil {
			continue // It stands for nothing.
		}
		at := nodePlaceOf(root, path)
		if root == "" && len(list) == 1 {
			a.roots[at.path] = true
			pair, _ := entry.(Object)
			source, _ := nodeMember(pair, "source")
			// The lone destination of an upload is the root of whatever is sent.
			at.below = at.below || s.pathName == "destination" && source == ""
		}
		a.places[at] = true
	}
	return a
}

// cover reports whether a place is among those that were asked for.
func (a *askedPlaces) cover(p nodePlace) bool {
	if a.places[p] {
		return true
	}
	if rules.ParsePath(p.path).Up {
		return false
	}
	for at := p.path; ; at = at[:max(strings.LastIndexByte(at, '/'), 1)] {
		if a.places[nodePlace{at, true}] {
			return true
		}
		if len(at) <= 1 {
			return false
		}
	}
}

// checkPlaces reports a root or a path of a transfer_spec that was not asked for.
// Fewer or narrower paths are no fault.
func checkPlaces(direction rules.Direction, asked, spec Object) error {
	a := newAskedPlaces(nodeSidesOf(direction), asked)
	given, err := nodeMember(spec, a.rootName)
	if err != nil {
		return err
	}
	root := given
	if spec[a.rootName] == nil {
		root = a.root
	}
	if !a.roots[nodePlaceOf(root, "").path] {
		return fmt.Errorf("its %s is %s, which was not asked for", a.rootName, nodeQuoted(root))
	}
	list, ok := spec["paths"].([]any)
	if !ok && spec["paths"] != nil {
		return errors.New("its paths are no list")
	}
	for _, entry := range list {
		path, err := a.pathOf(entry)
		if err != nil {
			return err
		}
		// Where a node makes the only path the root, the path may still be in the list.
		if !a.cover(nodePlaceOf(root, path)) && !a.cover(nodePlaceOf(a.root, path)) {
			return fmt.Errorf("one of its paths is %s below %s, which was not asked for", nodeQuoted(path), nodeQuoted(root))
		}
	}
	return nil
}

// carryGrant puts the grant into the tags of a transfer_spec if the node has left
// it out.
func carryGrant(request *Request, spec Object) error {
	asked, _ := request.Members["tags"].(Object)
	if spec["tags"] == nil || spec["tags"] == "" {
		delete(spec, "tags")
		if asked != nil {
			spec["tags"] = asked
		}
	}
	if request.Signed == "" {
		return nil
	}
	tags, ok := spec["tags"].(Object)
	if !ok && spec["tags"] != nil {
		return errors.New("its tags are no object")
	}
	sluice, _ := tags["sluice"].(Object)
	if grant, ok := sluice["grant"]; ok && grant != request.Signed {
		return errors.New("its tags have another grant")
	}
	tags, sluice = clonedTags(tags), clonedTags(sluice)
	aspera, _ := tags["aspera"].(Object)
	aspera = clonedTags(aspera)
	sluice["grant"] = request.Signed
	tags["sluice"] = sluice
	if request.Grant != nil {
		aspera["xfer_id"] = request.Grant.ID
		tags["aspera"] = aspera
	}
	spec["tags"] = tags
	return nil
}

// cloned returns a copy that can be written to.
func clonedTags(object Object) Object {
	if object == nil {
		return Object{}
	}
	return maps.Clone(object)
}
