package rules

import "testing"

func TestPath(t *testing.T) {
	const ingest, notPrivate = `{"allow": ["/ingest/**"]}`, `{"deny": ["/ingest/private/**"]}`
	judge(t, pathKind(), Env{}, []row{
		{ingest, file("/ingest/a.mov"), accept()},
		{ingest, file("/ingest/x/y/a.mov"), accept()},
		{ingest, file("/ingest"), accept()},
		{ingest, file("/other/a.mov"), refuse("/other/a.mov")},
		{ingest, file("/Ingest/a.mov"), refuse("/Ingest/a.mov")},
		{ingest, file("/ingest2/a.mov"), refuse("/ingest2/a.mov")},
		{ingest, file("ingest/a.mov"), refuse("ingest/a.mov")},
		{`{"allow": ["/ingest/*"]}`, file("/ingest/x/a.mov"), refuse("/ingest/x/a.mov")},
		{`{"allow": ["/in/**", "/out/**"]}`, file("/out/a"), accept()},
		{`{"allow": ["/{in,out}/*.mov"]}`, file("/out/a.mov"), accept()},
		{`{"allow": ["**/*.mov"]}`, file("/x/y/a.mov"), accept()},
		{notPrivate, file("/ingest/a"), accept()},
		{notPrivate, file("/ingest/private/a"), refuse("/ingest/private/a")},
		{`{"allow": ["/ingest/**"], "deny": ["**/*.tmp"]}`, file("/ingest/a.tmp"), refuse("/ingest/a.tmp")},

		// What is not plain never matches an allow, wherever it leads.
		{ingest, file("/ingest/../ingest/a"), refuse("/ingest/../ingest/a")},
		{ingest, file("/ingest/../etc/passwd"), refuse("/ingest/../etc/passwd")},
		{ingest, file("/ingest/./a"), refuse("/ingest/./a")},
		{ingest, file("/ingest//a"), refuse("/ingest//a")},
		{ingest, file("//ingest/a"), refuse("//ingest/a")},
		{ingest, file("/ingest/a/"), refuse("/ingest/a/")},
		{ingest, file("/ingest/a/.."), refuse("/ingest/a/..")},
		{ingest, file("/ingest/a\x00.mov"), refuse("/ingest/a\x00.mov")},
		{`{"allow": ["**"]}`, file("/a/../b"), refuse("/a/../b")},
		{ingest, file("/ingest/..a"), accept()},
		{ingest, file("/ingest/a..b/.c"), accept()},

		// A deny holds for the path as written and for where it leads.
		{notPrivate, file("/ingest/x/../private/a"), refuse("/ingest/x/../private/a")},
		{notPrivate, file("/ingest//private/./a"), refuse("/ingest//private/./a")},
		{notPrivate, file("/../../ingest/private/a"), refuse("/../../ingest/private/a")},
		{notPrivate, file("/ingest/private/../a"), refuse("/ingest/private/../a")},
		{notPrivate, file("/ingest/x/../a"), accept()},
		{`{"deny": ["/secre[t]"]}`, file("/secret/"), refuse("/secret/")},

		// Windows paths are matched with slashes.
		{`{"allow": ["C:/in/**"]}`, file(`C:\in\x\a.mov`), accept()},
		{`{"allow": ["C:/in/**"]}`, file("C:/in/a.mov"), accept()},
		{`{"allow": ["C:/in/**"]}`, file(`D:\in\a.mov`), refuse(`D:\in\a.mov`)},
		{`{"allow": ["C:/in/**"]}`, file(`C:\in\..\a.mov`), refuse(`C:\in\..\a.mov`)},
		{`{"deny": ["C:/secret/**"]}`, file(`C:\in\..\secret\a`), refuse(`C:\in\..\secret\a`)},
		{`{"deny": ["C:/secret/**"]}`, file(`C:\in\..\..\secret\a`), refuse(`C:\in\..\..\secret\a`)},
		{`{"allow": ["/server/share/**"]}`, file(`\\server\share\a.mov`), accept()},
		{`{"allow": ["/server/share/**"]}`, file(`\\server\private\a.mov`), refuse(`\\server\private\a.mov`)},
		{ingest, file(`/ingest/a\b`), accept()},

		// Credentials are neither matched nor shown.
		{`{"allow": ["s3://bucket/in/**"]}`, file("s3://KEY:SECRET@bucket/in/a"), accept()},
		{`{"allow": ["s3://bucket/in/**"]}`, file("s3://bucket/in/a"), accept()},
		{`{"allow": ["s3://bucket/in/**"]}`, file("s3://KEY:SECRET@bucket/out/a"), refuse("s3://***@bucket/out/a")},
		{`{"allow": ["s3://bucket/in/**"]}`, file("s3://KEY:SEC/RET@bucket/in/../a"), refuse("s3://***@bucket/in/../a")},
		{`{"deny": ["s3://bucket/**"]}`, file("s3://KEY:SEC/RET@bucket/a"), refuse("s3://***@bucket/a")},
		{`{"deny": ["**"]}`, file("s3://KEY:12/RET@bucket/a"), refuse("s3://***@bucket/a")},

		{ingest, file("", size(1)), lacks("file")},
	})
}

func TestPathMessages(t *testing.T) {
	judgeMessages(t, pathKind(), Env{}, []reads{
		{`{"allow": ["/in/**"]}`, file("/out/a"), "/out/a is outside the folders that may be used. Choose another folder."},
		{`{"deny": ["/out/**"]}`, file("/out/a"), "Nothing may be transferred to or from /out/a. Choose another folder."},
		{`{"allow": ["/in/**"]}`, file("/in/../out"), `The path /in/../out is not plain: it has "..", "." or "//". Rename the folder and try again.`},
		{`{"deny": ["s3://**"]}`, file("s3://KEY:SECRET@b/a"), "Nothing may be transferred to or from s3://***@b/a. Choose another folder."},
	})
}

func TestPathMistakes(t *testing.T) {
	judgeMistakes(t, pathKind(), Env{}, []slip{
		{`{"allow": ["/in/**", "/in/[a"], "deny": ["in/**", ""]}`, []string{
			`/allow/1: "/in/[a" is not a glob: a bracket, brace or backslash lacks its partner`,
			`/deny/0: "in/**" matches no path, because paths begin with a slash; did you mean "/in/**" or "**/in/**"?`,
			`/deny/1: an empty glob matches nothing`,
		}},
		{`{"allow": ["/in"], "deny": ["/a/"]}`, []string{
			`/allow/0: "/in" matches one file of that very name, and nothing in a folder; did you mean "/in/**"? A file of that name is "/i[n]"`,
			`/deny/0: "/a/" matches no path, because none ends in a slash; did you mean "/a/**"?`,
		}},
	})
	judgeSchema(t, pathKind(), `{}`, `{"allow": []}`, `{"deny": "/x"}`, `{"allow": [1]}`, `{"every": true}`)
}
