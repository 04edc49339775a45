package chathttp

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/seed67206a74/parley/chat"
)

// clients has a client for each user, made on demand. It runs and closes them.
type clients struct {
	cfg   Config
	make  func(ctx context.Context, v Visitor) (*chat.Client, error)
	slots chan struct{} // a value for each client that runs or is being made
	ctx   context.Context
	stop  context.CancelFunc

	running sync.WaitGroup // one for each client that runs

	mu      sync.Mutex
	byUser  map[string]*userClient
	ending  int // clients that were dropped and still have a slot
	waiting int // calls of takeSlot that wait for one of these slots
}

// A userClient is the client of a user.
type userClient struct {
	user string
	made chan struct{} // closed when client or err is set

	client *chat.Client
	err    error
	rooms  *rooms // nil with Config.NoJoin
	ctx    context.Context
	stop   context.CancelFunc // ends Run

	// Guarded by clients.mu.
	running bool // Run was called, so it has a slot until Run has returned
	answers int
	idle    time.Time   // when the last answer ended
	timer   *time.Timer // removes the client
}

func newClients(cfg Config, makeClient func(ctx context.Context, v Visitor) (*chat.Client, error)) *clients {
	c := &clients{cfg: cfg, make: makeClient, slots: make(chan struct{}, cfg.MaxClients), byUser: map[string]*userClient{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// ask asks a question with the client of its visitor.
func (c *clients) ask(ctx context.Context, v Visitor, q chat.Question, idle time.Duration) (Answer, func(), error) {
	u, err := c.acquire(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	answer, leave, err := askIn(ctx, u.client, u.rooms, q, idle)
	if err != nil {
		c.release(u)
		return nil, nil, err
	}
	return answer, func() {
		leave()
		c.release(u)
	}, nil
}

// acquire returns the client of a visitor, and makes it if there is none. The
// caller calls release.
func (c *clients) acquire(ctx context.Context, v Visitor) (*userClient, error) {
	c.mu.Lock()
	u := c.byUser[v.UserID.String()]
	missing := u == nil
	if missing {
		u = &userClient{user: v.UserID.String(), made: make(chan struct{})}
		u.ctx, u.stop = context.WithCancel(c.ctx)
		c.byUser[u.user] = u
	}
	u.answers++
	if u.timer != nil {
		u.timer.Stop()
	}
	c.mu.Unlock()
	if missing {
		c.start(ctx, u, v)
	}
	select {
	case <-u.made:
	case <-ctx.Done():
		c.release(u)
		return nil, ctx.Err()
	}
	if u.err != nil {
		return nil, u.err
	}
	return u, nil
}

// start makes a client and runs it. After an error the client is removed.
func (c *clients) start(ctx context.Context, u *userClient, v Visitor) {
	u.err = errMakePanicked
	defer func() {
		if u.err != nil {
			c.remove(u)
		}
		close(u.made)
	}()
	if err := c.takeSlot(ctx); err != nil {
		u.err = err
		return
	}
	defer func() {
		if u.err != nil {
			<-c.slots
		}
	}()
	client, err := c.make(ctx, v)
	if u.client, u.err = client, err; err != nil {
		return
	}
	if !c.cfg.NoJoin {
		u.rooms = newRooms(u.client)
	}
	c.mu.Lock()
	u.running = true
	c.mu.Unlock()
	c.running.Go(func() { // ends with u.ctx, which ends with close
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.ending--
			<-c.slots
		}()
		err := u.client.Run(u.ctx)
		c.remove(u)
		if err != nil {
			c.cfg.Logger.Warn("chathttp: client failed", "user", u.user, "error", err)
		}
		_ = u.client.Close()
		if u.rooms != nil {
			u.rooms.close()
		}
	})
}

// errMakePanicked ends the questions that wait for a client if making it
// panics.
var errMakePanicked = errors.New("chathttp: the function of NewPerVisitor panicked")

// takeSlot waits until a further client may run. If there is no slot, it
// removes the client that has been idle for longest.
func (c *clients) takeSlot(ctx context.Context) error {
	select {
	case c.slots <- struct{}{}:
		return nil
	default:
	}
	c.mu.Lock()
	if c.ending <= c.waiting && !c.dropIdle() {
		c.mu.Unlock()
		return refuse(http.StatusServiceUnavailable, "busy", "The service is busy.")
	}
	c.waiting++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.waiting--
	}()
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dropIdle drops the client that has been idle for longest, and reports whether
// there was one; mu is held.
func (c *clients) dropIdle() bool {
	var oldest *userClient
	for _, u := range c.byUser {
		if u.answers == 0 && u.running && (oldest == nil || u.idle.Before(oldest.idle)) {
			oldest = u
		}
	}
	if oldest == nil {
		return false
	}
	c.drop(oldest)
	return true
}

// release ends a use of a client.
func (c *clients) release(u *userClient) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u.answers--; u.answers > 0 || c.byUser[u.user] != u {
		return
	}
	u.idle = time.Now()
	u.timer = time.AfterFunc(c.cfg.ClientIdle, func() { // stopped by acquire and drop
		c.mu.Lock()
		defer c.mu.Unlock()
		if u.answers == 0 {
			c.drop(u)
		}
	})
}

// remove removes a client that has ended, or could not be made.
func (c *clients) remove(u *userClient) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(u)
}

// drop removes a client and ends its Run; mu is held.
func (c *clients) drop(u *userClient) {
	u.stop()
	if u.timer != nil {
		u.timer.Stop()
	}
	if c.byUser[u.user] == u {
		delete(c.byUser, u.user)
		if u.running {
			c.ending++
		}
	}
}

// close closes all clients, and returns when they have ended. All questions
// have ended.
func (c *clients) close() {
	c.mu.Lock()
	for _, u := range c.byUser {
		c.drop(u)
	}
	c.mu.Unlock()
	c.stop()
	c.running.Wait()
}
