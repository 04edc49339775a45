package contract

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func read(t *testing.T) *Contract {
	c, err := Read("../../events")
	require.NoError(t, err)
	return c
}

func TestFiles_matchCommittedContract(t *testing.T) {
	files, err := read(t).Files()
	require.NoError(t, err)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../../docs/contract", name))
		assert.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), "%s is not up to date: run make generate", name)
	}
}

func TestRead_includesEveryKeyInOrder(t *testing.T) {
	var keys []events.Key
	for _, e := range read(t).events {
		if e.key != "" {
			keys = append(keys, e.key)
		}
	}
	assert.Equal(t, slices.Collect(events.Keys()), keys)
}

func TestDecode_acceptsOnlyEventsFromServer(t *testing.T) {
	for _, e := range read(t).events {
		if e.key == "" {
			continue
		}
		_, err := events.Decode(e.key, encode(t, e.example))
		assert.Equal(t, e.toServer, err != nil, "%s: %v", e.key, err)
	}
}

func TestMembers_listsStatusConstants(t *testing.T) {
	all := members(reflect.TypeFor[events.AIProcessing]())
	i := slices.IndexFunc(all, func(m member) bool { return m.name == "status" })
	require.NotEqual(t, -1, i)
	assert.Equal(t, []string{string(events.StatusQueued), string(events.StatusWorking), string(events.StatusRetrying)}, all[i].allowed)
}

func encode(t *testing.T, v any) []byte {
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return data
}
