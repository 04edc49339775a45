package mockserver

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStart_reportsInvalidSettings(t *testing.T) {
	_, err := Start(Config{Addr: "127.0.0.1:0", Faults: Faults{Drop: 2}})
	assert.ErrorContains(t, err, "drop is a share from 0 to 1, not 2")
	var n Names
	assert.ErrorContains(t, n.Set("AI_TOKEN"), "AI_TOKEN has no name")
	assert.ErrorContains(t, n.Set("NO_KEY=x"), `there is no event with the key "NO_KEY"`)
	assert.ErrorContains(t, n.Set("AI_TOKEN=ai:message"), `AI_MESSAGE and AI_TOKEN are both named "ai:message"`)
	require.NoError(t, n.Set("AI_TOKEN=llm:delta,JOIN=enter"))
	assert.Equal(t, "AI_TOKEN=llm:delta,JOIN=enter", n.String())
}
