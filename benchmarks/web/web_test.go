package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(beServer) != "" {
		if err := serve(); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// The whole program with few streams.
func TestMeasure_readsWholeAnswersOfEachHandler(t *testing.T) {
	for _, handler := range handlers {
		r, err := measure(handler, 5, 5*time.Millisecond)
		require.NoError(t, err, handler)
		assert.Positive(t, r.p99, handler)
	}
}
