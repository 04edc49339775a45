// Package jsontext stands for one whose types are not promised.
package jsontext

type Encoder struct{}

type Options = func(*Encoder)
