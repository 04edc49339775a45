package pipe

import "context"

// stage runs a stage in a goroutine, which ends when run returns. That is when
// the stage's input has closed or its context has ended.
func stage[T any](run func(out chan<- T)) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		run(out)
	}()
	return out
}

// receive waits for a value. It reports false when in has closed or ctx has
// ended. After ctx has ended it receives nothing from in.
func receive[T any](ctx context.Context, in <-chan T) (v T, ok bool) {
	if ctx.Err() != nil {
		return v, false
	}
	select { // far cheaper than the select below if a value is pending
	case v, ok = <-in:
		return v, ok
	default:
	}
	select {
	case v, ok = <-in:
		return v, ok
	case <-ctx.Done():
		return v, false
	}
}

// send waits until v is sent. It reports false if ctx ends instead. A loop that
// calls receive next may ignore the result, because receive reports it too.
func send[T any](ctx context.Context, out chan<- T, v T) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case out <- v:
		return true
	default:
	}
	select {
	case out <- v:
		return true
	case <-ctx.Done():
		return false
	}
}
