package conformance

const (
	// sometimes is the prefix of the reason if a row passes at some times only.
	// Such a row is not run.
	sometimes = "sometimes: "

	// missing is the prefix of the reason if a server does not have a feature.
	// Such a row is not run.
	missing = "missing: "

	zishangPolling = "zishang server, polling"
	noRecovery     = missing + "connection state recovery came with socket.io 4.6"
	pollNotEnded   = sometimes + "the server does not end a pending poll when it closes a session"
)

// gaps has the reason of each row that is known to fail, by behaviour and rig.
// The name of a rig means a gap of the client. With the name of another server
// before it, it means a fault of that server. The name of a server alone means
// all rigs.
var gaps = map[string]map[string]string{
	"auth from a function, called for each attempt": {zishangPolling: pollNotEnded},
	"acknowledgement at a disconnect":               {zishangPolling: pollNotEnded},
	"reconnect by default":                          {zishangPolling: pollNotEnded},
	"recovery: missed events arrive once, in order": {
		zishangPolling: pollNotEnded, "socket.io 3.0": noRecovery, "socket.io 4.0": noRecovery,
	},
	"recovery: a resumed session is resumed again": {
		"zishang":      "the client does not report whether the server closed the session: the next one is not resumed",
		zishangPolling: pollNotEnded, "socket.io 3.0": noRecovery, "socket.io 4.0": noRecovery,
	},
	"a cancelled dial leaves no socket": {
		"zishang": "the client cannot cancel a dial: the server or the operating system ends it",
	},
	"polling without an upgrade": {
		"zishang": "the client does not post during a poll: a post waits until the server sends something",
	},
	"refused by HTTP status": {
		"zishang": "the client does not report the HTTP response, so the attempt is retried",
	},
}
