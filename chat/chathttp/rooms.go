package chathttp

import (
	"context"
	"sync"
	"time"

	"github.com/seed67206a74/parley/events"
)

// roomIdle is how long a room stays joined after the last answer in it.
const roomIdle = time.Minute

// leaveTimeout limits how long a leave waits until it is sent.
const leaveTimeout = time.Second

// A roomClient joins rooms. A *chat.Client is one. leave does not leave a room
// that another part of the program has joined.
type roomClient interface {
	JoinShared(ctx context.Context, chatID events.ID) (leave func(ctx context.Context) error, err error)
}

// rooms joins the rooms of questions, and leaves them when they are idle.
type rooms struct {
	client roomClient

	mu      sync.Mutex
	closed  bool
	byID    map[string]*room
	leaving sync.WaitGroup // timers that are set, and leaves
}

// A room has questions in flight, or is idle.
type room struct {
	id  events.ID
	sem chan struct{} // holds a value during a join or a leave; taken before mu

	// Guarded by sem.
	leave func(ctx context.Context) error // nil if the room is not joined

	// Guarded by mu.
	answers int
	timer   *time.Timer // leaves the room
}

func newRooms(client roomClient) *rooms { return &rooms{client: client, byID: map[string]*room{}} }

// enter joins a room, unless it is joined. The room is left after release was
// called for each enter, and idle has passed.
func (r *rooms) enter(ctx context.Context, id events.ID, idle time.Duration) (release func(), err error) {
	r.mu.Lock()
	if r.closed { // its client has ended, and refuses the question itself
		r.mu.Unlock()
		return func() {}, nil
	}
	in := r.byID[id.String()]
	if in == nil {
		in = &room{id: id, sem: make(chan struct{}, 1)}
		r.byID[id.String()] = in
	}
	in.answers++
	r.stopTimer(in)
	r.mu.Unlock()
	if err := r.join(ctx, in); err != nil {
		r.release(in, 0)
		return nil, err
	}
	return func() { r.release(in, idle) }, nil
}

func (r *rooms) join(ctx context.Context, in *room) error {
	select {
	case in.sem <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-in.sem }()
	before := in.leave
	leave, err := r.client.JoinShared(ctx, in.id) // the program may have left the room
	if err != nil {
		return err
	}
	in.leave = leave
	if before != nil {
		_ = before(ctx) // sends nothing
	}
	return nil
}

// release ends a use of a room. After the last one, it sets the timer that
// leaves the room.
func (r *rooms) release(in *room, idle time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if in.answers--; in.answers > 0 || r.closed {
		return
	}
	r.leaving.Add(1)
	in.timer = time.AfterFunc(idle, func() { // stopped by enter and by close
		defer r.leaving.Done()
		r.leave(context.Background(), in)
	})
}

// stopTimer stops the timer of a room; mu is held.
func (r *rooms) stopTimer(in *room) {
	if in.timer != nil && in.timer.Stop() {
		r.leaving.Done()
	}
	in.timer = nil
}

// leave leaves a room that is still idle.
func (r *rooms) leave(ctx context.Context, in *room) {
	in.sem <- struct{}{} // a join of an idle room has returned, or is about to
	defer func() { <-in.sem }()
	r.mu.Lock()
	idle := in.answers == 0
	r.mu.Unlock()
	if !idle {
		return
	}
	if leave := in.leave; leave != nil {
		in.leave = nil
		ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
		defer cancel()
		_ = leave(ctx) // after an error the room is not joined again
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if in.answers == 0 && r.byID[in.id.String()] == in {
		delete(r.byID, in.id.String())
	}
}

// close leaves all rooms. All questions have ended.
func (r *rooms) close() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	r.mu.Lock()
	r.closed = true
	var all []*room
	for _, in := range r.byID {
		r.stopTimer(in)
		all = append(all, in)
	}
	r.mu.Unlock()
	r.leaving.Wait()
	for _, in := range all {
		r.leave(ctx, in)
	}
}
