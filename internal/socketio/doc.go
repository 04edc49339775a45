// Package socketio reads and writes Socket.IO packets, revision 5 of the
// protocol: what travels inside one Engine.IO message.
//
// A packet is a type digit, for binary types the number of attachments and a
// dash, a namespace other than the main one and a comma, an acknowledgement
// id, and a JSON payload:
//
//	2["ai:token",{"token":"Hi","index":0}]     an event in the main namespace
//	2/admin,17["echo","x"]                     an event in /admin that wants an acknowledgement
//	317["x"]                                   the acknowledgement of packet 17
//	51-["file",{"_placeholder":true,"num":0}]  an event with one attachment, the next binary message
//
// [Parse] takes the header apart and leaves the payload as it stands; what is
// malformed there is found by whoever decodes it. Nothing is copied: a parsed
// packet aliases the bytes it was read from. A [Decoder] waits for a packet's
// attachments, within its limits.
package socketio
