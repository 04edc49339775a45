// Package apilist lists the exported API of a package as text, one line for
// each constant, variable, function, type, field and method. The folder api has
// the listings of the packages that users import, so a commit shows its changes
// of the API.
//
// After a change of an exported API, run make generate. Until then make lint
// fails and prints the lines that differ.
//
// A listing has no names of parameters, no documentation and no struct tags.
// Changing them does not break a program that compiles.
package apilist

//go:generate go run ./generate ../..
