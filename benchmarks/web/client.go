package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed67206a74/parley/benchmarks/internal/child"
	"github.com/seed67206a74/parley/chat/chattest"
	"github.com/seed67206a74/parley/events"
	"golang.org/x/sync/errgroup"
)

const (
	tokens = 20 // of an answer
	spread = 8  // the number of paces over which the requests are spread
)

// answer returns an answer whose first token is sent at once.
func answer(pace time.Duration) chattest.Answer {
	return func(ctx context.Context, _ events.UserMessage, emit func(events.Event)) {
		for i := range tokens {
			emit(events.AIToken{Token: "token ", Index: i})
			select {
			case <-time.After(pace):
			case <-ctx.Done():
				return
			}
		}
		emit(events.AIMessage{MessageID: "m", Text: strings.Repeat("token ", tokens)})
	}
}

// A result has the figures of one handler. The memory is in bytes for each
// stream; the times are from the request to the first token.
type result struct {
	memory   float64
	p50, p99 time.Duration
}

// medians returns the median of each figure.
func medians(all []result) result {
	return result{
		median(all, func(r result) float64 { return r.memory }),
		median(all, func(r result) time.Duration { return r.p50 }),
		median(all, func(r result) time.Duration { return r.p99 }),
	}
}

func median[T float64 | time.Duration](all []result, of func(result) T) T {
	var values []T
	for _, r := range all {
		values = append(values, of(r))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// measure opens streams, and measures when all of them have a token.
func measure(handler string, streams int, pace time.Duration) (r result, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	backend := chattest.NewServer(chattest.Config{Answer: answer(pace)})
	defer backend.Close()
	if err := os.Setenv(backendURL, backend.URL); err != nil {
		return r, err
	}
	url, stop, err := child.Start(ctx, beServer)
	if err != nil {
		return r, err
	}
	defer stop()
	browser := &http.Client{Transport: &http.Transport{}}
	defer browser.CloseIdleConnections()
	if _, err := stream(ctx, browser, handler, url, "warm", nil); err != nil {
		return r, err
	}
	before, err := memoryOf(browser, url)
	if err != nil {
		return r, err
	}

	first := make(chan time.Duration, streams)
	all, ctx := errgroup.WithContext(ctx)
	for i := range streams {
		all.Go(func() error {
			time.Sleep(spread * pace * time.Duration(i) / time.Duration(streams))
			whole, err := stream(ctx, browser, handler, url, strconv.Itoa(i), first)
			if err == nil && !whole {
				err = fmt.Errorf("stream %d is not whole", i)
			}
			return err
		})
	}
	var times []time.Duration
	for range streams {
		select {
		case d := <-first:
			times = append(times, d)
		case <-ctx.Done():
			return r, all.Wait()
		}
	}
	streaming, err := memoryOf(browser, url)
	if err != nil {
		return r, err
	}
	slices.Sort(times)
	r.memory = (streaming - before) / float64(streams)
	r.p50, r.p99 = times[len(times)/2], times[len(times)*99/100]
	return r, all.Wait()
}

// stream reads an answer. It sends the time of the first token to first, and
// reports whether the answer is whole.
func stream(ctx context.Context, browser *http.Client, handler, url, chat string, first chan<- time.Duration) (whole bool, err error) {
	method, path, body := http.MethodGet, "/text?chatId="+chat+"&text=Hello", ""
	end := "event: ai:message"
	switch handler {
	case byTokens:
		path = "/tokens?chatId=" + chat + "&text=Hello"
	case plainSSE:
		path = "/sse?chatId=" + chat + "&text=Hello"
	case aiSDK:
		method, path, end = http.MethodPost, "/aisdk?chatId="+chat, "data: [DONE]"
		body = `{"id":"` + chat + `","messages":[{"role":"user","parts":[{"type":"text","text":"Hello"}]}]}`
	}
	request, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(body))
	if err != nil {
		return false, err
	}
	begun := time.Now()
	response, err := browser.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return false, fmt.Errorf("status %s", response.Status)
	}
	for lines := bufio.NewReader(response.Body); ; {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			return whole, nil
		}
		if err != nil {
			return false, err
		}
		if first != nil && strings.Contains(line, `"token `) {
			first <- time.Since(begun)
			first = nil
		}
		whole = whole || strings.HasPrefix(line, end)
	}
}

func memoryOf(browser *http.Client, url string) (float64, error) {
	response, err := browser.Get(url + "/memory")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(string(text), 64)
}
