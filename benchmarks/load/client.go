package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/seed67206a74/parley/benchmarks/internal/child"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
	"github.com/seed67206a74/parley/events"
	"golang.org/x/sync/errgroup"
)

// dialling is the number of connections opened at the same time.
const dialling = 100

// A result has the figures for one number of connections. Sizes are in bytes
// for each connection.
type result struct {
	connecting              time.Duration
	goroutines              float64
	idle, streaming, stacks float64
	rate                    float64 // tokens per second, of all connections
	p50, p99                time.Duration
	cpu                     time.Duration // of this process, for each token
	lost                    int
}

// A client is one connection that asks one question.
type client interface {
	// ask sends a question and adds the latency of each token of the answer.
	ask(ctx context.Context, text string, latencies *histogram) error

	Close() error
}

// An openFunc opens a connection.
type openFunc func(ctx context.Context, url string) (client, error)

func measure(open openFunc, n int, pace time.Duration, tokens int) (r result, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	url, stop, err := child.Start(ctx, beServer)
	if err != nil {
		return r, err
	}
	defer stop()

	before := look()
	dialled := time.Now()
	clients, err := connect(ctx, open, url, n)
	defer func() {
		for _, c := range clients {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	if err != nil {
		return r, err
	}
	r.connecting = time.Since(dialled)
	idle := look()

	var latencies histogram
	var asking sync.WaitGroup
	failures := make(chan error, n)
	for i, c := range clients {
		asking.Go(func() {
			// The questions are spread over one pace.
			time.Sleep(pace * time.Duration(i) / time.Duration(n))
			if err := c.ask(ctx, fmt.Sprint(tokens, " ", pace), &latencies); err != nil {
				failures <- err
			}
		})
	}
	// The tokens of the second and third quarter are measured. The memory is
	// read after that, because a collection of garbage costs time.
	quarter := pace * time.Duration(tokens) / 4
	time.Sleep(quarter)
	begun, usage, earlier := time.Now(), cpuTime(), latencies.counts()
	time.Sleep(2 * quarter)
	took, used, measured := time.Since(begun), cpuTime()-usage, latencies.counts().since(earlier)
	streaming := look()
	asking.Wait()
	select {
	case err := <-failures:
		return r, err
	default:
	}
	per := func(after, before uint64) float64 { return (float64(after) - float64(before)) / float64(n) }
	// Each question has a goroutine of this program, which is not counted.
	r.goroutines = float64(streaming.goroutines-before.goroutines)/float64(n) - 1
	r.idle, r.streaming = per(idle.heap, before.heap), per(streaming.heap, before.heap)
	r.stacks = per(streaming.stacks, before.stacks)
	r.rate = float64(measured.sum()) / took.Seconds()
	r.p50, r.p99 = measured.quantile(0.5), measured.quantile(0.99)
	r.cpu = used / time.Duration(max(measured.sum(), 1))
	r.lost = n*tokens - latencies.counts().sum()
	return r, nil
}

// connect opens n connections.
func connect(ctx context.Context, open openFunc, url string, n int) ([]client, error) {
	clients := make([]client, n)
	opening, within := errgroup.WithContext(ctx)
	opening.SetLimit(dialling)
	for i := range clients {
		opening.Go(func() (err error) {
			clients[i], err = open(within, url)
			return err
		})
	}
	return clients, opening.Wait()
}

// A chatClient is a chat.Client with its Run in a goroutine.
type chatClient struct{ *chat.Client }

var quiet = slog.New(slog.DiscardHandler)

// openChat returns a function that opens a chat.Client with the observers.
func openChat(observers ...any) openFunc {
	return func(ctx context.Context, url string) (client, error) {
		c, err := chat.New(url, chat.Config{
			NoJoin:    true,
			Observers: observers,
			Conn:      conn.Config{Transports: []string{conn.WebSocket}, Logger: quiet},
		})
		if err != nil {
			return nil, err
		}
		go c.Run(context.WithoutCancel(ctx)) // ends with Close
		return chatClient{c}, c.Ready(ctx)
	}
}

func (c chatClient) ask(ctx context.Context, text string, latencies *histogram) error {
	stream, err := c.Ask(ctx, chat.Question{UserID: events.StringID("u"), Text: text})
	if err != nil {
		return err
	}
	for token, err := range stream.Text() {
		if err != nil {
			return err
		}
		if err := received(token, latencies); err != nil {
			return err
		}
	}
	return nil
}

type state struct {
	heap, stacks uint64
	goroutines   int
}

// look collects garbage, including that of pools, and returns the memory in
// use.
func look() state {
	goroutines := runtime.NumGoroutine() // before the collection, which takes time
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return state{m.HeapAlloc, m.StackInuse, goroutines}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// raiseFileLimit raises the limit of open files to its maximum.
func raiseFileLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
