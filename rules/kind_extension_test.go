package rules

import "testing"

func TestExtension(t *testing.T) {
	const films, noPrograms = `{"allow": ["mov", "MXF", "möv"]}`, `{"deny": ["exe", "jse"]}`
	judge(t, extensionKind(), folder{}.env(".partial"), []row{
		{films, file("/in/clip.mov"), accept()},
		{films, file("/in/clip.exe"), refuse("exe")},
		{`{"allow": [".mov", "mxf"]}`, file("/in/clip.mov"), accept()},
		{`{"allow": ["mov", ".MOV", "MOV"]}`, file("/in/clip.mov"), accept()},
		{`{"deny": [".EXE"]}`, file("/in/clip.exe"), refuse("exe")},
		{noPrograms, file("/in/clip.mov"), accept()},
		{noPrograms, file("/in/clip.exe"), refuse("exe")},
		{`{"allow": ["mov"], "deny": ["exe"]}`, file("/in/clip.exe"), refuse("exe")},
		{`{"allow": ["mov"], "deny": ["exe"]}`, file("/in/clip.txt"), refuse("txt")},

		// Case does not matter, in the policy or in the name.
		{films, file("/in/CLIP.MOV"), accept()},
		{films, file("/in/clip.mxf"), accept()},
		{noPrograms, file("/in/clip.ExE"), refuse("exe")},
		{films, file("/in/clip.MÖV"), accept()},
		{`{"deny": ["MÖV"]}`, file("/in/clip.möv"), refuse("möv")},
		{`{"deny": ["k"]}`, file("/in/clip.\u212a"), refuse("k")},

		// What ascp appends is looked through, in any order and case.
		{films, file("/in/clip.mov.aspera-env"), accept()},
		{films, file("/in/clip.mov.partial"), accept()},
		{films, file("/in/clip.mov.aspera-env.partial"), accept()},
		{films, file("/in/clip.mov.partial.aspera-env"), accept()},
		{films, file("/in/clip.mov.ASPERA-ENV.Partial"), accept()},
		{noPrograms, file("/in/clip.exe.partial"), refuse("exe")},
		{films, file("/in/clip.aspera-env"), refuse("none")},
		{films, file("/in/.aspera-env"), refuse("none")},
		{films, file("/in/partial"), refuse("none")},

		// Only the last extension counts, unless every one is to be judged.
		{films, file("/in/a.exe.mov"), accept()},
		{noPrograms, file("/in/a.exe.mov"), accept()},
		{`{"deny": ["exe"], "every": true}`, file("/in/a.exe.mov"), refuse("exe")},
		{`{"deny": ["exe"], "every": true}`, file("/in/a.b.c.mov"), accept()},
		{`{"allow": ["mov", "pdf"], "every": true}`, file("/in/a.pdf.mov"), accept()},
		{`{"allow": ["mov"], "every": true}`, file("/in/a.pdf.mov"), refuse("pdf")},
		{`{"allow": ["mov"], "every": true}`, file("/in/a.mov"), accept()},
		{`{"allow": ["mov"], "every": true}`, file("/in/a"), refuse("none")},
		{`{"allow": ["mov"], "every": true}`, file("/in/.exe.mov"), accept()},
		{`{"allow": ["mov"], "every": false}`, file("/in/a.pdf.mov"), accept()},

		// "" is no extension; a name that begins with a dot has none.
		{films, file("/in/clip"), refuse("none")},
		{`{"allow": ["mov", ""]}`, file("/in/clip"), accept()},
		{`{"deny": [""]}`, file("/in/clip"), refuse("none")},
		{`{"deny": [""]}`, file("/in/.exe"), refuse("none")},
		{`{"deny": [""]}`, file("/in/.profile"), refuse("none")},
		{`{"deny": [""]}`, file("/in/.profile.txt"), accept()},
		{noPrograms, file("/in/.exe"), accept()},
		{noPrograms, file("/in.exe/clip"), accept()},

		// Windows drops dots and spaces at the end.
		{noPrograms, file("/in/clip.exe."), refuse("exe")},
		{noPrograms, file("/in/clip.exe. . "), refuse("exe")},
		{noPrograms, file("/in/clip..exe"), refuse("exe")},
		{films, file("/in/clip.mov..."), accept()},
		{`{"deny": [""]}`, file("/in/clip..."), refuse("none")},
		{`{"deny": [""]}`, file("/in/..."), refuse("none")},

		// A colon names a stream of another file, which is judged too.
		{noPrograms, file("/in/a.exe::$DATA"), refuse("exe")},
		{noPrograms, file("/in/a.exe:b.mov"), refuse("exe")},
		{noPrograms, file("/in/a.exe.:b.mov"), refuse("exe")},
		{noPrograms, file("/in/a.exe.partial:b.mov"), refuse("exe")},
		{noPrograms, file("/in/a.mov::$DATA"), accept()},
		{noPrograms, file("/in/:b.exe"), refuse("exe")},
		{films, file("/in/a.mov::$DATA"), refuse("mov::$data")},
		{films, file("/in/10:30 interview.mov"), accept()},
		{noPrograms, file("/in/10:30 interview.mov"), accept()},

		{films, file(`C:\in\clip.mov`), accept()},
		{noPrograms, file(`C:\in\clip.exe`), refuse("exe")},
		{films, file("s3://KEY:SECRET@bucket/clip.mov"), accept()},
		{noPrograms, file("/in/invoice_\u202egpj.exe"), refuse("exe")},
		{noPrograms, file("/in/a.exe\u202e"), accept()},
		{noPrograms, file("/in/a.\xffexe"), accept()},
		{films, file("/in/a.a-very-long-extension-that-no-list-has"), refuse("a-very-long-extension-that-no-list-has")},

		{films, file("", func(e *Event) { e.Size = Known(1) }), lacks("file")},
		{films, file("/"), lacks("file")},
	})
	// Without a partial suffix, such a name has another extension.
	judge(t, extensionKind(), folder{}.env(""), []row{
		{films, file("/in/clip.mov.partial"), refuse("partial")},
		{films, file("/in/clip.mov.aspera-env"), accept()},
	})
}

func TestExtensionMessages(t *testing.T) {
	judgeMessages(t, extensionKind(), folder{}.env(""), []reads{
		{`{"allow": ["mov", ""]}`, file("/in/a.exe"), "a.exe: only files of these types may be transferred here: mov, none."},
		{`{"allow": ["MOV", ".mov", ".mxf"]}`, file("/in/a.exe"), "a.exe: only files of these types may be transferred here: mov, mxf."},
		{`{"deny": ["exe"]}`, file("/in/a.exe"), "a.exe: files of the type exe may not be transferred here."},
		{`{"deny": ["exe"]}`, file("/in/invoice_\u202egpj.exe"), `invoice_\u202egpj.exe: files of the type exe may not be transferred here.`},
	})
}

func TestExtensionMistakes(t *testing.T) {
	judgeMistakes(t, extensionKind(), folder{}.env(""), []slip{
		{`{"allow": [".", ".tar.gz", ". mov "]}`, []string{
			`/allow/0: an extension is written without dots: "."; "" stands for no extension`,
			`/allow/1: an extension is written without dots: ".tar.gz"; did you mean "gz"?`,
			`/allow/2: ". mov " ends in a space, which no extension does; did you mean "mov"?`,
		}},
		{`{"allow": ["mov", "tar.gz"]}`, []string{`/allow/1: an extension is written without dots: "tar.gz"; did you mean "gz"?`}},
		{`{"deny": ["*.exe"]}`, []string{`/deny/0: "*.exe" is not an extension; did you mean "exe"?`}},
		{`{"deny": ["*.tar.gz"]}`, []string{`/deny/0: "*.tar.gz" is not an extension; globs are for the kind path, as in ` + "`path: {deny: [\"**/*.tmp\"]}`"}},
		{`{"deny": ["a/b"]}`, []string{`/deny/0: "a/b" is not an extension; globs are for the kind path, as in ` + "`path: {deny: [\"**/*.tmp\"]}`"}},
		{`{"deny": ["exe "]}`, []string{`/deny/0: "exe " ends in a space, which no extension does; did you mean "exe"?`}},
		{`{"allow": ["mov", "exe", "COM"], "deny": ["bat", "EXE", "com"]}`, []string{
			`/deny/1: "EXE" is both allowed and denied`, `/deny/2: "com" is both allowed and denied`,
		}},
		{`{"every": true}`, []string{"/every: there is nothing to judge; add allow or deny"}},
	})
	judgeSchema(t, extensionKind(), `{}`, `{"allow": []}`, `{"deny": []}`, `{"allow": "mov"}`, `{"allow": [1]}`, `{"every": "yes", "deny": ["exe"]}`, `{"only": ["mov"]}`)
}
