package reconnect_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed67206a74/parley/reconnect"
)

func TestValidate_acceptsValidPolicies(t *testing.T) {
	for name, p := range map[string]reconnect.Policy{
		"zero":                      {},
		"constant interval":         {Multiplier: 1},
		"full jitter":               {RandomizationFactor: 1},
		"no jitter":                 {RandomizationFactor: -1},
		"never retry":               {MaxAttempts: -1},
		"equal intervals":           {InitialInterval: time.Second, MaxInterval: time.Second},
		"initial above default max": {InitialInterval: time.Minute},
		"max below default initial": {MaxInterval: time.Millisecond},
		"the longest durations":     {InitialInterval: math.MaxInt64, MaxInterval: math.MaxInt64, MaxElapsedTime: math.MaxInt64},
		"straight to the maximum":   {Multiplier: math.Inf(1)},
	} {
		t.Run(name, func(t *testing.T) { assert.NoError(t, p.Validate()) })
	}
}

func TestValidate_namesInvalidField(t *testing.T) {
	for _, tc := range []struct {
		policy reconnect.Policy
		want   string
	}{
		{reconnect.Policy{InitialInterval: -1}, "reconnect: InitialInterval is negative: -1ns"},
		{reconnect.Policy{MaxInterval: -time.Second}, "reconnect: MaxInterval is negative: -1s"},
		{reconnect.Policy{MaxElapsedTime: -1}, "reconnect: MaxElapsedTime is negative: -1ns"},
		{reconnect.Policy{StableAfter: -1}, "reconnect: StableAfter is negative: -1ns"},
		{reconnect.Policy{InitialInterval: 2, MaxInterval: 1}, "reconnect: MaxInterval 1ns is below InitialInterval 2ns"},
		{reconnect.Policy{Multiplier: 0.5}, "reconnect: Multiplier is not 1 or more: 0.5"},
		{reconnect.Policy{Multiplier: -2}, "reconnect: Multiplier is not 1 or more: -2"},
		{reconnect.Policy{Multiplier: math.NaN()}, "reconnect: Multiplier is not 1 or more: NaN"},
		{reconnect.Policy{RandomizationFactor: 1.1}, "reconnect: RandomizationFactor is not 1 or less: 1.1"},
		{reconnect.Policy{RandomizationFactor: math.NaN()}, "reconnect: RandomizationFactor is not 1 or less: NaN"},
	} {
		t.Run(tc.want, func(t *testing.T) { assert.EqualError(t, tc.policy.Validate(), tc.want) })
	}
}

func TestValidate_reportsAllInvalidFields(t *testing.T) {
	err := reconnect.Policy{InitialInterval: -1, Multiplier: 0.5, RandomizationFactor: 2}.Validate()
	for _, field := range []string{"InitialInterval", "Multiplier", "RandomizationFactor"} {
		require.ErrorContains(t, err, field)
	}
}
