package sioserver

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/seed67206a74/parley/internal/engineio"
)

// A refusal is the answer to a request that is not accepted, with the codes
// and texts of npm's engine.io.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

var (
	unknownTransport   = refusal{0, "Transport unknown"}
	unknownSession     = refusal{1, "Session ID unknown"}
	badHandshakeMethod = refusal{2, "Bad handshake method"}
	badRequest         = refusal{3, "Bad request"}
	unsupportedVersion = refusal{5, "Unsupported protocol version"}
)

func forbidden(reason error) refusal { return refusal{engineio.CodeForbidden, reason.Error()} }

// refuse answers a request with status 400, or 403 if it is forbidden.
func refuse(w http.ResponseWriter, why refusal) {
	status := http.StatusBadRequest
	if why.Code == engineio.CodeForbidden {
		status = http.StatusForbidden
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(why) // the client may be gone
}

// ServeHTTP serves one request of an Engine.IO session. It returns when the
// request is answered or, for a websocket, when the connection has ended.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.begin() {
		http.Error(w, "server closed", http.StatusServiceUnavailable)
		return
	}
	defer s.running.Done()
	s.allowOrigin(w, r)
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	query := r.URL.Query()
	transport, sid := query.Get("transport"), query.Get("sid")
	upgrade := r.Header.Get("Upgrade") != ""
	switch {
	case !s.cfg.accepts(transport):
		refuse(w, unknownTransport)
	case query.Get("EIO") != "4":
		refuse(w, unsupportedVersion)
	case (transport == WebSocket) != upgrade:
		refuse(w, badRequest)
	case sid == "":
		s.open(w, r, transport)
	default:
		s.resume(w, r, transport, sid)
	}
}

// open serves the first request of a session.
func (s *Server) open(w http.ResponseWriter, r *http.Request, transport string) {
	if r.Method != http.MethodGet {
		refuse(w, badHandshakeMethod)
		return
	}
	if s.cfg.Allow != nil {
		if err := s.cfg.Allow(r); err != nil {
			refuse(w, forbidden(err))
			return
		}
	}
	e := newEngine(s, r)
	if cookie := s.cfg.Cookie; cookie != nil {
		own := *cookie
		own.Value = e.sid
		http.SetCookie(w, &own)
	}
	if transport == WebSocket {
		e.openWebSocket(w, r)
		return
	}
	if !e.start() {
		http.Error(w, "server closed", http.StatusServiceUnavailable)
		return
	}
	e.serveGet(w, r)
}

// resume serves a request of a session that exists.
func (s *Server) resume(w http.ResponseWriter, r *http.Request, transport, sid string) {
	e := s.engine(sid)
	switch {
	case e == nil:
		refuse(w, unknownSession)
	case transport == WebSocket:
		e.serveUpgrade(w, r)
	case r.Method == http.MethodGet:
		e.serveGet(w, r)
	case r.Method == http.MethodPost:
		e.servePost(w, r)
	default:
		refuse(w, badRequest)
	}
}

// handshake returns the open packet of a session.
func (s *Server) handshake(sid string, transport string) engineio.Packet {
	upgrades := []string{}
	if transport == Polling && s.cfg.accepts(WebSocket) {
		upgrades = append(upgrades, WebSocket)
	}
	data, _ := json.Marshal(map[string]any{ // strings and numbers: it cannot fail
		"sid":          sid,
		"upgrades":     upgrades,
		"pingInterval": s.cfg.PingInterval.Milliseconds(),
		"pingTimeout":  s.cfg.PingTimeout.Milliseconds(),
		"maxPayload":   s.cfg.MaxPayload,
	})
	return engineio.Packet{Type: engineio.TypeOpen, Data: data}
}

// allowOrigin sets the CORS headers for an accepted origin.
func (s *Server) allowOrigin(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.Contains(s.cfg.Origins, "*") && !slices.Contains(s.cfg.Origins, origin) {
		return
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Add("Vary", "Access-Control-Request-Headers")
		h.Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	}
}
