package chat

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// audit compares the results of all streams with the record, and returns the
// answers that are wrong.
func (l *transcript) audit() (result outcome, wrong []string) {
	for _, a := range l.streams {
		s := a.stream.Load()
		if s == nil {
			result.Other++
			continue
		}
		text := read(s)
		message, err := s.Wait()
		switch {
		case errors.Is(err, ErrAmbiguous):
			result.Ambiguous++
			continue
		case err != nil:
			result.Other++
			continue
		}
		id, whole := answerOf(message.Text)
		tokens := tokensOf(text)
		if !whole || len(tokens) > 1 || len(tokens) == 1 && !tokens[id] {
			wrong = append(wrong, fmt.Sprintf("question %v: a mixed answer: tokens %q, text %q", a, text, message.Text))
			continue
		}
		e := l.answers[id]
		switch {
		case e.stream == a:
			result.Right++
		case l.unsigned(a, e):
			result.Unsigned++
		default:
			wrong = append(wrong, fmt.Sprintf("question %v: the answer to question %d of %v", a, id, e.stream))
		}
	}
	return result, wrong
}

// unsigned reports whether a stream may have returned the answer e by mistake.
// There was no sign of e, or of another answer that ended before e.
func (l *transcript) unsigned(a *asked, e *entry) bool {
	return !l.strict && slices.ContainsFunc(l.answers, func(o *entry) bool {
		return o.stream != a && (o.unseen || o.paused) &&
			!o.seen.Before(a.called.Add(-DefaultAbandonedTimeout)) && !o.seen.After(e.seen)
	})
}

// answerOf returns the question of a final text, and whether all of the text
// belongs to that question.
func answerOf(text string) (id int, whole bool) {
	tokens, end, _ := strings.Cut(text, "end ")
	id, err := strconv.Atoi(end)
	if err != nil {
		return 0, false
	}
	all := tokensOf(tokens)
	return id, len(all) == 0 || len(all) == 1 && all[id]
}

// tokensOf returns the questions of tokens.
func tokensOf(text string) map[int]bool {
	all := map[int]bool{}
	text, _, _ = strings.Cut(text, "end ") // FillGap has added the rest of the final text
	for token := range strings.FieldsSeq(text) {
		id, _, _ := strings.Cut(token, ".")
		n, err := strconv.Atoi(id)
		if err != nil {
			n = -1
		}
		all[n] = true
	}
	return all
}
