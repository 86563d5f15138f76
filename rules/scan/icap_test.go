package scan

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"
)

// sample is a file of n bytes.
func sample(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

const foundEICAR = "X-Infection-Found: Type=0; Resolution=2; Threat=Eicar-Test-Signature;"

// TestICAPAnswers: what each answer of a server means for a file.
func TestICAPAnswers(t *testing.T) {
	small, large, blocked := sample(100), sample(5000), "HTTP/1.0 403 Forbidden"
	same := func(b []byte) []byte { return b }
	no204 := strings.Replace(offers(1024), "Allow: 204\r\n", "", 1)
	noPreview := strings.Replace(offers(1024), "Preview: 1024\r\n", "", 1)
	clean := func(file []byte) Answer { return Answer{Inspected: int64(len(file))} }
	bad := func(signature string, file []byte) Answer {
		return Answer{Signature: signature, Inspected: int64(len(file))}
	}
	anyError := errors.New("any error")
	for _, row := range []struct {
		name    string
		options string
		file    []byte
		scan    func(*peer, []string) bool
		want    Answer
		err     error
	}{
		// Clean.
		{name: "204 after all of it", file: large, scan: says(noContent), want: clean(large)},
		{name: "204 after a file that is shorter than the preview", file: small, scan: says(noContent), want: clean(small)},
		{name: "204 after a file that is as long as the preview", file: large[:1024], scan: says(noContent), want: clean(large[:1024])},
		{name: "an empty file", scan: says(noContent)},
		{name: "an empty file that is sent back", scan: echoes(same)},
		{name: "a server that wants no preview", options: noPreview, file: large, scan: says(noContent), want: clean(large)},
		{name: "an empty file without a preview", options: noPreview, scan: says(noContent)},
		{name: "a preview of nothing", options: offers(0), file: large, scan: says(noContent), want: clean(large)},
		{name: "an empty file after a preview of nothing", options: offers(0), scan: says(noContent)},
		{name: "a server that has no 204 sends the file back", options: no204, file: large, scan: echoes(same), want: clean(large)},
		{name: "no violations", file: large, scan: says(answer("ICAP/1.0 204 No Content", "X-Violations-Found: 0")), want: clean(large)},
		{name: "field names in another case, lines without a return", options: strings.ToLower(strings.TrimPrefix(offers(1024), "ICAP/1.0")), file: large, scan: says("ICAP/1.0 204\n\n"), err: ErrAnswer},
		{name: "lines without a return", file: large, scan: says("ICAP/1.0 204\n\n"), want: clean(large)},

		// Not scanned.
		{name: "204 after the preview", file: large, scan: saysAfterPreview(noContent), want: Answer{Inspected: 1024}, err: ErrUnscanned},
		{name: "204 after a preview of nothing", options: offers(0), file: large, scan: saysAfterPreview(noContent), err: ErrUnscanned},
		{name: "200 and the file after the preview", file: large, scan: saysAfterPreview(page("HTTP/1.1 200 OK", "x")), want: Answer{Inspected: 1024}, err: ErrUnscanned},
		{name: "a server that has 204 sends the file back", file: large, scan: echoes(same), err: ErrUnscanned},
		{name: "clamd's limits behind the server", file: large, scan: says(page(blocked, "", "X-Infection-Found: Type=0; Resolution=2; Threat=Heuristics.Limits.Exceeded.MaxFileSize;")), err: ErrLimit},
		{name: "too large for the server", file: large, scan: says(answer("ICAP/1.0 413 Too Large")), err: ErrLimit},

		// Found.
		{name: "a threat, and a page that says so", file: large, scan: says(page(blocked, "a virus", foundEICAR)), want: bad("Eicar-Test-Signature", large)},
		{name: "a threat in a file that is shorter than the preview", file: small, scan: says(page(blocked, "a virus", foundEICAR)), want: bad("Eicar-Test-Signature", small)},
		{name: "a threat in the preview", file: large, scan: saysAfterPreview(page(blocked, "a virus", foundEICAR)), want: bad("Eicar-Test-Signature", large[:1024])},
		{name: "a violation, folded", file: large, scan: says(page(blocked, "", "X-Violations-Found: 1", "\t-", "\tEicar", "\t0", "\t0")), want: bad("Eicar", large)},
		{name: "a violation without its lines", file: large, scan: says(page(blocked, "", "X-Violations-Found: 1")), want: bad("unknown", large)},
		{name: "the id of a virus", file: large, scan: says(page(blocked, "", "X-Virus-ID: Eicar")), want: bad("Eicar", large)},
		{name: "a threat beside other fields", file: large, scan: says(page(blocked, "", "X-Virus-ID: B", "X-Violations-Found: 1", "\t-", "\tC", "\t0", "\t0", "X-Infection-Found: Type=0; Resolution=2; Threat=A;")), want: bad("A", large)},
		{name: "a threat without a name", file: large, scan: says(page(blocked, "", "X-Infection-Found: Type=0; Resolution=2; Threat=;")), want: bad("unknown", large)},
		{name: "a threat and 204", file: large, scan: says(answer("ICAP/1.0 204 No Content", foundEICAR)), want: bad("Eicar-Test-Signature", large)},
		{name: "a threat and ICAP status 403", file: large, scan: says(answer("ICAP/1.0 403 Forbidden", foundEICAR)), want: bad("Eicar-Test-Signature", large)},
		{name: "a threat and ICAP status 201", file: large, scan: says(strings.Replace(page(blocked, "", foundEICAR), "200", "201", 1)), want: bad("Eicar-Test-Signature", large)},
		{name: "a threat, and the file all the same", file: large, scan: says(page("HTTP/1.1 200 OK", string(large), foundEICAR)), want: bad("Eicar-Test-Signature", large)},
		{name: "a threat, and a page that never ends", file: large, scan: func(p *peer, request []string) bool {
			p.file(request)
			p.say(strings.TrimSuffix(page(blocked, "a virus", foundEICAR), lastChunk))
			return false
		}, want: bad("Eicar-Test-Signature", large)},
		{name: "a page that says that it is blocked", file: large, scan: says(page(blocked, "blocked by policy")), want: bad("unknown", large)},
		{name: "a page elsewhere", file: large, scan: says(page("HTTP/1.1 302 Found", "")), want: bad("unknown", large)},
		{name: "another file", file: large, scan: echoes(func(b []byte) []byte { return append([]byte("x"), b[1:]...) }), want: bad("unknown", large)},
		{name: "a shorter file", file: large, scan: echoes(func(b []byte) []byte { return b[1:] }), want: bad("unknown", large)},
		{name: "a longer file", file: large, scan: echoes(func(b []byte) []byte { return append(b, 'x') }), want: bad("unknown", large)},
		{name: "a file in the place of an empty one", scan: says(page("HTTP/1.1 200 OK", "x")), want: bad("unknown", nil)},
		{name: "no file any more", file: large, scan: says(answer("ICAP/1.0 200 OK", "Encapsulated: res-hdr=0, null-body=19") + "HTTP/1.1 200 OK\r\n\r\n"), want: bad("unknown", large)},
		{name: "a body without a head", file: large, scan: says(answer("ICAP/1.0 200 OK", "Encapsulated: res-body=0") + inChunks("blocked")), want: bad("unknown", large)},

		// Nobody can tell.
		{name: "no such service", file: large, scan: says(answer("ICAP/1.0 404 Service not found")), err: anyError},
		{name: "a fault of the server", file: large, scan: says(answer("ICAP/1.0 500 Server error")), err: anyError},
		{name: "a fault after the preview", file: large, scan: saysAfterPreview(answer("ICAP/1.0 503 Overloaded")), err: anyError},
		{name: "a part of the content", file: large, scan: says(answer("ICAP/1.0 206 Partial Content")), err: ErrAnswer},
		{name: "a status that is none", file: large, scan: says(answer("ICAP/1.0 099 Low")), err: ErrAnswer},
		{name: "another protocol", file: large, scan: says(answer("HTTP/1.1 204 No Content")), err: ErrAnswer},
		{name: "rubbish", file: large, scan: says("\x00\xff\r\n\r\n"), err: ErrAnswer},
		{name: "OK", file: large, scan: says("OK\r\n\r\n"), err: ErrAnswer},
		{name: "a field that is none", file: large, scan: says(answer("ICAP/1.0 204 No Content", "what is this")), err: ErrAnswer},
		{name: "a folded line before any field", file: large, scan: says(answer("ICAP/1.0 204 No Content", "\tx")), err: ErrAnswer},
		{name: "a line that is too long", file: large, scan: says(answer("ICAP/1.0 204 No Content", "X: "+strings.Repeat("x", 10_000))), err: ErrAnswer},
		{name: "a head that is too long", file: large, scan: says(answer("ICAP/1.0 204 No Content", strings.Repeat("X: "+strings.Repeat("x", 6000)+"\r\n", 20))), err: ErrAnswer},
		{name: "too many fields", file: large, scan: says(answer("ICAP/1.0 204 No Content", strings.Repeat("X: x\r\n", 200))), err: ErrAnswer},
		{name: "200 without anything", file: large, scan: says(answer("ICAP/1.0 200 OK")), err: ErrAnswer},
		{name: "parts in no order", file: large, scan: says(answer("ICAP/1.0 200 OK", "Encapsulated: res-hdr=10, res-body=5")), err: ErrAnswer},
		{name: "parts that are none", file: large, scan: says(answer("ICAP/1.0 200 OK", "Encapsulated: res-body=0, res-hdr=5")), err: ErrAnswer},
		{name: "too many parts", file: large, scan: says(answer("ICAP/1.0 200 OK", "Encapsulated: req-hdr=0, res-hdr=2, res-hdr=4, res-body=6")), err: ErrAnswer},
		{name: "a request", file: large, scan: says(answer("ICAP/1.0 200 OK", "Encapsulated: req-hdr=0, req-body=19") + "GET / HTTP/1.1\r\n\r\n" + inChunks("abc")), err: ErrAnswer},
		{name: "a page whose head is no HTTP", file: large, scan: says(page("FTP/1.1 200 OK", "abc")), err: ErrAnswer},
		{name: "a head of a gigabyte", file: large, scan: says(answer("ICAP/1.0 200 OK", "Encapsulated: res-hdr=0, res-body=1073741824")), err: ErrAnswer},
		{name: "chunks that are none", file: large, scan: says(strings.Replace(page("HTTP/1.1 200 OK", "xyz"), "3\r\nxyz", "zz\r\nxyz", 1)), err: ErrAnswer},
		{name: "a body that breaks off", file: large, scan: func(p *peer, request []string) bool {
			body, _ := p.file(request)
			p.say(strings.TrimSuffix(page("HTTP/1.1 200 OK", string(body)), lastChunk))
			return false
		}, err: ErrAnswer},
		{name: "a head that breaks off", file: large, scan: func(p *peer, request []string) bool {
			p.file(request)
			p.say("ICAP/1.0 204 No Content\r\nISTag: ")
			return false
		}, err: ErrAnswer},
		{name: "no answer at all", file: small, scan: func(p *peer, request []string) bool { p.file(request); return false }, err: errSilent},
		{name: "no answer to the preview", file: large, scan: func(*peer, []string) bool { return false }, err: errSilent},
		{name: "nothing after the preview", file: large, scan: func(p *peer, _ []string) bool {
			p.lines()
			p.lines()
			p.chunks()
			p.say(goOnPlease)
			return false
		}, err: ErrAnswer},
		{name: "on and on", file: large, scan: says(goOnPlease + noContent), err: ErrAnswer},
		{name: "on where nothing follows", file: small, scan: says(goOnPlease + noContent), err: ErrAnswer},

		// What the server can.
		{name: "OPTIONS are not answered", options: answer("ICAP/1.0 404 Service not found"), file: small, err: anyError},
		{name: "OPTIONS of another kind", options: strings.Replace(offers(0), "RESPMOD, ", "", 1), file: small, err: anyError},
		{name: "a preview that is no number", options: strings.Replace(offers(0), "Preview: 0", "Preview: all", 1), file: small, err: ErrAnswer},
		{name: "rubbish for OPTIONS", options: "220 mail.example.com ESMTP\r\n\r\n", file: small, err: ErrAnswer},
	} {
		for _, piece := range []int{1 << 20, 700} {
			t.Run(fmt.Sprintf("%s in pieces of %d", row.name, piece), func(t *testing.T) {
				server := (&fakeICAP{options: row.options, scan: row.scan}).start(t)
				got, err := scanned(t.Context(), icapOf(t, server, ICAPOptions{}), row.file, piece)
				if (err == nil) != (row.err == nil) || !errors.Is(row.err, anyError) && !errors.Is(err, row.err) {
					t.Fatalf("the error is %v, want %v", err, row.err)
				}
				if diff := cmp.Diff(row.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestICAPRequest: what a server reads, byte for byte.
func TestICAPRequest(t *testing.T) {
	server := (&fakeICAP{scan: says(noContent)}).start(t)
	c := icapOf(t, server, ICAPOptions{})
	for _, row := range []struct {
		name, in string
		size     int64
		want     string
	}{
		{"a path", "/ingest/ä b/film?.mov", 3, "film%3F.mov"},
		{"a path of Windows", `C:\in\a.mov`, 3, "a.mov"},
		{"credentials", "s3://KEY:SECRET@bucket", 3, "bucket"},
		{"credentials with a slash", "s3://KEY:SEC/RET@bucket/a.mov", 3, "a.mov"},
		{"another request", "a\r\nX: y", 3, "a%0D%0AX:%20y"},
		{"nothing", "", 3, ""},
		{"a long one", strings.Repeat("x", 1000) + ".mov", 3, strings.Repeat("x", 251) + ".mov"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := c.Open(t.Context(), row.in, row.size)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			s.Write([]byte("abc"))
			if _, err := s.Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
			host := strings.TrimSuffix(strings.TrimPrefix(server.url, "icap://"), "/scan")
			asked := "GET http://sluice.invalid/" + row.want + " HTTP/1.1\nHost: sluice.invalid"
			answered := "HTTP/1.1 200 OK\nContent-Type: application/octet-stream\nContent-Length: 3"
			want := fmt.Sprintf("RESPMOD %s ICAP/1.0\nHost: %s\nUser-Agent: sluice\nAllow: 204\nPreview: 1024\nEncapsulated: req-hdr=0, res-hdr=%d, res-body=%d\n\n%s\n\n%s",
				server.url, host, len(asked)+5, len(asked)+5+len(answered)+6, asked, answered)
			_, heads := server.got()
			if diff := cmp.Diff(want, heads[len(heads)-1]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestICAPSendsTheFile whatever its size, the pieces in which it comes, and the
// preview.
func TestICAPSendsTheFile(t *testing.T) {
	server := (&fakeICAP{scan: says(noContent)}).start(t)
	rapid.Check(t, func(r *rapid.T) {
		options := offers(rapid.IntRange(0, 3000).Draw(r, "preview"))
		if rapid.Bool().Draw(r, "without a preview") {
			options = strings.Replace(options, "Preview: ", "X-Preview: ", 1)
		}
		server.offer(options)
		file := sample(rapid.IntRange(0, 10_000).Draw(r, "size"))
		c := icapOf(t, server, ICAPOptions{})
		defer c.Close()
		got, err := scanned(t.Context(), c, file, rapid.IntRange(1, 5000).Draw(r, "piece"))
		if err != nil || got != (Answer{Inspected: int64(len(file))}) {
			r.Fatal(got, err)
		}
		if files, _ := server.got(); !bytes.Equal(files[len(files)-1], file) {
			r.Fatal("the server has another file")
		}
	})
}

// TestICAPScansALargeFileInPieces, and says that this is not all that can be
// done.
func TestICAPScansALargeFileInPieces(t *testing.T) {
	file := sample(3 << 20)
	server := (&fakeICAP{scan: says(noContent)}).start(t)
	got, err := scanned(t.Context(), icapOf(t, server, ICAPOptions{Limit: 1 << 20}), file, 100_000)
	if !errors.Is(err, ErrLimit) || got != (Answer{Inspected: 3 << 20}) {
		t.Error(got, err)
	}
	files, heads := server.got()
	if len(files) != 4 || !bytes.Equal(files[0], file[:1<<20]) || strings.Contains(heads[0], "Content-Length") {
		t.Errorf("there were %d pieces", len(files))
	}
	server.answerBy(func(p *peer, request []string) bool {
		if body, _ := p.file(request); bytes.HasSuffix(body, file[len(file)-1000:]) {
			return p.say(page("HTTP/1.1 403 Forbidden", "", foundEICAR))
		}
		return p.say(noContent)
	})
	got, err = scanned(t.Context(), icapOf(t, server, ICAPOptions{Limit: 1 << 20}), file, 100_000)
	if err != nil || got.Signature != "Eicar-Test-Signature" {
		t.Error(got, err)
	}
}

// TestICAPAnswersBeforeTheEnd: the server says what it has to say, and reads no
// more. Whoever writes learns it, however long the file.
func TestICAPAnswersBeforeTheEnd(t *testing.T) {
	early := func(text string) func(*peer, []string) bool {
		return func(p *peer, _ []string) bool {
			p.lines()
			p.lines()
			p.chunks()
			p.say(goOnPlease)
			p.in.Discard(10_000)
			p.say(text)
			p.in.Discard(1)
			<-p.quit()
			return false
		}
	}
	for _, row := range []struct {
		name, says, signature string
		err                   error
	}{
		{"found", page("HTTP/1.1 403 Forbidden", "", foundEICAR), "Eicar-Test-Signature", nil},
		{"blocked", page("HTTP/1.1 403 Forbidden", ""), "unknown", nil},
		{"let pass", noContent, "", ErrUnscanned},
		{"sent back", strings.TrimSuffix(page("HTTP/1.1 200 OK", "abc"), lastChunk), "", ErrUnscanned},
		{"rubbish", "rubbish\r\n", "", ErrAnswer},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := (&fakeICAP{scan: early(row.says)}).start(t)
			c := icapOf(t, server, ICAPOptions{Limit: 1 << 40})
			s, err := c.Open(t.Context(), "a", 1<<40)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			piece := make([]byte, 1<<20)
			for err == nil {
				_, err = s.Write(piece)
			}
			if errors.Is(row.err, ErrAnswer) {
				if !errors.Is(err, ErrAnswer) {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrAnswered) {
				t.Fatal(err)
			}
			if _, err := s.Write(piece); !errors.Is(err, ErrAnswered) {
				t.Errorf("the next Write says %v", err)
			}
			got, err := s.Finish(t.Context())
			if !errors.Is(err, row.err) || got.Signature != row.signature {
				t.Error(got, err)
			}
		})
	}
}

// quit is closed when the client has gone.
func (p *peer) quit() <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			// Reads nothing: a server that is stuck. The connection's end shows in writing.
			if _, err := p.Write([]byte(" ")); err != nil {
				return
			}
		}
	}()
	return gone
}

// TestICAPServerThatHangs: an end of the context ends everything.
func TestICAPServerThatHangs(t *testing.T) {
	for _, row := range []struct {
		name    string
		options string
		scan    func(reached func(), p *peer, request []string)
	}{
		{name: "before it has read anything", scan: func(reached func(), _ *peer, _ []string) { reached() }},
		{name: "after the preview", scan: func(reached func(), p *peer, _ []string) { p.lines(); p.lines(); p.chunks(); reached() }},
		{name: "while it should read on", scan: func(reached func(), p *peer, _ []string) {
			p.lines()
			p.lines()
			p.chunks()
			p.say(goOnPlease)
			reached()
		}},
		{name: "after all of it", scan: func(reached func(), p *peer, request []string) { p.file(request); reached() }},
		{name: "within its answer", scan: func(reached func(), p *peer, request []string) {
			p.file(request)
			p.say("ICAP/1.0 2")
			reached()
		}},
		{name: "within a page", scan: func(reached func(), p *peer, request []string) {
			p.file(request)
			p.say(strings.TrimSuffix(page("HTTP/1.1 200 OK", "abc"), lastChunk))
			reached()
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			release := make(chan struct{})
			server := (&fakeICAP{scan: func(p *peer, request []string) bool {
				row.scan(cancel, p, request)
				<-release
				return false
			}}).start(t)
			t.Cleanup(func() { close(release) })
			_, err := scanned(ctx, icapOf(t, server, ICAPOptions{Limit: 1 << 30}), make([]byte, 40<<20), 1<<20)
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	t.Run("its own limit of time", func(t *testing.T) {
		release := make(chan struct{})
		server := (&fakeICAP{scan: func(*peer, []string) bool { <-release; return false }}).start(t)
		t.Cleanup(func() { close(release) })
		_, err := scanned(t.Context(), icapOf(t, server, ICAPOptions{Timeout: 300 * time.Millisecond}), sample(5000), 5000)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestICAPServerThatIsGone: before anything is known of it, and after.
func TestICAPServerThatIsGone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	c, err := NewICAP(ICAPOptions{URL: "icap://" + listener.Addr().String() + "/scan"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := scanned(t.Context(), c, nil, 1); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
	if _, err := c.Status(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
	c.remember(&icapService{preview: 1024, until: time.Now().Add(time.Hour)})
	if _, err := scanned(t.Context(), c, nil, 1); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
}

// TestICAPStatus: what the server says of itself.
func TestICAPStatus(t *testing.T) {
	server := (&fakeICAP{options: answer("ICAP/1.0 200 OK", "Methods: RESPMOD", `Service: C-ICAP/0.5.10 server - Antivirus service`, `ISTag: "CI0001-xyz"`), scan: says(noContent)}).start(t)
	c := icapOf(t, server, ICAPOptions{})
	got, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Status{Engine: "C-ICAP/0.5.10 server - Antivirus service", Signatures: "CI0001-xyz"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	server.offer(answer("ICAP/1.0 503 Overloaded"))
	if _, err := c.Status(t.Context()); err == nil {
		t.Error("what it says now is not asked for")
	}
}

// TestICAPAsksAgain when what is known is old, or when the server's signatures
// are others.
func TestICAPAsksAgain(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	server := (&fakeICAP{scan: says(noContent)}).start(t)
	c := icapOf(t, server, ICAPOptions{Now: func() time.Time { return now }})
	asked := func(want int) {
		t.Helper()
		if _, err := scanned(t.Context(), c, sample(10), 10); err != nil {
			t.Fatal(err)
		}
		if _, got := server.count(); got != want {
			t.Errorf("it was asked %d times, want %d", got, want)
		}
	}
	asked(1)
	asked(1)
	now = now.Add(11 * time.Minute)
	asked(2)
	server.answerBy(says(answer("ICAP/1.0 204 No Content", `ISTag: "fake-2"`)))
	asked(2)
	server.offer(strings.Replace(offers(1024, "Options-TTL: 60"), "fake-1", "fake-2", 1))
	asked(3)
	now = now.Add(61 * time.Second)
	asked(4)
}

// TestICAPConnectionsAreKept while the server keeps them, and no longer.
func TestICAPConnectionsAreKept(t *testing.T) {
	const scans = 10
	for _, row := range []struct {
		name    string
		options ICAPOptions
		offers  string
		scan    func(*peer, []string) bool
		want    int
	}{
		{"all on one", ICAPOptions{}, "", says(noContent), 1},
		{"and after a page", ICAPOptions{}, "", says(page("HTTP/1.1 403 Forbidden", "a virus", foundEICAR)), 1},
		{"and after the file came back", ICAPOptions{}, "", echoes(func(b []byte) []byte { return b }), 1},
		{"and after the preview", ICAPOptions{}, "", saysAfterPreview(noContent), 1},
		{"not where the server says so", ICAPOptions{}, "", says(answer("ICAP/1.0 204 No Content", "Connection: close")), scans},
		{"not where the server ends them", ICAPOptions{}, "", func(p *peer, request []string) bool { says(noContent)(p, request); return false }, scans},
		{"not after a fault", ICAPOptions{}, "", says(answer("ICAP/1.0 500 Server error")), scans},
		{"not after a page that is too long", ICAPOptions{}, "", says(page("HTTP/1.1 403 Forbidden", strings.Repeat("x", 100<<10), foundEICAR)), scans},
		{"not where the request could not be sent again", ICAPOptions{}, strings.Replace(offers(1), "Preview", "X-Preview", 1), says(noContent), 1 + scans},
		{"not where none is to be kept", ICAPOptions{Idle: -1}, "", says(noContent), 1 + scans},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := (&fakeICAP{options: row.offers, scan: row.scan}).start(t)
			c := icapOf(t, server, row.options)
			for range scans {
				_, _ = scanned(t.Context(), c, sample(5000), 5000)
			}
			if got, _ := server.count(); got != row.want {
				t.Errorf("there were %d connections, want %d", got, row.want)
			}
		})
	}
}

// TestICAPConnectionThatTheServerGaveUp between two files costs nothing but
// another one.
func TestICAPConnectionThatTheServerGaveUp(t *testing.T) {
	server := (&fakeICAP{scan: func(p *peer, request []string) bool { says(noContent)(p, request); return false }}).start(t)
	c := icapOf(t, server, ICAPOptions{})
	for _, size := range []int{10, 5000, 0, 5000, 10, 5000} {
		if got, err := scanned(t.Context(), c, sample(size), 5000); err != nil || got.Inspected != int64(size) {
			t.Fatal(got, err)
		}
	}
}

// watched tells when it is closed.
type watched struct {
	net.Conn
	closed chan struct{}
}

func (w watched) Close() error {
	defer close(w.closed)
	return w.Conn.Close()
}

// TestICAPIdleConnectionsEnd by themselves, when the server ends them or says
// something, and when their time is over.
func TestICAPIdleConnectionsEnd(t *testing.T) {
	for _, row := range []struct {
		name    string
		longest time.Duration
		server  func(net.Conn)
	}{
		{"the server ends it", time.Hour, func(c net.Conn) { c.Close() }},
		{"the server says something", time.Hour, func(c net.Conn) { c.Write([]byte("x")) }},
		{"its time is over", time.Nanosecond, func(net.Conn) {}},
	} {
		t.Run(row.name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			ours, theirs := net.Pipe()
			defer theirs.Close()
			conn := watched{ours, make(chan struct{})}
			idle := idleConns{most: 1, longest: row.longest}
			idle.put(&icapConn{Conn: conn, in: bufio.NewReader(conn)})
			row.server(theirs)
			<-conn.closed
			if idle.take() != nil {
				t.Error("it is there")
			}
		})
	}
}

// TestICAPManyAtOnce share the connections that are kept.
func TestICAPManyAtOnce(t *testing.T) {
	var scans int
	var mu sync.Mutex
	server := (&fakeICAP{scan: func(p *peer, request []string) bool {
		body, ok := p.file(request)
		mu.Lock()
		scans++
		last := scans%3 == 0
		mu.Unlock()
		if bytes.Contains(body, []byte("virus")) {
			return ok && p.say(page("HTTP/1.1 403 Forbidden", "", foundEICAR)) && !last
		}
		return ok && p.say(noContent) && !last
	}}).start(t)
	c := icapOf(t, server, ICAPOptions{})
	var group errgroup.Group
	for worker := range 8 {
		group.Go(func() error {
			for i := range 20 {
				file, want := sample(100*i*worker), ""
				if i%2 == 1 {
					file, want = append(file, "virus"...), "Eicar-Test-Signature"
				}
				if got, err := scanned(t.Context(), c, file, 700); err != nil || got.Signature != want || got.Inspected != int64(len(file)) {
					return fmt.Errorf("%v: %w", got, err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// TestICAPOverTLS: the server must be vouched for.
func TestICAPOverTLS(t *testing.T) {
	fake := httptest.NewUnstartedServer(nil)
	fake.StartTLS()
	certificate := fake.TLS.Certificates[0]
	fake.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	server := (&fakeICAP{scan: says(noContent), tls: &tls.Config{Certificates: []tls.Certificate{certificate}}}).start(t)
	c := icapOf(t, server, ICAPOptions{CAFile: file})
	for range 5 {
		if got, err := scanned(t.Context(), c, sample(5000), 700); err != nil || got.Inspected != 5000 {
			t.Fatal(got, err)
		}
	}
	if connections, _ := server.count(); connections != 1 {
		t.Errorf("there were %d connections", connections)
	}
	var unknown x509.UnknownAuthorityError
	if _, err := scanned(t.Context(), icapOf(t, server, ICAPOptions{}), nil, 1); !errors.As(err, &unknown) {
		t.Error(err)
	}
}

// TestICAPMisuse of a session is an error and no scan.
func TestICAPMisuse(t *testing.T) {
	server := (&fakeICAP{scan: says(noContent)}).start(t)
	c := icapOf(t, server, ICAPOptions{})
	for _, row := range []struct {
		name string
		use  func(s Session) error
	}{
		{"less than was announced", func(s Session) error { s.Write(sample(99)); _, err := s.Finish(t.Context()); return err }},
		{"more than was announced", func(s Session) error { _, err := s.Write(sample(101)); return err }},
		{"more than was announced, finished", func(s Session) error { s.Write(sample(101)); _, err := s.Finish(t.Context()); return err }},
		{"finished twice", func(s Session) error {
			s.Write(sample(100))
			s.Finish(t.Context())
			_, err := s.Finish(t.Context())
			return err
		}},
		{"written after its end", func(s Session) error {
			s.Write(sample(100))
			s.Finish(t.Context())
			_, err := s.Write(nil)
			return err
		}},
		{"finished after it was given up", func(s Session) error { s.Close(); _, err := s.Finish(t.Context()); return err }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := c.Open(t.Context(), "a", 100)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := row.use(s); err == nil || errors.Is(err, ErrAnswered) {
				t.Error(err)
			}
		})
	}
}

func TestICAPOptions(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(wrong, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		options ICAPOptions
		address string // empty: refused
	}{
		{ICAPOptions{URL: "icap://scanner/avscan"}, "scanner:1344"},
		{ICAPOptions{URL: "icaps://scanner/avscan"}, "scanner:11344"},
		{ICAPOptions{URL: "icap://[::1]:99/avscan?force=on&mode=simple"}, "[::1]:99"},
		{ICAPOptions{URL: ""}, ""},
		{ICAPOptions{URL: "scanner:1344/avscan"}, ""},
		{ICAPOptions{URL: "http://scanner/avscan"}, ""},
		{ICAPOptions{URL: "icap://scanner"}, ""},
		{ICAPOptions{URL: "icap://scanner/"}, ""},
		{ICAPOptions{URL: "icap:///avscan"}, ""},
		{ICAPOptions{URL: "icap://:1344/avscan"}, ""},
		{ICAPOptions{URL: "icap://user:s3cr3t@scanner/avscan"}, ""},
		{ICAPOptions{URL: "icap://user:s3cr3t@scanner:port/avscan"}, ""},
		{ICAPOptions{URL: "icap://scanner/avscan", CAFile: wrong}, ""},
		{ICAPOptions{URL: "icaps://scanner/avscan", CAFile: wrong}, ""},
		{ICAPOptions{URL: "icaps://scanner/avscan", CAFile: wrong + ".missing"}, ""},
	} {
		c, err := NewICAP(row.options)
		switch {
		case err != nil && (row.address != "" || strings.Contains(err.Error(), "s3cr3t")):
			t.Errorf("%s: %v", row.options.URL, err)
		case err == nil && (c.address != row.address || c.target != strings.Replace(row.options.URL, "scanner", row.address, 1) && !strings.Contains(row.options.URL, "99")):
			t.Errorf("%s: %s, %s", row.options.URL, c.address, c.target)
		}
	}
}
