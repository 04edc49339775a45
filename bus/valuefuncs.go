package bus

// valueFuncs holds the functions that a subscription applies to each value. A
// function that is not set is nil.
type valueFuncs[T any] struct {
	filter func(T) bool
	size   func(T) int
	key    func(T) any
}

// newValueFuncs returns ErrOption if an option is for another type than T.
func newValueFuncs[T any](o options) (valueFuncs[T], error) {
	var f valueFuncs[T]
	ok := assign(&f.filter, o.filter) && assign(&f.size, o.size) && assign(&f.key, o.key)
	if !ok {
		return valueFuncs[T]{}, ErrOption
	}
	return f, nil
}

func assign[F any](f *F, option any) (ok bool) {
	if option == nil {
		return true
	}
	*f, ok = option.(F)
	return ok
}

// any reports whether any function is set.
func (f *valueFuncs[T]) any() bool { return f.filter != nil || f.size != nil || f.key != nil }

// wants and inspect call the user's functions. A publisher calls them under no
// lock.
func (f *valueFuncs[T]) wants(v T) bool { return f.filter == nil || f.filter(v) }

func (f *valueFuncs[T]) inspect(v T, size int) valueInfo {
	info := valueInfo{size: size}
	if f.size != nil {
		info.size = max(f.size(v), 0)
	}
	if f.key != nil {
		info.key = f.key(v)
		_ = map[any]struct{}{info.key: {}} // an incomparable key panics here, under no lock
	}
	return info
}

// valueInfo is the size and the key of a value.
type valueInfo struct {
	size int
	key  any
}
