package rules

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// eventType is the name of the type of the variable event.
const eventType = "event"

// eventField is one field of the variable event.
type eventField struct {
	name  string
	typ   *cel.Type
	never PhaseSet // the phases in which it is never known
	file  bool     // it is of a file, so session events do not have it
	get   func(*Event) (ref.Val, error)
	shown func(ref.Val) string // what a person may see of it; nil is all of it
}

// errBelow says that an expression about one file cannot judge a folder.
var errBelow = errors.New("a whole folder is asked for, so the path and name of each file are not known until it starts")

// errUp says that a path cannot be judged by an expression.
var errUp = errors.New(`the path has a "..", so where it leads is not known`)

// The phases in which a token request's event has no answer, and those in which
// only a finished file has one.
const (
	notOnRequest = PhaseSet(1 << PhaseRequest)
	onlyOnStop   = EveryPhase &^ OnlyStop
)

// eventFields returns the fields of the variable event, in the order of the
// reference.
func eventFields() []*eventField {
	return []*eventField{
		{name: "phase", typ: cel.StringType, get: func(e *Event) (ref.Val, error) { return types.String(e.Phase.String()), nil }},
		{name: "direction", typ: cel.StringType, get: direction},
		{name: "user", typ: cel.StringType, get: textOf("user", func(e *Event) string { return e.User })},
		{name: "user_id", typ: cel.StringType, never: notOnRequest, get: textOf("user_id", func(e *Event) string { return e.UserID })},
		{name: "host", typ: cel.StringType, never: notOnRequest, get: textOf("host", func(e *Event) string { return e.Host })},
		{name: "client_ip", typ: cel.StringType, never: notOnRequest, get: textOf("client_ip", func(e *Event) string { return e.ClientIP })},
		{name: "path", typ: cel.StringType, file: true, get: pathOf(func(slash string) string { return slash })},
		{name: "folder", typ: cel.StringType, file: true, get: pathOf(folderOf)},
		{name: "name", typ: cel.StringType, file: true, get: nameOf},
		{name: "extension", typ: cel.StringType, file: true, get: extensionOf},
		{name: "size", typ: cel.IntType, never: notOnRequest, file: true, get: sizeOf, shown: showSize},
		{name: "start_byte", typ: cel.IntType, never: notOnRequest, file: true, get: numberOf("start_byte", func(e *Event) Number { return e.StartByte })},
		{name: "bytes_written", typ: cel.IntType, never: notOnRequest, file: true, get: numberOf("bytes_written", func(e *Event) Number { return e.BytesWritten })},
		{name: "checksum", typ: cel.StringType, never: onlyOnStop, file: true, get: textOf("file_csum", func(e *Event) string { return strings.ToLower(e.Checksum) })},
		{name: "checksum_type", typ: cel.StringType, never: onlyOnStop, file: true, get: textOf("file_csum_type", checksumType)},
		{name: "cipher", typ: cel.StringType, never: notOnRequest, get: textOf("cipher", func(e *Event) string { return strings.ToLower(e.Cipher) })},
		{name: "rate_policy", typ: cel.StringType, never: notOnRequest, get: textOf("rate_policy", func(e *Event) string { return e.RatePolicy })},
		{name: "target_rate_kbps", typ: cel.IntType, never: notOnRequest, get: numberOf("target_rate_kbps", func(e *Event) Number { return e.TargetRateKbps })},
		{name: "min_rate_kbps", typ: cel.IntType, never: notOnRequest, get: numberOf("min_rate_kbps", func(e *Event) Number { return e.MinRateKbps })},
		{name: "session_id", typ: cel.StringType, never: notOnRequest, get: textOf("session_id", func(e *Event) string { return e.SessionID })},
		{name: "xfer_id", typ: cel.StringType, never: notOnRequest, get: textOf("xfer_id", func(e *Event) string { return e.TransferID })},
		{name: "cookie", typ: cel.StringType, get: textOf("cookie", func(e *Event) string { return e.Cookie }), shown: hide},
		{name: "manifest_file", typ: cel.StringType, never: notOnRequest, get: textOf("manifest_file", func(e *Event) string { return e.ManifestFile }), shown: showPath},
		{name: "file_name_encoding", typ: cel.StringType, file: true, never: notOnRequest, get: textOf("file_name_encoding", func(e *Event) string { return e.FileNameEncoding })},
		{name: "tags", typ: cel.MapType(cel.StringType, cel.DynType), get: tagsOf, shown: hide},
	}
}

// hide stands for what can be secret.
func hide(ref.Val) string { return "…" }

func showSize(value ref.Val) string {
	size, _ := value.(types.Int)
	return FormatSize(int64(size))
}

func showPath(value ref.Val) string { return ParsePath(fmt.Sprint(value.Value())).Shown() }

// show returns the field of an event as a person may see it.
func (f *eventField) show(e *Event) string {
	value, err := f.get(e)
	switch {
	case err != nil:
		return "unknown"
	case f.shown != nil:
		return f.shown(value)
	default:
		return fmt.Sprint(value.Value())
	}
}

func textOf(name string, get func(*Event) string) func(*Event) (ref.Val, error) {
	return func(e *Event) (ref.Val, error) {
		if text := get(e); text != "" {
			return types.String(text), nil
		}
		return nil, MissingError{name}
	}
}

func numberOf(name string, get func(*Event) Number) func(*Event) (ref.Val, error) {
	return func(e *Event) (ref.Val, error) {
		if n := get(e); n.Known {
			return types.Int(n.Value), nil
		}
		return nil, MissingError{name}
	}
}

func pathOf(part func(slash string) string) func(*Event) (ref.Val, error) {
	return func(e *Event) (ref.Val, error) {
		switch {
		case e.File.Raw == "":
			return nil, MissingError{"file"}
		case e.Below:
			return nil, errBelow
		case e.File.Up:
			return nil, errUp
		default:
			return types.String(part(e.File.Slash)), nil
		}
	}
}

// folderOf is the path without the name: "/ingest/a" of "/ingest/a/b.mov".
func folderOf(slash string) string { return slash[:max(strings.LastIndexByte(slash, '/'), 0)] }

func nameOf(e *Event) (ref.Val, error) {
	name := e.File.Name()
	switch {
	case name == "" && !e.Below:
		return nil, MissingError{"file"}
	case e.Below:
		return nil, errBelow
	default:
		return types.String(name), nil
	}
}

func extensionOf(e *Event) (ref.Val, error) {
	switch {
	case e.File.Raw == "":
		return nil, MissingError{"file"}
	case e.Below:
		return nil, errBelow
	default:
		return types.String(Extension(e.File.Name())), nil
	}
}

func sizeOf(e *Event) (ref.Val, error) {
	size, err := sizeSoFar(e)
	return types.Int(size), err
}

func direction(e *Event) (ref.Val, error) {
	if e.Direction == DirectionUnknown {
		return nil, MissingError{"direction"}
	}
	return types.String(e.Direction.String()), nil
}

// checksumType is the digest's algorithm as policies write it.
func checksumType(e *Event) string {
	canonical, _, _ := ParseAlgorithm(e.ChecksumType)
	return canonical
}

// tagsOf gives an empty map where there are no tags: it is known that they have
// no member. Tags that cannot be read are another matter.
func tagsOf(e *Event) (ref.Val, error) {
	tree, err := e.Tags.Value()
	if errors.Is(err, ErrNoTags) {
		tree, err = map[string]any{}, nil
	}
	if err != nil {
		return nil, err
	}
	return types.NewStringInterfaceMap(TreeAdapter{}, tree), nil
}
