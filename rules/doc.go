// Package rules is the domain of sluice: a file event is asked a chain of
// rules, each of which can only object, and the first objection is the answer.
//
// The package speaks no HTTP, reads no YAML and writes no log. What a rule
// needs from outside (a file of the policy set, a clock, a scanner) it is given
// through Env or finds in the Event.
//
// A kind of rule is one file: its Kind value says when the rule can be asked,
// what it reads and how it is compiled. Builtin is the one list of kinds.
package rules
