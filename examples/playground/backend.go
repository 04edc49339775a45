package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
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
