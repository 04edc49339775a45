package conn

import (
	"fmt"
	"log/slog"
	"net/url"
)

// The printed and logged forms of a connection contain no secret: neither auth
// nor header nor query, for any format.

// String returns the connection's host, namespace and phase.
func (c *Conn) String() string {
	return fmt.Sprintf("conn %s (%v)", c.target, c.State().Phase)
}

// URL returns the scheme, the host and the namespace of the server. It does not
// contain the query, which may have a secret.
func (c *Conn) URL() string { return c.target.String() }

// GoString is String, for %#v.
func (c *Conn) GoString() string { return c.String() }

// LogValue is String, for slog.
func (c *Conn) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String lists the settings of a Config. It replaces secrets with their number.
func (c Config) String() string {
	return fmt.Sprintf("conn.Config{Path: %q, Query: %d hidden, Header: %d hidden, Auth: %s, Transports: %q}",
		c.Path, len(c.Query), len(c.Header), presence(c.Auth != nil), c.Transports)
}

// GoString is String, for %#v.
func (c Config) GoString() string { return c.String() }

// LogValue is String, for slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String returns the URL of an Endpoint without its query.
func (e Endpoint) String() string {
	return fmt.Sprintf("conn.Endpoint{URL: %q, Header: %d hidden, Transports: %q}", withoutQuery(e.URL), len(e.Header), e.Transports)
}

// GoString is String, for %#v.
func (e Endpoint) GoString() string { return e.String() }

func (t target) String() string { return t.url.Scheme + "://" + t.url.Host + t.namespace }

func withoutQuery(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + u.Path
}

func presence(is bool) string {
	if is {
		return "hidden"
	}
	return "none"
}
