package reconnect

import (
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// ExhaustedError is what [Policy.Run] returns when the policy allows no
// further retry. It unwraps to the last failure.
type ExhaustedError struct {
	Attempts int           // retries made in the row of failures that ended it
	Elapsed  time.Duration // from the first failure of that row to giving up
	Err      error         // the last failure
}

// Error names the retries, the time they took and the last failure. A policy
// that never retries adds nothing to the failure.
func (e *ExhaustedError) Error() string {
	if e.Attempts == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("reconnect: gave up after %d retries in %v: %v", e.Attempts, e.Elapsed.Round(time.Millisecond), e.Err)
}

// Unwrap returns the last failure.
func (e *ExhaustedError) Unwrap() error { return e.Err }

// Permanent marks err as not worth another try: [Policy.Run] returns at once
// when an attempt returns it. The mark changes neither the error's text nor
// what errors.Is and errors.As find in it. Permanent(nil) is nil.
func Permanent(err error) error { return backoff.Permanent(err) }
