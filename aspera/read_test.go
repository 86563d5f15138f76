package aspera_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sluiceproject/sluice/aspera"
)

// TestWhatIsNoAsperaConf says where a file is not one, and why.
func TestWhatIsNoAsperaConf(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", `x.conf:1:1: the file has no element: an aspera.conf begins with <CONF version="2">`},
		{"only a comment", "<!-- x -->\n", `x.conf:1:1: the file has no element`},
		{"text", "hello\n", "x.conf:1:1: there is text outside of the outermost element"},
		{"YAML", "validation_uri: http://x\n", "x.conf:1:1: there is text outside"},
		{"another root", "<html/>", `x.conf:1:1: the outermost element is <html>`},
		{"two roots", "<CONF/>\n<CONF/>", "x.conf:2:1: a second outermost element begins here"},
		{"not closed", "<CONF>\n<default>\n", "x.conf:3:1: this is not XML: unexpected EOF"},
		{"closed by another", "<CONF>\n  <default>\n  </CONF>", "x.conf:3:10: this is not XML: element <default> closed by </CONF>"},
		{"an ampersand", "<CONF>\n<a>b & c</a></CONF>", "x.conf:2:7: this is not XML: invalid character entity & (no semicolon)"},
		{"an unknown entity", "<CONF><a>&b;</a></CONF>", "x.conf:1:13: this is not XML: invalid character entity &b;"},
		{"an entity of its own", "<!DOCTYPE c [<!ENTITY a \"b\">]><CONF>&a;</CONF>", "x.conf:1:1: the file has a <!…> declaration"},
		{"a bomb", "<?xml version=\"1.0\"?>\n<!DOCTYPE c [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>\n<CONF>&b;</CONF>", "x.conf:2:1: the file has a <!…> declaration"},
		{"a file from elsewhere", "<!DOCTYPE c SYSTEM \"file:///etc/passwd\"><CONF/>", "x.conf:1:1: the file has a <!…> declaration"},
		{"a control character", "<CONF>\x1b</CONF>", "this is not XML: illegal character code U+001B"},
		{"bytes that are not UTF-8", "<CONF>\xff</CONF>", "this is not XML: invalid UTF-8"},
		{"UTF-16", "\xff\xfe<\x00C\x00", "x.conf:1:1: the file is in UTF-16"},
		{"an encoding", "<?xml version=\"1.0\" encoding=\"EBCDIC\"?><CONF/>", `the encoding "EBCDIC" is not known`},
		{"depth", strings.Repeat("<CONF>", 65), "x.conf:1:385: elements are nested deeper than 64"},
		{"elements", "<CONF>" + strings.Repeat("<a/>", 500_000), "the file has more than 500000 elements"},
		{"users", "<CONF><aaa><realms><realm><users>" + strings.Repeat("<user/>", 100_001), "the file has more than 100000 users and groups"},
		{"a million attributes", "<CONF " + strings.Repeat(`a="" `, 1_000_000) + "/>", "one tag or text is longer than 1 MiB"},
		{"a long text", "<CONF>" + strings.Repeat("x", 2<<20), "one tag or text is longer than 1 MiB"},
		{"a long comment", "<CONF><!--" + strings.Repeat("x", 2<<20), "one tag or text is longer than 1 MiB"},
		{"size", "<CONF>" + strings.Repeat(" ", 16<<20), "x.conf:1:1: the file is larger than 16 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := aspera.Read("x.conf", strings.NewReader(tc.text))
			var syntax *aspera.SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}

// TestWhatIsOneAllTheSame are ways to write the same.
func TestWhatIsOneAllTheSame(t *testing.T) {
	for _, tc := range []struct{ name, text string }{
		{"small letters", `<conf><default><transfer><validation_uri>http://x</validation_uri></transfer></default></conf>`},
		{"a byte-order mark", "\xef\xbb\xbf" + `<?xml version="1.0"?><CONF><default><transfer><validation_uri>http://x</validation_uri></transfer></default></CONF>`},
		{"lines of Windows", "<CONF>\r\n<default>\r\n<transfer>\r\n<validation_uri>\r\n http://x\r\n</validation_uri></transfer></default></CONF>\r\n"},
		{"CDATA, and a comment in the middle", `<CONF><default><transfer><validation_uri><![CDATA[http]]><!-- no -->://x</validation_uri></transfer></default></CONF>`},
		{"an escape", `<CONF><default><transfer><validation_uri>http:&#47;/x</validation_uri></transfer></default></CONF>`},
		{"Latin-1", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><CONF><!-- gr\xfc\xdfe --><default><transfer><validation_uri>http://x</validation_uri></transfer></default></CONF>"},
		{"in two parts", `<CONF><default><transfer/></default><default><transfer><validation_uri>http://x</validation_uri></transfer></default></CONF>`},
		{"beside what nobody knows", `<CONF><trunks><trunk><id>1</id></trunk></trunks><default><new>1</new><transfer><validation_uri>http://x</validation_uri></transfer></default></CONF>`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conf := read(t, "x.conf", tc.text)
			if got := conf.Default.Settings["validation_uri"]; len(got) != 1 || got[0].Value != "http://x" || len(conf.Strays) > 0 {
				t.Errorf("%+v, %+v", got, conf.Strays)
			}
		})
	}
}

func TestReadingFails(t *testing.T) {
	broken := errors.New("the disk is gone")
	if _, err := aspera.Read("x.conf", iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// FuzzRead reads and judges whatever comes. What can be read has places in the file.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) == 0 {
		f.Fatal("no files", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`<CONF><WEB HttpFallback="yes"/><server><http_port>x</http_port></server></CONF>`)
	f.Fuzz(func(t *testing.T, text string) {
		conf, err := aspera.Read("x.conf", strings.NewReader(text))
		if err != nil {
			var syntax *aspera.SyntaxError
			if !errors.As(err, &syntax) || syntax.Place.Line < 1 || syntax.Place.Column < 1 {
				t.Fatalf("%v", err)
			}
			return
		}
		lines := strings.Count(text, "\n") + 1
		report := aspera.Check(conf, options())
		for _, finding := range report.Findings {
			if finding.Line < 1 || finding.Line > lines || finding.Message == "" {
				t.Errorf("%+v", finding)
			}
			for _, line := range finding.Mend {
				if rest, command := strings.CutPrefix(line, `asconfigurator -x "`); command {
					rest, _, _ = strings.Cut(rest, "   #")
					if inner, ok := strings.CutSuffix(rest, `"`); !ok || strings.ContainsAny(inner, "\"`$\n") {
						t.Errorf("not for a shell: %q", line)
					}
				}
			}
		}
	})
}
