package bad

import "testing"

func TestDo_reachesNobody(t *testing.T) {
	t.Run("a channel that nobody reads", func(t *testing.T) {})
}
