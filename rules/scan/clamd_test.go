package scan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// late is longer than any test waits for what is there.
const late = 20 * time.Second

// TestClamdAnswers: what clamd says, and what it means.
func TestClamdAnswers(t *testing.T) {
	for _, tc := range []struct {
		text string
		want Answer
		err  error
	}{
		{"stream: OK\x00", Answer{Inspected: 9}, nil},
		{"stream: Eicar-Test-Signature FOUND\x00", Answer{Signature: "Eicar-Test-Signature", Inspected: 9}, nil},
		{"stream: YARA.a_rule.UNOFFICIAL FOUND\x00", Answer{Signature: "YARA.a_rule.UNOFFICIAL", Inspected: 9}, nil},
		{"stream: Eicar(44d88612fea8a8f36de82e1278abb02f:68) FOUND\x00", Answer{Signature: "Eicar(44d88612fea8a8f36de82e1278abb02f:68)", Inspected: 9}, nil},
		{"stream: OK FOUND\x00", Answer{Signature: "OK", Inspected: 9}, nil},
		{"stream: not found ERROR FOUND\x00", Answer{Signature: "not found ERROR", Inspected: 9}, nil},
		{"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\x00", Answer{}, ErrLimit},
		{"stream: Heuristics.Limits.Exceeded.MaxScanSize FOUND\x00", Answer{}, ErrLimit},
		{"INSTREAM size limit exceeded. ERROR\x00", Answer{}, ErrLimit},
		{"stream: Can't allocate memory ERROR\x00", Answer{}, ErrUnscanned},
		{"Error writing to temporary file. ERROR\x00", Answer{}, ErrUnscanned},

		{"\x00", Answer{}, ErrAnswer},
		{"OK\x00", Answer{}, ErrAnswer},
		{"stream:OK\x00", Answer{}, ErrAnswer},
		{"stream: ok\x00", Answer{}, ErrAnswer},
		{"stream: OK \x00", Answer{}, ErrAnswer},
		{"stream: OK\n\x00", Answer{}, ErrAnswer},
		{"stream: stream: OK\x00", Answer{}, ErrAnswer},
		{"/etc/passwd: OK\x00", Answer{}, ErrAnswer},
		{"fd[]: OK\x00", Answer{}, ErrAnswer},
		{"fd[x]: OK\x00", Answer{}, ErrAnswer},
		{"stream: FOUND\x00", Answer{}, ErrAnswer},
		{"stream:  FOUND\x00", Answer{}, ErrAnswer},
		{"Eicar FOUND\x00", Answer{}, ErrAnswer},
		{"stream: found\x00", Answer{}, ErrAnswer},
		{"stream: ERROR\x00", Answer{}, ErrAnswer},
		{"UNKNOWN COMMAND\x00", Answer{}, ErrAnswer},
		{"PONG\x00", Answer{}, ErrAnswer},
		{"1: stream: OK\x00", Answer{}, ErrAnswer},
		{"stream: OK\x00stream: Eicar FOUND\x00", Answer{}, ErrAnswer},
		{"stream: OK", Answer{}, ErrAnswer},
		{"stre", Answer{}, ErrAnswer},
		{"", Answer{}, io.ErrUnexpectedEOF},
		{"stream: " + strings.Repeat("A", maxAnswer) + " FOUND\x00", Answer{}, ErrAnswer},
		{"stream: " + strings.Repeat("A", 3000) + " FOUND\x00", Answer{Signature: strings.Repeat("A", longestSignature), Inspected: 9}, nil},
	} {
		t.Run(cut(strings.TrimSuffix(tc.text, "\x00")), func(t *testing.T) {
			f := (&fakeClamd{answer: clamdSays(tc.text)}).start(t)
			ctx, cancel := context.WithTimeout(t.Context(), late)
			defer cancel()
			got, err := given(ctx, f.client(t, ClamdOptions{}), []byte("some file"), 4)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("%+v, %v; want %+v, %v", got, err, tc.want, tc.err)
			}
		})
	}
}

// TestClamdEndsEarly: whatever clamd does before the file's end has an answer,
// and clean is not among them.
func TestClamdEndsEarly(t *testing.T) {
	file := make([]byte, 64<<20) // Long enough for what is said in its first MiB to be noticed before its end.
	for _, tc := range []struct {
		name   string
		answer func(*clamdCall)
		want   string
		err    error
	}{
		{"it finds something and closes", func(c *clamdCall) { c.file(1 << 20); c.say("stream: Eicar FOUND\x00") }, "Eicar", nil},
		{"it finds something and waits", func(c *clamdCall) { c.file(1 << 20); c.say("stream: Eicar FOUND\x00"); c.gone() }, "Eicar", nil},
		{"it has had enough", func(c *clamdCall) { c.file(1 << 20); c.say("INSTREAM size limit exceeded. ERROR\x00") }, "", ErrLimit},
		{"it says OK before it can know", func(c *clamdCall) { c.file(1 << 20); c.say("stream: OK\x00"); c.gone() }, "", ErrAnswer},
		{"it says OK at once", func(c *clamdCall) { c.say("stream: OK\x00"); c.gone() }, "", ErrAnswer},
		{"it talks", func(c *clamdCall) {
			for range 10 {
				c.say(strings.Repeat("A", 1000))
			}
			c.gone()
		}, "", ErrAnswer},
	} {
		for _, network := range []string{"unix", "tcp"} {
			t.Run(tc.name+" over "+network, func(t *testing.T) {
				f := (&fakeClamd{network: network, answer: func(c *clamdCall) { tc.answer(c); c.Conn.(interface{ CloseWrite() error }).CloseWrite(); c.gone() }}).start(t)
				ctx, cancel := context.WithTimeout(t.Context(), late)
				defer cancel()
				got, err := given(ctx, f.client(t, ClamdOptions{}), file, 64<<10)
				if got.Signature != tc.want || !errors.Is(err, tc.err) {
					t.Errorf("%+v, %v; want %q, %v", got, err, tc.want, tc.err)
				}
			})
		}
	}
	for _, tc := range []struct {
		name   string
		answer func(*clamdCall)
	}{
		{"it closes in the middle", func(c *clamdCall) { c.file(1 << 20) }},
		{"it closes at once", func(*clamdCall) {}},
		{"half a word", func(c *clamdCall) { c.file(1 << 20); c.say("stream: Ei") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := (&fakeClamd{answer: tc.answer}).start(t)
			ctx, cancel := context.WithTimeout(t.Context(), late)
			defer cancel()
			if got, err := given(ctx, f.client(t, ClamdOptions{}), file, 64<<10); err == nil || got != (Answer{}) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// TestClamdHangs: when time is over, or nobody wants to know any more, a session
// ends wherever it is.
func TestClamdHangs(t *testing.T) {
	small, large := []byte("some file"), make([]byte, 8<<20)
	for _, tc := range []struct {
		name   string
		file   []byte
		answer func(c *clamdCall)
	}{
		{"it reads nothing", large, func(*clamdCall) {}},
		{"it reads all and says nothing", small, func(c *clamdCall) { c.file(-1) }},
		{"it says half a word", small, func(c *clamdCall) { c.file(-1); c.say("stream: O") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			hanging, release := make(chan struct{}, 2), make(chan struct{})
			f := (&fakeClamd{answer: func(c *clamdCall) { tc.answer(c); hanging <- struct{}{}; <-release }}).start(t)
			t.Cleanup(func() { close(release) })
			client := f.client(t, ClamdOptions{})
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-hanging; cancel() }()
			if got, err := given(ctx, client, tc.file, 64<<10); !errors.Is(err, context.Canceled) || got != (Answer{}) {
				t.Errorf("cancelled: %+v, %v", got, err)
			}
			ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			if got, err := given(ctx, client, tc.file, 64<<10); !errors.Is(err, context.DeadlineExceeded) || got != (Answer{}) {
				t.Errorf("out of time: %+v, %v", got, err)
			}
		})
	}
	t.Run("it hears nothing", func(t *testing.T) {
		listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "clamd"))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		client, err := NewClamd(ClamdOptions{Address: "unix:" + listener.Addr().String(), Descriptors: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		if _, err := given(ctx, client, small, 4); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a scan: %v", err)
		}
		if _, err := client.Status(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a question: %v", err)
		}
	})
}

func TestClamdThatIsNotThere(t *testing.T) {
	for _, address := range []string{"unix:" + filepath.Join(t.TempDir(), "clamd"), "tcp:127.0.0.1:1"} {
		client, err := NewClamd(ClamdOptions{Address: address})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Open(t.Context(), "", 1); err == nil {
			t.Error("a session")
		}
		if _, err := client.Status(t.Context()); err == nil {
			t.Error("a status")
		}
		if err := client.Ping(t.Context()); err == nil {
			t.Error("a ping")
		}
	}
}

func TestClamdStatus(t *testing.T) {
	built := time.Date(2026, time.November, 23, 9, 12, 5, 0, time.Local)
	for _, tc := range []struct {
		text string
		want Status
		err  error
	}{
		{"ClamAV 1.4.6", Status{Engine: "ClamAV 1.4.6"}, nil},
		{"ClamAV 1.4.6/27500/Mon Nov 23 09:12:05 2026", Status{"ClamAV 1.4.6", "27500", built}, nil},
		{"ClamAV 1.4.6/27500/Mon Nov  2 09:12:05 2026", Status{"ClamAV 1.4.6", "27500", built.AddDate(0, 0, -21)}, nil},
		{"ClamAV 1.4.6/27500/yesterday", Status{Engine: "ClamAV 1.4.6", Signatures: "27500"}, nil},
		{"ClamAV 1.4.6/27500", Status{Engine: "ClamAV 1.4.6", Signatures: "27500"}, nil},
		{"ClamAV 1.5.0-rc/1/", Status{Engine: "ClamAV 1.5.0-rc", Signatures: "1"}, nil},
		{"", Status{}, ErrAnswer},
		{"ClamAV ", Status{}, ErrAnswer},
		{"clamav 1", Status{}, ErrAnswer},
		{"UNKNOWN COMMAND", Status{}, ErrAnswer},
		{"ClamAV 1.4.6//Mon Nov 23 09:12:05 2026", Status{}, ErrAnswer},
		{"ClamAV 1.4.6/new/Mon Nov 23 09:12:05 2026", Status{}, ErrAnswer},
		{"ClamAV 1.4.6\nClamAV 1.4.6", Status{}, ErrAnswer},
		{"ClamAV " + strings.Repeat("1", longestSignature), Status{}, ErrAnswer},
	} {
		got, err := parseVersion(tc.text)
		if diff := cmp.Diff(tc.want, got); diff != "" || !errors.Is(err, tc.err) {
			t.Errorf("%q: %v (-want +got):\n%s", tc.text, err, diff)
		}
	}
	f := (&fakeClamd{version: "ClamAV 1.4.6/27500/Mon Nov 23 09:12:05 2026"}).start(t)
	got, err := f.client(t, ClamdOptions{}).Status(t.Context())
	if diff := cmp.Diff(Status{"ClamAV 1.4.6", "27500", built}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := f.client(t, ClamdOptions{}).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestClamdInPieces: a file that is larger than clamd takes is given to it in
// pieces that overlap, and is not clean without a finding.
func TestClamdInPieces(t *testing.T) {
	pieces := make(chan []byte, 100)
	f := (&fakeClamd{answer: func(c *clamdCall) {
		piece, _ := c.file(-1)
		pieces <- piece
		switch {
		case bytes.Contains(piece, []byte("MARKER")):
			c.say("stream: Marker FOUND\x00")
		case bytes.Contains(piece, []byte("BOMB")):
			c.say("stream: Heuristics.Limits.Exceeded.MaxScanSize FOUND\x00")
		case bytes.Contains(piece, []byte("CRASH")):
		default:
			c.say("stream: OK\x00")
		}
	}}).start(t)
	client := f.client(t, ClamdOptions{MaxSize: 100}) // So pieces share 25 bytes.
	with := func(size, at int, text string) []byte {
		file := bytes.Repeat([]byte("."), size)
		copy(file[at:], text)
		return file
	}
	for _, tc := range []struct {
		name      string
		file      []byte
		pieces    int
		signature string
		inspected int64
		err       error
	}{
		{"an empty file", nil, 1, "", 0, nil},
		{"a small one", with(10, 0, ""), 1, "", 10, nil},
		{"one that just fits", with(100, 0, ""), 1, "", 100, nil},
		{"one that does not", with(101, 0, ""), 2, "", 101, ErrLimit},
		{"two pieces", with(175, 0, ""), 2, "", 175, ErrLimit},
		{"three pieces", with(176, 0, ""), 3, "", 176, ErrLimit},
		{"a finding in the first of three", with(200, 3, "MARKER"), 1, "Marker", 100, nil},
		{"a finding across a border", with(200, 98, "MARKER"), 2, "Marker", 175, nil},
		{"a finding at the end", with(200, 194, "MARKER"), 3, "Marker", 200, nil},
		{"a piece that is not inspected", with(200, 110, "BOMB"), 3, "", 125, ErrLimit},
		{"a last piece that is not inspected", with(110, 102, "BOMB"), 2, "", 100, ErrLimit},
		{"a finding behind such a piece", with(300, 10, "BOMB"+strings.Repeat(".", 200)+"MARKER"), 3, "Marker", 150, nil},
		{"a piece that makes it fall over", with(300, 110, "CRASH"), 2, "", 0, io.ErrUnexpectedEOF},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := given(t.Context(), client, tc.file, 7)
			if want := (Answer{tc.signature, tc.inspected}); got != want && !errors.Is(tc.err, io.ErrUnexpectedEOF) || !errors.Is(err, tc.err) {
				t.Errorf("%+v, %v; want %+v, %v", got, err, want, tc.err)
			}
			if len(pieces) != tc.pieces {
				t.Errorf("%d pieces, want %d", len(pieces), tc.pieces)
			}
			for len(pieces) > 0 {
				if n := len(<-pieces); n > 100 {
					t.Errorf("a piece of %d bytes", n)
				}
			}
		})
	}
}

// noted is a Session that keeps what it is given.
type noted struct{ bytes.Buffer }

func (n *noted) Finish(context.Context) (Answer, error) {
	return Answer{Inspected: int64(n.Len())}, nil
}
func (*noted) Close() {}

// TestPiecesHaveEveryWindow: whatever is no longer than the overlap is whole in
// one of the pieces, and nothing is in them that is not in the file.
func TestPiecesHaveEveryWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(4, 200).Draw(t, "limit")
		overlap := rapid.Int64Range(0, limit).Draw(t, "overlap")
		file := make([]byte, rapid.IntRange(0, 1000).Draw(t, "size"))
		for i := range file {
			file[i] = byte(rand.IntN(256))
		}
		var all []*noted
		s, err := newPieces(limit, overlap, func() (Session, error) {
			all = append(all, &noted{})
			return all[len(all)-1], nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(file); {
			n := rapid.IntRange(1, len(file)-at).Draw(t, "written")
			if written, err := s.Write(file[at : at+n]); err != nil || written != n {
				t.Fatal(written, err)
			}
			at += n
		}
		a, err := s.Finish(t.Context())
		if a.Inspected != int64(len(file)) || (err == nil) != (int64(len(file)) <= limit) || err != nil && !errors.Is(err, ErrLimit) {
			t.Fatalf("%+v, %v", a, err)
		}
		overlap = min(overlap, limit/4)
		at := int64(0)
		for i, piece := range all {
			if int64(piece.Len()) > limit || !bytes.Equal(piece.Bytes(), file[at:at+int64(piece.Len())]) {
				t.Fatalf("piece %d is not what is in the file at %d", i, at)
			}
			if i < len(all)-1 {
				at += limit - overlap
			} else if at+int64(piece.Len()) != int64(len(file)) {
				t.Fatal("the last piece is not the end")
			}
		}
	})
}

func TestClamdOptions(t *testing.T) {
	for _, tc := range []struct {
		options ClamdOptions
		want    string
	}{
		{ClamdOptions{Address: "unix:/run/clamav/clamd.ctl"}, ""},
		{ClamdOptions{Address: "tcp:127.0.0.1:3310"}, ""},
		{ClamdOptions{Address: "tcp:[::1]:3310"}, ""},
		{ClamdOptions{Address: "tcp:clamd.example:3310", MaxSize: MostClamdSize, ConnectTimeout: time.Second}, ""},
		{ClamdOptions{Address: "unix:/run/clamd", Descriptors: true, MaxSize: 1}, ""},
		{ClamdOptions{}, `"" is not an address such as unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310`},
		{ClamdOptions{Address: "/run/clamd"}, `"/run/clamd" is not an address such as unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310`},
		{ClamdOptions{Address: "127.0.0.1:3310"}, `"127.0.0.1:3310" is not an address such as unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310`},
		{ClamdOptions{Address: "unix:clamd.sock"}, `"unix:clamd.sock" is not the address of a socket, such as unix:/run/clamav/clamd.ctl`},
		{ClamdOptions{Address: "unix:"}, `"unix:" is not the address of a socket, such as unix:/run/clamav/clamd.ctl`},
		{ClamdOptions{Address: "tcp:127.0.0.1"}, `"tcp:127.0.0.1" is not an address with a port, such as tcp:127.0.0.1:3310`},
		{ClamdOptions{Address: "tcp::3310"}, `"tcp::3310" is not an address with a port, such as tcp:127.0.0.1:3310`},
		{ClamdOptions{Address: "tcp:127.0.0.1:3310", Descriptors: true}, `an open file can be given to a clamd at unix: only`},
		{ClamdOptions{Address: "unix:/run/clamd", MaxSize: -1}, `clamd cannot be set to take -1 bytes: 1 to 2146435072`},
		{ClamdOptions{Address: "unix:/run/clamd", MaxSize: MostClamdSize + 1}, `clamd cannot be set to take 2146435073 bytes: 1 to 2146435072`},
	} {
		got := ""
		if _, err := NewClamd(tc.options); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.options, got, tc.want)
		}
	}
}

// FuzzClamdAnswer: only what clamd says of a clean file is clean.
func FuzzClamdAnswer(f *testing.F) {
	for _, text := range []string{
		"stream: OK\x00", "fd[10]: OK\x00", "stream: Eicar FOUND\x00", "INSTREAM size limit exceeded. ERROR\x00", "stream: x ERROR\x00", "\x00", "",
		"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\x00", "stream: OK\x00x", "stream:  FOUND\x00", strings.Repeat("x", maxAnswer+1),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		text, err := readAnswer(bytes.NewReader(said))
		if err != nil {
			if text != "" {
				t.Fatalf("%q and %v", text, err)
			}
			return
		}
		if len(text) > maxAnswer || !strings.HasPrefix(string(said), text+"\x00") {
			t.Fatalf("%q of %q", text, said)
		}
		signature, err := parseAnswer(text)
		switch {
		case err != nil && signature != "":
			t.Fatalf("%q and %v", signature, err)
		case err != nil && !errors.Is(err, ErrAnswer) && !errors.Is(err, ErrLimit) && !errors.Is(err, ErrUnscanned):
			t.Fatal(err)
		case err == nil && signature == "" && !strings.HasSuffix(text, ": OK"):
			t.Fatalf("%q is clean", text)
		case signature != "" && (!strings.HasSuffix(text, " FOUND") || len(signature) > longestSignature):
			t.Fatalf("%q is found in %q", signature, text)
		case err == nil && strings.HasSuffix(text, " FOUND") && signature == "":
			t.Fatalf("nothing is found in %q", text)
		}
	})
}

// FuzzVersion: nothing that does not print gets into a status.
func FuzzVersion(f *testing.F) {
	for _, text := range []string{"ClamAV 1.4.6", "ClamAV 1.4.6/27500/Mon Nov 23 09:12:05 2026", "ClamAV 1/2", "ClamAV /", "", "UNKNOWN COMMAND"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseVersion(text)
		if err != nil {
			if s != (Status{}) || !errors.Is(err, ErrAnswer) {
				t.Fatalf("%+v, %v", s, err)
			}
			return
		}
		if !strings.HasPrefix(s.Engine, "ClamAV ") || !strings.HasPrefix(text, s.Engine) || !printable(s.Engine+s.Signatures) || len(text) > longestSignature {
			t.Fatalf("%+v of %q", s, text)
		}
	})
}
