package socketio

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse_returnsPacketFields(t *testing.T) {
	for wire, want := range map[string]Packet{
		`0`:                           {Type: Connect, Namespace: []byte("/"), ID: NoID},
		`0{"sid":"a"}`:                {Type: Connect, Namespace: []byte("/"), ID: NoID, Data: []byte(`{"sid":"a"}`)},
		`0/admin,{"sid":"a"}`:         {Type: Connect, Namespace: []byte("/admin"), ID: NoID, Data: []byte(`{"sid":"a"}`)},
		`0/admin`:                     {Type: Connect, Namespace: []byte("/admin"), ID: NoID},
		`1/admin,`:                    {Type: Disconnect, Namespace: []byte("/admin"), ID: NoID},
		`2["foo"]`:                    {Type: Event, Namespace: []byte("/"), ID: NoID, Data: []byte(`["foo"]`)},
		`2/admin,17["foo"]`:           {Type: Event, Namespace: []byte("/admin"), ID: 17, Data: []byte(`["foo"]`)},
		`30[]`:                        {Type: Ack, Namespace: []byte("/"), ID: 0, Data: []byte(`[]`)},
		`1{"why":1}`:                  {Type: Disconnect, Namespace: []byte("/"), ID: NoID, Data: []byte(`{"why":1}`)},
		`4`:                           {Type: ConnectError, Namespace: []byte("/"), ID: NoID},
		`4401`:                        {Type: ConnectError, Namespace: []byte("/"), ID: NoID, Data: []byte(`401`)},
		`4"no"`:                       {Type: ConnectError, Namespace: []byte("/"), ID: NoID, Data: []byte(`"no"`)},
		`52-["a",{"_placeholder":1}]`: {Type: BinaryEvent, Namespace: []byte("/"), ID: NoID, Attachments: 2, Data: []byte(`["a",{"_placeholder":1}]`)},
		`61-/admin,5[1]`:              {Type: BinaryAck, Namespace: []byte("/admin"), ID: 5, Attachments: 1, Data: []byte(`[1]`)},
	} {
		got, err := Parse([]byte(wire))
		assert.NoError(t, err, wire)
		assert.Equal(t, want, got, wire)
	}
}

func TestParse_rejectsMalformedPackets(t *testing.T) {
	for _, wire := range []string{
		``, `7`, `x["a"]`, `2`, `2{}`, `2"a"`, `3["no id"]`, `31{}`, `0[]`,
		`5["a"]`, `5-["a"]`, `51["a"]`, `599999999999-["a"]`, `2` + "99999999999999999999" + `["a"]`,
	} {
		_, err := Parse([]byte(wire))
		assert.ErrorIs(t, err, ErrMalformed, wire)
	}
}

func TestEventName_decodesOrRejectsName(t *testing.T) {
	for payload, want := range map[string]string{
		`["ai:token",{}]`:     "ai:token",
		`[ "spaced" , 1]`:     "spaced",
		`[""]`:                "",
		`["a\"b\u00e9\\",1]`:  `a"bé\`,
		`["\ud83d",1]`:        "\ufffd",
		`[42,"x"]`:            "42",
		`[-1]`:                "-1",
		`["unfinished",{"a":`: "unfinished", // decoding reports the error
	} {
		name, err := EventName([]byte(payload))
		require.NoError(t, err, payload)
		assert.Equal(t, want, string(name), payload)
	}
	for _, payload := range []string{``, `{}`, `[]`, `[`, `[{}]`, `[null]`, `["`, `["a\`, `["a\x"]`, `[1`, `["connect"]`, `["disc\u006fnnect"]`} {
		_, err := EventName([]byte(payload))
		assert.ErrorIs(t, err, ErrMalformed, payload)
	}
	assert.True(t, Reserved("disconnecting"))
	assert.False(t, Reserved("error"))
}

func TestParse_doesNotAllocate(t *testing.T) {
	wire := []byte(`2["ai:token",{"token":"hello ","index":12}]`)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		p, _ := Parse(wire)
		_, _ = EventName(p.Data)
	}))
}

func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, wire []byte) {
		p, err := Parse(wire)
		if err != nil {
			return
		}
		if len(p.Data) > 0 && p.Data[0] == '/' {
			return // the payload of a refusal that would be read as a namespace
		}
		again, err := Parse(p.Append(nil))
		require.NoError(t, err)
		// The second encoding may be shorter: it omits the main namespace.
		assert.True(t, bytes.Equal(p.Namespace, again.Namespace))
		p.Namespace, again.Namespace = nil, nil
		assert.Equal(t, p, again)
		if p.Type == Event {
			_, _ = EventName(p.Data)
		}
	})
}
