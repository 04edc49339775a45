package sioserver

// A Reason is why a connection has ended, in the words of npm's socket.io.
type Reason string

// The reasons.
const (
	ReasonTransportClose    Reason = "transport close"
	ReasonTransportError    Reason = "transport error"
	ReasonPingTimeout       Reason = "ping timeout"
	ReasonParseError        Reason = "parse error"
	ReasonServerClose       Reason = "forced server close"
	ReasonServerShutdown    Reason = "server shutting down"
	ReasonClientDisconnects Reason = "client namespace disconnect"
	ReasonServerDisconnects Reason = "server namespace disconnect"
)

// recoverable reports whether a session may be resumed after a connection has
// ended for this reason.
func (r Reason) recoverable() bool {
	switch r {
	case ReasonTransportClose, ReasonTransportError, ReasonPingTimeout, ReasonServerClose:
		return true
	}
	return false
}
