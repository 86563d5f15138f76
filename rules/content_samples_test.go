package rules

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"strings"
	"testing"
)

// The beginnings of files, as the programs that make them write them.

// zeros is n bytes of nothing.
func zeros(n int) string { return strings.Repeat("\x00", n) }

// binaryNoise is n bytes of no type: they repeat, and have no signature.
func binaryNoise(n int) string {
	return strings.Repeat("\x9b\x01\x02\xc4\x8e\x1d\x03\xa7", n/8+1)[:n]
}

func tarOf(tb testing.TB, name, content string) string {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), Format: tar.FormatUSTAR}); err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// zipOf packs members, given as name and content in turn.
func zipOf(tb testing.TB, method uint16, members ...string) string {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		h := &zip.FileHeader{Name: members[i], Method: method}
		h.CompressedSize64, h.UncompressedSize64 = uint64(len(members[i+1])), uint64(len(members[i+1]))
		var f interface{ Write([]byte) (int, error) }
		var err error
		if method == zip.Store {
			f, err = w.CreateRaw(h) // With its size before it, as archivers write it.
		} else {
			f, err = w.CreateHeader(h)
		}
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := f.Write([]byte(members[i+1])); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func gzipOf(tb testing.TB, content string) string {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

func zlibOf(tb testing.TB, content string) string {
	tb.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// box is a box of ISO/IEC 14496-12.
func box(name, content string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(8+len(content)))) + name + content
}

func ftyp(brand string) string {
	return box("ftyp", brand+"\x00\x00\x02\x00"+brand+"isom") + box("free", "") + "\x00\x10\x00\x00mdat" + binaryNoise(2048)
}

// packets is MPEG-TS whose packets of a length have their sync byte at first.
func packets(first, length, count int) string {
	p := []byte(strings.Repeat(binaryNoise(length), count))
	for i := range count {
		p[i*length+first] = 0x47
	}
	return string(p)
}

func portableExecutable() string {
	dos := "MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00\xb8" + zeros(43) + "\x80\x00\x00\x00"
	return dos + zeros(64) + "PE\x00\x00\x64\x86" + binaryNoise(900)
}

func elfFile(sort byte) string {
	return "\x7fELF\x02\x01\x01" + zeros(9) + string([]byte{sort, 0}) + "\x3e\x00\x01\x00\x00\x00" + binaryNoise(900)
}

// oleFile is a compound file whose root, in sector 1, has a class; magic stands
// behind the signature.
func oleFile(magic, class string) string { return oleFileAt(1, magic, class) }

// oleFileAt has its root in another sector.
func oleFileAt(sector byte, magic, class string) string {
	b := []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + zeros(16) + "\x3e\x00\x03\x00\xfe\xff\x09\x00\x06\x00" + zeros(14) + string([]byte{sector, 0, 0, 0}) + zeros((int(sector)+4)*512))
	root := b[(int(sector)+1)*512:]
	copy(b[8:], magic)
	copy(root, "R\x00o\x00o\x00t\x00 \x00E\x00n\x00t\x00r\x00y\x00")
	copy(root[64:], "\x16\x00\x05\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	copy(root[80:], class)
	return string(b)
}

func isoImage(begins string) string {
	return begins + zeros(32768-len(begins)) + "\x01CD001\x01\x00" + zeros(2040)
}

func wavHeader(riff string) string {
	return riff + "\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00" + binaryNoise(600)
}

// sample is the beginning of a file, a name that it may have, and its type.
type sample struct{ name, head, want string }

// contentSamples are files of one type each.
func contentSamples(tb testing.TB) []sample {
	tb.Helper()
	docx := []string{"[Content_Types].xml", "<Types/>", "_rels/.rels", "<r/>", "word/document.xml", "<w/>"}
	far := []string{"[Content_Types].xml", binaryNoise(3000), "docProps/app.xml", binaryNoise(3000), "xl/workbook.xml", "<x/>"}
	png := "\x89PNG\r\n\x1a\n" + box("IHDR", zeros(13))
	const ebml = "\x1a\x45\xdf\xa3\x93\x42\x82"
	return []sample{
		// Films.
		{"a.mxf", mxfPartition + "\x04\x00" + binaryNoise(900), "application/mxf"},
		{"run-in.mxf", binaryNoise(700) + mxfPartition + "\x04\x00" + binaryNoise(900), "application/mxf"},
		{"far.mxf", binaryNoise(60000) + mxfPartition + "\x04\x00" + binaryNoise(900), "application/mxf"},
		{"a.gxf", "\x00\x00\x00\x00\x01\xbc\x00\x00\x02\x00\x00\x00\x00\x00\xe1\xe2" + binaryNoise(600), "application/gxf"},
		{"a.lxf", "LEITCH\x00\x00" + binaryNoise(600), "video/x-lxf"},
		{"a.r3d", "\x00\x00\x02\x00RED2" + binaryNoise(600), "video/x-r3d"},
		{"b.r3d", "\x00\x00\x01\xbaRED1" + binaryNoise(600), "video/x-r3d"},
		{"a.mov", ftyp("qt  "), "video/quicktime"},
		{"prores.mov", box("wide", "") + "\x12\x34\x56\x78mdat" + binaryNoise(600), "video/quicktime"},
		{"growing.mov", "\x00\x00\x00\x01mdat\x00\x00\x00\x02\x00\x00\x00\x00" + binaryNoise(600), "video/quicktime"},
		{"old.mov", "\x00\x00\x4a\x10moov\x00\x00\x00\x6cmvhd" + binaryNoise(600), "video/quicktime"},
		{"a.braw", box("wide", "") + "\x00\x34\x56\x78mdat" + binaryNoise(600), "video/quicktime"},
		{"a.mp4", ftyp("isom"), "video/mp4"},
		{"named-as-mov.mov", ftyp("mp42"), "video/mp4"},
		{"sony.mp4", ftyp("MSNV"), "video/mp4"},
		{"long-ftyp.mp4", "\x00\x00\x01\x00ftypisom" + binaryNoise(600), "video/mp4"},
		{"a.m4v", ftyp("M4V "), "video/x-m4v"},
		{"a.3gp", ftyp("3gp5"), "video/3gpp"},
		{"a.m4s", box("styp", "msdh\x00\x00\x00\x00msdh") + binaryNoise(600), "video/iso.segment"},
		{"a.mkv", ebml + "\x88matroska" + binaryNoise(600), "video/matroska"},
		{"a.webm", ebml + "\x84webm" + binaryNoise(600), "video/webm"},
		{"a.avi", "RIFF\x00\x10\x00\x00AVI LIST" + binaryNoise(600), "video/x-msvideo"},
		{"odd.avi", "RIFF\x00\x10\x00\x00AVI JUNK" + binaryNoise(600), "video/x-msvideo"},
		{"a.wmv", "\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c" + binaryNoise(600), "video/x-ms-asf"},
		{"a.flv", "FLV\x01\x05\x00\x00\x00\x09" + binaryNoise(600), "video/x-flv"},
		{"a.mpg", "\x00\x00\x01\xba\x44" + binaryNoise(600), "video/mpeg"},
		{"a.m2v", "\x00\x00\x01\xb3\x78" + binaryNoise(600), "video/mpeg"},
		{"a.ts", packets(0, 188, 40), "video/mp2t"},
		{"short.ts", packets(0, 188, 3), "video/mp2t"},
		{"a.m2ts", packets(4, 192, 40), "video/mp2t"},
		{"checked.ts", packets(0, 204, 40), "video/mp2t"},
		{"a.dv", "\x1f\x07\x00\xbf\xf8" + binaryNoise(600), "video/dv"},
		{"a.y4m", "YUV4MPEG2 W1920 H1080 F25:1\nFRAME\n" + binaryNoise(600), "video/x-yuv4mpeg"},
		{"a.ogv", "OggS\x00\x02" + zeros(8) + binaryNoise(14) + "\x80theora" + binaryNoise(600), "video/ogg"},
		// Sound.
		{"a.wav", wavHeader("RIFF"), "audio/wav"},
		{"large.wav", wavHeader("RF64"), "audio/wav"},
		{"adm.wav", wavHeader("BW64"), "audio/wav"},
		{"a.w64", "riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00" + binaryNoise(600), "audio/x-w64"},
		{"a.aif", "FORM\x00\x00\x10\x00AIFFCOMM" + binaryNoise(600), "audio/aiff"},
		{"a.aifc", "FORM\x00\x00\x10\x00AIFCFVER" + binaryNoise(600), "audio/aiff"},
		{"a.caf", "caff\x00\x01\x00\x00desc" + binaryNoise(600), "audio/x-caf"},
		{"a.flac", "fLaC\x80\x00\x00\x22" + binaryNoise(600), "audio/flac"},
		{"a.mp3", "ID3\x04\x00\x00\x00\x00\x01\x00" + zeros(600), "audio/mpeg"},
		{"a.m4a", ftyp("M4A "), "audio/x-m4a"},
		{"a.ac3", "\x0b\x77\x5d\x3c\x1c\x40" + binaryNoise(600), "audio/ac3"},
		{"a.dts", "\x7f\xfe\x80\x01\xfc\x3c" + binaryNoise(600), "audio/vnd.dts"},
		// Pictures.
		{"a.dpx", "SDPX\x00\x00\x08\x00V1.0" + zeros(2000), "image/x-dpx"},
		{"b.dpx", "XPDS\x00\x08\x00\x00V2.0" + zeros(2000), "image/x-dpx"},
		{"a.cin", "\x80\x2a\x5f\xd7\x00\x00\x04\x00" + zeros(1000), "image/x-cineon"},
		{"a.exr", "\x76\x2f\x31\x01\x02\x00\x00\x00channels\x00chlist" + zeros(600), "image/x-exr"},
		{"a.ari", "ARRI\x12\x34\x56\x78\x00\x10" + zeros(600), "image/x-arriraw"},
		{"a.tif", "II*\x00\x08\x00\x00\x00" + binaryNoise(600), "image/tiff"},
		{"big.tiff", "II+\x00\x08\x00\x00\x00\x10\x00" + binaryNoise(600), "image/tiff"},
		{"cinema.dng", "II*\x00\x08\x00\x00\x00" + binaryNoise(600), "image/tiff"},
		{"a.jpg", "\xff\xd8\xff\xe0\x00\x10JFIF\x00" + binaryNoise(600), "image/jpeg"},
		{"a.jpeg", "\xff\xd8\xff\xe1\x00\x10Exif\x00" + binaryNoise(600), "image/jpeg"},
		{"a.png", png + binaryNoise(600), "image/png"},
		{"a.gif", "GIF89a\x40\x01\xf0\x00" + binaryNoise(600), "image/gif"},
		{"a.webp", "RIFF\x00\x10\x00\x00WEBPVP8 " + binaryNoise(600), "image/webp"},
		{"a.heic", ftyp("heic"), "image/heic"},
		{"a.psd", "8BPS\x00\x01" + binaryNoise(600), "image/vnd.adobe.photoshop"},
		{"a.j2c", "\xff\x4f\xff\x51\x00\x2f" + binaryNoise(600), "image/j2c"},
		{"a.jp2", "\x00\x00\x00\x0cjP  \r\n\x87\n\x00\x00\x00\x14ftypjp2 " + binaryNoise(600), "image/jp2"},
		{"a.bmp", "BM\x36\x10\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00" + binaryNoise(600), "image/bmp"},
		{"a.ico", "\x00\x00\x01\x00\x01\x00\x10\x10" + binaryNoise(600), "image/x-icon"},
		{"a.svg", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "image/svg+xml"},
		{"a.dcm", zeros(128) + "DICM" + binaryNoise(600), "application/dicom"},
		// Documents.
		{"a.pdf", "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + binaryNoise(600), "application/pdf"},
		{"after-rubbish.pdf", binaryNoise(300) + "%PDF-1.4\n" + binaryNoise(600), "application/pdf"},
		{"for-a-printer.pdf", "@PJL ENTER LANGUAGE=PDF\n%PDF-1.4\nhello\n", "application/pdf"},
		{"after-a-blank.pdf", "\r\n%PDF-1.4\n" + binaryNoise(600), "application/pdf"},
		{"a.rtf", `{\rtf1\ansi hello}`, "text/rtf"},
		{"a.doc", oleFile("", ""), "application/x-ole-storage"},
		{"password.docx", oleFile("", ""), "application/x-ole-storage"},
		{"a.docx", zipOf(tb, zip.Deflate, docx...), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"a.xlsx", zipOf(tb, zip.Store, far...), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
		{"a.odt", zipOf(tb, zip.Store, "mimetype", "application/vnd.oasis.opendocument.text"), "application/vnd.oasis.opendocument.text"},
		{"a.aaf", oleFile("AAFB\x0d\x00OM\x06\x0e\x2b\x34\x01\x01\x01\xff", ""), "application/x-aaf"},
		{"subtitles.stl", "850STL25.01" + strings.Repeat(" ", 1013) + binaryNoise(256), "application/x-ebu-stl"},
		// Archives.
		{"a.zip", zipOf(tb, zip.Deflate, "film.mov", "hello"), "application/zip"},
		{"of-a-document.zip", zipOf(tb, zip.Store, "a.docx", zipOf(tb, zip.Store, docx...)), "application/zip"},
		{"of-a-pdf.zip", zipOf(tb, zip.Store, "a.pdf", "%PDF-1.7\n"), "application/zip"},
		{"of-two.zip", zipOf(tb, zip.Store, "a.txt", "hello", "a.pdf", "%PDF-1.7\n"), "application/zip"},
		{"of-a-film.zip", zipOf(tb, zip.Store, "a.mxf", mxfPartition+binaryNoise(64)), "application/zip"},
		{"a.tar", tarOf(tb, "film.mov", "hello"), "application/x-tar"},
		{"of-a-pdf.tar", tarOf(tb, "a.pdf", "%PDF-1.7\n"), "application/x-tar"},
		{"of-a-film.tar", tarOf(tb, "a.mxf", mxfPartition+binaryNoise(64)), "application/x-tar"},
		{"a.tgz", gzipOf(tb, "hello"), "application/gzip"},
		{"a.bz2", "BZh91AY&SY" + binaryNoise(600), "application/x-bzip2"},
		{"a.xz", "\xfd7zXZ\x00\x00\x04" + binaryNoise(600), "application/x-xz"},
		{"a.zst", "\x28\xb5\x2f\xfd\x04" + binaryNoise(600), "application/zstd"},
		{"a.7z", "7z\xbc\xaf\x27\x1c\x00\x04" + binaryNoise(600), "application/x-7z-compressed"},
		{"a.rar", "Rar!\x1a\x07\x01\x00" + binaryNoise(600), "application/vnd.rar"},
		{"a.cab", "MSCF\x00\x00\x00\x00" + binaryNoise(600), "application/vnd.ms-cab-compressed"},
		{"a.iso", isoImage(""), "application/x-iso9660-image"},
		{"bootable.iso", isoImage("\x33\xed\x90\x90" + binaryNoise(400)), "application/x-iso9660-image"},
		{"a.deb", "!<arch>\ndebian-binary   " + binaryNoise(600), "application/vnd.debian.binary-package"},
		{"compressed", zlibOf(tb, strings.Repeat("hello", 99)), "application/zlib"},
		// Programs.
		{"a.exe", portableExecutable(), "application/vnd.microsoft.portable-executable"},
		{"a.dll", portableExecutable(), "application/vnd.microsoft.portable-executable"},
		{"a.elf", elfFile(2), "application/x-executable"},
		{"a.so", elfFile(3), "application/x-sharedlib"},
		{"a.o", elfFile(1), "application/x-object"},
		{"a.dylib", "\xcf\xfa\xed\xfe\x07\x00\x00\x01" + binaryNoise(600), "application/x-mach-binary"},
		{"fat.dylib", "\xca\xfe\xba\xbe\x00\x00\x00\x02" + binaryNoise(600), "application/x-mach-binary"},
		{"fat64.dylib", "\xca\xfe\xba\xbf\x00\x00\x00\x02" + binaryNoise(600), "application/x-mach-binary"},
		{"a.class", "\xca\xfe\xba\xbe\x00\x00\x00\x41" + binaryNoise(600), "application/x-java-applet"},
		{"a.wasm", "\x00asm\x01\x00\x00\x00" + binaryNoise(600), "application/wasm"},
		{"a.msi", oleFile("", installerClass), "application/x-ms-installer"},
		{"far.msi", oleFileAt(90, "", installerClass), "application/x-ms-installer"},
		{"a.lnk", "L\x00\x00\x00\x01\x14\x02\x00" + binaryNoise(600), "application/x-ms-shortcut"},
		{"a.sh", "#!/bin/sh\necho hello\n", "text/x-shellscript"},
		{"a.py", "#!/usr/bin/env python3\nprint(1)\n", "text/x-python"},
		{"a.awk", "#! /usr/bin/awk -f\n{ print }\n", "text/x-script"},
		{"relative.sh", "#!sh\necho hello\n", "text/x-script"},
		{"marked.sh", "\xef\xbb\xbf#!/opt/run\necho hello\n", "text/x-script"},
		{"self-extracting.sh", "#!/bin/sh\ntail -n +3 $0\n" + binaryNoise(600), "text/x-script"},
		{"a.php", "<?php echo 1;\n", "text/x-php"},
		// Texts.
		{"a.txt", "Hello, world.\n", "text/plain"},
		{"of-names.txt", "the ftyp box, %PDF- headers, ustar and RED1\n", "text/plain"},
		{"a.csv", "name,size\nfilm.mov,1\nclip.mov,2\n", "text/csv"},
		{"a.json", `{"a": 1}`, "application/json"},
		{"cpl.xml", `<?xml version="1.0"?><CompositionPlaylist/>`, "text/xml"},
		{"a.html", "<!DOCTYPE html><html></html>", "text/html"},
		{"a.srt", "1\n00:02:16,612 --> 00:02:19,376\nHello\n", "application/x-subrip"},
		{"a.toml", "#!schema https://example.com/a.json\na = 1\n", "text/plain"},
		{"a.amr", "#!AMR\n\x3c" + binaryNoise(600), "audio/amr"},
		{"a.bat", "@echo off\r\necho hello\r\n", "text/plain"},
		// Nothing that is known.
		{"a.raw", binaryNoise(4000), "application/octet-stream"},
		{"disk.img", zeros(4000), "application/octet-stream"},
		{"one-byte", "\x00", "application/octet-stream"},
		{"empty", "", "application/x-empty"},
	}
}

// contentPairs are files that can be read as two types.
func contentPairs(tb testing.TB) []sample {
	tb.Helper()
	png, jpeg := "\x89PNG\r\n\x1a\n"+box("IHDR", zeros(13)), "\xff\xd8\xff\xe0\x00\x10JFIF\x00"
	mxf := mxfPartition + "\x04\x00" + binaryNoise(200)
	program, pdf := "application/vnd.microsoft.portable-executable", "%PDF-1.4\n"
	hidden := zipOf(tb, zip.Deflate, "Evil.class", "hello")
	return []sample{
		{"gif and a program of a browser", "GIF89a/*\x00\x00" + binaryNoise(200) + "*/=1;alert(1)", "image/gif and text/javascript"},
		{"gif that is assigned to", "GIF89a=1;alert(1)//" + binaryNoise(200), "image/gif and text/javascript"},
		{"jpeg and a program of a browser", "\xff\xd8\xff\xe0/*JFIF\x00" + binaryNoise(200), "image/jpeg and text/javascript"},
		{"jpeg and a page", jpeg + binaryNoise(3000) + "<ScRipt>alert(1)</script>" + binaryNoise(200), "image/jpeg and text/html"},
		{"png and a page", png + "tEXt<html>" + binaryNoise(200), "image/png and text/html"},
		{"gif and a page of a server", "GIF89a\x01\x00\x01\x00;<?php system($_GET[1]); ?>" + binaryNoise(200), "image/gif and text/x-php"},
		{"zip and pdf", "PK\x03\x04\x14\x00\x00\x00\x08\x00" + binaryNoise(100) + pdf, "application/zip and application/pdf"},
		{"jpeg and pdf", jpeg + binaryNoise(100) + pdf, "image/jpeg and application/pdf"},
		{"windows program and pdf", "MZ" + binaryNoise(100) + pdf + binaryNoise(100), program + " and application/pdf"},
		{"script and pdf", "#!/bin/sh\nexit\n" + pdf, "text/x-shellscript and application/pdf"},
		{"page and pdf", "<html><!--" + pdf + "--></html>", "text/html and application/pdf"},
		{"tar whose name is a pdf", tarOf(tb, pdf, "hello"), "application/pdf and application/x-tar"},
		{"windows program and tar", tarOf(tb, "MZ"+strings.Repeat("x", 40), "hello"), program + " and application/x-tar"},
		{"gif and tar", tarOf(tb, "GIF89a", "hello"), "image/gif and application/x-tar"},
		{"script and tar", tarOf(tb, "#!/bin/sh\n", "hello"), "text/x-script and application/x-tar"},
		{"windows program and dicom", "MZ" + zeros(126) + "DICM" + binaryNoise(200), program + " and application/dicom"},
		{"tiff and dicom", "II*\x00\x08\x00\x00\x00" + zeros(120) + "DICM" + binaryNoise(200), "image/tiff and application/dicom"},
		{"windows program and mp4", "MZ\x00\x18ftypisom" + binaryNoise(200), program + " and video/mp4"},
		{"page and mp4", "<b >ftypisom", "text/html and video/mp4"},
		{"windows program and r3d", "MZ\x02\x00RED2" + binaryNoise(200), program + " and video/x-r3d"},
		{"windows program and jpeg 2000", "MZ\x00\x0cjP  \r\n\x87\n\x00\x00\x00\x14ftypjp2 " + binaryNoise(200), program + " and image/jp2"},
		{"run-in of a picture", jpeg + binaryNoise(500) + mxf, "image/jpeg and application/mxf"},
		{"run-in of a program", portableExecutable() + mxf, program + " and application/mxf"},
		{"run-in of a script", "#!/bin/sh\nexit\n" + mxf, "text/x-script and application/mxf"},
		{"run-in of a text", strings.Repeat("alert(1)\n", 600) + mxf, "text/plain and application/mxf"},
		{"gif and a transport stream", "GIF89a\x01\x00" + packets(0, 188, 40)[8:], "image/gif and video/mp2t"},
		{"windows program and a transport stream", "MZ\x90\x00" + packets(4, 192, 40)[4:], program + " and video/mp2t"},
		{"windows program and a disc", isoImage("MZ\x90\x00"), program + " and application/x-iso9660-image"},
		{"gif whose size is a comment", "GIF89a//" + binaryNoise(200), "image/gif and text/javascript"},
		{"small picture and zip", jpeg + binaryNoise(100) + hidden, "image/jpeg and application/zip"},
		{"small program and zip", portableExecutable() + hidden, program + " and application/zip"},
	}
}

func TestIdentifyContent(t *testing.T) {
	samples := append(contentSamples(t), contentPairs(t)...)
	types := map[string]bool{}
	for _, s := range samples {
		head := s.head[:min(len(s.head), HeadSize)]
		var names []string
		for _, l := range identifyContent([]byte(head), len(head) == len(s.head)) {
			names = append(names, l.name())
		}
		if got := strings.Join(names, " and "); got != s.want {
			t.Errorf("%s is %s, want %s", s.name, got, s.want)
		}
		types[s.want] = true
	}
	if len(types) < 40 {
		t.Errorf("the samples are of %d types only", len(types))
	}
}

// What is said of each sample's name: nothing, if it is one that the type may
// have. The samples are named so.
func TestSamplesMayHaveTheirNames(t *testing.T) {
	for _, s := range contentSamples(t) {
		if message := contradiction(lineageOf(s.want), Extension(s.name)); message != "" {
			t.Errorf("%s as %s: %s", s.want, s.name, message)
		}
	}
}
