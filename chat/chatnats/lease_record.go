package chatnats

import (
	"context"
	"time"
)

// record repeats the tenure's message in the stream before the stream drops it
// because of its age, and after the stream has dropped it for another reason.
func (l *lease) record(ctx context.Context) {
	age := l.bus.maxAge
	old := age > 0 && time.Since(l.begun) >= age/2
	if !old && !l.bus.limited {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.TTL/8)
	defer cancel()
	if !old {
		if tenure, _, err := l.bus.lastTenure(ctx, l.token); err != nil || tenure != 0 {
			return
		}
	}
	if l.bus.begin(ctx, l.token, l.tenure) == nil { // otherwise, the next renewal tries again
		l.begun = time.Now()
	}
}

// mayBeDropped reports whether the stream may have dropped the tenure's message
// of a holder before the holder could repeat it.
func (l *lease) mayBeDropped(ctx context.Context) (bool, error) {
	if age := l.bus.maxAge; !l.bus.limited && (age <= 0 || age >= 2*l.cfg.TTL) {
		return false, nil
	}
	info, err := l.bus.stream.Info(ctx)
	if err != nil {
		return false, err
	}
	return info.State.FirstSeq > 1, nil
}
