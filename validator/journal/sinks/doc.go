// Package sinks sends the records of a decision log away from the machine: to a
// file, by syslog, by HTTP, to the policy store.
//
// Each sink reads the log's folder on disk and remembers how far its records have
// been delivered, so that nothing is lost while its destination is away and nothing
// on the way of a decision waits for it. A record is delivered at least once and in
// order; one that is delivered again comes with those after it.
package sinks
