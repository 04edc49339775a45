package conformance

// gaps are the rows that are known to fail, by behaviour and rig.
var gaps = map[string]map[string]string{
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
