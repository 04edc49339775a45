package conn

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed67206a74/parley/internal/socketio"
	"golang.org/x/net/http/httpguts"
)

// target holds the URL of the requests, and the namespace.
type target struct {
	url       *url.URL
	namespace string
}

// parseTarget parses a URL as the reference client does: the path is the
// namespace, the query belongs to the requests.
func parseTarget(raw string, cfg Config) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The error of url.Parse contains the URL, which may contain a secret.
		return target{}, errors.New("conn: the URL cannot be parsed")
	}
	scheme := map[string]string{"http": "http", "ws": "http", "https": "https", "wss": "https"}[u.Scheme]
	namespace := rawPath(raw)
	switch {
	case scheme == "":
		return target{}, fmt.Errorf("conn: the URL needs the scheme http, https, ws or wss, not %q", u.Scheme)
	case u.Hostname() == "":
		return target{}, errors.New("conn: the URL has no host")
	case u.User != nil:
		return target{}, errors.New("conn: the URL holds a user name: use Config.Header or Config.Auth")
	case strings.Contains(namespace, ","):
		return target{}, errors.New("conn: a namespace cannot hold a comma")
	}

	query, err := parseQuery(u.RawQuery)
	if err != nil {
		return target{}, err
	}
	for name, values := range cfg.Query {
		query[name] = values
	}
	for name := range query {
		if reservedParameter(name, cfg.Transports) {
			return target{}, fmt.Errorf("conn: the query parameter %q belongs to the protocol", name)
		}
	}
	return target{
		url:       &url.URL{Scheme: scheme, Host: u.Host, Path: withSlash(cfg.Path), RawQuery: query.Encode()},
		namespace: namespace,
	}, nil
}

// rawPath returns the path of a URL as it stands there; the main namespace for
// none. A server compares namespaces without decoding.
func rawPath(raw string) string {
	_, rest, _ := strings.Cut(raw, "://")
	start := strings.IndexAny(rest, "/?#")
	if start < 0 || rest[start] != '/' {
		return socketio.MainNamespace
	}
	path := rest[start:]
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = path[:end]
	}
	return path
}

// parseQuery parses the query of a URL as the reference client does: only "&"
// separates parameters, "+" is a plus sign, and of a repeated name the last
// value counts. Its error does not contain the query, which may hold a secret.
func parseQuery(raw string) (url.Values, error) {
	query := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.PathUnescape(name)
		if err == nil {
			value, err = url.PathUnescape(value)
		}
		if err != nil || !utf8.ValidString(name+value) {
			return nil, errors.New("conn: the query of the URL has an invalid percent-encoding")
		}
		if pair != "" {
			query.Set(name, value)
		}
	}
	return query, nil
}

// withSlash returns a path with a slash at the end, which the reference client
// adds.
func withSlash(path string) string { return strings.TrimSuffix(path, "/") + "/" }

// reservedParameter reports whether a query parameter would change the protocol
// of one of the transports.
func reservedParameter(name string, transports []string) bool {
	switch name {
	case "EIO", "transport", "sid":
		return true
	case "j": // asks for responses as JavaScript
		return slices.Contains(transports, Polling)
	}
	return false
}

// validateHeader rejects headers that are invalid or belong to the handshake.
// Its errors do not contain values.
func validateHeader(header http.Header) error {
	for name, values := range header {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("%q is not a name", name)
		}
		switch canonical := http.CanonicalHeaderKey(name); canonical {
		case "Upgrade", "Connection", "Content-Length", "Transfer-Encoding", "Trailer":
			return fmt.Errorf("%s belongs to the handshake", canonical)
		case "Host":
			if len(values) != 1 || !httpguts.ValidHostHeader(values[0]) {
				return errors.New("the Host is not one host")
			}
		default:
			if strings.HasPrefix(canonical, "Sec-Websocket-") {
				return fmt.Errorf("%s belongs to the handshake", canonical)
			}
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return fmt.Errorf("the value of %s cannot be sent", name)
			}
		}
	}
	return nil
}
