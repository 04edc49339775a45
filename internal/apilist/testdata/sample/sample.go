// Package sample has one of each thing that a listing has to show.
package sample

import (
	"context"
	"io"

	"example.com/experiment/jsontext"
	"example.com/sample/internal/deep"
)

const (
	Untyped        = 8192
	Text           = "a \"b\"\n"
	Half           = 0.5
	Third          = 1.0 / 3
	Letter         = 'x'
	Yes            = true
	Limit          = deep.Limit
	Typed    Level = 3
	hidden         = 1
	OfHidden state = 2
)

type (
	Level int
	state uint8
)

func (l Level) String() string { return "" }

var (
	ErrClosed error
	Table     map[string][]func(ctx context.Context, names ...string) (n int, err error)
	Anonymous struct {
		io.Reader
		Name string
	}
	Matrix  [3][2]float64
	Nested  chan (<-chan int)
	Send    chan<- int
	Literal interface {
		io.Reader
		Close()
	}
	secret int
)

func Plain()                                                      {}
func Variadic(ctx context.Context, parts ...[]byte) (int, error)  { return 0, nil }
func Generic[K comparable, V ~int | ~string](m map[K]V) (first V) { return }
func WithHidden(o ...Option)                                      {}
func unexported()                                                 {}

type Option func(*options)

type options struct{ size int } // has nothing that users reach

// Reached is a function whose result has no name outside.
func Reached() *handle { return nil }

type handle struct{ Count int }

func (h *handle) Stop(now bool) {}

// Base is embedded; so is inner.
type Base struct{ ID string }

func (b *Base) Reset() {}

type inner struct {
	Depth  int
	Shadow string
	*deeper
}

func (i *inner) Promoted() error { return nil }
func (i inner) Shadowed() int    { return 0 }

type deeper struct{ Deep []byte }

func (d *deeper) Deepest() {}

type Outer struct {
	Base
	inner
	io.Writer
	Shadow int
	Field  *Level
	secret string
}

func (o Outer) Shadowed() string { return "" }
func (o Outer) hidden()          {}

type Comparable struct{ A, B int }

type Pair[K comparable, V any] struct {
	Key   K
	Value V
	inner
}

func (p *Pair[A, B]) Swap(other Pair[A, B]) []B { return nil }

type Tree[T any] struct{ branch[T] }

type branch[T any] struct{ Left *Tree[T] }

func (b *branch[E]) Walk(f func(E) bool) {}

type Service interface {
	io.Closer
	Serve(ctx context.Context) error
	internal()
}

type Number interface {
	~int | ~float64
	String() string
}

type Key interface{ comparable }

type (
	Session   = deep.Session
	Ints      = Pair[int, int]
	Of[T any] = Pair[string, T]
	Named     = struct{ N deep.Name }
)

type Encodable struct{ Options jsontext.Options }

func (Encodable) MarshalJSONTo(e *jsontext.Encoder) error { return nil }
