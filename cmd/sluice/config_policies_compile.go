package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/sluiceproject/sluice/policies"
	"github.com/sluiceproject/sluice/policies/store"
)

// compilePolicies compiles the policies of the configuration as a service would that
// starts now: those of its folder, or the newest ones in the policy store.
func (c *config) compilePolicies(ctx context.Context, o policies.Options) (snapshot *policies.Snapshot, err error) {
	if !c.stored.set {
		return policies.CheckDir(c.policies, o)
	}
	s, err := c.state.open(ctx, true, func(store.Happening) {})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	head, err := s.Head(ctx)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "sluice-policies-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	dir := filepath.Join(scratch, "policies")
	if err := s.Fetch(ctx, head, dir); err != nil {
		return nil, err
	}
	return policies.CheckDir(dir, o)
}
