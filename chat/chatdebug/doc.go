// Package chatdebug serves a page about the chat clients of a process, as
// net/http/pprof does for the runtime:
//
//	page := new(chatdebug.Page)
//	client, err := chat.New(url, chat.Config{ChatID: room, Observers: []any{page}})
//	http.Handle("/debug/chat", page)
//
// It shows the state of each client, with its last changes and their causes. It
// shows the subscriptions with the line that subscribed, the streams in flight,
// the queues and the names in force. With ?format=json it serves the same as
// JSON.
//
// The page has no message, no Meta and no credential of a client. It has ids,
// event names, file names and error texts, so serve it to operators only.
package chatdebug
