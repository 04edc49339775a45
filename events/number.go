package events

import (
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

func readInteger(v value, into reflect.Value) error {
	if v.kind() != jsontext.KindNumber {
		return mismatch("an integer", v)
	}
	n, err := strconv.ParseInt(string(v.raw), 10, 64)
	if err == nil && !into.OverflowInt(n) {
		into.SetInt(n)
		return nil
	}
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return errors.New("integer out of range")
	}
	return errors.New("want an integer, got a number with a fraction or an exponent")
}

// readCount is readInteger for a number of tokens. It rounds fractions, and
// accepts a string with a number.
func readCount(v value, into reflect.Value) error {
	err := readInteger(v, into)
	if err == nil {
		return nil
	}
	n, ok := v.number()
	switch {
	case !ok:
		return err
	case math.Abs(n) >= 1<<63:
		return errors.New("integer out of range")
	}
	into.SetInt(int64(math.Round(n)))
	return nil
}

// number returns the value of a number, or of a string with a number.
func (v value) number() (n float64, ok bool) {
	digits := string(v.raw)
	if v.kind() == jsontext.KindString {
		digits = strings.TrimSpace(v.text())
	}
	if number := jsontext.Value(digits); number.Kind() != jsontext.KindNumber || !number.IsValid() {
		return 0, false
	}
	n, err := strconv.ParseFloat(digits, 64)
	return n, err == nil
}

// The forms of a time that are accepted besides RFC 3339 with a T. Without a
// zone the time is in UTC. Each may have a fraction of a second.
var timeForms = []string{"2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04:05Z07:00"}

const (
	// Times that are numbers count milliseconds from this number on, and
	// seconds below it. It is in the year 5138 in seconds, and in 1973 in
	// milliseconds.
	firstMilliseconds = 1e11

	// endOfTime is the first second after the year 9999, which a time in JSON
	// cannot have.
	endOfTime = 253402300800
)

// readTime reads a time in RFC 3339 format, with or without a zone, or the
// number of seconds or milliseconds since 1970.
func readTime(v value) (at time.Time, err error) {
	if v.kind() == jsontext.KindString {
		text := v.text()
		if at.UnmarshalText([]byte(text)) == nil {
			return at, nil
		}
		for _, form := range timeForms {
			if at, err = time.Parse(form, text); err == nil {
				return at, nil
			}
		}
	}
	n, ok := v.number()
	switch {
	case !ok && v.kind() == jsontext.KindString:
		return time.Time{}, errors.New("want a time in RFC 3339 format")
	case !ok:
		return time.Time{}, mismatch("a time", v)
	}
	if math.Abs(n) >= firstMilliseconds {
		n /= 1e3
	}
	if math.Abs(n) >= endOfTime {
		return time.Time{}, errors.New("time out of range")
	}
	seconds, fraction := math.Modf(n)
	return time.Unix(int64(seconds), int64(math.Round(fraction*1e6))*1e3).UTC(), nil
}
