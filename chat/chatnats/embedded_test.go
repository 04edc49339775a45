package chatnats

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// restart closes a server and starts another one in its place.
func restart(t testing.TB, s *Server, dir string) *Server {
	at, err := url.Parse(s.URL)
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(at.Host)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	s.Close()
	again, err := embed(dir, n)
	require.NoError(t, err)
	return again
}

func TestEmbedded_keepsStreamAcrossRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := Embedded(dir)
	require.NoError(t, err)
	newBus(t, first.URL, Config{Partitions: 3})
	first.Close()
	second, err := Embedded(dir)
	require.NoError(t, err)
	defer second.Close()
	require.Equal(t, 3, newBus(t, second.URL, Config{}).partitions)
}

func TestEmbedded_requiresDirectory(t *testing.T) {
	t.Parallel()
	_, err := Embedded("")
	require.Error(t, err)
}

func TestEmbedded_refusesDirectoryInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := Embedded(dir)
	require.NoError(t, err)
	_, err = Embedded(dir)
	require.ErrorIs(t, err, ErrDirectoryInUse)
	first.Close()
	again, err := Embedded(dir)
	require.NoError(t, err)
	again.Close()
}

func TestEmbedded_namesCauseOfFailure(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Embedded(filepath.Join(file, "dir"))
	require.ErrorContains(t, err, "not a directory")

	dir := t.TempDir()
	// The server needs a directory of that name.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "jetstream"), nil, 0o600))
	_, err = Embedded(dir)
	require.ErrorContains(t, err, "directory")

	other, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = other.Close() }()
	_, err = embed(t.TempDir(), other.Addr().(*net.TCPAddr).Port)
	require.ErrorContains(t, err, "address already in use")
}
