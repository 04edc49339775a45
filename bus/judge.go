package bus

// A judge holds the functions that a subscription applies to each value, nil
// where it has none.
type judge[T any] struct {
	only func(T) bool
	size func(T) int
	key  func(T) any
}

// newJudge returns ErrOption if an option is for another type than T.
func newJudge[T any](o options) (judge[T], error) {
	var j judge[T]
	ok := assign(&j.only, o.only) && assign(&j.size, o.size) && assign(&j.key, o.key)
	if !ok {
		return judge[T]{}, ErrOption
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
func (j *judge[T]) any() bool { return j.only != nil || j.size != nil || j.key != nil }

// wants and weigh ask about v. A publisher calls them under no lock, because
// the functions are the user's.
func (j *judge[T]) wants(v T) bool { return j.only == nil || j.only(v) }

func (j *judge[T]) weigh(v T) (m mark) {
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
type mark struct {
	size int
	key  any
}
