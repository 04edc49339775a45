package main

import "time"

// Settings sets how long to measure.
type Settings struct {
	Turns        int           // of each contender in each shape
	Turn         time.Duration // time of a turn, which has at least one round
	StuckTurns   int
	StuckEvents  int
	StuckTimeout time.Duration // without progress, before a publisher counts as blocked
}

// stuckEvents exceeds the longest queue of a contender, which holds 50,000, so
// that every queue becomes full.
const stuckEvents = 51_200

func thorough() Settings {
	return Settings{Turns: 11, Turn: 70 * time.Millisecond, StuckTurns: 3, StuckEvents: stuckEvents, StuckTimeout: 2 * time.Second}
}

func quick() Settings {
	return Settings{Turns: 3, Turn: 10 * time.Millisecond, StuckTurns: 1, StuckEvents: stuckEvents, StuckTimeout: 500 * time.Millisecond}
}
