package grants

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/sluiceproject/sluice/rules"
)

// Whatever holds "s3cr3t" here must never be seen in an error.
const (
	nodePassword = "s3cr3t password"
	nodeStorage  = "czNjcjN0LXMzY3IzdA==-s3cr3t"
	nodeToken    = "ATM2_s3cr3t_2MTA"
	nodeSigned   = "s3cr3t.signed.grant"
)

// theNode are the options for a stand-in, whose certificate it trusts.
func theNode(t *testing.T, standIn *httptest.Server, change ...func(*NodeOptions)) *Node {
	t.Helper()
	o := NodeOptions{URL: standIn.URL, User: "nodeuser", Password: nodePassword, Timeout: 20 * time.Second, Connections: 2, Waiting: 2, Now: time.Now}
	if certificate := standIn.Certificate(); certificate != nil {
		o.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
		if err := os.WriteFile(o.CAFile, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range change {
		c(&o)
	}
	node, err := NewNode(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close)
	return node
}

// standInNode starts a node with TLS that ends with the test and leaves no
// goroutine behind.
func standInNode(t *testing.T, answer http.HandlerFunc, change ...func(*httptest.Server)) *httptest.Server {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	server := httptest.NewUnstartedServer(answer)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	for _, c := range change {
		c(server)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// rawNode is a node with TLS that reads a request, says a text and, unless it
// holds on, ends the connection.
func rawNode(t *testing.T, text string, hold ...chan struct{}) *httptest.Server {
	t.Helper()
	return standInNode(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, text)
		for _, h := range hold {
			<-h
		}
	})
}

func nodeSays(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-javascript")
		w.WriteHeader(status)
		io.WriteString(w, text)
	}
}

// nodeObject is JSON as the endpoint hands it over.
func nodeObject(t *testing.T, text string) Object {
	t.Helper()
	tree, err := rules.ParseTree(text)
	if err != nil {
		t.Fatal(err, text)
	}
	return tree.(Object)
}

// anUpload is a call with a request of these members for each text.
func anUpload(t *testing.T, requests ...string) Call {
	t.Helper()
	call := Call{Direction: rules.Upload, StorageCredentials: nodeStorage}
	for i, text := range requests {
		call.Requests = append(call.Requests, Request{
			Members: nodeObject(t, text),
			Grant:   &rules.Grant{ID: fmt.Sprintf("id-%d", i+1), User: "xfer", Direction: rules.Upload},
			Signed:  nodeSigned,
		})
	}
	return call
}

// One request, and one spec that is right for it.
const (
	oneRequest = `{"destination_root":"/in","paths":[{"source":"a.mov"}],"token_life_seconds":3600,"tags":{"sluice":{"grant":"` + nodeSigned + `"},"aspera":{"xfer_id":"id-1"}}}`
	oneSpec    = `{"transfer_spec":{"token":"` + nodeToken + `","direction":"send","destination_root":"/in","remote_user":"xfer","paths":[{"source":"a.mov"}],"tags":{"sluice":{"grant":"` + nodeSigned + `"},"aspera":{"xfer_id":"id-1"}}}}`
	oneAnswer  = `{"transfer_specs":[` + oneSpec + `]}`
)

// nodeAnswered is what Issue returns, as a specification writes it: specs and errors
// in order, or the error to be shown with its cause.
func nodeAnswered(t *testing.T, answers []Answer, err error) (text, cause string) {
	t.Helper()
	var shown *Error
	var failed *Unreachable
	switch {
	case err == nil:
		var lines []string
		for _, a := range answers {
			switch {
			case (a.Spec == nil) == (a.Err == nil):
				t.Errorf("an answer must be either: %v", a)
			case a.Err != nil:
				lines = append(lines, a.Err.Error())
			default:
				lines = append(lines, fmt.Sprint(a.Spec["token"]))
			}
		}
		return strings.Join(lines, "\n"), ""
	case !errors.As(err, &shown):
		return err.Error(), ""
	case strings.Contains(err.Error()+shown.Error(), "s3cr3t"):
		t.Errorf("a secret is shown: %v, %v", err, shown)
	}
	if errors.As(err, &failed) {
		cause = failed.Error()
	}
	return shown.Error(), cause
}

const (
	shown502 = "502 Bad Gateway: The transfer server behind this service could not be asked, or gave no usable answer. Try again later, or tell the server's administrator."
	shown503 = "503 Service Unavailable: The transfer server behind this service has too many requests waiting. Try again in a moment."
	shown504 = "504 Gateway Timeout: The transfer server behind this service did not answer in time. Try again later, or tell the server's administrator."
)

// TestNodeIsAsked: what a node gets.
func TestNodeIsAsked(t *testing.T) {
	type asked struct {
		Method, URI, Host string
		Header            http.Header
		Body              string
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	var got asked
	server := standInNode(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = asked{r.Method, r.RequestURI, r.Host, r.Header, string(body)}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		direction := "send"
		if strings.Contains(r.URL.Path, "download") {
			direction = "receive"
		}
		fmt.Fprintf(w, `{"transfer_specs":[{"transfer_spec":{"token":"t","direction":%q}}]}`, direction)
	})
	host := strings.TrimPrefix(server.URL, "https://")
	members := `{"a<b":1e2,"destination_root":"/in","paths":[{}],"tags":{"sluice":{"grant":"` + nodeSigned + `"},"z":12345678901234567890.50},"token_life_seconds":3600,"unknown":[null,true,"ü"]}`
	for _, row := range []struct {
		name, prefix, storage, uri string
		direction                  rules.Direction
	}{
		{"an upload", "", "", "/files/upload_setup", rules.Upload},
		{"a download", "", "", "/files/download_setup", rules.Download},
		{"a path before it", "/node_api", "", "/node_api/files/upload_setup", rules.Upload},
		{"one with a slash at its end", "/node_api/", "", "/node_api/files/download_setup", rules.Download},
		{"the credentials of a storage", "/", nodeStorage, "/files/upload_setup", rules.Upload},
	} {
		t.Run(row.name, func(t *testing.T) {
			node := theNode(t, server, func(o *NodeOptions) { o.URL += row.prefix })
			call := anUpload(t, members)
			call.Direction, call.StorageCredentials = row.direction, row.storage
			body := `{"transfer_requests":[{"transfer_request":` + members + `}]}`
			want := asked{http.MethodPost, row.uri, host, http.Header{
				"Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(len(body))}, "Accept": {"application/json"}, "User-Agent": {"sluice"},
				"Authorization": {"Basic bm9kZXVzZXI6czNjcjN0IHBhc3N3b3Jk"}, "Connection": {"close"},
			}, body}
			if row.storage != "" {
				want.Header["X-Aspera-Storage-Credentials"] = []string{row.storage}
			}
			for range 2 { // The second time it has seen a cookie.
				if _, err := node.Issue(t.Context(), call); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestNodeIsNotAsked: calls that come to nothing without a node.
func TestNodeIsNotAsked(t *testing.T) {
	node := theNode(t, standInNode(t, func(http.ResponseWriter, *http.Request) { t.Error("the node was asked") }))
	if answers, err := node.Issue(t.Context(), Call{Direction: rules.Upload}); answers != nil || err != nil {
		t.Error(answers, err)
	}
	call := anUpload(t, oneRequest)
	call.Direction = rules.DirectionUnknown
	if _, err := node.Issue(t.Context(), call); err == nil {
		t.Error("a call without a direction was made")
	}
	call = anUpload(t, oneRequest)
	call.StorageCredentials = "s3cr3t\r\nX-Other: s3cr3t"
	_, err := node.Issue(t.Context(), call)
	if text, _ := nodeAnswered(t, nil, err); text != "400 Bad Request: The header X-Aspera-Storage-Credentials has a control character. Send base64 in one line." {
		t.Error(text)
	}
	call = anUpload(t, oneRequest)
	call.Requests[0].Members["s3cr3t"] = func() {}
	if _, err := node.Issue(t.Context(), call); err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Error(err)
	}
	if ok, since, text := node.Health(); !ok || !since.IsZero() || text != "" || node.PingDue() {
		t.Error("the health of a node that was never asked:", ok, since, text)
	}
}

// TestNodeAnswers: each answer of a node, and what is passed on of it.
func TestNodeAnswers(t *testing.T) {
	gzipped := func() string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		io.WriteString(w, oneAnswer)
		w.Close()
		return b.String()
	}()
	refused := `{"error":{"code":404,"reason":"Not Found","user_message":"No such file or directory: /in/a.mov"}}`
	of := func(items ...string) string { return `{"transfer_specs":[` + strings.Join(items, ",") + `]}` }
	for _, row := range []struct {
		name        string
		requests    int
		answer      http.HandlerFunc
		want, cause string
	}{
		// Answers.
		{"a token", 1, nodeSays(200, oneAnswer), nodeToken, ""},
		{"two", 2, nodeSays(200, of(oneSpec, oneSpec)), nodeToken + "\n" + nodeToken, ""},
		{"members that nobody knows", 1, nodeSays(200, strings.Replace(oneAnswer, `{`, `{"x":[{}],`, 1)), nodeToken, ""},
		{"a second value", 1, nodeSays(200, oneAnswer+oneAnswer), nodeToken, ""},
		{"a text after it", 1, nodeSays(200, oneAnswer+"\r\n\";  s3cr3t"), nodeToken, ""},
		{"a token and an error", 2, nodeSays(200, of(oneSpec, refused)), nodeToken + "\n404 Not Found: No such file or directory: /in/a.mov", ""},
		{"errors alone", 1, nodeSays(200, of(refused)), "404 Not Found: No such file or directory: /in/a.mov", ""},
		{"an error with its code in a string", 1, nodeSays(200, of(strings.Replace(refused, "404", `"404"`, 1))), "404 Not Found: No such file or directory: /in/a.mov", ""},
		{"an error that says nothing", 1, nodeSays(200, of(`{"error":{"code":409}}`)), "409 Conflict: The transfer server behind this service refuses this request.", ""},
		{"an error with more lines", 1, nodeSays(200, of(`{"error":{"code":403,"reason":"a\nb","user_message":"c\r\nd\u202e\u0000"}}`)), `403 a\u000ab: c\u000d\u000ad\u202e\u0000`, ""},
		{"an error that tells our password", 1, nodeSays(200, of(`{"error":{"code":403,"reason":"`+nodePassword+`","user_message":"not `+nodePassword+`"}}`)), "403 Forbidden: The transfer server behind this service refuses this request.", ""},
		{"one that tells a storage's", 1, nodeSays(200, of(`{"error":{"code":403,"user_message":"not `+nodeStorage+`"}}`)), "403 Forbidden: The transfer server behind this service refuses this request.", ""},
		{"one that tells the grant", 1, nodeSays(403, of(`{"error":{"code":403,"user_message":"not `+nodeSigned+`"}}`)), "403 Forbidden: The transfer server behind this service refuses this request.", ""},
		{"every request forbidden", 2, nodeSays(403, of(refused, refused)), "404 Not Found: No such file or directory: /in/a.mov\n404 Not Found: No such file or directory: /in/a.mov", ""},
		{"all refused with 400", 1, nodeSays(400, strings.Replace(refused, "404", "400", 1)), "400 Bad Request: No such file or directory: /in/a.mov", ""},
		{"all refused with 404", 2, nodeSays(404, refused), "404 Not Found: No such file or directory: /in/a.mov", ""},
		{"all refused, and a text after it", 2, nodeSays(404, refused+"HTTP/1.1 404 Not Found"), "404 Not Found: No such file or directory: /in/a.mov", ""},
		// Statuses that are no answer.
		{"400 without an error", 1, nodeSays(400, `{}`), shown502, "the node answered with the status 400"},
		{"404 in HTML", 1, nodeSays(404, "<html>s3cr3t</html>"), shown502, "the node answered with the status 404"},
		{"401", 1, nodeSays(401, strings.Replace(refused, "404", "401", 1)), shown502, `the node refuses the user and password that sluice has for it, with the status 401: "No such file or directory: /in/a.mov"`},
		{"401 that tells the password", 1, nodeSays(401, `{"error":{"code":401,"user_message":"`+nodePassword+`"}}`), shown502, `the node refuses the user and password that sluice has for it, with the status 401: "The transfer server behind this service refuses this request."`},
		{"401 without a body", 1, nodeSays(401, ""), shown502, "the node refuses the user and password that sluice has for it, with the status 401"},
		{"403", 1, nodeSays(403, strings.Replace(refused, "404", "403", 1)), shown502, `the node refuses the user and password that sluice has for it, with the status 403: "No such file or directory: /in/a.mov"`},
		{"403 with a token", 1, nodeSays(403, oneAnswer), shown502, "the node refuses the user and password that sluice has for it, with the status 403"},
		{"401 for one request", 1, nodeSays(200, of(strings.Replace(refused, "404", "401", 1))), shown502, `the node refuses the user and password that sluice has for it: "No such file or directory: /in/a.mov" (item 1)`},
		{"301", 1, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere?s3cr3t", http.StatusMovedPermanently)
		}, shown502, "the node answered with the status 301"},
		{"307", 1, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1:1/s3cr3t", http.StatusTemporaryRedirect)
		}, shown502, "the node answered with the status 307"},
		{"500", 1, nodeSays(500, refused), shown502, `the node answered with the status 500: "No such file or directory: /in/a.mov"`},
		{"503 in HTML", 1, nodeSays(503, "<html>"), shown502, "the node answered with the status 503"},
		{"201 with a token", 1, nodeSays(201, oneAnswer), shown502, "the node answered with the status 201"},
		{"204", 1, nodeSays(204, ""), shown502, "the node answered with the status 204"},
		// Bodies that are none.
		{"nothing", 1, nodeSays(200, ""), shown502, "the node's answer is of no use: it is empty"},
		{"blanks", 1, nodeSays(200, " \r\n"), shown502, "the node's answer is of no use: it is empty"},
		{"HTML", 1, nodeSays(200, "<html>s3cr3t</html>"), shown502, "the node's answer is of no use: it is not JSON at byte 0"},
		{"a text before it", 1, nodeSays(200, "s3cr3t"+oneAnswer), shown502, "the node's answer is of no use: it is not JSON at byte 0"},
		{"half of it", 1, nodeSays(200, oneAnswer[:40]), shown502, "the node's answer is of no use: it breaks off"},
		{"half of its length", 1, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(2*len(oneAnswer)))
			io.WriteString(w, oneAnswer)
		}, shown502, "the node's answer is of no use: it breaks off"},
		{"a connection that breaks off", 1, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, shown502, "asking the node: it ends the connection without an answer: EOF"},
		{"one that breaks off in chunks", 1, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, oneAnswer)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, shown502, "the node's answer is of no use: it breaks off"},
		{"huge", 1, nodeSays(200, `{"x":"`+strings.Repeat("s3cr3t", MaxNodeAnswer/6)+`"}`), shown502, "the node's answer is of no use: it has more than 4194304 bytes"},
		{"endless", 1, func(w http.ResponseWriter, _ *http.Request) {
			for _, err := io.WriteString(w, "["); err == nil; {
				_, err = io.WriteString(w, strings.Repeat(`"s3cr3t",`, 1000))
			}
		}, shown502, "the node's answer is of no use: it has more than 4194304 bytes"},
		{"endless after it", 1, func(w http.ResponseWriter, _ *http.Request) {
			for _, err := io.WriteString(w, oneAnswer); err == nil; {
				_, err = io.WriteString(w, strings.Repeat("s3cr3t ", 1000))
			}
		}, nodeToken, ""},
		{"compressed", 1, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "" {
				t.Error("compression was asked for")
			}
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, gzipped)
		}, shown502, "the node's answer is of no use: it is compressed, which was not asked for"},
		{"compressed, and silent about it", 1, nodeSays(200, gzipped), shown502, "the node's answer is of no use: it is not JSON at byte 0"},
		{"a member twice", 1, nodeSays(200, `{"transfer_specs":[],"transfer_specs":[`+oneSpec+`]}`), shown502, "the node's answer is of no use: a member is given twice"},
		{"a member twice, deep inside", 1, nodeSays(200, strings.Replace(oneAnswer, `"direction":"send"`, `"direction":"send","direction":"send"`, 1)), shown502, "the node's answer is of no use: a member is given twice"},
		{"too deep", 1, nodeSays(200, strings.Repeat("[", 100)+strings.Repeat("]", 100)), shown502, "the node's answer is of no use: it is nested more than 64 levels deep"},
		{"bytes that are no text", 1, nodeSays(200, "{\"\xff\":1}"), shown502, "the node's answer is of no use: it is not JSON at byte 2"},
		// JSON of another form.
		{"no object", 1, nodeSays(200, `[]`), shown502, "the node's answer is of no use: it has no list of transfer_specs"},
		{"no list", 1, nodeSays(200, `{"transfer_specs":{}}`), shown502, "the node's answer is of no use: it has no list of transfer_specs"},
		{"an error with the status of success", 1, nodeSays(200, refused), shown502, `the node's answer is of no use: it is an error, with the status of success: "No such file or directory: /in/a.mov"`},
		{"too few", 2, nodeSays(200, oneAnswer), shown502, "the node's answer is of no use: it has 1 transfer_specs, for 2 requests"},
		{"too many", 1, nodeSays(200, of(oneSpec, oneSpec)), shown502, "the node's answer is of no use: it has 2 transfer_specs, for 1 requests"},
		{"an item that is none", 1, nodeSays(200, of(`"s3cr3t"`)), shown502, "the node's answer is of no use: there must be either a transfer_spec or an error (item 1)"},
		{"an item with both", 2, nodeSays(200, of(oneSpec, strings.Replace(oneSpec, "{", `{"error":{"code":400},`, 1))), shown502, "the node's answer is of no use: there must be either a transfer_spec or an error (item 2)"},
		{"an error without a code", 1, nodeSays(200, of(`{"error":{"user_message":"x"}}`)), shown502, "the node's answer is of no use: the error has no code from 400 to 599 (item 1)"},
		{"an error of success", 1, nodeSays(200, of(`{"error":{"code":200}}`)), shown502, "the node's answer is of no use: the error has no code from 400 to 599 (item 1)"},
		{"a spec that is none", 1, nodeSays(200, of(`{"transfer_spec":null}`)), shown502, "the node's answer is of no use: the transfer_spec is no object (item 1)"},
		{"no token", 1, nodeSays(200, of(`{"transfer_spec":{"direction":"send"}}`)), shown502, "the node's answer is of no use: the transfer_spec has no token (item 1)"},
		{"an empty token", 1, nodeSays(200, of(`{"transfer_spec":{"token":""}}`)), shown502, "the node's answer is of no use: the transfer_spec has no token (item 1)"},
		{"a token that is no text", 1, nodeSays(200, of(`{"transfer_spec":{"token":["s3cr3t"]}}`)), shown502, "the node's answer is of no use: the transfer_spec has no token (item 1)"},
		{"a direction that is turned round", 1, nodeSays(200, strings.Replace(oneAnswer, `"send"`, `"receive"`, 1)), shown502, `the node's answer is not for what was asked (item 1): its direction is "receive" instead of "send"`},
		{"another user", 1, nodeSays(200, strings.Replace(oneAnswer, `"xfer"`, `"root"`, 1)), shown502, `the node's answer is not for what was asked (item 1): its remote_user is "root" instead of "xfer"`},
		{"a wider root", 2, nodeSays(200, of(oneSpec, strings.Replace(oneSpec, `"/in"`, `"/"`, 1))), shown502, `the node's answer is not for what was asked (item 2): its destination_root is "/", which was not asked for`},
		{"the grant of somebody else", 1, nodeSays(200, strings.Replace(oneAnswer, nodeSigned, "s3cr3t.other", 1)), shown502, "the node's answer is not for what was asked (item 1): its tags have another grant"},
		{"tags that are none", 1, nodeSays(200, of(`{"transfer_spec":{"token":"t","tags":["s3cr3t"]}}`)), shown502, "the node's answer is not for what was asked (item 1): its tags are no object"},
	} {
		t.Run(row.name, func(t *testing.T) {
			node := theNode(t, standInNode(t, row.answer))
			requests := []string{oneRequest, oneRequest}
			answers, err := node.Issue(t.Context(), anUpload(t, requests[:row.requests]...))
			if text, cause := nodeAnswered(t, answers, err); text != row.want || cause != row.cause {
				t.Errorf("%.300s\n%.300s\nwant\n%s\n%s", text, cause, row.want, row.cause)
			}
			// What is passed on is the node being well.
			if ok, since, text := node.Health(); ok != (row.cause == "") || since.IsZero() || text != row.cause {
				t.Error("health:", ok, since, text)
			}
		})
	}
}

// TestNodeSaysMore: bytes around an answer, on a connection that is not HTTP's any
// more, end up nowhere.
func TestNodeSaysMore(t *testing.T) {
	log.SetOutput(&failsWhenWritten{t})
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	length := fmt.Sprintf("Content-Length: %d\r\n", len(oneAnswer))
	other := strings.Replace(oneAnswer, nodeToken, "ATM2_other_2MTA", 1)
	for _, row := range []struct{ name, text, want, cause string }{
		{"a second status line after the body", "HTTP/1.1 200 OK\r\n" + length + "\r\n" + oneAnswer + "HTTP/1.1 200 OK\r\n\r\n", nodeToken, ""},
		{"one inside a body without a length", "HTTP/1.1 200 OK\r\nCache: no-cache\r\nConnection: close\r\n\r\n" + oneAnswer + "\r\nHTTP/1.1 500 s3cr3t\r\n\r\n", nodeToken, ""},
		{"a second answer", "HTTP/1.1 200 OK\r\n" + length + "\r\n" + oneAnswer + "HTTP/1.1 200 OK\r\n" + length + "\r\n" + other, nodeToken, ""},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n" + oneAnswer, nodeToken, ""},
		{"a status to wait for", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + oneAnswer, nodeToken, ""},
		{"nothing", "", shown502, "asking the node: it ends the connection without an answer: EOF"},
		{"half a head", "HTTP/1.1 200 OK\r\nContent-", shown502, "asking the node: its answer makes no sense"},
		{"no HTTP", "s3cr3t\r\n\r\n", shown502, "asking the node: its answer makes no sense"},
		{"a status that is none", "HTTP/1.1 s3cr3t OK\r\n\r\n", shown502, "asking the node: its answer makes no sense"},
		{"a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: s3cr3t\r\n\r\n", shown502, "asking the node: its answer makes no sense"},
		{"a head that is too long", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("s3cr3t", 20_000) + "\r\n\r\n", shown502, "asking the node: its answer makes no sense"},
		{"chunks that are none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ns3cr3t\r\n", shown502, "asking the node: its answer makes no sense"},
		{"another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: s3cr3t\r\nConnection: upgrade\r\n\r\n" + oneAnswer, shown502, "the node answered with the status 101"},
	} {
		t.Run(row.name, func(t *testing.T) {
			node := theNode(t, rawNode(t, row.text))
			for range 3 { // Each on a connection of its own.
				answers, err := node.Issue(t.Context(), anUpload(t, oneRequest))
				if text, cause := nodeAnswered(t, answers, err); text != row.want || cause != row.cause {
					t.Errorf("%.300s\n%.300s\nwant\n%s\n%s", text, cause, row.want, row.cause)
				}
			}
		})
	}
	t.Run("an answer without an end, on a connection without one", func(t *testing.T) {
		hold := make(chan struct{})
		server := rawNode(t, "HTTP/1.1 200 OK\r\n\r\n"+oneAnswer, hold)
		t.Cleanup(func() { close(hold) })
		answers, err := theNode(t, server).Issue(t.Context(), anUpload(t, oneRequest))
		if text, cause := nodeAnswered(t, answers, err); text != nodeToken {
			t.Error(text, cause)
		}
	})
}

// failsWhenWritten is a log that nobody must write to.
type failsWhenWritten struct{ t *testing.T }

func (f *failsWhenWritten) Write(b []byte) (int, error) {
	f.t.Errorf("the log has %q", b)
	return len(b), nil
}

// TestNodeThatHangs: its time ends, or that of whoever asks.
func TestNodeThatHangs(t *testing.T) {
	brief := func(o *NodeOptions) { o.Timeout = 300 * time.Millisecond }
	const late = "asking the node: there was no answer in time: "
	for _, row := range []struct{ name, text string }{
		{"before its answer", ""},
		{"within its head", "HTTP/1.1 200 OK\r\nContent-"},
		{"before its body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"},
		{"within its body", "HTTP/1.1 200 OK\r\n\r\n" + oneAnswer[:40]},
		{"after the value, within its length", "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + oneAnswer},
	} {
		t.Run(row.name, func(t *testing.T) {
			hold := make(chan struct{})
			server := rawNode(t, row.text, hold)
			t.Cleanup(func() { close(hold) })
			node := theNode(t, server, brief)
			answers, err := node.Issue(t.Context(), anUpload(t, oneRequest))
			if text, cause := nodeAnswered(t, answers, err); text != shown504 || !strings.HasPrefix(cause, late) {
				t.Error(text, cause)
			}
			if ok, _, text := node.Health(); ok || !strings.HasPrefix(text, late) {
				t.Error(ok, text)
			}
		})
	}
	t.Run("before it speaks TLS", func(t *testing.T) {
		before := goleak.IgnoreCurrent()
		t.Cleanup(func() { goleak.VerifyNone(t, before) })
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() }) // It is never accepted from.
		node := theNode(t, &httptest.Server{URL: "https://" + listener.Addr().String()}, brief)
		_, err = node.Issue(t.Context(), anUpload(t, oneRequest))
		if text, cause := nodeAnswered(t, nil, err); text != shown504 || !strings.HasPrefix(cause, late) {
			t.Error(text, cause)
		}
	})
	t.Run("nobody waits any more", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		hold := make(chan struct{})
		server := standInNode(t, func(http.ResponseWriter, *http.Request) { cancel(); <-hold })
		t.Cleanup(func() { close(hold) })
		node := theNode(t, server)
		_, err := node.Issue(ctx, anUpload(t, oneRequest))
		if text, cause := nodeAnswered(t, nil, err); text != shown504 || cause != "asking the node: whoever wanted to know has gone: context canceled" {
			t.Error(text, cause)
		}
		if ok, since, _ := node.Health(); !ok || !since.IsZero() {
			t.Error("that is no outcome of the node")
		}
	})
}

// TestNodeCrowd: no more calls at once than may be, no more waiting, and whoever
// waits too long is not the node's fault.
func TestNodeCrowd(t *testing.T) {
	entered, hold := make(chan struct{}), make(chan struct{})
	server := standInNode(t, func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-hold
		nodeSays(200, oneAnswer)(w, r)
	})
	node := theNode(t, server, func(o *NodeOptions) { o.Connections, o.Waiting = 1, 1 })
	var calls sync.WaitGroup
	call := anUpload(t, oneRequest)
	calls.Go(func() {
		if _, err := node.Issue(t.Context(), call); err != nil {
			t.Error(err)
		}
	})
	<-entered // The only place is taken.
	ctx, cancel := context.WithCancel(t.Context())
	calls.Go(func() {
		_, err := node.Issue(ctx, call)
		if text, cause := nodeAnswered(t, nil, err); text != shown504 || !strings.Contains(cause, "has gone") {
			t.Error(text, cause)
		}
	})
	for _, waiting := node.gate.Load(); waiting < 1; _, waiting = node.gate.Load() {
		runtime.Gosched() // Until the second one waits.
	}
	_, err := node.Issue(t.Context(), call)
	if text, cause := nodeAnswered(t, nil, err); text != shown503 || cause != "the node was not asked: as many calls as may be were under way and waiting" || !errors.Is(err, rules.ErrBusy) {
		t.Error(text, cause)
	}
	cancel()
	for _, waiting := node.gate.Load(); waiting > 0; _, waiting = node.gate.Load() {
		runtime.Gosched() // Until it has gone.
	}
	node.timeout = time.Nanosecond
	_, err = node.Issue(t.Context(), call)
	if text, cause := nodeAnswered(t, nil, err); text != shown504 || cause != errNotTurn.Error() {
		t.Error(text, cause)
	}
	if _, since, _ := node.Health(); !since.IsZero() {
		t.Error("none of that is an outcome of the node")
	}
	close(hold)
	calls.Wait()
	if ok, since, _ := node.Health(); !ok || since.IsZero() {
		t.Error("the first call is")
	}
}

// selfSigned returns one for a host and a time, signed by itself.
func selfSigned(t *testing.T, host string, from, to time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plan := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, plan, plan, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func pinOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// TestNodeProvesWhoItIs: by a chain, or by its key; it learns nothing otherwise.
func TestNodeProvesWhoItIs(t *testing.T) {
	now := time.Now()
	expired := selfSigned(t, "elsewhere.example.com", now.Add(-48*time.Hour), now.Add(-24*time.Hour))
	own := selfSigned(t, "elsewhere.example.com", now.Add(-time.Hour), now.Add(time.Hour))
	bare := func(o *NodeOptions) { o.CAFile = "" }
	pinned := func(pin string) func(*NodeOptions) {
		return func(o *NodeOptions) { o.CAFile, o.PinSHA256 = "", pin }
	}
	shows := func(c tls.Certificate) func(*httptest.Server) {
		return func(s *httptest.Server) { s.TLS = &tls.Config{Certificates: []tls.Certificate{c}} }
	}
	usual := func(*httptest.Server) {}
	for _, row := range []struct {
		name   string
		server func(*httptest.Server)
		change func(*NodeOptions)
		cause  string
	}{
		{"an authority that is known", usual, func(*NodeOptions) {}, ""},
		{"one that is not", usual, bare, "asking the node: its certificate does not hold: x509: certificate signed by unknown authority"},
		{"another host", usual, func(o *NodeOptions) { o.URL = strings.Replace(o.URL, "127.0.0.1", "localhost", 1) }, "asking the node: its certificate does not hold: x509: certificate is valid for example.com, *.example.com, not localhost"},
		{"signed by itself", shows(own), bare, "asking the node: its certificate does not hold: x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs"},
		{"signed by itself, and pinned", shows(own), pinned(pinOf(own.Leaf)), ""},
		{"pinned in capitals", shows(own), pinned(strings.ToUpper(pinOf(own.Leaf))), ""},
		{"expired, for another host, and pinned", shows(expired), pinned(pinOf(expired.Leaf)), ""},
		{"pinned to another key", shows(expired), pinned(pinOf(own.Leaf)), "asking the node: its certificate has another key than the pinned one: SHA-256 " + pinOf(expired.Leaf)},
		{"an authority that is known, but pinned to another key", usual, func(o *NodeOptions) { o.PinSHA256 = pinOf(own.Leaf) }, "asking the node: its certificate has another key than the pinned one"},
		{"an old version of TLS", func(s *httptest.Server) {
			s.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
		}, func(*NodeOptions) {}, "asking the node: "},
	} {
		t.Run(row.name, func(t *testing.T) {
			asked := make(chan bool, 1)
			server := standInNode(t, func(w http.ResponseWriter, r *http.Request) {
				asked <- true
				nodeSays(200, oneAnswer)(w, r)
			}, row.server)
			answers, err := theNode(t, server, row.change).Issue(t.Context(), anUpload(t, oneRequest))
			text, cause := nodeAnswered(t, answers, err)
			if want := map[bool]string{true: nodeToken, false: shown502}[row.cause == ""]; text != want || !strings.HasPrefix(cause, row.cause) {
				t.Errorf("%s\n%s\nwant\n%s\n%s", text, cause, want, row.cause)
			}
			if (len(asked) == 1) != (row.cause == "") {
				t.Error("it was asked:", len(asked))
			}
		})
	}
	t.Run("no TLS", func(t *testing.T) {
		plain := httptest.NewServer(http.NotFoundHandler())
		plain.Config.ErrorLog = log.New(io.Discard, "", 0)
		t.Cleanup(plain.Close)
		_, err := theNode(t, &httptest.Server{URL: strings.Replace(plain.URL, "http:", "https:", 1)}).Issue(t.Context(), anUpload(t, oneRequest))
		if text, cause := nodeAnswered(t, nil, err); text != shown502 || cause != "asking the node: it does not speak TLS" {
			t.Error(text, cause)
		}
	})
	t.Run("http on this machine", func(t *testing.T) {
		plain := httptest.NewServer(nodeSays(200, oneAnswer))
		t.Cleanup(plain.Close)
		answers, err := theNode(t, plain).Issue(t.Context(), anUpload(t, oneRequest))
		if text, cause := nodeAnswered(t, answers, err); text != nodeToken {
			t.Error(text, cause)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		gone := httptest.NewServer(nil)
		gone.Close()
		_, err := theNode(t, gone).Issue(t.Context(), anUpload(t, oneRequest))
		if text, cause := nodeAnswered(t, nil, err); text != shown502 || !strings.HasSuffix(cause, "connect: connection refused") {
			t.Error(text, cause)
		}
	})
}

// TestNodeHealth: the outcome of the last call, and when it is worth a ping.
func TestNodeHealth(t *testing.T) {
	type health struct {
		OK    bool
		Since int64
		Err   string
		Due   bool
	}
	const refused, down = "the node refuses the user and password that sluice has for it, with the status 401", "the node answered with the status 503"
	var status, pong int
	server := standInNode(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.RequestURI == "/api/ping" {
			nodeSays(pong, "")(w, r)
			return
		}
		nodeSays(status, oneAnswer)(w, r)
	})
	now := time.Unix(1000, 0)
	node := theNode(t, server, func(o *NodeOptions) {
		o.Now = func() time.Time { return now }
		o.URL += "/api"
	})
	for i, row := range []struct {
		after  time.Duration // Since the step before.
		status int           // Of a call; 0 is a ping.
		pong   int
		want   health
	}{
		{0, 0, 200, health{true, 1000, "", false}},
		{5 * time.Second, 200, 0, health{true, 1000, "", false}},
		{5 * time.Second, 503, 0, health{false, 1010, down, false}},
		{5 * time.Second, 503, 0, health{false, 1010, down, false}},
		{11 * time.Second, 0, 503, health{false, 1010, "the node answered a ping with the status 503", false}},
		{11 * time.Second, 0, 204, health{true, 1037, "", false}},
		{3 * time.Second, 401, 0, health{false, 1040, refused, false}},
		{20 * time.Second, 0, 200, health{false, 1040, refused, false}}, // It answers, and still refuses us.
		{20 * time.Second, 200, 0, health{true, 1080, "", false}},
		{0, 0, 401, health{false, 1080, refused + " to a ping", false}},
		{0, 0, 302, health{false, 1080, "the node answered a ping with the status 302", false}},
	} {
		before, _, _ := node.Health()
		now = now.Add(row.after)
		if due := node.PingDue(); due != (!before && row.after > pingAfter) {
			t.Errorf("step %d: a ping is due: %v", i, due)
		}
		status, pong = row.status, row.pong
		var err error
		if row.status == 0 {
			err = node.Ping(t.Context())
			if (err == nil) != (row.pong/100 == 2) {
				t.Errorf("step %d: %v", i, err)
			}
		} else {
			_, err = node.Issue(t.Context(), anUpload(t, oneRequest))
		}
		nodeAnswered(t, nil, err)
		ok, since, text := node.Health()
		if diff := cmp.Diff(row.want, health{ok, since.Unix(), text, node.PingDue()}); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestNodePings: one at once; the second does not wait.
func TestNodePings(t *testing.T) {
	entered, hold := make(chan struct{}, 1), make(chan struct{})
	node := theNode(t, standInNode(t, func(http.ResponseWriter, *http.Request) { entered <- struct{}{}; <-hold }))
	var first sync.WaitGroup
	first.Go(func() {
		if err := node.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
	<-entered
	if err := node.Ping(t.Context()); err != nil || node.PingDue() {
		t.Error(err)
	}
	close(hold)
	first.Wait()
	if len(entered) != 0 {
		t.Error("there were two")
	}
	if ok, since, _ := node.Health(); !ok || since.IsZero() {
		t.Error(ok, since)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	var failed *Unreachable
	if err := theNode(t, gone).Ping(t.Context()); !errors.As(err, &failed) || failed.Shown.Code != 502 {
		t.Error(err)
	}
}

// TestNodeOptions: what cannot be, is told at once and shows no secret.
func TestNodeOptions(t *testing.T) {
	rubbish := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(rubbish, []byte("s3cr3t"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		change func(*NodeOptions)
		want   string
	}{
		{"right", func(*NodeOptions) {}, ""},
		{"http on this machine", func(o *NodeOptions) { o.URL = "http://[::1]:9091/node_api" }, ""},
		{"http elsewhere", func(o *NodeOptions) { o.URL = "http://hst.example.com" }, "http can be read"},
		{"no URL", func(o *NodeOptions) { o.URL = "hst:9092" }, "no URL"},
		{"nothing", func(o *NodeOptions) { o.URL = "" }, "no URL"},
		{"another scheme", func(o *NodeOptions) { o.URL = "ftp://hst/s3cr3t" }, "by https"},
		{"a password in the URL", func(o *NodeOptions) { o.URL = "https://u:s3cr3t@hst" }, "settings of their own"},
		{"a query", func(o *NodeOptions) { o.URL = "https://hst/?s3cr3t" }, "ends with its path"},
		{"a fragment", func(o *NodeOptions) { o.URL = "https://hst/#s3cr3t" }, "ends with its path"},
		{"an endpoint", func(o *NodeOptions) { o.URL = "https://hst:9092/files/upload_setup" }, "ends before /files"},
		{"no user", func(o *NodeOptions) { o.User = "" }, "no user"},
		{"a user with a colon", func(o *NodeOptions) { o.User = "a:s3cr3t" }, "no colon"},
		{"no password", func(o *NodeOptions) { o.Password = "" }, "no password"},
		{"a password of two lines", func(o *NodeOptions) { o.Password = "s3cr3t\n" }, "line break"},
		{"no CA file", func(o *NodeOptions) { o.CAFile = rubbish + "x" }, "reading the CA file"},
		{"a CA file without a certificate", func(o *NodeOptions) { o.CAFile = rubbish }, "no certificate"},
		{"a pin that is none", func(o *NodeOptions) { o.PinSHA256 = "sha256/abc" }, "64 hex digits"},
		{"a short pin", func(o *NodeOptions) { o.PinSHA256 = "abcd" }, "64 hex digits"},
		{"a pin without TLS", func(o *NodeOptions) { o.URL, o.PinSHA256 = "http://127.0.0.1", strings.Repeat("ab", 32) }, "http has none"},
		{"no time", func(o *NodeOptions) { o.Timeout = 0 }, "time limit"},
		{"no connections", func(o *NodeOptions) { o.Connections = 0 }, "1 connection"},
		{"less than nobody waiting", func(o *NodeOptions) { o.Waiting = -1 }, "negative"},
	} {
		o := NodeOptions{URL: "https://hst.example.com:9092", User: "u", Password: nodePassword, Timeout: time.Second, Connections: 1, Now: time.Now}
		row.change(&o)
		node, err := NewNode(o)
		switch {
		case err == nil && (row.want != "" || node.Name() != "node"):
			t.Errorf("%s: taken", row.name)
		case err != nil && (row.want == "" || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "s3cr3t")):
			t.Errorf("%s: %v", row.name, err)
		}
		if urlErr := CheckNodeURL(o.URL); err == nil && urlErr != nil {
			t.Errorf("%s: %v", row.name, urlErr)
		}
	}
}

func TestReadNodePassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if _, err := ReadNodePassword(file); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, row := range []struct {
		text, want string
		right      bool
	}{
		{"a b ", "a b ", true},
		{"s3cr3t\n", "s3cr3t", true},
		{"s3cr3t\r\n", "s3cr3t", true},
		{"", "", false},
		{"\n", "", false},
		{"s3cr3t\n\n", "", false},
		{"s3cr3t\ns3cr3t", "", false},
		{strings.Repeat("p", maxNodePassword) + "\r\n", strings.Repeat("p", maxNodePassword), true},
		{strings.Repeat("p", maxNodePassword+1), "", false},
		{strings.Repeat("p", 3*maxNodePassword), "", false},
	} {
		if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadNodePassword(file)
		if got != row.want || (err == nil) != row.right || err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%.40q: %.40q, %v", row.text, got, err)
		}
	}
}

// FuzzNodeAnswer: whatever a node sends, there is an answer for each request, of
// which every one is a spec with a token or an error that can be shown; or none.
func FuzzNodeAnswer(f *testing.F) {
	for _, seed := range []string{
		oneAnswer, oneAnswer + oneAnswer, oneAnswer + "HTTP/1.1 200 OK", `{"transfer_specs":[{"error":{"code":404,"reason":"a\nb","user_message":"\u202e"}}]}`,
		`{"error":{"code":"400"}}`, `{"transfer_specs":[]}`, `{"transfer_specs":{}}`, `{"transfer_specs":[{"transfer_spec":{"token":"t","paths":[{"destination":"../.."}]}}]}`,
		`{"a":1,"a":1}`, "<html>", "", "[[[[", "\xff", `{"transfer_specs":[{"transfer_spec":{"token":"t","tags":{"sluice":1,"aspera":[]}}}]}`,
	} {
		for _, status := range []int{200, 400, 403, 404} {
			f.Add(status, []byte(seed))
		}
	}
	node := &Node{password: nodePassword}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		head := fmt.Sprintf("HTTP/1.1 %03d X\r\n\r\n", max(status%1000, -status%1000))
		response, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(body))), nil)
		if err != nil {
			return
		}
		defer response.Body.Close()
		tree, err := readNode(response)
		call := anUpload(t, oneRequest)
		answers, err := node.judge(t.Context(), call, nodeReply{response.StatusCode, tree, err})
		if err != nil {
			var shown *Error
			if !errors.As(err, &shown) {
				t.Fatal(err)
			}
			showable(t, shown)
			if len(answers) != 0 {
				t.Error("answers, and an error")
			}
			return
		}
		if len(answers) != 1 {
			t.Fatalf("%d answers", len(answers))
		}
		if answers[0].Err != nil {
			showable(t, answers[0].Err)
			return
		}
		spec := answers[0].Spec
		tags := spec["tags"].(Object)
		if spec["token"] == "" || tags["sluice"].(Object)["grant"] != nodeSigned || tags["aspera"].(Object)["xfer_id"] != "id-1" {
			t.Error(spec)
		}
		if text, err := json.Marshal(spec); err != nil {
			t.Error(err)
		} else if _, err := rules.ParseTree(string(text)); err != nil {
			t.Error(err)
		}
	})
}

func showable(t *testing.T, e *Error) {
	t.Helper()
	if e.Code < 400 || e.Code > 599 || e.UserMessage == "" || len(e.UserMessage) > rules.MaxMessage || rules.Printable(e.UserMessage) != e.UserMessage || len(e.Reason) > maxNodeReason || rules.Printable(e.Reason) != e.Reason {
		t.Errorf("%q", e)
	}
	if strings.Contains(e.Error(), nodePassword) || strings.Contains(e.Error(), nodeSigned) {
		t.Errorf("a secret is shown: %q", e)
	}
}
