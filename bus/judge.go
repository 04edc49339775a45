package bus

// A judge holds the functions that a subscription applies to each value, nil
// where it has none.
type valueFuncs[T any] struct {
	filter func(T) bool
	size   func(T) int
	key    func(T) any
}

// newJudge returns ErrOption if an option is for another type than T.
func newValueFuncs[T any](o options) (valueFuncs[T], error) {
	var j valueFuncs[T]
	ok := assign(&j.filter, o.filter) && assign(&j.size, o.size) && assign(&j.key, o.key)
	if !ok {
		return valueFuncs[T]{}, ErrOption
	}
	return j, nil
}

func assign[F any](f *F, option any) (ok bool) {
	if option == nil {
		return true
	}
	*f, ok = option.(F)
	return ok
}

// any reports whether there is anything to ask.
func (j *valueFuncs[T]) any() bool { return j.filter != nil || j.size != nil || j.key != nil }

// wants and weigh ask about v. A publisher calls them under no lock, because
// the functions are the user's.
func (j *valueFuncs[T]) wants(v T) bool { return j.filter == nil || j.filter(v) }

func (j *valueFuncs[T]) inspect(v T) (m valueInfo) {
	if j.size != nil {
		m.size = max(j.size(v), 0)
	}
	if j.key != nil {
		m.key = j.key(v)
		_ = map[any]struct{}{m.key: {}} // panics here, not under a lock, if it cannot be compared
	}
	return m
}

// A mark is what a subscription has to know of a value that waits.
type valueInfo struct {
	size int
	key  any
}
