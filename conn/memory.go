package conn

import (
	"bytes"
	"reflect"
)

// The memory of decoded JSON beside its text. An element of a map has a slot
// for its key and its value, and about as many slots are free. A map with an
// element has room for eight.
const (
	elementMemory = 96
	objectMemory  = 352
)

// memory estimates the memory that the decoded payload keeps, where element is
// that of an element of an array or object. Elements have a comma between them.
func (b body) memory(element int) int {
	n := len(b.data) + element*(1+bytes.Count(b.data, []byte{','})) + objectMemory*bytes.Count(b.data, []byte{'{'})
	for _, attachment := range b.attachments {
		n += len(attachment)
	}
	return n
}

// Memory estimates the memory in bytes that the decoded payload keeps, for
// [bus.Topic.PublishSized].
func (p Payload) Memory() int { return p.body.memory(elementMemory) }

// largestElement returns the size of the largest element of a slice, map or
// pointer in values of type t, and at least elementMemory.
func largestElement(t reflect.Type) int {
	seen := map[reflect.Type]bool{}
	var walk func(t reflect.Type) uintptr
	walk = func(t reflect.Type) uintptr {
		if seen[t] {
			return 0
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Slice, reflect.Pointer, reflect.Array:
			return max(t.Elem().Size(), walk(t.Elem()))
		case reflect.Map:
			return max(2*(t.Key().Size()+t.Elem().Size()), walk(t.Key()), walk(t.Elem()))
		case reflect.Struct:
			largest := uintptr(0)
			for field := range t.Fields() {
				largest = max(largest, walk(field.Type))
			}
			return largest
		}
		return 0
	}
	return max(elementMemory, int(walk(t)))
}
