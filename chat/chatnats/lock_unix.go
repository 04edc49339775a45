//go:build unix

package chatnats

import (
	"errors"
	"os"
	"syscall"
)

// lock locks a file until unlock is called or the process ends. It returns
// ErrDirectoryInUse if the file is locked.
func lock(name string) (unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrDirectoryInUse
		}
		return nil, err
	}
	return func() {
		// Explicitly: a child that is just being started has the file too.
		_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
		_ = file.Close()
	}, nil
}
