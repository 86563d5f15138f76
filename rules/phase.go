package rules

import "strings"

// Phase is the moment of a transfer at which an event is raised.
type Phase uint8

// The phases, in the order in which a transfer passes them.
const (
	// PhaseUnknown is the phase of an event that could not be read.
	PhaseUnknown Phase = iota
	// PhaseRequest is a token request: the paths are known, no file yet.
	PhaseRequest
	// PhaseStart is the start of a file.
	PhaseStart
	// PhaseRunning is the threshold: the head of the file is there.
	PhaseRunning
	// PhaseStop is the end of a file: it is complete.
	PhaseStop
	// PhaseCount is the number of phases, for tables indexed by Phase.
	PhaseCount
)

var phaseNames = [PhaseCount]string{"unknown", "request", "start", "running", "stop"}

// String returns the phase's name as policies, logs and metrics write it.
func (p Phase) String() string {
	if p >= PhaseCount {
		return phaseNames[PhaseUnknown]
	}
	return phaseNames[p]
}

// ParsePhase returns the phase of a name that a policy may use.
func ParsePhase(name string) (Phase, bool) {
	for p := PhaseRequest; p < PhaseCount; p++ {
		if phaseNames[p] == name {
			return p, true
		}
	}
	return PhaseUnknown, false
}

// PhaseSet is a set of phases.
type PhaseSet uint8

// Sets of phases that kinds ask for.
const (
	// EveryPhase is wherever the question makes sense without a file.
	EveryPhase = PhaseSet(1<<PhaseRequest | 1<<PhaseStart | 1<<PhaseRunning | 1<<PhaseStop)
	// TransferPhases is every phase in which something moves.
	TransferPhases = PhaseSet(1<<PhaseStart | 1<<PhaseRunning | 1<<PhaseStop)
	// OnlyStop is when the file is complete.
	OnlyStop = PhaseSet(1 << PhaseStop)
)

// Phases returns the set of the given phases.
func Phases(list ...Phase) PhaseSet {
	var s PhaseSet
	for _, p := range list {
		s |= 1 << p
	}
	return s
}

// Has reports whether p is in the set.
func (s PhaseSet) Has(p Phase) bool { return s&(1<<p) != 0 }

// Names returns the names of the set's phases in the order of a transfer.
func (s PhaseSet) Names() []string {
	var names []string
	for p := PhaseRequest; p < PhaseCount; p++ {
		if s.Has(p) {
			names = append(names, p.String())
		}
	}
	return names
}

// String returns the phases' names, separated by commas.
func (s PhaseSet) String() string { return strings.Join(s.Names(), ", ") }

// Direction is where the files of a transfer go, seen from the person who
// transfers and whatever ascp calls it.
type Direction uint8

// The directions.
const (
	// DirectionUnknown is a direction that was left out or is not known.
	DirectionUnknown Direction = iota
	// Upload moves files to the Aspera server.
	Upload
	// Download moves files from the Aspera server.
	Download
)

// String returns upload, download or unknown.
func (d Direction) String() string {
	switch d {
	case Upload:
		return "upload"
	case Download:
		return "download"
	default:
		return "unknown"
	}
}
