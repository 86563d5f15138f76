package aspera

import "time"

// Needs is what a policy set needs of an Aspera server. Rules are written as
// policy/rule.
type Needs struct {
	// Known says that there is a policy set; otherwise the rest is empty, and
	// any event is as good as another.
	Known bool
	// Start, Threshold and Stop are the events of a file.
	Start, Threshold, Stop Event
	// Token are rules that hold only for transfers that need a token.
	Token []string
	// Checksum are rules that want a checksum from ascp, Content those that look into
	// files.
	Checksum, Content []string
}

// Event is what is decided on one event.
type Event struct {
	// First are rules that are decided on it for the first time in a transfer, Again
	// those that an earlier event has decided already.
	First, Again []string
}

// asked reports whether some rule is asked on the event.
func (e Event) asked() bool { return len(e.First)+len(e.Again) > 0 }

// event returns what is decided thanks to an option.
func (n *Needs) event(option string) Event {
	switch option {
	case fileStart:
		return n.Start
	case threshold:
		return n.Threshold
	default:
		return n.Stop
	}
}

// Service is what the configuration of the validation service says that must fit
// with aspera.conf.
type Service struct {
	// Listen and Tokens are the addresses of events and of tokens; the latter is
	// empty where there is none of its own.
	Listen, Tokens string
	// PartialSuffix is what it takes for the suffix of unfinished files.
	PartialSuffix string
	// Docroots are those of transfer users, as far as they are told.
	Docroots map[string]string
	// Requests is how many it takes on at once; 0 is not known.
	Requests int
}

// Options say by what an aspera.conf is judged.
type Options struct {
	Needs Needs
	// Service is nil where its configuration is not known.
	Service *Service
	// Members are the groups of users; nil where they are not known.
	Members map[string][]string
	// Latency is how long one answer of the service takes, and Rate how many files a
	// session should be able to move in a second. 0 is 5 ms and 200.
	Latency time.Duration
	Rate    float64
}
