package reconnect

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Wait describes a wait that is about to begin.
type Wait struct {
	Attempt int           // the number of the retry that follows, from 1
	Delay   time.Duration // how long the wait is
	Err     error         // the failure to retry
}

// Run calls attempt, waits when it fails, and calls it again, until one of
// these ends it:
//
//   - attempt returns nil: Run returns nil.
//   - ctx ends: Run returns ctx.Err(), even if attempt has returned another
//     error meanwhile. A wait ends at once. Run waits for an attempt to return,
//     which it should do soon after its ctx ends. If ctx has ended already, Run
//     makes no attempt.
//   - attempt returns an error marked by [Permanent]: Run returns the error
//     that was marked. If attempt wrapped the marked error in another, Run
//     returns the whole error.
//   - MaxAttempts or MaxElapsedTime allows no further retry: Run returns an
//     [*ExhaustedError]. It gives up before a wait that would end too late.
//   - p is not valid: Run returns the error of [Policy.Validate] and makes no
//     attempt.
//
// attempt must call up when its session is up. StableAfter is measured from the
// first call of up until attempt returns. up may be called from any goroutine.
// It has no effect after its attempt has returned.
//
// waiting, if it is not nil, is called before each wait, which begins when it
// returns. attempt and waiting are called in Run's own goroutine.
func (p Policy) Run(ctx context.Context, attempt func(ctx context.Context, up func()) error, waiting func(Wait)) error {
	if err := p.Validate(); err != nil {
		return err
	}
	p = p.withDefaults()
	delays := p.backOff()
	retries := 0 // consecutive
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		stable, err := p.try(ctx, attempt)
		if err == nil {
			return nil
		}
		// Checked before err, because an attempt whose ctx has ended may fail
		// for any reason.
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
			delays.Reset() // this is a first failure
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
