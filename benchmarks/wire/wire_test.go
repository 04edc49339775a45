package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRows_completeInOrder(t *testing.T) {
	plain, secure := newServers()
	defer plain.Close()
	defer secure.Close()
	for _, r := range rows(640, "no such directory") {
		for _, c := range r.contenders {
			t.Run(r.name+", "+c.name, func(t *testing.T) {
				to := target{plain.URL, r.secure, r.transport}
				if r.secure {
					to.url = secure.URL
				}
				got, err := c.run(t.Context(), to, r.events)
				require.NoError(t, err)
				assert.True(t, got.inOrder)
				assert.Positive(t, got.took)
			})
		}
	}
}
