package conformance

const (
	// sometimes is the prefix of the reason if a row passes at some times only.
	// Such a row is not run.
	sometimes = "sometimes: "

	zishangPolling = "zishang server, polling"
	pollNotEnded   = sometimes + "the server does not end a pending poll when it closes a session"
)

// gaps has the reason of each row that is known to fail, by behaviour and rig.
// The name of a rig means a gap of the client. With the prefix "zishang server,
// " it means a fault of that server.
var gaps = map[string]map[string]string{
	"auth from a function, called for each attempt": {zishangPolling: pollNotEnded},
	"acknowledgement at a disconnect":               {zishangPolling: pollNotEnded},
	"reconnect by default":                          {zishangPolling: pollNotEnded},
	"recovery: missed events arrive once, in order": {zishangPolling: pollNotEnded},
	"recovery: a resumed session is resumed again": {
		"zishang":      "the client does not report whether the server closed the session: the next one is not resumed",
		zishangPolling: pollNotEnded,
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
