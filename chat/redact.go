package chat

import "log/slog"

// What is printed or logged of a Client is what is printed of its connection,
// which names no secret, whatever the verb.

// String names the client's connection in one line: host, namespace and phase.
func (c *Client) String() string { return c.conn.String() }

// GoString is String, for %#v.
func (c *Client) GoString() string { return c.String() }

// LogValue is String, for slog.
func (c *Client) LogValue() slog.Value { return c.conn.LogValue() }
