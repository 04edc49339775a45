// Package socketio encodes and decodes Socket.IO packets, revision 5 of the
// protocol. An Engine.IO message carries one packet.
//
// A packet begins with a digit, its type. These parts follow, and each may be
// missing:
//
//   - for binary types, the number of attachments and a dash;
//   - a namespace other than the main one, and a comma;
//   - an acknowledgement id;
//   - a JSON payload.
//
// Examples:
//
//	2["ai:token",{"token":"Hi","index":0}]     an event in the main namespace
//	2/admin,17["echo","x"]                     an event in /admin that requests an acknowledgement
//	317["x"]                                   the acknowledgement with id 17
//	51-["file",{"_placeholder":true,"num":0}]  an event with one attachment, the next binary message
//
// [Parse] decodes the header, and checks only the first byte of the payload.
// The packet aliases the parsed bytes. A [Decoder] collects the attachments of
// a packet within its limits. All errors wrap [ErrMalformed].
package socketio
