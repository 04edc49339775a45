package reconnect_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed67206a74/parley/reconnect"
)

// session is a connection that lasts until its channel is closed.
type session struct{ closed chan struct{} }

func (s session) Wait(ctx context.Context) error {
	select {
	case <-s.closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func Example() {
	ctx := context.Background()
	dial := func(context.Context) (session, error) {
		s := session{make(chan struct{})}
		close(s.closed)
		return s, nil
	}

	err := reconnect.Policy{}.Run(ctx, func(ctx context.Context, up func()) error {
		session, err := dial(ctx)
		if err != nil {
			return err // retried
		}
		up() // from here the session counts as up
		return session.Wait(ctx)
	}, nil)

	fmt.Println(err)
	// Output: <nil>
}

func ExamplePolicy_Run() {
	policy := reconnect.Policy{
		InitialInterval:     time.Millisecond,
		RandomizationFactor: -1, // no jitter, so that the output is constant
	}
	tries := 0
	err := policy.Run(context.Background(), func(ctx context.Context, up func()) error {
		if tries++; tries < 4 {
			return errors.New("connection refused")
		}
		up()
		fmt.Println("connected")
		return nil
	}, func(w reconnect.Wait) {
		fmt.Printf("retry %d in %v: %v\n", w.Attempt, w.Delay, w.Err)
	})
	fmt.Println("ended:", err)
	// Output:
	// retry 1 in 1ms: connection refused
	// retry 2 in 2ms: connection refused
	// retry 3 in 4ms: connection refused
	// connected
	// ended: <nil>
}

func ExamplePermanent() {
	errRefused := errors.New("not authorised")
	err := reconnect.Policy{}.Run(context.Background(), func(ctx context.Context, up func()) error {
		return reconnect.Permanent(errRefused)
	}, nil)
	fmt.Println(err, err == errRefused)
	// Output: not authorised true
}

func ExampleExhaustedError() {
	policy := reconnect.Policy{InitialInterval: time.Millisecond, MaxAttempts: 2}
	err := policy.Run(context.Background(), func(ctx context.Context, up func()) error {
		return errors.New("connection refused")
	}, nil)
	var exhausted *reconnect.ExhaustedError
	if errors.As(err, &exhausted) {
		fmt.Println(exhausted.Attempts, "retries, then:", exhausted.Err)
	}
	// Output: 2 retries, then: connection refused
}

func ExamplePolicy_Validate() {
	policy := reconnect.Policy{InitialInterval: time.Minute, MaxInterval: time.Second, RandomizationFactor: 3}
	fmt.Println(policy.Validate())
	// Output:
	// reconnect: MaxInterval 1s is below InitialInterval 1m0s
	// reconnect: RandomizationFactor is not 1 or less: 3
}
