package rules

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
)

// Signatures of ZIP (APPNOTE.TXT, 4.3).
const (
	zipLocal = "PK\x03\x04"
	zipEnd   = "PK\x05\x06"
)

// archiveContent are types whose files hold others as they are.
var archiveContent = []string{
	"application/zip", "application/x-tar", "application/x-archive", "application/x-cpio", "application/vnd.rar",
	"application/x-7z-compressed", "application/x-xar", "application/x-iso9660-image", "application/x-chrome-extension",
}

// isArchive reports whether the head is that of an archive.
func (r *reading) isArchive() bool {
	for _, name := range archiveContent {
		if r.types[0].is(name) {
			return true
		}
	}
	return false
}

// isMember reports whether what begins at an offset is a file in an archive,
// where it belongs, and no second reading of the head.
func (r *reading) isMember(at int) bool {
	switch {
	case r.types[0].is("application/zip"):
		return isStored(r.head, at)
	case r.types[0].is("application/x-tar"):
		return at%512 == 0
	default:
		return r.isArchive()
	}
}

// isStored reports whether a member of a ZIP archive that is not compressed
// begins at an offset.
func isStored(head []byte, at int) bool {
	for from := 0; from < at && hasAt(head, from, zipLocal) && len(head) >= from+30; {
		header := head[from:]
		data := from + 30 + int(binary.LittleEndian.Uint16(header[26:])) + int(binary.LittleEndian.Uint16(header[28:]))
		if data == at {
			return binary.LittleEndian.Uint16(header[8:]) == 0
		}
		from = data + int(binary.LittleEndian.Uint32(header[18:]))
	}
	return false
}

// endsAsZip reports whether a file ends as a ZIP archive does: with the record of
// its end and a comment of the length that this says.
func endsAsZip(file []byte) bool {
	const size = 22
	for rest := file; ; {
		at := bytes.LastIndex(rest, []byte(zipEnd))
		if at < 0 {
			return false
		}
		if left := file[at:]; len(left) >= size && len(left) == size+int(binary.LittleEndian.Uint16(left[20:])) {
			return true
		}
		rest = rest[:at]
	}
}

// officeFolders tell the documents of Office, which are ZIP archives, apart.
var officeFolders = []struct{ folder, name string }{
	{"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
	{"visio/", "application/vnd.ms-visio.drawing.main+xml"},
}

// officeFirst is what a document of Office begins with, if not with its folder.
var officeFirst = []string{"[Content_Types].xml", "_rels/", "docProps/", "customXml/"}

// officeInZip returns the type of an Office document whose telling folder is
// further in than the library looks, or nothing. Its first member tells it from
// an archive in which there is such a document.
func officeInZip(head []byte) (name string) {
	first, typed := true, false
	for rest := head; ; {
		at := bytes.Index(rest, []byte(zipLocal))
		if at < 0 || len(rest) < at+30 {
			return ""
		}
		rest = rest[at:]
		end := min(30+int(binary.LittleEndian.Uint16(rest[26:])), len(rest))
		member := string(rest[30:end])
		rest = rest[end:]
		typed = typed || member == "[Content_Types].xml"
		for _, f := range officeFolders {
			if name == "" && strings.HasPrefix(member, f.folder) {
				name = f.name
			}
		}
		if first && name == "" && !slices.ContainsFunc(officeFirst, func(f string) bool { return strings.HasPrefix(member, f) }) {
			return ""
		}
		first = false
		if typed && name != "" {
			return name
		}
	}
}

// installerClass is the class of the root of an MSI package ([MS-CFB], 2.6.1).
const installerClass = "\x84\x10\x0c\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"

// installerInOLE tells a Windows installer by the class of its root, which is
// further in than the library looks.
func installerInOLE(head []byte) string {
	if len(head) < 512 {
		return ""
	}
	shift, sector := binary.LittleEndian.Uint16(head[30:]), binary.LittleEndian.Uint32(head[48:])
	if shift < 9 || shift > 12 || sector > HeadSize {
		return ""
	}
	if hasAt(head, (int(sector)+1)<<shift+80, installerClass) {
		return "application/x-ms-installer"
	}
	return ""
}
