package policies

import "github.com/sluiceproject/sluice/policies/document"

// unreachable reports what can never decide anything.
func unreachable([]*Policy) document.Faults { return nil }
