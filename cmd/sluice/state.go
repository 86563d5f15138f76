package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sluiceproject/sluice/policies/store"
)

// open opens the policy store. join is for commands: they use the engine of the
// service that has it, if one runs.
func (c *stateConfig) open(ctx context.Context, join bool, told func(store.Happening)) (*store.Store, error) {
	o := c.engine
	o.Join, o.Told = join, told
	if c.tokenFile != "" {
		text, err := os.ReadFile(c.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("the token of the policy store: %w", err)
		}
		if o.Token = strings.TrimSpace(string(text)); len(o.Token) < 16 {
			return nil, fmt.Errorf("the token of the policy store: %s has fewer than 16 characters", c.tokenFile)
		}
	}
	return store.Open(ctx, o)
}

// storeFlags say to a command where the policy store is.
type storeFlags struct {
	Config string   `help:"Configuration file of the service, whose state says where the policy store is." placeholder:"FILE" env:"SLUICE_CONFIG"`
	State  string   `help:"Folder of the store's engine, instead of --config." placeholder:"DIR" xor:"store"`
	NATS   []string `help:"URLs of the store's engine, instead of --config." placeholder:"URL" name:"nats" xor:"store"`
}

// errNoStore says that nothing tells where the store is.
var errNoStore = errors.New("where is the policy store? Name the service's configuration with --config, or --state DIR, or --nats URL")

// settings returns the configuration with the flags over it.
func (f *storeFlags) settings() (config, error) {
	c := defaultConfig()
	if f.Config != "" {
		var err error
		if c, err = readConfig(f.Config); err != nil {
			return c, err
		}
	}
	if f.State != "" || len(f.NATS) > 0 {
		c.state.engine.Dir, c.state.engine.Servers = f.State, f.NATS
	}
	if !c.state.set() {
		return c, errNoStore
	}
	return c, nil
}

// open opens the store, and returns the configuration with it.
func (f *storeFlags) open(ctx context.Context) (*store.Store, config, error) {
	c, err := f.settings()
	if err != nil {
		return nil, c, err
	}
	s, err := c.state.open(ctx, true, func(store.Happening) {})
	return s, c, err
}
