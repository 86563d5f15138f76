package store

import (
	"context"
	"errors"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// DecisionMessages returns the numbers of the first and the last message of the
// stream, 0 where it has none. What comes behind the last was stored since.
func (s *Store) DecisionMessages(ctx context.Context) (first, last uint64, err error) {
	info, err := s.decisionInfo(ctx)
	if err != nil || info == nil || info.State.Msgs == 0 {
		return 0, 0, err
	}
	return info.State.FirstSeq, info.State.LastSeq, nil
}

// DecisionInstances returns the names of the services whose decisions are stored, in
// order.
func (s *Store) DecisionInstances(ctx context.Context) (names []string, err error) {
	info, err := s.decisionInfo(ctx, jetstream.WithSubjectFilter(s.subject("decisions.*")))
	if err != nil || info == nil {
		return nil, err
	}
	for subject := range info.State.Subjects {
		names = append(names, instanceOf(subject))
	}
	slices.Sort(names)
	return names, nil
}

// decisionInfo asks about the stream; nil if there is none.
func (s *Store) decisionInfo(ctx context.Context, o ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	stream, err := s.js.Stream(ctx, s.named("decisions"))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, away("asking for decisions", err)
	}
	info, err := stream.Info(ctx, o...)
	return info, away("asking for decisions", err)
}
