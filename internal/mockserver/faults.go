package mockserver

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"time"
)

// Faults are the faults of the backend. The zero value has none.
type Faults struct {
	Pace    Duration `json:"pace"`    // before each token
	Latency Duration `json:"latency"` // before each request and event is handled

	// The share of tokens that are not sent, or have a payload of the wrong
	// shape.
	Drop  float64 `json:"drop"`
	Wrong float64 `json:"wrong"`

	// The share of answers that end in an error half way, or stop half way.
	Error float64 `json:"error"`
	Stall float64 `json:"stall"`

	// How many tokens of an answer are sent before it waits for another
	// setting; 0 is never.
	HoldAfter int `json:"holdAfter"`

	// How many tokens of an answer are sent before the client's connection is
	// cut, or the client is disconnected; 0 is never.
	CutAfter  int `json:"cutAfter"`
	KickAfter int `json:"kickAfter"`

	Restart     Duration `json:"restart"`     // how often the server restarts; 0 is never
	Refuse      bool     `json:"refuse"`      // by a CONNECT_ERROR
	Unavailable bool     `json:"unavailable"` // HTTP status 503
}

// Flags adds a flag for each fault.
func (f *Faults) Flags(set *flag.FlagSet) {
	set.TextVar(&f.Pace, "pace", f.Pace, "the `duration` before each token")
	set.TextVar(&f.Latency, "latency", f.Latency, "the `duration` that each request and event waits")
	set.Float64Var(&f.Drop, "drop", f.Drop, "the `share` of tokens that are not sent, from 0 to 1")
	set.Float64Var(&f.Wrong, "wrong", f.Wrong, "the `share` of tokens with the wrong shape")
	set.Float64Var(&f.Error, "error", f.Error, "the `share` of answers that end in an error")
	set.Float64Var(&f.Stall, "stall", f.Stall, "the `share` of answers that stop half way")
	set.IntVar(&f.HoldAfter, "hold-after", f.HoldAfter, "hold each answer after so many `tokens`, until the setting changes")
	set.IntVar(&f.CutAfter, "cut-after", f.CutAfter, "cut the client's connection after so many `tokens` of each answer")
	set.IntVar(&f.KickAfter, "kick-after", f.KickAfter, "disconnect the client after so many `tokens` of each answer")
	set.TextVar(&f.Restart, "restart", f.Restart, "the `interval` between restarts of the server; 0: never")
	set.BoolVar(&f.Refuse, "refuse", f.Refuse, "refuse all clients")
	set.BoolVar(&f.Unavailable, "unavailable", f.Unavailable, "answer requests with HTTP status 503")
}

func (f Faults) validate() error {
	for name, share := range map[string]float64{"drop": f.Drop, "wrong": f.Wrong, "error": f.Error, "stall": f.Stall} {
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("%s is a share from 0 to 1, not %v", name, share)
		}
	}
	if f.Pace < 0 || f.Latency < 0 || f.HoldAfter < 0 || f.CutAfter < 0 || f.KickAfter < 0 || f.Restart < 0 {
		return fmt.Errorf("pace, latency, holdAfter, cutAfter, kickAfter and restart are not negative")
	}
	return nil
}

// by returns true with the probability share.
func by(share float64) bool { return rand.Float64() < share }

// A Duration is a time.Duration that is text in JSON: "250ms".
type Duration time.Duration

// MarshalText is encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText is encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}
