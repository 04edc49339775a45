package natsbus

import (
	"context"
	"errors"
)

// ErrLeaseLost is what the ctx of a holder ends with when its lease has.
var ErrLeaseLost = errors.New("natsbus: the lease is lost")

// fenced returns ErrLeaseLost if ctx is that of a holder whose lease is lost.
func fenced(ctx context.Context) error {
	if errors.Is(ctx.Err(), ErrLeaseLost) || errors.Is(context.Cause(ctx), ErrLeaseLost) {
		return ErrLeaseLost
	}
	return nil
}
