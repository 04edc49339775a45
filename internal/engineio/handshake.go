package engineio

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

// A handshake is what the server says in its open packet.
type handshake struct {
	sid          string
	upgrades     []string      // what a session over polling may move to
	pingInterval time.Duration // how often the server pings
	pingTimeout  time.Duration // how much later than that a ping may come
	maxPayload   int64         // bytes that the server takes in one post; 0 for no limit
}

// maxInterval bounds what a server may ask for: past a day a heartbeat tells
// nothing, and a larger number of milliseconds may overflow.
const maxInterval = 24 * time.Hour

func parseHandshake(data []byte) (handshake, error) {
	var open struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval float64  `json:"pingInterval"`
		PingTimeout  float64  `json:"pingTimeout"`
		MaxPayload   float64  `json:"maxPayload"`
	}
	if err := json.Unmarshal(data, &open); err != nil {
		return handshake{}, fmt.Errorf("open packet: %w", err)
	}
	if open.SID == "" {
		return handshake{}, fmt.Errorf("open packet: no sid")
	}
	h := handshake{sid: open.SID, upgrades: open.Upgrades}
	var err error
	if h.pingInterval, err = milliseconds("pingInterval", open.PingInterval); err != nil {
		return handshake{}, err
	}
	if h.pingTimeout, err = milliseconds("pingTimeout", open.PingTimeout); err != nil {
		return handshake{}, err
	}
	if open.MaxPayload >= 1 && open.MaxPayload <= 1<<40 { // else it is no limit
		h.maxPayload = int64(open.MaxPayload)
	}
	return h, nil
}

func milliseconds(name string, ms float64) (time.Duration, error) {
	if !(ms > 0 && ms <= float64(maxInterval.Milliseconds())) {
		return 0, fmt.Errorf("open packet: %s of %v ms", name, ms)
	}
	return time.Duration(ms * float64(time.Millisecond)), nil
}
