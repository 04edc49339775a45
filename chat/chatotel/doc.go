// Package chatotel reports a chat client to OpenTelemetry, as spans and
// metrics. It is a module of its own, so that Parley does not depend on
// OpenTelemetry.
//
//	observer, err := chatotel.New(chatotel.Config{})
//	client, err := chat.New(url, chat.Config{ChatID: room, Observers: []any{observer}})
//
// The names follow the conventions of OpenTelemetry for generative AI, in the
// version [Conventions]. These are in development.
//
//  1. Each question has a span of kind client, from the call of Ask to the end
//     of the answer. Its parent is the span in the ctx of Ask. It has the
//     conversation, the request, the usage, the finish reason and the type of
//     the error.
//  2. Each tool call has a span of kind internal. If the call belongs to an
//     answer, its parent is the span of the question. The ctx of the tool's
//     function contains the span.
//  3. The trace context goes to the backend in the question's traceId or meta;
//     see [Propagation].
//  4. Histograms record the duration of questions and tools, the time to the
//     first token, the time between tokens and the usage. Other metrics report
//     connections, subscriptions and deliveries. They have no attribute for a
//     client or a chat, so their number does not grow with the clients.
//  5. Texts, tool arguments and results are not recorded unless Config.Content
//     is set. Error texts are never recorded, only their type.
//  6. The observer keeps a client until that is closed.
package chatotel
