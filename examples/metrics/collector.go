package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/seed67206a74/parley/chat"
	"github.com/seed67206a74/parley/conn"
)

// A collector reports the statistics of a client to Prometheus. It reads them
// at each scrape. It counts the state changes itself, because some states are
// too short to be seen by a scrape.
type collector struct {
	client  *chat.Client
	changes *prometheus.CounterVec
}

func newCollector(client *chat.Client) *collector {
	return &collector{
		client: client,
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "parley_state_changes_total", Help: "Changes of the connection's state, by new phase.",
		}, []string{"phase"}),
	}
}

// watch counts the state changes until their channel closes.
func (c *collector) watch(states <-chan conn.State) {
	for state := range states {
		c.changes.WithLabelValues(state.Phase.String()).Inc()
	}
}

// Describe sends the descriptions of the metrics.
func (c *collector) Describe(descriptions chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, descriptions)
}

// Collect sends the current metrics.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	send := func(kind prometheus.ValueType, name, help string, value float64, labels ...string) {
		var names []string
		if len(labels) > 0 {
			names = []string{"topic"}
		}
		metrics <- prometheus.MustNewConstMetric(prometheus.NewDesc("parley_"+name, help, names, nil), kind, value, labels...)
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	ready := 1.0
	if c.client.Health() != nil {
		ready = 0
	}
	send(gauge, "ready", "1 while the client is connected and has joined its room, else 0.", ready)

	stats := c.client.Stats()
	send(counter, "answers_total", "Complete answers.", float64(stats.Answered))
	send(counter, "failed_answers_total", "Failed answers and questions.", float64(stats.Failed))
	send(gauge, "open_answers", "Answers in progress.", float64(stats.Open))
	send(gauge, "deliveries", "Messages that wait to be delivered.", float64(stats.Delivering))
	send(gauge, "tool_calls", "Tool calls that run or wait.", float64(stats.Tools))

	s := stats.Conn
	send(counter, "attempts_total", "Attempts to open a session.", float64(s.Attempts))
	send(counter, "sessions_total", "Sessions that the server accepted.", float64(s.Sessions))
	send(counter, "recovered_sessions_total", "Sessions that the server resumed.", float64(s.Recovered))
	send(counter, "received_packets_total", "Events and acknowledgements received.", float64(s.Received))
	send(counter, "received_bytes_total", "Bytes of received payloads.", float64(s.ReceivedBytes))
	send(counter, "decode_errors_total", "Events whose payload did not fit a listener's type.", float64(s.DecodeErrors))
	send(counter, "sent_packets_total", "Events and acknowledgements sent.", float64(s.Sent))
	send(counter, "sent_bytes_total", "Bytes of sent packets.", float64(s.SentBytes))
	send(counter, "dropped_events_total", "Volatile events that were dropped.", float64(s.Dropped))
	send(gauge, "queued_packets", "Packets that wait to be written.", float64(s.Queued))
	send(gauge, "queued_bytes", "Bytes of queued packets.", float64(s.QueuedBytes))
	send(gauge, "waiting_calls", "Calls waiting for an acknowledgement.", float64(s.Waiting))

	// These are gauges: they count open subscriptions only, so they can
	// decrease.
	for topic, s := range stats.Topics {
		send(gauge, "subscriptions", "Open subscriptions.", float64(s.Subscriptions), topic)
		send(gauge, "slow_subscriptions", "Subscriptions that have fallen behind.", float64(s.Slow), topic)
		send(gauge, "pending_events", "Events that wait for a reader.", float64(s.Total.Pending), topic)
		send(gauge, "dropped_by_open_subscriptions", "Events dropped by open subscriptions.", float64(s.Total.Dropped), topic)
	}
	c.changes.Collect(metrics)
}
