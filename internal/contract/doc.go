// Package contract documents the events between a client and its backend for
// teams that do not write Go. It generates TypeScript types, and an AsyncAPI
// document with a JSON Schema for each payload. Both are derived from package
// events. The members are read by reflection, from the same tags that the codec
// uses. The names are those of the keys, and the descriptions are the types'
// comments.
//
// The files are in docs/contract. After a change to package events, run make
// generate; a test of this package fails until then.
package contract

//go:generate go run ./generate ../../docs/contract
