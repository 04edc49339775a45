package conformance

const (
	// sometimes begins the reason of a row that neither passes nor fails each
	// time. It is not run.
	sometimes = "sometimes: "

	zishangPolling = "zishang server, polling"
	pollNotEnded   = sometimes + "the server does not end the poll that waits when it closes a session"
)

// gaps are the rows that are known to fail, by behaviour and rig. A rig alone
// is a gap of the client; "zishang server, " in front of it is a fault of that
// server.
var gaps = map[string]map[string]string{
	"auth from a provider, asked for each attempt":   {zishangPolling: pollNotEnded},
	"acknowledgement at a disconnect":                {zishangPolling: pollNotEnded},
	"reconnect by default":                           {zishangPolling: pollNotEnded},
	"recovery: what was missed comes once, in order": {zishangPolling: pollNotEnded},
	"a dial that is given up leaves no socket": {
		"zishang": "the client cannot cancel a dial: the socket stays until the server or the operating system ends it",
	},
	"polling that stays polling": {
		"zishang": "the client posts in turn with its polls: a post waits until the server has something to say",
	},
	"refused by HTTP status": {
		"zishang": "the client does not pass on what an HTTP answer says, and so it is tried again",
	},
}
