package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The events of one file, whole. HOST, SESSION and TRANSFER stand for what
// differs from run to run; PATH is the file's.
func TestSimulateEvents(t *testing.T) {
	const uuid = `^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		size int
		args []string
		want []string
	}{
		{"as it comes", 3, nil, []string{`{
			"startstop":"start", "session_id":"SESSION", "host":"HOST", "client_ip":"127.0.0.1", "user":"xfer", "userid":0,
			"direction":"recv", "target_rate_kbps":300000, "min_rate_kbps":0, "rate_policy":"fair", "cipher":"aes-128",
			"cookie":"", "manifest_file":"", "file":"PATH", "size":3, "start_byte":0, "bytes_written":0,
			"tags":{}, "file_name_encoding":"utf8", "file_csum_type":"none", "xfer_id":"TRANSFER"
		}`, `{
			"startstop":"stop", "session_id":"SESSION", "host":"HOST", "client_ip":"127.0.0.1", "user":"xfer", "userid":0,
			"direction":"recv", "target_rate_kbps":300000, "min_rate_kbps":0, "rate_policy":"fair", "cipher":"aes-128",
			"cookie":"", "manifest_file":"", "file":"PATH", "size":3, "start_byte":0, "bytes_written":3,
			"tags":{}, "file_name_encoding":"utf8", "file_csum_type":"none", "xfer_id":"TRANSFER"
		}`}},
		{"everything set", 2049, []string{
			"--direction=download", "--user=faspex", "--userid=995", "--client-ip=2001:db8::5", "--cookie=aspera.shares2:x", "--cipher=aes-256-gcm",
			"--rate-policy=high", "--target-rate-kbps=1000000", "--min-rate-kbps=7", "--threshold-kb=2", "--checksum=md5",
			`--tags={"aspera": {"xfer_id": "AAAA-BBBB"}, "n": 12345678901234567890}`,
		}, []string{`{
			"startstop":"start", "session_id":"SESSION", "host":"HOST", "client_ip":"2001:db8::5", "user":"faspex", "userid":995,
			"direction":"send", "target_rate_kbps":1000000, "min_rate_kbps":7, "rate_policy":"high", "cipher":"aes-256-gcm",
			"cookie":"aspera.shares2:x", "manifest_file":"", "file":"PATH", "size":2049, "start_byte":0, "bytes_written":0,
			"tags":{"aspera":{"xfer_id":"AAAA-BBBB"},"n":12345678901234567890}, "file_name_encoding":"utf8", "file_csum_type":"md5", "xfer_id":"AAAA-BBBB"
		}`, `{
			"startstop":"running", "session_id":"SESSION", "host":"HOST", "client_ip":"2001:db8::5", "user":"faspex", "userid":995,
			"direction":"send", "target_rate_kbps":1000000, "min_rate_kbps":7, "rate_policy":"high", "cipher":"aes-256-gcm",
			"cookie":"aspera.shares2:x", "manifest_file":"", "file":"PATH", "size":2049, "start_byte":0, "bytes_written":2049,
			"tags":{"aspera":{"xfer_id":"AAAA-BBBB"},"n":12345678901234567890}, "file_name_encoding":"utf8", "file_csum_type":"md5", "xfer_id":"AAAA-BBBB"
		}`, `{
			"startstop":"stop", "session_id":"SESSION", "host":"HOST", "client_ip":"2001:db8::5", "user":"faspex", "userid":995,
			"direction":"send", "target_rate_kbps":1000000, "min_rate_kbps":7, "rate_policy":"high", "cipher":"aes-256-gcm",
			"cookie":"aspera.shares2:x", "manifest_file":"", "file":"PATH", "size":2049, "start_byte":0, "bytes_written":2049,
			"tags":{"aspera":{"xfer_id":"AAAA-BBBB"},"n":12345678901234567890}, "file_name_encoding":"utf8",
			"file_csum":"d54e88c05d45574da5ef9d955fe9f833", "file_csum_type":"md5", "xfer_id":"AAAA-BBBB"
		}`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			service := newSimService(t, nil)
			path := filepath.Join(t.TempDir(), "a.mov")
			if err := os.WriteFile(path, []byte(strings.Repeat("a", row.size)), 0o600); err != nil {
				t.Fatal(err)
			}
			simulate(t, append(row.args, "--to", service.URL, path)...).wants(t, 0, "ok      "+filepath.ToSlash(path))
			if len(service.events) != len(row.want) {
				t.Fatalf("%d events, want %d", len(service.events), len(row.want))
			}
			var first struct {
				Session  string `json:"session_id"`
				Transfer string `json:"xfer_id"`
			}
			if err := json.Unmarshal([]byte(service.events[0].body), &first); err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(uuid).MatchString(first.Session) || row.args == nil && !regexp.MustCompile(uuid).MatchString(first.Transfer) {
				t.Errorf("session %q and transfer %q are no UUIDs", first.Session, first.Transfer)
			}
			fill := strings.NewReplacer("SESSION", first.Session, "TRANSFER", first.Transfer, "HOST", host, "PATH", filepath.ToSlash(path))
			for i, want := range row.want {
				if diff := cmp.Diff(simMembers(t, fill.Replace(want)), simMembers(t, service.events[i].body)); diff != "" {
					t.Errorf("event %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

// simMembers returns the members of an object as they are written, so that a
// number in quotes is not a number.
func simMembers(t *testing.T, text string) map[string]string {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	members := map[string]string{}
	for name, value := range raw {
		members[name] = string(value)
	}
	return members
}

func TestSimulateDirection(t *testing.T) {
	path := filepath.Join(simTree(t, "a"), "a")
	for _, row := range []struct{ direction, uploadIs, want string }{
		{"upload", "recv", "recv"},
		{"download", "recv", "send"},
		{"upload", "send", "send"},
		{"download", "send", "recv"},
	} {
		service := newSimService(t, nil)
		simulate(t, "--to", service.URL, "--direction", row.direction, "--upload-is", row.uploadIs, path)
		for _, e := range service.events {
			simSame(t, row.direction+" where upload is "+row.uploadIs, `"`+row.want+`"`, simMembers(t, e.body)["direction"])
		}
	}
}

func TestSimulateThreshold(t *testing.T) {
	for _, row := range []struct {
		name string
		size int
		want []string
	}{
		{"empty", 0, []string{"f start", "f stop"}},
		{"below", 1023, []string{"f start", "f stop"}},
		{"at the threshold", 1024, []string{"f start", "f stop"}},
		{"above", 1025, []string{"f start", "f running", "f stop"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			service := newSimService(t, nil)
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, make([]byte, row.size), 0o600); err != nil {
				t.Fatal(err)
			}
			simulate(t, "--to", service.URL, "--threshold-kb", "1", path)
			simSame(t, "events", row.want, service.heard())
		})
	}
}

// The digests of "abc", from FIPS 180-4 and RFC 1321.
func TestSimulateChecksum(t *testing.T) {
	path := filepath.Join(simTree(t, "abc"), "abc")
	for kind, want := range map[string]string{
		"none":   "",
		"md5":    `"900150983cd24fb0d6963f7d28e17f72"`,
		"sha1":   `"a9993e364706816aba3e25717850c26c9cd0d89d"`,
		"sha256": `"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`,
		"sha384": `"cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"`,
		"sha512": `"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"`,
	} {
		service := newSimService(t, nil)
		simulate(t, "--to", service.URL, "--checksum", kind, path)
		if len(service.events) != 2 {
			t.Fatalf("%s: %d events, want 2", kind, len(service.events))
		}
		start, stop := simMembers(t, service.events[0].body), simMembers(t, service.events[1].body)
		simSame(t, kind+" at start", "", start["file_csum"])
		simSame(t, kind, want, stop["file_csum"])
		simSame(t, kind+": type at start", `"`+kind+`"`, start["file_csum_type"])
		simSame(t, kind+": type", `"`+kind+`"`, stop["file_csum_type"])
	}
}

// A file that grows or shrinks while it is read has no digest.
func TestSimulateChecksumOfChangedFile(t *testing.T) {
	for name, size := range map[string]int64{"longer": 4, "shorter": 2} {
		t.Run(name, func(t *testing.T) {
			folder := simTree(t, "abc")
			path := filepath.Join(folder, "abc")
			service := newSimService(t, func(http.ResponseWriter, *http.Request, simHeard) {
				if err := os.Truncate(path, size); err != nil {
					t.Error(err)
				}
			})
			got := simulate(t, "--to", service.URL, "--checksum=md5", "--docroot", folder, path)
			got.wants(t, 1, "ERROR   /abc  stop  the file changed while it was read")
			simSame(t, "events", []string{"abc start"}, service.heard())
		})
	}
}

// Tags come in several forms; only an object can hold the transfer's id.
func TestSimulateTags(t *testing.T) {
	folder := simTree(t, "f")
	file := filepath.Join(folder, "tags.json")
	if err := os.WriteFile(file, []byte("{\n \"aspera\": {\"xfer_id\": \"from-file\"}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ flag, tags, transfer string }{
		{`{"a":{"b":[1, 2.0, null]}}`, `{"a":{"b":[1,2.0,null]}}`, ""},
		{"@" + file, `{"aspera":{"xfer_id":"from-file"}}`, `"from-file"`},
		{`"{\"aspera\": {\"xfer_id\": \"x-1\"}}"`, `"{\"aspera\": {\"xfer_id\": \"x-1\"}}"`, `"x-1"`},
		{`"eyJhc3BlcmEiOiB7InhmZXJfaWQiOiAiYjY0In19"`, `"eyJhc3BlcmEiOiB7InhmZXJfaWQiOiAiYjY0In19"`, `"b64"`},
		{`{"aspera":{"xfer_id":7}}`, `{"aspera":{"xfer_id":7}}`, ""},
		{`{"aspera":[]}`, `{"aspera":[]}`, ""},
		{`"not json"`, `"not json"`, ""},
		{`null`, `null`, ""},
	} {
		service := newSimService(t, nil)
		simulate(t, "--to", service.URL, "--tags", row.flag, filepath.Join(folder, "f"))
		if len(service.events) != 2 {
			t.Fatalf("%s: %d events, want 2", row.flag, len(service.events))
		}
		event := simMembers(t, service.events[0].body)
		simSame(t, "tags of "+row.flag, row.tags, event["tags"])
		if row.transfer != "" {
			simSame(t, "transfer of "+row.flag, row.transfer, event["xfer_id"])
		} else if len(event["xfer_id"]) != 38 {
			t.Errorf("the transfer of %s is %s, want a UUID", row.flag, event["xfer_id"])
		}
	}
}

// What goes over the wire, byte by byte as far as the contract says it.
func TestSimulateWire(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	heads := make(chan string, 2)
	go func() {
		defer close(heads)
		conn, err := listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for r := bufio.NewReader(conn); ; {
			head := ""
			for !strings.HasSuffix(head, "\r\n\r\n") {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				head += line
			}
			request, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), r)))
			if err != nil || request.ContentLength < 1 {
				t.Errorf("no length in %q: %v", head, err)
				return
			}
			_, _ = io.CopyN(io.Discard, request.Body, request.ContentLength)
			heads <- head
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	}()
	path := filepath.Join(simTree(t, "a"), "a")
	simulate(t, "--to", "http://"+listener.Addr().String()+"/hst-1", path).wants(t, 0, "ok      "+filepath.ToSlash(path))
	n := 0
	for head := range heads {
		n++
		simContains(t, head, "POST /hst-1/validation/files HTTP/1.1\r\n", "\r\nContent-type: application/json\r\n", "\r\nContent-Length: ")
		for _, no := range []string{"Accept-Encoding", "Transfer-Encoding", "Expect", "Connection", "Authorization"} {
			if strings.Contains(head, no) {
				t.Errorf("there is %s in %q", no, head)
			}
		}
	}
	simSame(t, "requests", 2, n)
}
