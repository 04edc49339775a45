package reconnect

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// longestInterval keeps an interval with its jitter, at most twice as long,
// inside what a time.Duration can hold.
const longestInterval = time.Duration(math.MaxInt64 / 4)

// Policy says how long to wait before each retry, and when to stop retrying.
// A zero field stands for its default. It is safe for concurrent use.
type Policy struct {
	// InitialInterval is the interval before the first retry in a row.
	// Default 500 ms, or MaxInterval if that is given and shorter.
	InitialInterval time.Duration

	// MaxInterval is where the interval stops growing.
	// Default 5 s, or InitialInterval if that is given and longer.
	MaxInterval time.Duration

	// Multiplier is what the interval grows by from one retry to the next:
	// at least 1, which keeps it constant. Default 2.
	Multiplier float64

	// RandomizationFactor is the share of the interval, up to 1, by which a
	// wait may be shorter or longer than it. Default 0.5, so that a wait is
	// 50 % to 150 % of its interval. Negative means no jitter.
	RandomizationFactor float64

	// MaxAttempts is how many retries in a row are made. The first try is not
	// a retry. 0 means no end; negative means that nothing is ever retried.
	MaxAttempts int

	// MaxElapsedTime is how long a row of failures may last, from the first
	// failure to the end of the next wait. 0 means no end.
	MaxElapsedTime time.Duration

	// StableAfter is how long a session has to stay up for its loss to begin
	// a new row of failures. Default 5 s.
	StableAfter time.Duration
}

// Validate reports every field whose value makes no sense, or nil.
// Run does the same before its first try.
func (p Policy) Validate() error {
	var errs []error
	for _, field := range []struct {
		name  string
		value time.Duration
	}{
		{"InitialInterval", p.InitialInterval},
		{"MaxInterval", p.MaxInterval},
		{"MaxElapsedTime", p.MaxElapsedTime},
		{"StableAfter", p.StableAfter},
	} {
		if field.value < 0 {
			errs = append(errs, fmt.Errorf("reconnect: %s is negative: %v", field.name, field.value))
		}
	}
	if p.MaxInterval > 0 && p.MaxInterval < p.InitialInterval {
		errs = append(errs, fmt.Errorf("reconnect: MaxInterval %v is below InitialInterval %v", p.MaxInterval, p.InitialInterval))
	}
	// NaN is neither below nor above anything, so it is asked for by name.
	if p.Multiplier != 0 && p.Multiplier < 1 || math.IsNaN(p.Multiplier) {
		errs = append(errs, fmt.Errorf("reconnect: Multiplier is not 1 or more: %v", p.Multiplier))
	}
	if p.RandomizationFactor > 1 || math.IsNaN(p.RandomizationFactor) {
		errs = append(errs, fmt.Errorf("reconnect: RandomizationFactor is not 1 or less: %v", p.RandomizationFactor))
	}
	return errors.Join(errs...)
}

// withDefaults returns p with its zero fields filled in, ready for backOff.
func (p Policy) withDefaults() Policy {
	if p.InitialInterval == 0 {
		p.InitialInterval = 500 * time.Millisecond
		if p.MaxInterval > 0 {
			p.InitialInterval = min(p.InitialInterval, p.MaxInterval)
		}
	}
	if p.MaxInterval == 0 {
		p.MaxInterval = max(5*time.Second, p.InitialInterval)
	}
	p.InitialInterval = min(p.InitialInterval, longestInterval)
	p.MaxInterval = min(p.MaxInterval, longestInterval)
	p.Multiplier = cmp.Or(p.Multiplier, 2)
	p.RandomizationFactor = max(0, cmp.Or(p.RandomizationFactor, 0.5)) // negative: no jitter
	p.StableAfter = cmp.Or(p.StableAfter, 5*time.Second)
	return p
}

// backOff returns the intervals of p, whose defaults are filled in.
func (p Policy) backOff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(p.InitialInterval),
		backoff.WithMaxInterval(p.MaxInterval),
		backoff.WithMultiplier(p.Multiplier),
		backoff.WithRandomizationFactor(p.RandomizationFactor),
		// Always set, 0 included: the library ends after 15 minutes otherwise.
		backoff.WithMaxElapsedTime(p.MaxElapsedTime),
	)
}
