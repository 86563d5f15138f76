package grants

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// NodeOptions say which node is asked for tokens, and how.
type NodeOptions struct {
	// URL is where the Node API is: https, or http on this machine, with the path
	// before /files if there is one, such as /node_api.
	URL string
	// User and Password are the node user that sluice asks as. See
	// ReadNodePassword.
	User, Password string
	// CAFile is a PEM file of the authorities that may vouch for the node; empty is
	// those of the operating system.
	CAFile string
	// PinSHA256 is the SHA-256, in hex, of the SubjectPublicKeyInfo of the node's
	// certificate. Where it is set, a node with this key is the right one, whoever
	// signed the certificate, whatever host it is for, and even when it has
	// expired; CAFile is not asked then.
	PinSHA256 string
	// Timeout bounds one call: waiting for a connection, connecting, and reading
	// the answer to its end. It is above 0.
	Timeout time.Duration
	// Connections is how many calls there are at once, at least 1, and Waiting how
	// many more wait for their turn.
	Connections, Waiting int
	// Now is the clock of Health.
	Now func() time.Time
}

// Node is the issuer that relays what is allowed to the Node API of an Aspera
// server, and gives back the tokens that the server makes. It uses no proxy,
// follows no redirect, keeps no cookie, and uses each connection once: nodes end
// theirs after an answer, and whatever one sends after an answer can never be
// taken for the answer to somebody else. It is safe for concurrent use.
type Node struct {
	upload, download, ping string
	authorization          string
	password               string
	timeout                time.Duration
	gate                   *rules.Gate
	// transport is used without an http.Client, which would follow redirects.
	transport *http.Transport
	health    nodeHealth
}

// maxNodeHead is the longest head of an answer that is read, in bytes.
const maxNodeHead = 64 << 10

// NewNode returns a node, and connects to nothing yet. The error says what is
// wrong with the options, and shows no secret.
func NewNode(o NodeOptions) (*Node, error) {
	base, err := parseNodeURL(o.URL)
	if err != nil {
		return nil, err
	}
	if err := checkNodeUser(o.User, o.Password); err != nil {
		return nil, err
	}
	if o.Timeout <= 0 || o.Connections < 1 || o.Waiting < 0 {
		return nil, errors.New("asking a node needs a time limit above 0, 1 connection or more, and no negative number of waiting calls")
	}
	config, err := nodeTLS(base.Scheme, o.CAFile, o.PinSHA256)
	if err != nil {
		return nil, err
	}
	return &Node{
		upload:        base.JoinPath("files", "upload_setup").String(),
		download:      base.JoinPath("files", "download_setup").String(),
		ping:          base.JoinPath("ping").String(),
		authorization: "Basic " + base64.StdEncoding.EncodeToString([]byte(o.User+":"+o.Password)),
		password:      o.Password,
		timeout:       o.Timeout,
		gate:          rules.NewGate(o.Connections, o.Waiting),
		transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: o.Timeout}).DialContext,
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    o.Timeout,
			MaxConnsPerHost:        o.Connections + 1, // One is for Ping.
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxNodeHead,
		},
		health: nodeHealth{now: o.Now},
	}, nil
}

// Name implements Issuer.
func (n *Node) Name() string { return "node" }

// Issue implements Issuer: it asks the node once about all requests of the call.
//
// What the node says against one request, or with the status 400 or 404 against
// all, is passed on as an *Error. Whatever else is no usable answer is an
// *Unreachable, which holds the *Error to be shown and the cause to be logged.
// Both show neither the credential, nor those of a storage, nor tokens, nor tags.
func (n *Node) Issue(ctx context.Context, call Call) ([]Answer, error) {
	if len(call.Requests) == 0 {
		return nil, nil
	}
	request, err := n.request(ctx, call)
	if err != nil {
		return nil, err
	}
	answers, err := n.issue(ctx, call, request)
	n.health.note(err, false)
	return answers, err
}

func (n *Node) issue(ctx context.Context, call Call, request *http.Request) ([]Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	leave, err := n.gate.Enter(ctx)
	if err != nil {
		return nil, notEntered(ctx, err)
	}
	defer leave()
	response, err := n.transport.RoundTrip(request.WithContext(ctx))
	if err != nil {
		return nil, notAnswered(ctx, err)
	}
	defer response.Body.Close()
	tree, err := readNode(response)
	return n.judge(ctx, call, nodeReply{response.StatusCode, tree, err})
}

// request returns what the node is asked.
func (n *Node) request(ctx context.Context, call Call) (*http.Request, error) {
	to := n.upload
	switch call.Direction {
	case rules.Upload:
	case rules.Download:
		to = n.download
	default:
		return nil, errors.New("a node is asked about uploads or downloads")
	}
	body, err := nodeBody(call.Requests)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the request to the node could not be made") // err shows the URL.
	}
	request.Header = http.Header{
		"Content-Type":  {"application/json"},
		"Accept":        {"application/json"},
		"Authorization": {n.authorization},
		"User-Agent":    {"sluice"},
	}
	if call.StorageCredentials != "" {
		if hasNodeControl(call.StorageCredentials) {
			return nil, &Error{Code: http.StatusBadRequest, Reason: http.StatusText(http.StatusBadRequest), UserMessage: "The header X-Aspera-Storage-Credentials has a control character. Send base64 in one line."}
		}
		request.Header["X-Aspera-Storage-Credentials"] = []string{call.StorageCredentials}
	}
	return request, nil
}

// nodeBody returns the requests as the Node API reads them, their numbers as they
// came.
func nodeBody(requests []Request) ([]byte, error) {
	list := make([]Object, len(requests))
	for i, r := range requests {
		list[i] = Object{"transfer_request": r.Members}
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(Object{"transfer_requests": list}); err != nil {
		return nil, errors.New("the requests to the node cannot be written as JSON") // err may show members.
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), nil
}

// Close ends the connections that nobody uses.
func (n *Node) Close() { n.transport.CloseIdleConnections() }
