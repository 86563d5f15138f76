package rules

// ownContent are the media types that this package finds and the library does
// not.
const ownContent = `
application/gxf application/mxf application/x-aaf application/x-ebu-stl application/x-empty
application/x-iso9660-image
audio/ac3 audio/vnd.dts audio/x-caf audio/x-w64
image/j2c image/x-arriraw image/x-cineon image/x-dpx image/x-exr
text/x-script
video/dv video/iso.segment video/mp2t video/x-lxf video/x-r3d video/x-yuv4mpeg
`

// contentAliases are other names in use that neither has.
var contentAliases = []struct{ alias, name string }{
	{"application/vnd.efi.iso", "application/x-iso9660-image"},
	{"application/vnd.microsoft.installer", "application/x-ms-installer"},
	{"application/x-bzip", "application/x-bzip2"},
	{"application/x-dosexec", "application/vnd.microsoft.portable-executable"},
	{"application/x-java-class", "application/x-java-applet"},
	{"application/x-mach-o", "application/x-mach-binary"},
	{"application/x-msdos-program", "application/vnd.microsoft.portable-executable"},
	{"application/x-msdownload", "application/vnd.microsoft.portable-executable"},
	{"application/x-pie-executable", "application/x-sharedlib"},
	{"application/x-sharedlibrary", "application/x-sharedlib"},
	{"application/x-xml", "text/xml"},
	{"audio/eac3", "audio/ac3"},
	{"audio/x-flac", "audio/flac"},
	{"image/dpx", "image/x-dpx"},
	{"image/cineon", "image/x-cineon"},
	{"image/jpg", "image/jpeg"},
	{"image/vnd.microsoft.icon", "image/x-icon"},
	{"inode/x-empty", "application/x-empty"},
	{"video/mpegts", "video/mp2t"},
	{"video/x-dv", "video/dv"},
}

// libraryContent are the names that the library knows, aliases included: it does
// not list them itself.
const libraryContent = `
application/acad application/atom+xml application/autocad_dwg application/bufr application/cbor
application/dicom application/dwg application/epub+zip application/fits application/font-sfnt
application/geo+json application/gml+xml application/gpx+xml application/grib application/gzip
application/gzip-compressed application/gzipped application/jar application/jar-archive
application/java-archive application/javascript application/json application/lzip application/marc
application/msexcel application/mspowerpoint application/msword application/octet-stream
application/ogg application/onenote application/owl+xml application/pdf application/photoshop
application/pkcs7-signature application/postscript application/rss+xml application/rtf
application/tzif application/vnd.adobe.xfdf application/vnd.android.package-archive
application/vnd.apache.parquet application/vnd.apple.mpegurl application/vnd.cyclonedx+json
application/vnd.cyclonedx+xml application/vnd.debian.binary-package application/vnd.fdf
application/vnd.framemaker application/vnd.garmin.tcx+xml application/vnd.google-earth.kml+xml
application/vnd.google-earth.kmz application/vnd.lotus-1-2-3
application/vnd.microsoft.portable-executable application/vnd.ms-cab-compressed
application/vnd.ms-excel application/vnd.ms-fontobject application/vnd.ms-htmlhelp
application/vnd.ms-outlook application/vnd.ms-package.3dmanufacturing-3dmodel+xml
application/vnd.ms-powerpoint application/vnd.ms-publisher application/vnd.ms-visio.drawing.main+xml
application/vnd.ms-word application/vnd.nintendo.snes.rom application/vnd.oasis.opendocument.chart
application/vnd.oasis.opendocument.formula application/vnd.oasis.opendocument.graphics
application/vnd.oasis.opendocument.graphics-template application/vnd.oasis.opendocument.presentation
application/vnd.oasis.opendocument.presentation-template
application/vnd.oasis.opendocument.spreadsheet
application/vnd.oasis.opendocument.spreadsheet-template application/vnd.oasis.opendocument.text
application/vnd.oasis.opendocument.text-template
application/vnd.openxmlformats-officedocument.presentationml.presentation
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
application/vnd.openxmlformats-officedocument.wordprocessingml.document application/vnd.rar
application/vnd.rn-realmedia-vbr application/vnd.shp application/vnd.shx application/vnd.sqlite3
application/vnd.sun.xml.calc application/vnd.tcpdump.pcap application/vnd.wordperfect
application/warc application/wasm application/x-7z-compressed application/x-acad application/x-amf
application/x-archive application/x-autocad application/x-bittorrent application/x-bytecode.python
application/x-bzip2 application/x-chrome-extension application/x-coredump application/x-cpio
application/x-dbf application/x-dwg application/x-elf application/x-executable application/x-font-ttf
application/x-gunzip application/x-gzip application/x-gzip-compressed application/x-installshield
application/x-java-applet application/x-java-archive application/x-javascript application/x-lzip
application/x-mach-binary application/x-mobipocket-ebook application/x-mpegurl
application/x-ms-installer application/x-ms-reader application/x-ms-shortcut application/x-msaccess
application/x-msi application/x-ndjson application/x-object application/x-ogg
application/x-ole-storage application/x-os2-hlp application/x-os2-inf application/x-parquet
application/x-pdf application/x-python application/x-rar application/x-rar-compressed
application/x-rpm application/x-ruby application/x-sh application/x-sharedlib
application/x-shellscript application/x-shockwave-flash application/x-sqlite3 application/x-srt
application/x-subrip application/x-tar application/x-tcl application/x-unix-archive
application/x-vnd.oasis.opendocument.chart application/x-vnd.oasis.opendocument.formula
application/x-vnd.oasis.opendocument.graphics application/x-vnd.oasis.opendocument.graphics-template
application/x-vnd.oasis.opendocument.presentation
application/x-vnd.oasis.opendocument.presentation-template
application/x-vnd.oasis.opendocument.spreadsheet
application/x-vnd.oasis.opendocument.spreadsheet-template application/x-vnd.oasis.opendocument.text
application/x-vnd.oasis.opendocument.text-template application/x-windows-installer application/x-xar
application/x-xliff+xml application/x-xz application/x-zip application/x-zip-compressed
application/xhtml+xml application/xml application/zip application/zlib application/zstd audio/3gpp
audio/3gpp2 audio/aac audio/aiff audio/amr audio/amr-nb audio/ape audio/basic audio/flac audio/mid
audio/midi audio/mp3 audio/mp4 audio/mpeg audio/mpegurl audio/musepack audio/ogg audio/qcelp
audio/sp-midi audio/vnd.wave audio/wav audio/wave audio/webm audio/x-aiff audio/x-m4a audio/x-mid
audio/x-midi audio/x-mp4a audio/x-mpeg audio/x-unknown audio/x-wav drawing/dwg font/collection
font/otf font/sfnt font/ttf font/woff font/woff2 gzip/document image/apng image/avif image/bmp
image/bpg image/fits image/gif image/heic image/heic-sequence image/heif image/heif-sequence
image/jp2 image/jpeg image/jpm image/jpx image/jxl image/jxr image/jxs image/png image/svg+xml
image/tiff image/vnd.adobe.photoshop image/vnd.djvu image/vnd.dwg image/vnd.dxf
image/vnd.mozilla.apng image/vnd.ms-photo image/vnd.radiance image/webp image/x-bmp image/x-dwg
image/x-gimp-gbr image/x-gimp-pat image/x-icns image/x-icon image/x-ms-bmp
image/x-portable-arbitrarymap image/x-portable-bitmap image/x-portable-graymap
image/x-portable-pixmap image/x-psd image/x-xcf image/x-xpixmap message/rfc822 model/gltf+json
model/gltf-binary model/vnd.collada+xml model/x3d+xml text/calendar text/csv text/html
text/javascript text/plain text/rss text/rtf text/tab-separated-values text/vcard
text/vnd.familysearch.gedcom text/vtt text/x-lua text/x-perl text/x-php text/x-python text/x-ruby
text/x-script.python text/x-sh text/x-shellscript text/x-srt text/x-tcl text/xml video/3g2 video/3gp
video/3gpp video/3gpp2 video/asf video/avi video/jpm video/matroska video/mj2 video/mp4 video/mpeg
video/msvideo video/ogg video/quicktime video/vnd.dvb.file video/webm video/x-flv video/x-m4v
video/x-matroska video/x-ms-asf video/x-ms-wmv video/x-msvideo
`
