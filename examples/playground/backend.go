package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// A panel is a client of the mock server's fault panel. Other backends have no
// panel.
type panel struct {
	backend string
	http    *http.Client
}

// do sends a request to the panel.
func (p panel) do(ctx context.Context, method, path string, body any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(p.backend, "/")+"/faults/"+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	response, err := p.http.Do(request)
	if err != nil {
		return fmt.Errorf("the backend's fault panel: %w", err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, 1024))
	switch {
	case response.StatusCode == http.StatusNotFound:
		return errors.New("the backend has no fault panel: only the mock server has one")
	case response.StatusCode >= 300:
		return fmt.Errorf("the backend's fault panel: %s", strings.TrimSpace(string(text)))
	}
	return nil
}

// backendWait is how long the playground waits for its backend at start.
const backendWait = 3 * time.Second

// describe returns which backend is at p.backend. It waits for a
// backend that is still starting.
func (p panel) describe(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, backendWait)
	defer cancel()
	for {
		err := p.do(ctx, http.MethodGet, "state", nil)
		var refused *net.OpError
		switch {
		case err == nil:
			return "the mock server on " + p.backend
		case !errors.As(err, &refused):
			return "the server on " + p.backend + ", which is not the mock server"
		}
		select {
		case <-ctx.Done():
			return "no server on " + p.backend + "; each tab tries again until there is one"
		case <-time.After(100 * time.Millisecond):
		}
	}
}
