package reconnect

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Wait describes the wait that is about to begin.
type Wait struct {
	Attempt int           // the retry that follows: 1 for the first in a row
	Delay   time.Duration // how long until then
	Err     error         // the failure that made it necessary
}

// Run calls attempt, waits when it fails, and calls it again, until one of
// these ends it:
//
//   - attempt returns nil: Run returns nil.
//   - ctx ends: Run returns ctx.Err(), whatever error attempt may have returned
//     meanwhile. A wait ends at once; an attempt is waited for, and is expected
//     to return soon after its ctx ends. A ctx that has ended already allows no
//     attempt at all.
//   - attempt returns an error marked by [Permanent]: Run returns the error that
//     was marked. If attempt wrapped the mark in another error, Run returns that
//     one whole, so that its context is not lost.
//   - MaxAttempts or MaxElapsedTime allows no further retry: Run returns an
//     [*ExhaustedError]. It gives up as soon as the next wait would end too
//     late, rather than wait in vain.
//   - p is not valid: Run returns what [Policy.Validate] does, before any
//     attempt.
//
// attempt calls up once its session is up; StableAfter is measured from the
// first such call until attempt returns. up may be called from any goroutine,
// and has no effect once its attempt has returned.
//
// waiting, if it is not nil, is called before each wait, which begins when it
// returns. attempt and waiting are called in Run's own goroutine.
func (p Policy) Run(ctx context.Context, attempt func(ctx context.Context, up func()) error, waiting func(Wait)) error {
	if err := p.Validate(); err != nil {
		return err
	}
	p = p.withDefaults()
	delays := p.backOff()
	retries := 0 // made in the current row of failures
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		stable, err := p.try(ctx, attempt)
		if err == nil {
			return nil
		}
		// Asked before the error is looked at: with its ctx gone, an attempt
		// may fail in ways that say nothing about the server.
		if ctxErr := ctx.Err(); ctxErr != nil {
			return ctxErr
		}
		if mark, ok := errors.AsType[*backoff.PermanentError](err); ok {
			if err == error(mark) {
				return mark.Err
			}
			return err
		}

		if stable {
			retries = 0
		}
		if retries == 0 {
			delays.Reset() // a new row begins with this failure
		}
		delay := delays.NextBackOff()
		if p.MaxAttempts < 0 || (p.MaxAttempts > 0 && retries >= p.MaxAttempts) || delay == backoff.Stop {
			return &ExhaustedError{Attempts: retries, Elapsed: delays.GetElapsedTime(), Err: err}
		}
		retries++
		if waiting != nil {
			waiting(Wait{Attempt: retries, Delay: delay, Err: err})
		}
		sleep(ctx, delay)
	}
}

// try makes one attempt and reports whether its session stayed up for
// StableAfter.
func (p Policy) try(ctx context.Context, attempt func(ctx context.Context, up func()) error) (stable bool, err error) {
	var since atomic.Pointer[time.Time]
	err = attempt(ctx, func() {
		now := time.Now()
		since.CompareAndSwap(nil, &now)
	})
	start := since.Load()
	return start != nil && time.Since(*start) >= p.StableAfter, err
}

// sleep returns after d, or as soon as ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
