package rules

import "strings"

// contentExtension is extensions and the types that files under them have.
type contentExtension struct {
	extensions, types string
	// signed says that each of these files begins with a signature that is known.
	signed bool
	// loose says that any data may have the extension, and of programs those
	// that are listed.
	loose bool
}

// contentExtensionOf returns the row of an extension in lower case.
func contentExtensionOf(extension string) (*contentExtension, bool) {
	if extension == "" {
		return nil, false
	}
	for _, table := range [...][]contentExtension{mediaExtensions, fileExtensions} {
		for i := range table {
			if hasWord(table[i].extensions, extension) {
				return &table[i], true
			}
		}
	}
	return nil, false
}

// hasWord reports whether a word is among those of a text, one space between
// them. It has no space itself.
func hasWord(text, word string) bool {
	for text != "" {
		var first string
		if first, text, _ = strings.Cut(text, " "); first == word {
			return true
		}
	}
	return false
}

// fits reports whether a file of a type may have the row's extensions: its type
// is one of the row's or a case of one, or one of the row's is a case of it,
// which is as far as its head tells. Programs must be programs in the row too.
func (x *contentExtension) fits(t lineage) bool {
	program := t.is(anyProgram)
	if x.loose && !program {
		return true
	}
	for name := range strings.SplitSeq(x.types, " ") {
		row := lineageOf(name)
		if t.is(name) && (!program || row.is(anyProgram)) || !program && row.is(t.name()) {
			return true
		}
	}
	return false
}

// mediaExtensions are the extensions of films, sound and pictures. Those that
// neither this table nor the other has stand for nothing.
var mediaExtensions = []contentExtension{
	// Films.
	{extensions: "mov qt mqv mp4 m4v mp4v f4v 3gp 3gpp 3g2 3gp2 mj2 mjp2 dvb braw crm insv lrv", types: "video/quicktime video/mp4 audio/mp4 audio/x-m4a", signed: true},
	{extensions: "m4s cmfv cmfa cmft", types: "video/iso.segment video/mp4 audio/mp4"},
	{extensions: "mxf", types: "application/mxf", signed: true},
	{extensions: "gxf", types: "application/gxf", signed: true},
	{extensions: "lxf", types: "video/x-lxf", signed: true},
	{extensions: "r3d", types: "video/x-r3d", signed: true},
	{extensions: "mkv mka mks mk3d webm weba", types: "video/matroska video/webm", signed: true},
	{extensions: "avi divx", types: "video/x-msvideo", signed: true},
	{extensions: "wmv wma asf", types: "video/x-ms-asf", signed: true},
	{extensions: "flv", types: "video/x-flv", signed: true},
	{extensions: "mpg mpeg mpe m1v m2v mpv m2p vob", types: "video/mpeg video/mp2t", signed: true},
	{extensions: "m2ts", types: "video/mp2t video/mpeg", signed: true},
	{extensions: "m2t tp trp", types: "video/mp2t video/mpeg"},
	{extensions: "ts mts", types: "video/mp2t video/mpeg text/plain text/x-script"}, // TypeScript, and Qt's translations
	{extensions: "dv dif", types: "video/dv"},
	{extensions: "y4m", types: "video/x-yuv4mpeg", signed: true},
	{extensions: "rm rmvb", types: "application/vnd.rn-realmedia-vbr", signed: true},
	{extensions: "ogg oga ogv ogx ogm opus spx", types: "application/ogg audio/ogg video/ogg", signed: true},
	{extensions: "swf", types: "application/x-shockwave-flash", signed: true},
	// Sound.
	{extensions: "wav wave bwf rf64 bw64", types: "audio/wav audio/x-w64", signed: true},
	{extensions: "w64", types: "audio/x-w64", signed: true},
	{extensions: "aif aiff aifc", types: "audio/aiff", signed: true},
	{extensions: "caf", types: "audio/x-caf", signed: true},
	{extensions: "flac", types: "audio/flac audio/mpeg", signed: true}, // After an ID3 tag.
	{extensions: "m4a m4b m4p m4r f4a f4b", types: "audio/x-m4a audio/mp4 video/mp4 video/quicktime", signed: true},
	{extensions: "mp3 mp2 mp1 mpa mpga", types: "audio/mpeg audio/aac"},
	{extensions: "aac adts", types: "audio/aac audio/mpeg audio/x-m4a audio/mp4"},
	{extensions: "ac3 ec3 eac3", types: "audio/ac3"},
	{extensions: "dts", types: "audio/vnd.dts audio/wav text/plain"}, // A device tree is text.
	{extensions: "au snd", types: "audio/basic"},
	{extensions: "mid midi kar", types: "audio/midi", signed: true},
	{extensions: "amr", types: "audio/amr", signed: true},
	{extensions: "ape", types: "audio/ape audio/mpeg"},
	{extensions: "mpc", types: "audio/musepack audio/mpeg"},
	{extensions: "qcp", types: "audio/qcelp"},
	{extensions: "voc", types: "audio/x-unknown", signed: true},
	// Pictures.
	{extensions: "jpg jpeg jpe jfif jif mpo", types: "image/jpeg", signed: true},
	{extensions: "png apng", types: "image/png", signed: true},
	{extensions: "gif", types: "image/gif", signed: true},
	{extensions: "webp", types: "image/webp", signed: true},
	{extensions: "tif tiff ptif", types: "image/tiff", signed: true},
	{extensions: "dng nef nrw cr2 arw sr2 srf srw pef 3fr fff iiq erf kdc dcr mos", types: "image/tiff"},
	{extensions: "cr3", types: "video/mp4"},
	{extensions: "heic heif hif heics heifs avif avifs", types: "image/heic image/heic-sequence image/heif image/heif-sequence image/avif video/mp4", signed: true},
	{extensions: "dpx", types: "image/x-dpx", signed: true},
	{extensions: "cin", types: "image/x-cineon"},
	{extensions: "exr sxr mxr", types: "image/x-exr", signed: true},
	{extensions: "ari arx", types: "image/x-arriraw"},
	{extensions: "hdr", types: "image/vnd.radiance text/plain"},
	{extensions: "psd psb", types: "image/vnd.adobe.photoshop", signed: true},
	{extensions: "xcf", types: "image/x-xcf", signed: true},
	{extensions: "gbr pat", types: "image/x-gimp-gbr image/x-gimp-pat text/plain"},
	{extensions: "bmp dib", types: "image/bmp"},
	{extensions: "ico cur", types: "image/x-icon image/png", signed: true},
	{extensions: "icns", types: "image/x-icns", signed: true},
	{extensions: "jp2 j2k j2c jpc jpx jpf jpm", types: "image/jp2 image/jpx image/jpm image/j2c"},
	{extensions: "jxl", types: "image/jxl", signed: true},
	{extensions: "jxs", types: "image/jxs"},
	{extensions: "jxr wdp hdp", types: "image/jxr"},
	{extensions: "bpg", types: "image/bpg", signed: true},
	{extensions: "djvu djv", types: "image/vnd.djvu", signed: true},
	{extensions: "pbm pgm ppm pnm pam", types: "image/x-portable-bitmap image/x-portable-graymap image/x-portable-pixmap image/x-portable-arbitrarymap text/plain"},
	{extensions: "xpm", types: "image/x-xpixmap text/plain"},
	{extensions: "fits fit fts", types: "application/fits"},
	{extensions: "dcm dicom", types: "application/dicom"},
	{extensions: "dwg", types: "image/vnd.dwg", signed: true},
	{extensions: "dxf", types: "image/vnd.dxf text/plain"},
	{extensions: "glb", types: "model/gltf-binary", signed: true},
}
