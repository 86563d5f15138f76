// Package store is what several validators share and what survives a restart:
// revisions of the policy set, grants and revocations, counters, the state of the
// fleet, and a stream of decisions.
//
// The engine is NATS JetStream. By default it runs inside the process, on a folder
// of local disk and without a TCP port; a cluster of nats-server processes takes its
// place by configuration alone. What is above the connection is the same for both.
//
// Three rules hold everywhere. Every call has a deadline, and an engine that does
// not answer is an error value that wraps ErrAway. Nothing on the path of a decision
// asks the engine, except counting, which has a budget. And what is acknowledged is
// on disk: of the embedded engine by SyncAlways, of a cluster in a majority of its
// servers.
package store
