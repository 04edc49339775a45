package chat

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed67206a74/parley/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parity returns the table of the reference's features and their names here.
func parity(t *testing.T) string {
	page, err := os.ReadFile("../docs/parity.md")
	require.NoError(t, err)
	return string(page)
}

func TestParity_listsExistingTests(t *testing.T) {
	there := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Example)\w*)\(`)
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".."):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		for _, match := range function.FindAllSubmatch(source, -1) {
			there[string(match[1])] = true
		}
		return err
	}))
	named := regexp.MustCompile("`((?:Test|Example)\\w*)`").FindAllStringSubmatch(parity(t), -1)
	require.Greater(t, len(named), 100)
	for _, match := range named {
		assert.True(t, there[match[1]], "there is no %s", match[1])
	}
}

// reference is every option, method and callback of the reference document.
const reference = `url chatId joinEvent joinPayload ioOptions ioOptions.query ioOptions.auth ioOptions.extraHeaders ioOptions.transports
	handlers autoConnect serverErrorEvent connect() disconnect() destroy() isConnected() on() off() emit( onAny()
	callbacks eventNames eventResolver discoverEvents discoveryRequestEvent discoveryResponseEvent meta
	setCallbacks() setEventNames() sendMessage() typingStart() typingStop() abort() markRead() emitRaw() onRaw() offRaw()
	onConnect onDisconnect onServerError onChatMessage onPresenceUpdate onAIProcessing onAIToken onAIMessage onAIError
	onAIToolCall onAIToolResult ChatEvents EventKey SocketService AIChatSocket`

func TestParity_listsEveryReferenceFeature(t *testing.T) {
	var listed strings.Builder // the first column
	for line := range strings.Lines(parity(t)) {
		if cells := strings.Split(line, " | "); len(cells) == 3 {
			listed.WriteString(cells[0] + "\n")
			assert.NotEmpty(t, strings.Trim(cells[1], " |"), line)
			assert.NotEmpty(t, strings.Trim(cells[2], " |\n"), line)
		}
	}
	for name := range strings.FieldsSeq(reference) {
		assert.Regexp(t, "`"+regexp.QuoteMeta(name), listed.String())
	}
	for key := range events.Keys() {
		assert.Contains(t, listed.String(), "`"+string(key)+"` `"+key.DefaultName()+"`")
	}
}
