// Package tally counts files and bytes in windows of time. It has no clock and asks
// nobody: the same entries with the same times, in the same order, give the same
// answers everywhere. So validators that read one stream of entries agree about
// every answer, and one that starts late finds out by reading it again.
//
// Names do not come here, only digests of them.
package tally
