package rules

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// nameFault is one of the faults that a name can be forbidden to have.
type nameFault struct {
	name, doc string
	has       func(name string) bool
	message   string
}

// nameFaults returns the faults in the order in which they are looked for.
func nameFaults() []nameFault {
	return []nameFault{
		{"control", "control characters and line breaks", hasControl, "{path}: the name has a control character. Rename the file and try again."},
		{"bidi", "characters that turn the direction of writing around, so that `exe.jpg` can be shown for `gpj.exe`", hasBidi, "{path}: the name has a character that reverses how it is shown. Rename the file and try again."},
		{"double-extension", "the extension of a document, picture, film or archive before that of a program, as in `invoice.pdf.exe`", hasDoubleExtension, "{name} hides a program behind a harmless extension. It may not be transferred."},
		{"reserved", "names that Windows keeps for devices, such as `CON` or `lpt1.txt`", isReserved, "{name}: Windows reserves this name. Rename the file and try again."},
		{"trailing-dot", "a dot at the end", func(n string) bool { return strings.HasSuffix(n, ".") }, "{name} ends in a dot. Rename the file and try again."},
		{"trailing-space", "a space at the end", func(n string) bool { return strings.HasSuffix(n, " ") }, "{name} ends in a space. Rename the file and try again."},
		{"alternate-stream", "a colon, which on Windows names a hidden stream of another file", func(n string) bool { return strings.Contains(n, ":") }, "{name} has a colon in its name. Rename the file and try again."},
		{"leading-dot", "a dot at the beginning: a hidden file", func(n string) bool { return strings.HasPrefix(n, ".") }, "{name} is a hidden file. Rename it and try again."},
	}
}

func filenameKind() Kind {
	names, docs := make([]string, 0, 8), make([]string, 0, 8)
	for _, f := range nameFaults() {
		names = append(names, `"`+f.name+`"`)
		docs = append(docs, f.name+": "+f.doc)
	}
	return Kind{
		Name: "filename",
		Doc:  "the name has one of the faults in `forbid`, or more than `max_bytes` bytes",
		Schema: `{
	"type": "object", "additionalProperties": false, "minProperties": 1, "examples": [{"forbid": ["control", "bidi", "double-extension"]}],
	"properties": {
		"forbid": {"type": "array", "minItems": 1, "uniqueItems": true, "items": {"enum": [` + strings.Join(names, ", ") + `]},
			"description": ` + strconv.Quote(strings.Join(docs, "; ")) + `, "examples": [["control", "bidi", "double-extension"]]},
		"max_bytes": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "The longest name that is accepted, in bytes of UTF-8.", "examples": [255]}
	}
}`,
		Phases:       EveryPhase,
		NeedsFile:    true,
		NeedsName:    true,
		Reads:        "name",
		Fields:       []string{"file"},
		Code:         "1021",
		Placeholders: []string{"found", "max_bytes"},
		Saw:          func(e *Event) string { return e.File.Name() },
		Compile:      compileFilename,
	}
}

// namePlan is one compiled question about a name.
type namePlan struct {
	fault   string
	has     func(string) bool
	message *Template
}

func compileFilename(env Env, dec Decoder) (Compiled, error) {
	var spec struct {
		Forbid   []string `json:"forbid"`
		MaxBytes int      `json:"max_bytes"`
	}
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var plans []namePlan
	for _, f := range nameFaults() {
		if slices.Contains(spec.Forbid, f.name) {
			plans = append(plans, namePlan{f.name, f.has, builtinMessage(f.message)})
		}
	}
	if spec.MaxBytes > 0 {
		plans = append(plans, namePlan{
			"too long", func(n string) bool { return len(n) > spec.MaxBytes },
			builtinMessage("{name}: the name is longer than {max_bytes} bytes. Shorten it and try again."),
		})
	}
	partial := env.PartialSuffix // All of env would keep the set's files alive.
	check := func(_ context.Context, e *Event) (*Objection, error) {
		name := e.File.Name()
		if name == "" {
			return nil, MissingError{"file"}
		}
		name = bareName(name, partial)
		for i := range plans {
			if plans[i].has(name) {
				return &Objection{Message: plans[i].message, Found: plans[i].fault}, nil
			}
		}
		return nil, nil
	}
	reach := nameReach{spec.Forbid, spec.MaxBytes, partial}
	return Compiled{Check: check, Reach: reach, Values: map[string]string{"max_bytes": strconv.Itoa(spec.MaxBytes)}}, nil
}

func hasControl(name string) bool {
	for i := range len(name) {
		if name[i] < 0x20 || name[i] == 0x7f || name[i] >= 0x80 {
			return strings.ContainsFunc(name, func(r rune) bool {
				return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
			})
		}
	}
	return false
}

func hasBidi(name string) bool {
	for i := range len(name) {
		if name[i] >= 0x80 {
			return strings.ContainsFunc(name, func(r rune) bool {
				return unicode.Is(unicode.Bidi_Control, r)
			})
		}
	}
	return false
}

// harmless are extensions that people open without a thought, programs those
// that run when opened on some desktop.
const (
	harmless = " avi bmp csv doc docx eml gif heic htm html jpeg jpg mkv mov mp3 mp4 mxf odp ods odt pdf png ppt pptx psd rar rtf tar tif tiff txt wav webp xls xlsx xml zip 7z "
	programs = " app apk bat bin cmd com cpl dll dmg exe gadget hta iso jar js jse lnk msc msi msp pif ps1 py reg scf scr sh vb vbe vbs wsf wsh "
)

func hasDoubleExtension(name string) bool {
	stem, last := cutExtension(name)
	_, before := cutExtension(stem)
	return before != "" && listed(programs, last) && listed(harmless, strings.TrimSpace(before))
}

// listed reports whether a word is in a list of words between spaces.
func listed(list, word string) bool {
	var room [24]byte
	lower := appendLower(append(room[:0], ' '), word)
	return word != "" && !strings.Contains(word, " ") && strings.Contains(list, string(append(lower, ' ')))
}

// isReserved reports whether Windows takes the name for a device: with any
// extension or stream, in any case, with digits also as superscripts.
func isReserved(name string) bool {
	if name == "" || strings.IndexByte("cpanlCPANL", name[0]) < 0 {
		return false // The usual name is done with here.
	}
	stem := name
	for i := range len(name) {
		if name[i] == '.' || name[i] == ':' {
			stem = name[:i]
			break
		}
	}
	stem = strings.TrimRight(stem, " ")
	if len(stem) < 3 || len(stem) > 7 {
		return false
	}
	var room [8]byte
	lower := appendLower(room[:0], stem)
	switch string(lower) {
	case "con", "prn", "aux", "nul", "conin$", "conout$":
		return true
	}
	if prefix := string(lower[:3]); prefix != "com" && prefix != "lpt" {
		return false
	}
	port, size := utf8.DecodeRune(lower[3:])
	return size == len(lower)-3 && (port >= '0' && port <= '9' || port == '¹' || port == '²' || port == '³')
}
