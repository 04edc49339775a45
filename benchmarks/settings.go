package main

import "time"

// Settings sets how long to measure.
type Settings struct {
	Turns       int           // of each contender in each shape
	Turn        time.Duration // time of one turn, of at least one round
	StuckTurns  int
	StuckEvents int
	Patience    time.Duration // without progress, before a publisher counts as blocked
}

// stuckEvents exceeds the longest queue of a contender, which holds 50,000, so
// that every queue gets full.
const stuckEvents = 51_200

func thorough() Settings {
	return Settings{Turns: 11, Turn: 70 * time.Millisecond, StuckTurns: 3, StuckEvents: stuckEvents, Patience: 2 * time.Second}
}

func quick() Settings {
	return Settings{Turns: 3, Turn: 10 * time.Millisecond, StuckTurns: 1, StuckEvents: stuckEvents, Patience: 500 * time.Millisecond}
}
