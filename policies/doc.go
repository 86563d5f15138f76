// Package policies turns the YAML files that security teams write into an
// immutable Snapshot that decides events. A directory of files is one set: it
// compiles whole or not at all, with every mistake reported at once. Live keeps
// the set of a directory in force and follows its changes.
package policies
