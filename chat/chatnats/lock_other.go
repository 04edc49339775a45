//go:build !unix

package chatnats

// lock does nothing on systems without flock; see Embedded.
func lock(string) (unlock func(), err error) { return func() {}, nil }
