package main

import (
	"slices"
	"time"
)

// Limits of a drawing over time.
const (
	maxLogTimes = 8192 // Steps that are counted.
	maxLogRows  = 30   // Steps that are drawn.
)

// logSteps are how long a step can be; each is a multiple of those before it.
var logSteps = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour, 364 * 24 * time.Hour,
}

// logTimes counts decisions by time. Its steps become longer when there are too many.
type logTimes struct {
	step   int // of logSteps
	counts map[int64]*logCount
}

func newLogTimes() *logTimes { return &logTimes{counts: map[int64]*logCount{}} }

// beginOf returns when the step begins that a time is in, in seconds. Weeks begin on
// Mondays.
func beginOf(at int64, step time.Duration) int64 {
	const monday = 4 * 24 * 60 * 60 // The first one after 1970 began.
	length, shift := int64(step/time.Second), int64(0)
	if step >= 7*24*time.Hour {
		shift = monday
	}
	behind := (at - shift) % length
	if behind < 0 {
		behind += length
	}
	return at - behind
}

func (t *logTimes) add(at time.Time, refused bool) {
	begin := beginOf(at.Unix(), logSteps[t.step])
	counted := t.counts[begin]
	if counted == nil {
		counted = &logCount{}
		t.counts[begin] = counted
	}
	counted.add(refused)
	if len(t.counts) > maxLogTimes && t.step < len(logSteps)-1 {
		t.widen(t.step + 1)
	}
}

// widen makes the steps longer.
func (t *logTimes) widen(step int) {
	wider := map[int64]*logCount{}
	for begin, counted := range t.counts {
		to := beginOf(begin, logSteps[step])
		if wider[to] == nil {
			wider[to] = &logCount{}
		}
		wider[to].Decisions += counted.Decisions
		wider[to].Refused += counted.Refused
	}
	t.step, t.counts = step, wider
}

// told returns the steps from one time to another, as few as are drawn, with those
// in which nothing was decided. Where even the longest are too many, the last ones
// are told.
func (t *logTimes) told(from, to time.Time) logGroup {
	fits := func(step time.Duration) bool {
		return (beginOf(to.Unix(), step)-beginOf(from.Unix(), step))/int64(step/time.Second) < maxLogRows
	}
	step := t.step
	for step < len(logSteps)-1 && !fits(logSteps[step]) {
		step++
	}
	t.widen(step)
	length := int64(logSteps[step] / time.Second)
	group := logGroup{By: "time", Step: length, Values: []logValue{}}
	for begin := beginOf(to.Unix(), logSteps[step]); begin >= beginOf(from.Unix(), logSteps[step]) && len(group.Values) < maxLogRows; begin -= length {
		value := logValue{Value: time.Unix(begin, 0).UTC().Format(time.RFC3339)}
		if counted := t.counts[begin]; counted != nil {
			value.logCount = *counted
		}
		group.Values = append(group.Values, value)
	}
	slices.Reverse(group.Values)
	return group
}
