package archive

import "strings"

// format is what bytes begin as.
type format uint8

const (
	plain format = iota
	zipFormat
	tarFormat
	gzFormat
	bz2Format
	xzFormat
	zstFormat
	sevenZipFormat
	// Those behind it are known, and cannot be taken apart.
	rarFormat
	cabFormat
	lz4Format
	lzipFormat
	compressFormat
	lzopFormat
	cpioFormat
	arFormat
	rpmFormat
	wimFormat
	xarFormat
	lhaFormat
	aceFormat
	arjFormat
	zooFormat
	stuffItFormat
	lzmaFormat
	lrzipFormat
	oldZstFormat
	chmFormat
	szddFormat
	ppmdFormat
	imageFormat
)

// String returns the format's name.
func (f format) String() string {
	return [...]string{
		"no archive", "zip", "tar", "gz", "bz2", "xz", "zst", "7z",
		"rar", "cab", "lz4", "lz", "Z", "lzo", "cpio", "ar", "rpm", "wim", "xar", "lha", "ace", "arj", "zoo", "sit", "lzma", "lrz", "old zst", "chm",
		"compressed file of MS-DOS", "ppmd", "disk image",
	}[f]
}

// walked reports whether the format can be taken apart.
func (f format) walked() bool { return f < rarFormat }

// Streams reports whether Walk reads a file that begins with head from its
// beginning to its end, as programs do that unpack what comes through a pipe. A
// zip or a 7z, whose directory lies at the end, is read here and there, and so is
// what is no archive.
func Streams(head []byte) bool {
	f := detect(head)
	return f >= tarFormat && f <= zstFormat
}

// suffixes are what a compressed file's name ends in, and what its content's
// name ends in instead.
var suffixes = []struct{ packed, plain string }{
	{".tgz", ".tar"},
	{".taz", ".tar"},
	{".tpz", ".tar"},
	{".tbz2", ".tar"},
	{".tbz", ".tar"},
	{".tb2", ".tar"},
	{".txz", ".tar"},
	{".tzst", ".tar"},
	{".gz", ""},
	{".gzip", ""},
	{".z", ""},
	{"-gz", ""},
	{"-z", ""},
	{"_z", ""},
	{".bz2", ""},
	{".bz", ""},
	{".bzip2", ""},
	{".xz", ""},
	{".zst", ""},
	{".zstd", ""},
}

// unpackedName returns the name that a compressed file has without its format.
func unpackedName(name string) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	for _, s := range suffixes {
		if cut := len(name) - len(s.packed); cut > 0 && strings.EqualFold(name[cut:], s.packed) {
			return name[:cut] + s.plain
		}
	}
	return name
}
