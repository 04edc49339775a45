package reconnect

import (
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// ExhaustedError is returned by [Policy.Run] when the policy allows no further
// retry. It unwraps to the last failure.
type ExhaustedError struct {
	Attempts int           // consecutive retries before giving up
	Elapsed  time.Duration // from the first of these failures to giving up
	Err      error         // the last failure
}

// Error returns a text with the number of retries, the time they took and the
// last failure. Without retries it is the text of the failure.
func (e *ExhaustedError) Error() string {
	if e.Attempts == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("reconnect: gave up after %d retries in %v: %v", e.Attempts, e.Elapsed.Round(time.Millisecond), e.Err)
}

// Unwrap returns the last failure.
func (e *ExhaustedError) Unwrap() error { return e.Err }

// Permanent marks err as permanent: [Policy.Run] does not retry an attempt that
// returns it. The error keeps its text, and errors.Is and errors.As still find
// err in it. Permanent(nil) is nil.
func Permanent(err error) error { return backoff.Permanent(err) }
