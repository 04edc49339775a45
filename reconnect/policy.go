package reconnect

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// longestInterval is the longest interval used. With its jitter it is at most
// twice as long, which a time.Duration can hold.
const longestInterval = time.Duration(math.MaxInt64 / 4)

// Policy sets how long to wait before each retry, and when to stop retrying. A
// field that is zero has its default. A Policy is safe for concurrent use.
type Policy struct {
	// InitialInterval is the interval before the first of consecutive retries.
	// Default 500 ms, or MaxInterval if that is set and shorter.
	InitialInterval time.Duration

	// MaxInterval is the longest interval. Default 5 s, or InitialInterval if
	// that is set and longer.
	MaxInterval time.Duration

	// Multiplier is the factor by which the interval grows from one retry to
	// the next. The minimum of 1 keeps it constant. Default 2.
	Multiplier float64

	// RandomizationFactor is the part of the interval, up to 1, by which a wait
	// may be shorter or longer. Default 0.5: a wait is 50 % to 150 % of its
	// interval. A negative value means no jitter.
	RandomizationFactor float64

	// MaxAttempts is the maximum number of consecutive retries. The first try
	// is not a retry. 0 means no limit. A negative value means no retries.
	MaxAttempts int

	// MaxElapsedTime limits the time of consecutive failures, from the first
	// failure to the end of the next wait. 0 means no limit.
	MaxElapsedTime time.Duration

	// StableAfter is how long a session must stay up for its loss to count as a
	// first failure. Default 5 s.
	StableAfter time.Duration
}

// Validate returns an error that names every invalid field, or nil. Run calls
// it before the first try.
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
	// NaN is neither below nor above any number, so it needs its own check.
	if p.Multiplier != 0 && p.Multiplier < 1 || math.IsNaN(p.Multiplier) {
		errs = append(errs, fmt.Errorf("reconnect: Multiplier is not 1 or more: %v", p.Multiplier))
	}
	if p.RandomizationFactor > 1 || math.IsNaN(p.RandomizationFactor) {
		errs = append(errs, fmt.Errorf("reconnect: RandomizationFactor is not 1 or less: %v", p.RandomizationFactor))
	}
	return errors.Join(errs...)
}

// withDefaults returns p with the defaults in place of zero fields.
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

// backOff returns the intervals of p, which must have its defaults.
func (p Policy) backOff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(p.InitialInterval),
		backoff.WithMaxInterval(p.MaxInterval),
		backoff.WithMultiplier(p.Multiplier),
		backoff.WithRandomizationFactor(p.RandomizationFactor),
		// Set even if it is 0, because the library's default is 15 minutes.
		backoff.WithMaxElapsedTime(p.MaxElapsedTime),
	)
}
