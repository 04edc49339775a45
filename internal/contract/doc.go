// Package contract writes down what travels between a client and its backend,
// for a team that does not write Go: TypeScript types and an AsyncAPI
// document with a JSON Schema for each payload. Both come from package events:
// the shapes by reflection over its types, by the same tags that its codec goes
// by; the names from its keys; what is said about each type from its comments.
//
// They are in docs/contract. After a change to package events, make generate
// writes them anew; until then a test of this package fails.
package contract

//go:generate go run ./generate ../../docs/contract
