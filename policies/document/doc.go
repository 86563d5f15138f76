// Package document reads the YAML documents that people write for sluice, the
// policies and the configuration: strictly, and with the place of every
// mistake. A document is parsed into a plain tree, its structure is checked by
// a JSON Schema (draft-07), and its meaning by whoever decodes it; all three
// report Faults of one form.
package document
