package chatnats

import (
	"net"
	"net/url"
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
