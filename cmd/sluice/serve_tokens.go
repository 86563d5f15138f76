package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
	"github.com/sluiceproject/sluice/validator/grants"
)

// grantKeys are the keys of grants; verifier is nil where none are configured,
// and keys is nil where none signs.
type grantKeys struct {
	keys     *grants.Keys
	created  bool
	verifier *grants.Verifier
}

// signingKey returns the file of the key that signs, or nothing.
func (c *config) signingKey() string {
	if c.tokens.listen == "" {
		return c.grants.keyFile
	}
	return cmp.Or(c.grants.keyFile, defaultKeyFile)
}

// openGrants reads the keys. Where tokens are given out the key that signs is made
// if it is not there, but only by the service itself.
func (c *config) openGrants(serving bool) (g grantKeys, err error) {
	options := grants.VerifierOptions{Skew: c.grants.skew}
	if serving && c.tokens.listen != "" {
		g.keys, g.created, err = grants.OpenKeys(grants.KeyOptions{KeyFile: c.signingKey(), VerifyFiles: c.grants.verifyFiles})
		if err == nil {
			g.verifier = grants.NewVerifier(g.keys, options)
		}
		return g, err
	}
	files := c.grants.verifyFiles
	if name := c.signingKey(); name != "" {
		if _, err := os.Stat(name); err == nil || serving || !errors.Is(err, fs.ErrNotExist) {
			files = append([]string{name}, files...)
		}
	}
	if len(files) == 0 {
		return g, nil
	}
	keys, err := grants.OpenVerifyKeys(files...)
	if err == nil {
		g.verifier = grants.NewVerifier(keys, options)
	}
	return g, err
}

// env is what rules about grants need.
func (c *config) grantEnv(g grantKeys) *rules.GrantEnv {
	if g.verifier == nil {
		return nil
	}
	return &rules.GrantEnv{Grants: g.verifier, Docroot: c.grants.docroot, Skew: c.grants.skew}
}

// openIssuer returns who makes tokens. It connects to nothing. node is nil for
// the others.
func (c *config) openIssuer() (issuer grants.Issuer, node *grants.Node, err error) {
	t := &c.tokens
	transfer := grants.TransferOptions{
		RemoteHost: t.transfer.RemoteHost, SSHPort: t.transfer.SSHPort, FASPPort: t.transfer.FASPPort,
		HTTPFallback: t.transfer.HTTPFallback, HTTPFallbackPort: t.transfer.HTTPFallbackPort, Cipher: t.transfer.Cipher,
	}
	switch t.issuer {
	case issuerNode:
		password, err := grants.ReadNodePassword(t.node.PasswordFile)
		if err != nil {
			return nil, nil, err
		}
		node, err := grants.NewNode(grants.NodeOptions{
			URL: t.node.URL, User: t.node.User, Password: password, CAFile: t.node.CAFile, PinSHA256: t.node.PinSHA256,
			Timeout: t.node.Timeout, Connections: t.node.Connections, Waiting: t.node.Waiting, Now: time.Now,
		})
		return node, node, err
	case issuerBearer:
		key, err := grants.OpenRSAKey(t.bearer.PrivateKeyFile)
		if err != nil {
			return nil, nil, err
		}
		issuer, err = grants.NewBearer(grants.BearerOptions{AccessKey: t.bearer.AccessKey, UserID: t.bearer.UserID, Key: key, Transfer: transfer})
		return issuer, nil, err
	default:
		issuer, err = grants.NewLocal(transfer)
		return issuer, nil, err
	}
}

// tokenService is the token endpoint of a running service.
type tokenService struct {
	keys   grantKeys
	issuer grants.Issuer
	node   *grants.Node
	own    *listening // nil where it is at the address of file events
	known  atomic.Pointer[validator.ClientSet]
}

// openTokens prepares the token endpoint; nil where none is configured.
func (c *config) openTokens(keys grantKeys) (t *tokenService, err error) {
	if c.tokens.listen == "" {
		return nil, nil
	}
	t = &tokenService{keys: keys}
	if t.issuer, t.node, err = c.openIssuer(); err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return t, nil
}

// use takes over the clients of a policy set.
func (t *tokenService) use(list []*policies.Client) error {
	clients := make([]*validator.Client, len(list))
	for i, c := range list {
		clients[i] = &validator.Client{
			Name: c.Name, PasswordHash: c.PasswordHash, TransferUser: c.TransferUser,
			Upload: c.Upload, Download: c.Download, MaxLife: c.MaxLife,
		}
	}
	set, err := validator.NewClientSet(clients)
	if err == nil {
		t.known.Store(set)
	}
	return err
}

// handler answers token requests.
func (s *server) tokenHandler(shut func() bool) http.Handler {
	host, _ := os.Hostname()
	sum := sha256.Sum256([]byte("sluice " + host))
	authenticator := validator.NewAuthenticator(validator.AuthOptions{Clients: s.giving.known.Load})
	return validator.NewTokens(s.registering(validator.TokenOptions{
		Decider: s.decides, Authenticate: authenticator.Authenticate, Sign: s.giving.keys.keys.Sign, Issuer: s.giving.issuer,
		Docroot: s.grants.docroot, Limits: s.limits, ID: hex.EncodeToString(sum[:8]), Name: "sluice", Version: version,
		Close: shut, Now: time.Now, Log: s.log.Logger, Registerer: s.registry,
	}))
}

// withTokens adds the token endpoint to the listener of file events, if it is
// there.
func (s *server) withTokens(files http.Handler, shut func() bool) http.Handler {
	if s.giving == nil || s.tokens.listen != serviceListener {
		return files
	}
	given := s.tokenHandler(shut)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if validator.TokenPaths(r.URL.Path) {
			given.ServeHTTP(w, r)
			return
		}
		files.ServeHTTP(w, r)
	})
}

// listenTokens opens the listener of the token endpoint, if it has one of its own.
func (s *server) listenTokens() error {
	if s.giving == nil || s.tokens.listen == serviceListener {
		return nil
	}
	connections := validator.NewConnections(s.limits.Connections, s.turnedAway.Inc, s.unread)
	own, err := s.openListener(socketTokens, s.tokens.listen, connections)
	if err != nil {
		return fmt.Errorf("tokens.listen: %w", err)
	}
	if s.tokens.certFile != "" {
		if err := own.secure(s.tokens.certFile, s.tokens.keyFile); err != nil {
			return errors.Join(fmt.Errorf("tokens.tls: %w", err), own.close())
		}
	}
	own.server.Handler = connections.Handler(s.tokenHandler(func() bool { return s.draining.Load() || connections.Crowded() }))
	s.giving.own = own
	return nil
}

// tokensReady says what is given out and how.
func (s *server) tokensReady() {
	if s.giving == nil {
		return
	}
	if s.giving.keys.created {
		s.log.Info("made a key that signs grants; keep it, and give its public half to the other services", zap.String("file", s.signingKey()))
	}
	where := s.tokens.listen
	if s.giving.own != nil {
		where = s.giving.own.address()
	}
	s.log.Info("tokens are given out", zap.String("listen", where), zap.String("issuer", s.giving.issuer.Name()), zap.Int("clients", s.giving.known.Load().Len()))
}

// degraded tells whether the node behind does not answer. It asks again when that
// was long enough ago.
func (t *tokenService) degraded() []string {
	if t == nil || t.node == nil {
		return nil
	}
	if t.node.PingDue() {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_ = t.node.Ping(ctx) // Kept for Health.
		}()
	}
	if ok, since, why := t.node.Health(); !ok {
		return []string{fmt.Sprintf("the node that makes tokens has not answered since %s: %s", since.UTC().Format(time.RFC3339), why)}
	}
	return nil
}
