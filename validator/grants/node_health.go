package grants

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// pingAfter is how long ago a node must have failed before it is worth a ping.
const pingAfter = 10 * time.Second

// nodeHealth is the outcome of the last call to a node.
type nodeHealth struct {
	now func() time.Time

	mu sync.Mutex
	// since is when the outcomes became what they are, and last when there was
	// one; both are zero as long as there was none.
	since, last time.Time
	err         error
	pinging     bool
}

// note remembers how a call or a ping ended. What says nothing about the node is
// not an outcome: that there were too many calls, or that whoever asked has gone.
func (h *nodeHealth) note(err error, ping bool) {
	if errors.Is(err, context.Canceled) || errors.Is(err, rules.ErrBusy) || errors.Is(err, errNotTurn) {
		return
	}
	var answered *Error
	var failed *Unreachable
	if !errors.As(err, &failed) && errors.As(err, &answered) {
		err = nil // The node has refused; it is well.
	}
	now := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = now
	if ping && err == nil && errors.Is(h.err, errCredential) {
		return // A node answers a ping whoever asks.
	}
	if h.since.IsZero() || (err == nil) != (h.err == nil) {
		h.since = now
	}
	h.err = err
}

// Health returns how the last call or ping ended: whether the node gave a usable
// answer, which an error about a request is too; since when it is so; and what is
// wrong, fit for a log and empty if nothing is. Before there was any call, it is
// true since the zero time. It asks nobody and costs next to nothing.
func (n *Node) Health() (ok bool, since time.Time, err string) {
	n.health.mu.Lock()
	defer n.health.mu.Unlock()
	if n.health.err != nil {
		return false, n.health.since, n.health.err.Error()
	}
	return true, n.health.since, ""
}

// PingDue reports whether the node failed last, more than 10 seconds ago, and
// nobody pings it: then a Ping tells whether it is back.
func (n *Node) PingDue() bool {
	now := n.health.now()
	n.health.mu.Lock()
	defer n.health.mu.Unlock()
	return n.health.err != nil && !n.health.pinging && now.Sub(n.health.last) > pingAfter
}

// Ping asks the node whether it is there, with GET /ping, and remembers the
// outcome for Health. A node that has refused the credential stays bad until a
// call succeeds. While another ping is under way, it does nothing and returns nil.
// The error is an *Unreachable.
func (n *Node) Ping(ctx context.Context) error {
	n.health.mu.Lock()
	busy := n.health.pinging
	n.health.pinging = true
	n.health.mu.Unlock()
	if busy {
		return nil
	}
	err := n.pong(ctx)
	n.health.note(err, true)
	n.health.mu.Lock()
	n.health.pinging = false
	n.health.mu.Unlock()
	return err
}

func (n *Node) pong(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.ping, http.NoBody)
	if err != nil {
		return badGateway(errors.New("the ping could not be made")) // err shows the URL.
	}
	request.Header = http.Header{"Accept": {"application/json"}, "Authorization": {n.authorization}, "User-Agent": {"sluice"}}
	response, err := n.transport.RoundTrip(request)
	if err != nil {
		return notAnswered(ctx, err)
	}
	defer response.Body.Close()
	switch status := response.StatusCode; status {
	case http.StatusOK, http.StatusNoContent:
		return nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return badGateway(fmt.Errorf("%w, with the status %d to a ping", errCredential, status))
	default:
		return badGateway(fmt.Errorf("the node answered a ping with the status %d", status))
	}
}
