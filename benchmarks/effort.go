package main

import "time"

// Effort is how long to measure.
type Settings struct {
	Turns       int           // of each contender in each shape
	Turn        time.Duration // of one, at least one round
	StuckTurns  int
	StuckEvents int
	Patience    time.Duration // after which a publisher counts as blocked for ever
}

// stuckEvents is more than any contender queues, or it would not show what
// happens when there is no more room: the longest queue holds 50,000.
const stuckEvents = 51_200

func thorough() Settings {
	return Settings{Turns: 11, Turn: 70 * time.Millisecond, StuckTurns: 3, StuckEvents: stuckEvents, Patience: 2 * time.Second}
}

func quick() Settings {
	return Settings{Turns: 3, Turn: 10 * time.Millisecond, StuckTurns: 1, StuckEvents: stuckEvents, Patience: 500 * time.Millisecond}
}
