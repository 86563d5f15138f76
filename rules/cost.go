package rules

// Cost is what a rule reads, from cheap to dear. Cheap rules are asked first.
type Cost uint8

// The costs.
const (
	// Metadata is the event alone.
	Metadata Cost = iota
	// Store is the policy store: what was counted of other events.
	Store
	// Head is the first bytes of the file.
	Head
	// File is the whole file.
	File
	// CostCount is the number of costs, for tables indexed by Cost.
	CostCount
)

// String returns metadata, store, head or file.
func (c Cost) String() string {
	return [...]string{"metadata", "store", "head", "file"}[c]
}
