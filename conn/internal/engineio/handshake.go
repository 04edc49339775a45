package engineio

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

// A handshake is what the server says in its open packet.
type handshake struct {
	sid          string
	pingInterval time.Duration // how often the server pings
	pingTimeout  time.Duration // how much later than that a ping may come
}

// maxInterval bounds what a server may ask for: past a day a heartbeat tells
// nothing, and a larger number of milliseconds may overflow.
const maxInterval = 24 * time.Hour

func parseHandshake(data []byte) (handshake, error) {
	var open struct {
		SID          string  `json:"sid"`
		PingInterval float64 `json:"pingInterval"`
		PingTimeout  float64 `json:"pingTimeout"`
	}
	if err := json.Unmarshal(data, &open); err != nil {
		return handshake{}, fmt.Errorf("open packet: %w", err)
	}
	if open.SID == "" {
		return handshake{}, fmt.Errorf("open packet: no sid")
	}
	interval, err := milliseconds("pingInterval", open.PingInterval)
	if err != nil {
		return handshake{}, err
	}
	timeout, err := milliseconds("pingTimeout", open.PingTimeout)
	if err != nil {
		return handshake{}, err
	}
	return handshake{sid: open.SID, pingInterval: interval, pingTimeout: timeout}, nil
}

func milliseconds(name string, ms float64) (time.Duration, error) {
	if !(ms > 0 && ms <= float64(maxInterval.Milliseconds())) {
		return 0, fmt.Errorf("open packet: %s of %v ms", name, ms)
	}
	return time.Duration(ms * float64(time.Millisecond)), nil
}
