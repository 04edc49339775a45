//go:build !unix

package engineio

import (
	"net"
	"syscall"
)

// rawConn returns nil: no write in a caller's goroutine.
func rawConn(net.Conn) syscall.RawConn { return nil }

func writeFD(uintptr, []byte) (int, error) { return 0, syscall.EINVAL }
