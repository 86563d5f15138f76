package rules

import (
	"strings"
	"testing"
)

func TestFilename(t *testing.T) {
	forbid := func(fault string) string { return `{"forbid": ["` + fault + `"]}` }
	in := func(name string) *Event { return file("/in/" + name) }
	everything := `{"forbid": ["control", "bidi", "double-extension", "reserved", "trailing-dot", "trailing-space", "alternate-stream", "leading-dot"], "max_bytes": 255}`
	rows := []row{
		{forbid("control"), in("a\x00b"), refuse("control")},
		{forbid("control"), in("a\nb"), refuse("control")},
		{forbid("control"), in("a\x1b[31m"), refuse("control")},
		{forbid("control"), in("a\x7f"), refuse("control")},
		{forbid("control"), in("a\u0085"), refuse("control")},
		{forbid("control"), in("a\u2028b"), refuse("control")},
		{forbid("control"), in("a\u2029b"), refuse("control")},
		{forbid("control"), in("Ünïcode – 映画.mov"), accept()},
		{forbid("control"), in("invoice_\u202egpj.exe"), accept()},

		{forbid("bidi"), in("invoice_\u202egpj.exe"), refuse("bidi")},
		{forbid("bidi"), in("a\u2066b"), refuse("bidi")},
		{forbid("bidi"), in("a\u200fb"), refuse("bidi")},
		{forbid("bidi"), in("a\u061cb"), refuse("bidi")},
		{forbid("bidi"), in("שלום.mov"), accept()},
		{forbid("bidi"), in("\xe2\x80"), accept()},

		{forbid("double-extension"), in("invoice.pdf.exe"), refuse("double-extension")},
		{forbid("double-extension"), in("INVOICE.PDF.EXE"), refuse("double-extension")},
		{forbid("double-extension"), in("invoice.pdf      .exe"), refuse("double-extension")},
		{forbid("double-extension"), in("invoice.pdf.exe. "), refuse("double-extension")},
		{forbid("double-extension"), in("invoice.pdf..exe"), refuse("double-extension")},
		{forbid("double-extension"), in("invoice.pdf.exe.partial"), refuse("double-extension")},
		{forbid("double-extension"), in("v1.2.mov"), accept()},
		{forbid("double-extension"), in("archive.tar.gz"), accept()},
		{forbid("double-extension"), in("report.docx.zip"), accept()},
		{forbid("double-extension"), in("setup.exe"), accept()},
		{forbid("double-extension"), in("setup.v2.exe"), accept()},
		{forbid("double-extension"), in(".pdf.exe"), accept()},
		{forbid("double-extension"), in("clip.mov"), accept()},
		{forbid("double-extension"), in("a.b c.exe"), accept()},
		{forbid("double-extension"), in("a.pdf.exe mov"), accept()},

		{forbid("reserved"), in("CON"), refuse("reserved")},
		{forbid("reserved"), in("con.txt"), refuse("reserved")},
		{forbid("reserved"), in("nul.tar.gz"), refuse("reserved")},
		{forbid("reserved"), in("Aux .mov"), refuse("reserved")},
		{forbid("reserved"), in("lpt1.txt"), refuse("reserved")},
		{forbid("reserved"), in("COM¹"), refuse("reserved")},
		{forbid("reserved"), in("CONOUT$"), refuse("reserved")},
		{forbid("reserved"), in("NUL:"), refuse("reserved")},
		{forbid("reserved"), in("con:x.mov"), refuse("reserved")},
		{forbid("reserved"), in("CONTRACT.pdf"), accept()},
		{forbid("reserved"), in("COM10"), accept()},
		{forbid("reserved"), in("COM"), accept()},
		{forbid("reserved"), in("COMx"), accept()},
		{forbid("reserved"), in("COM\xb9"), accept()},
		{forbid("reserved"), in("auxiliary.mov"), accept()},
		{forbid("reserved"), in("my con.mov"), accept()},

		{forbid("trailing-dot"), in("a.mov."), refuse("trailing-dot")},
		{forbid("trailing-dot"), in("a.mov"), accept()},
		{forbid("trailing-dot"), in("a.mov. "), accept()},
		{forbid("trailing-space"), in("a.mov "), refuse("trailing-space")},
		{forbid("trailing-space"), in("a .mov"), accept()},
		{forbid("alternate-stream"), in("a.mov:evil.exe"), refuse("alternate-stream")},
		{forbid("alternate-stream"), in("a.exe::$DATA"), refuse("alternate-stream")},
		{forbid("alternate-stream"), in("a.mov"), accept()},
		{forbid("alternate-stream"), file(`C:\in\a.mov`), accept()},
		{forbid("leading-dot"), in(".profile"), refuse("leading-dot")},
		{forbid("leading-dot"), in("a.profile"), accept()},
		{forbid("leading-dot"), file("/.hidden/a.mov"), accept()},

		{`{"max_bytes": 5}`, in("12345"), accept()},
		{`{"max_bytes": 5}`, in("123456"), refuse("too long")},
		{`{"max_bytes": 5}`, in("ééé"), refuse("too long")},
		{`{"max_bytes": 5}`, in("12345.partial"), accept()},
		{`{"max_bytes": 5}`, in("12345.aspera-env"), accept()},
		{`{"max_bytes": 255}`, in(strings.Repeat("x", 255)), accept()},
		{`{"max_bytes": 255}`, in(strings.Repeat("x", 100_000)), refuse("too long")},

		{everything, in("v1.2.mov"), accept()},
		{everything, in("archive.tar.gz"), accept()},
		{everything, in("2026-11-23 film – Fassung 3 (final).mxf"), accept()},
		{everything, in("映画.mov"), accept()},
		{everything, in(".\u202e\n"), refuse("control")},
		{everything, file("", size(1)), lacks("file")},
		{everything, file("/"), lacks("file")},
	}
	judge(t, filenameKind(), folder{}.env(".partial"), rows)
	seen := map[string]bool{}
	for _, r := range rows {
		seen[r.want.detail] = true
	}
	for _, f := range nameFaults() {
		if !seen[f.name] {
			t.Errorf("no row is refused for %s", f.name)
		}
	}
}

func TestFilenameMessages(t *testing.T) {
	judgeMessages(t, filenameKind(), Env{}, []reads{
		{`{"forbid": ["bidi"]}`, file("/in/invoice_\u202egpj.exe"), `/in/invoice_\u202egpj.exe: the name has a character that reverses how it is shown. Rename the file and try again.`},
		{`{"forbid": ["control"]}`, file("/in/a\r\nb"), `/in/a\u000d\u000ab: the name has a control character. Rename the file and try again.`},
		{`{"max_bytes": 3}`, file("/in/long"), "long: the name is longer than 3 bytes. Shorten it and try again."},
	})
}

func TestFilenameSchema(t *testing.T) {
	judgeSchema(t, filenameKind(), `{}`, `{"forbid": []}`, `{"forbid": ["colour"]}`, `{"forbid": ["bidi", "bidi"]}`, `{"forbid": "bidi"}`,
		`{"max_bytes": 0}`, `{"max_bytes": 65536}`, `{"max_bytes": "255"}`)
}
