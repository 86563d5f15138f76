// Package validator speaks HTTP for sluice: the endpoint that Aspera servers
// post file events to, and the admin listener. It decides nothing. It asks a
// Decider; whatever watches decisions (metrics, the log) is a Decider around a
// Decider.
package validator
