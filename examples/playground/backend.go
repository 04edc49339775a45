package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A panel is the fault panel of the mock server. Another backend has none.
type panel struct {
	backend string
	http    *http.Client
}

// do asks the panel for something.
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
	says, _ := io.ReadAll(io.LimitReader(response.Body, 1024))
	switch {
	case response.StatusCode == http.StatusNotFound:
		return fmt.Errorf("the backend has no fault panel: only the mock server has")
	case response.StatusCode >= 300:
		return fmt.Errorf("the backend's fault panel: %s", strings.TrimSpace(string(says)))
	}
	return nil
}
