package pipe

import "context"

// stage runs a stage in a goroutine, which ends when run returns; run returns
// when its input has closed or its context has ended.
func stage[T any](run func(out chan<- T)) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		run(out)
	}()
	return out
}

// receive waits for a value. It reports false when in has closed or ctx has
// ended, and takes nothing from in once ctx has ended.
func receive[T any](ctx context.Context, in <-chan T) (v T, ok bool) {
	if ctx.Err() != nil {
		return v, false
	}
	select { // far cheaper than the select below, if a value is there
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

// send waits until v is sent. It reports false when ctx has ended instead; a
// loop that goes on to receive learns it there.
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
