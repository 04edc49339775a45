package conn

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestExceedsDepth_ignoresBracketsInStrings(t *testing.T) {
	for data, depth := range map[string]int{
		`["e"]`:                     1,
		`["e",{"a":[1,2,{}]}]`:      4,
		`["[[[[[[",{}]`:             2,
		`["\"[[[[",[]]`:             2,
		`["\\",[[]]]`:               3,
		`["e",[],[],[],{},{"a":1}]`: 2,
	} {
		assert.False(t, exceedsDepth([]byte(data), depth), data)
		assert.True(t, exceedsDepth([]byte(data), depth-1), data)
	}
	assert.True(t, exceedsDepth([]byte(strings.Repeat("[", 1001)), 1000), "broken, but too deep to look at")
}
