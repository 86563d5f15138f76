// Package journal is the decision log: an append-only chain of records on local
// disk, written before a decision is answered.
//
// A log is a folder of segments, each named by the sequence number of its first
// record: 00000000000000000001.jsonl while it is written to, .jsonl.zst with an
// index beside it once it is closed. Each record carries the hash of the one
// before, over all segments.
package journal
