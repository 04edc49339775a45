package browser

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// webchat starts a webchat in front of a backend.
func webchat(t *testing.T, backend program) program {
	t.Helper()
	return start(t, "webchat", "-addr", "127.0.0.1:0", "-backend", backend.url)
}

// openChat opens a chat of the webchat.
func openChat(t *testing.T, webchat program, id string) *tab {
	t.Helper()
	tab := open(t, webchat.url+"/?"+url.Values{"chat": {id}}.Encode())
	tab.waitFor(`document.querySelector("#send")`)
	return tab
}

// ask types a question into the webchat and presses Enter.
func (b *tab) ask(text string) {
	b.t.Helper()
	asked := eval[int](b, `document.querySelectorAll(".message.user").length`)
	b.types("#text", text)
	b.press(kb.Enter)
	b.waitFor(fmt.Sprintf(`document.querySelectorAll(".message.user").length > %d`, asked))
}

const (
	chatStreams = `[...document.querySelectorAll(".message[data-streaming] .text")].at(-1)?.textContent.length > 20`
	chatReady   = `document.querySelector("#send") && [...document.querySelectorAll(".message.assistant")].at(-1)?.querySelector(".under")?.textContent.includes("tokens")`
	chatText    = `[...document.querySelectorAll(".message.assistant")].at(-1).querySelector(".text").textContent`

	// longWhole is true if the long answer has each of its 40 sentences once.
	longWhole = `["Each word of", "The last event", "You can stop", "Ask me for"].every((start) => ` + chatText + `.split(start).length === 11)`
)

func TestWebchat_streamsMarkdownAndShowsHTMLAsText(t *testing.T) {
	t.Parallel()
	mock := backend(t, held...)
	ada := openChat(t, webchat(t, mock), "markdown")
	ada.ask("**bold**, `code`, <b>tag</b> <img src=x onerror=document.title='taken'> [link](javascript:alert)")
	ada.waitFor(chatStreams)
	assert.Equal(t, "", eval[string](ada, `document.querySelector("#text").value`), "the field is empty again")
	mock.hold(t, 0)
	ada.waitFor(chatReady)
	assert.Equal(t, "bold", ada.text(".assistant .text strong"))
	assert.Equal(t, "code", ada.text(".assistant .text code"))
	assert.Contains(t, ada.text(".assistant .text"), "<b>tag</b> <img src=x onerror=document.title='taken'>")
	assert.Equal(t, 0, eval[int](ada, `document.querySelectorAll(".messages img, .messages b").length`))
	assert.Equal(t, "", eval[string](ada, `document.querySelector(".assistant a").getAttribute("href")`))
	assert.Equal(t, "Parley webchat", eval[string](ada, `document.title`))
}

func TestWebchat_stopsAnswerAndRegeneratesIt(t *testing.T) {
	t.Parallel()
	mock := backend(t, held...)
	ada := openChat(t, webchat(t, mock), "stop")
	ada.ask("Tell me something long")
	ada.waitFor(chatStreams)
	ada.click("#stop")
	ada.waitForText(".assistant .under", "incomplete")
	ada.waitFor(`document.querySelector("#send")`)
	assert.False(t, eval[bool](ada, longWhole))
	ada.click(".assistant .under button")
	ada.waitFor(chatStreams)
	ada.press(kb.Escape) // the focus is on the button, which is gone
	ada.do(chromedp.Focus(chromedp.CSS("#text")))
	ada.press(kb.Escape)
	ada.waitForText(".assistant .under", "incomplete")
	mock.hold(t, 0)
	ada.click(".assistant .under button")
	ada.waitFor(chatReady)
	assert.True(t, eval[bool](ada, longWhole))
	assert.Equal(t, 2, eval[int](ada, `document.querySelectorAll(".message").length`), "a regenerated answer replaces the last one")
}

func TestWebchat_showsToolCallAndSuggestions(t *testing.T) {
	t.Parallel()
	ada := openChat(t, webchat(t, backend(t)), "tools")
	ada.waitForText(".suggestions", "What time is it?")
	ada.click(".suggestions button")
	ada.waitFor(chatReady)
	ada.waitFor(`document.querySelector(".tool").dataset.state === "output-available"`)
	assert.Equal(t, "clock", ada.text(".tool .name"))
	ada.click(".tool summary")
	assert.Contains(t, ada.text(".tool dl"), `"zone": "UTC"`)
	assert.Contains(t, ada.text(".tool dl"), `"time"`)
	ada.waitForText(".suggestions", "Tell me something long")
	ada.click(".suggestions li:last-child button")
	ada.waitFor(`document.querySelectorAll(".message.user").length === 2`)
	ada.waitFor(chatReady)
	assert.True(t, eval[bool](ada, longWhole))
}

func TestWebchat_showsErrorWithCode(t *testing.T) {
	t.Parallel()
	mock := backend(t, "-error", "1")
	ada := openChat(t, webchat(t, mock), "errors")
	ada.ask("Hello")
	ada.waitForText(".failure code", "E_MOCK")
	assert.NotContains(t, ada.text(".failure"), "given up", "the text of the backend is for the log")
	panel := open(t, mock.url+"/faults")
	panel.waitFor(`document.querySelector("#calm")`)
	panel.click("#calm")
	panel.waitForText("#said", "In force.")
	ada.click(".failure button")
	ada.waitFor(chatReady)
	assert.True(t, eval[bool](ada, `!document.querySelector(".failure")`))
}

func TestWebchat_continuesAnswerAfterReload(t *testing.T) {
	t.Parallel()
	mock := backend(t, held...)
	ada := openChat(t, webchat(t, mock), "reload")
	ada.ask("Tell me something long")
	for range 2 {
		ada.waitFor(chatStreams)
		ada.do(chromedp.Reload())
		ada.waitFor(`document.querySelector(".message.user")`)
	}
	ada.waitFor(chatStreams)
	mock.hold(t, 0)
	ada.waitFor(chatReady)
	assert.True(t, eval[bool](ada, longWhole), "each sentence is there once")
	assert.Equal(t, 2, eval[int](ada, `document.querySelectorAll(".message").length`))
	ada.do(chromedp.Reload())
	ada.waitFor(chatReady)
	assert.True(t, eval[bool](ada, longWhole), "the page has kept the answer")
}

func TestWebchat_showsSameAnswersInTwoTabs(t *testing.T) {
	t.Parallel()
	mock := backend(t, held...)
	chat := webchat(t, mock)
	first := openChat(t, chat, "tabs")
	first.ask("Tell me something long")
	first.waitFor(chatStreams)
	second := open(t, chat.url+"/?chat=tabs")
	second.waitFor(chatStreams)
	mock.hold(t, 0)
	for _, tab := range []*tab{first, second} {
		tab.waitFor(chatReady)
		assert.True(t, eval[bool](tab, longWhole))
	}
	// A question of the other tab, and a stop.
	mock.hold(t, 10)
	second.ask("Once more, something long")
	for _, tab := range []*tab{first, second} {
		tab.waitFor(`document.querySelectorAll(".message.user").length === 2`)
		tab.waitFor(chatStreams)
	}
	first.click("#stop")
	for _, tab := range []*tab{first, second} {
		tab.waitFor(`[...document.querySelectorAll(".message.assistant")].at(-1).querySelector(".under")?.textContent.includes("incomplete")`)
	}
	assert.Equal(t, eval[string](first, chatText), eval[string](second, chatText))
}

func TestWebchat_worksByKeyboardAndOnPhone(t *testing.T) {
	t.Parallel()
	ada := openChat(t, webchat(t, backend(t)), "phone")
	ada.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	ada.ask("`" + string(make160()) + "`")
	ada.waitFor(chatReady)
	assert.True(t, eval[bool](ada, `document.documentElement.scrollWidth <= innerWidth`), "nothing is wider than the phone")
	nameless := eval[[]string](ada, `[...document.querySelectorAll("button, textarea, a[href]")]
		.filter((node) => !(node.textContent.trim() || node.ariaLabel)).map((node) => node.outerHTML)`)
	require.Empty(t, nameless)
}

// make160 returns a word of 160 letters.
func make160() []byte {
	word := make([]byte, 160)
	for i := range word {
		word[i] = 'a' + byte(i%26)
	}
	return word
}

// TestPicturesWebchat takes screenshots of the webchat. It is run by make
// picture.
func TestPicturesWebchat(t *testing.T) {
	mock := backend(t)
	chat := webchat(t, mock)
	ada := openChat(t, chat, "pictures")
	views := func(name string) {
		for _, scheme := range []string{"light", "dark"} {
			ada.prefer("prefers-color-scheme", scheme)
			ada.do(chromedp.EmulateViewport(1280, 860))
			ada.picture("webchat " + name + " " + scheme)
			ada.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
			ada.picture("webchat " + name + " " + scheme + " phone")
		}
		ada.do(chromedp.EmulateViewport(1280, 860))
	}
	views("start")
	ada.click(".suggestions li:last-child button") // Markdown
	ada.waitFor(chatReady)
	views("markdown")
	ada.ask("What time is it?")
	ada.waitFor(chatReady)
	ada.click(".tool summary")
	mock.hold(t, 60)
	ada.ask("Tell me something long")
	ada.waitFor(chatStreams)
	views("streaming")
	ada.click("#stop")
	ada.waitFor(`document.querySelector(".stopped")`)
	views("stopped")

	failing := webchat(t, backend(t, "-error", "1"))
	ada = openChat(t, failing, "pictures")
	ada.ask("Hello")
	ada.waitForText(".failure code", "E_MOCK")
	views("error")
}
