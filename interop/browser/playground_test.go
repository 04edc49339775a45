package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
)

// whole is true if the tokens of the last answer were its text, in order, and
// as many as its usage reports.
const whole = `(() => {
	const answer = [...document.querySelectorAll(".answer")].at(-1);
	const said = answer.querySelector(".under").textContent;
	return answer.dataset.streamed === "true" && said.includes("+ " + answer.dataset.tokens + " =") && !said.includes("not streamed");
})()`

const (
	answering = `[...document.querySelectorAll(".answer.streaming")].at(-1)?.dataset.tokens > 5`
	answered  = `[...document.querySelectorAll(".answer")].at(-1)?.querySelector(".by .chip.done")`
)

func TestPlayground_streamsAnswerAndLogsEvents(t *testing.T) {
	t.Parallel()
	mock := backend(t, held...)
	ada := enter(t, playground(t, mock), "ada")
	ada.send("How <b>are</b> you? <img src=x onerror=document.title='taken'>")
	ada.waitFor(answering)
	assert.Equal(t, "", eval[string](ada, `document.querySelector("#text").value`), "the field is empty again")
	mock.hold(t, 0)
	ada.waitFor(answered)
	assert.True(t, eval[bool](ada, whole))
	assert.Contains(t, ada.text(".answer .bubble"), "You said: “How <b>are</b> you? <img src=x onerror=document.title='taken'>”.")
	assert.Equal(t, 0, eval[int](ada, `document.querySelectorAll(".bubble img, .bubble b, .log img").length`), "messages are shown as text")
	assert.Contains(t, ada.text(".message.own .under"), "✓ sent")
	assert.Contains(t, ada.text("#announce"), "assistant: You said", "a screen reader receives the answer once")

	// The log has all events, and shows a payload.
	ada.types("#filter", "completiontokens")
	assert.Equal(t, 1, eval[int](ada, `[...document.querySelectorAll("#log .event")].filter((row) => !row.hidden).length`))
	ada.do(chromedp.Focus(chromedp.CSS("#log")))
	ada.press(kb.ArrowDown)
	ada.waitForText("#payload", `"completionTokens"`)
	ada.press(kb.Escape)
	ada.waitFor(`document.querySelector("#inspector").hidden`)
	ada.choose("#filter", "")
	ada.click("#pause")
	before := eval[int](ada, `document.querySelectorAll("#log .event").length`)
	// The backend offers replies. This one calls a tool of this client.
	ada.click(".answer .options button")
	ada.waitFor(`document.querySelectorAll(".answer .by .chip.done").length === 2`)
	assert.Regexp(t, `(?s)^clock done.*"time":`, ada.text(".tool"))
	assert.Equal(t, 1, eval[int](ada, `document.querySelectorAll(".tool").length`), "one card has the call and the result")
	assert.Equal(t, before, eval[int](ada, `document.querySelectorAll("#log .event").length`), "the log is paused")
	ada.click("#pause")
	ada.waitFor(`document.querySelectorAll("#log .event").length > ` + fmt.Sprint(before))
}

func TestPlayground_stopsAnswerByButtonOrEscape(t *testing.T) {
	t.Parallel()
	mock := backend(t, held...)
	ada := enter(t, playground(t, mock), "ada")
	ada.send("Tell me something long")
	ada.waitFor(answering)
	ada.click("#stop")
	ada.waitForText(".answer .chip.failed", "stopped")
	ada.waitForText("#log", "ai:abort")
	ada.send("And by the keyboard: tell me something long")
	ada.waitFor(answering)
	// The page shows the button when it knows that the question is its own.
	ada.waitFor(`!document.querySelector("#stop").hidden`)
	ada.press(kb.Escape)
	ada.waitFor(`document.querySelectorAll(".answer .chip.failed").length === 2`)
	stopped := ada.text(".answer .under")
	mock.hold(t, 0)
	ada.send("Are you done?")
	ada.waitFor(answered)
	assert.True(t, eval[bool](ada, whole), "the next answer is complete")
	assert.Equal(t, stopped, ada.text(".answer .under"), "the stopped answer has no further text")
	assert.True(t, eval[bool](ada, `document.querySelector("#stop").hidden`))
}

// endCut ends a cut of the tab's network.
func (b *tab) endCut() {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`import("./api.js").then(({ post }) => post("cut", { seconds: 0 })).then(() => {})`, chromedp.EvalAwaitPromise))
}

func TestPlayground_losesNoTokenOnNetworkCut(t *testing.T) {
	t.Parallel()
	mock := backend(t, append(held, "-recovery", "10m")...)
	ada := enter(t, playground(t, mock), "ada")
	session := ada.text("#session")
	ada.send("Tell me something long")
	ada.waitFor(answering)
	ada.choose("#cut-for", "20")
	ada.click("#cut")
	ada.waitFor(`document.querySelector("#pill").dataset.phase === "waiting"`)
	ada.waitForText("#pill-text", "attempt ")
	ada.picture("cut")
	assert.True(t, eval[bool](ada, answering), "the answer is in progress")
	assert.True(t, eval[bool](ada, `document.querySelector("#banner").hidden`), "there is no hint after a cut by the user")
	mock.hold(t, 0)
	ada.endCut()
	ada.waitForText("#cause", "the session was recovered")
	assert.Equal(t, session, ada.text("#session"))
	ada.waitFor(answered)
	assert.True(t, eval[bool](ada, whole))
}

func TestPlayground_showsPresenceTypingAndReceiptsBetweenTabs(t *testing.T) {
	t.Parallel()
	play := playground(t, backend(t))
	ada, grace := enter(t, play, "ada"), enter(t, play, "grace")
	for _, tab := range []*tab{ada, grace} {
		tab.waitForText("#people", "ada")
		tab.waitForText("#people", "grace")
	}
	// The text is there for some seconds only.
	grace.do(chromedp.Evaluate[chromedp.Void](`new MutationObserver(() => (window.typists ??= []).push(document.querySelector("#typing").textContent)).observe(document.querySelector("#typing"), { childList: true })`))
	ada.types("#text", "Hello")
	grace.waitFor(`window.typists?.includes("ada is typing…")`)
	ada.press(kb.Enter)
	grace.waitForText(".message:not(.own) .bubble", "Hello")
	grace.waitFor(`document.querySelector("#typing").textContent === ""`)
	ada.waitForText(".message.own .under", "✓✓ seen by grace")
	for _, tab := range []*tab{ada, grace} {
		tab.waitFor(answered)
		assert.True(t, eval[bool](tab, whole))
	}
	grace.do(chromedp.Navigate("about:blank"))
	ada.waitFor(`!document.querySelector("#people").textContent.includes("grace")`)
}

func TestPlayground_renamesEventsDuringAnswer(t *testing.T) {
	t.Parallel()
	mock := backend(t, held...)
	play := playground(t, mock)
	ada, grace := enter(t, play, "ada"), enter(t, play, "grace")
	ada.click("#names-details summary")
	ada.choose("#names-key", "AI_TOKEN")
	ada.choose("#names-name", "llm:delta")
	ada.send("Tell me something long")
	ada.waitFor(answering)
	ada.click("#names button.main")
	ada.waitForText("tr.changed", "llm:delta")
	mock.hold(t, 0)
	for _, tab := range []*tab{ada, grace} {
		tab.waitForText("#log", "llm:delta")
		tab.waitFor(answered)
		assert.True(t, eval[bool](tab, whole), "no token is lost")
	}

	// After a rename in this tab only, the tab receives no tokens under the new
	// name.
	ada.choose("#names-name", "something:else")
	ada.click("#names button[value=here]")
	ada.waitForText("#names-said", "Renamed in this tab only")
	ada.send("Do I hear you?")
	ada.waitFor(answered)
	assert.Equal(t, 0, eval[int](ada, `Number(document.querySelector(".answer:last-child").dataset.tokens ?? 0)`))
	grace.waitFor(`document.querySelectorAll(".answer .by .chip.done").length === 2`)
	assert.True(t, eval[bool](grace, whole))
}

func TestPlayground_showsSlowReader(t *testing.T) {
	t.Parallel()
	ada := enter(t, playground(t, backend(t)), "ada")
	ada.choose("#reader-limit", "20")
	ada.choose("#reader-pace", "0")
	ada.click("#reader-on")
	ada.waitFor(`document.querySelector("[data-name='slow reader']")`)
	ada.send("Tell me something long")
	ada.waitFor(`Number(document.querySelector("[data-name='slow reader'] .dropped").textContent) > 100`)
	assert.Equal(t, "20", ada.text("[data-name='slow reader'] .waiting"))
	assert.Contains(t, eval[string](ada, `document.querySelector("[data-name='slow reader'] canvas").ariaLabel`), "20 of 20 waiting")
	assert.NotEqual(t, "none", ada.text("[data-name='slow reader'] .lag"))
	ada.waitFor(answered)
	assert.True(t, eval[bool](ada, whole), "the slow reader blocks no other reader")
	assert.Equal(t, "0", ada.text("[data-name=conversation] .dropped"))

	ada.choose("#reader-pace", "40")
	ada.waitForText("[data-name='slow reader'] .waiting", "0")
	ada.waitForText("[data-name='slow reader'] .lag", "none")
	ada.choose("#reader-pace", "0")
	ada.choose("#reader-policy", "Fail")
	ada.send("Once more")
	ada.waitForText("[data-name='slow reader'] .what", "ended: slow consumer")
	ada.waitFor(answered)
	ada.click("#reader-on")
	ada.waitFor(`!document.querySelector("[data-name='slow reader']")`)
}

// topOfLog is the distance of the log from the top of its column.
const topOfLog = `document.querySelector(".lists").getBoundingClientRect().top - document.querySelector("#machinery").getBoundingClientRect().top`

func TestPlayground_showsHintWhileBackendIsDown(t *testing.T) {
	t.Parallel()
	mock := backend(t)
	play := playground(t, mock)
	mock.stop()
	ada := open(t, play.url+"/?user=ada&room=lobby")
	ada.waitFor(`document.querySelector("[data-name=states]")`)
	top := eval[float64](ada, topOfLog)
	ada.waitForText("#banner", "go run ./examples/mockserver")
	ada.waitForText("#pill-text", "attempt")
	assert.Equal(t, top, eval[float64](ada, topOfLog), "the log stays in its place")
	ada.picture("down")
	ada.send("Are you there?")
	ada.waitForText(".message.pending .under", "sending")
	start(t, "mockserver", "-addr", mock.url[len("http://"):], "-pace", "5ms")
	ada.waitFor(answered)
	assert.True(t, eval[bool](ada, whole), "the question from the outage is answered")
	assert.True(t, eval[bool](ada, `document.querySelector("#banner").hidden`))
}

func TestPlayground_reconnectsAfterServerDisconnect(t *testing.T) {
	t.Parallel()
	ada := enter(t, playground(t, backend(t)), "ada")
	ada.click("#kick")
	ada.waitForText("#banner", "The backend has ended the connection")
	ada.click("#again")
	ada.waitFor(`document.querySelector("#phase").textContent === "ready"`)
	ada.send("Here again")
	ada.waitFor(answered)
}

func TestFaultPanel_appliesSettingsAndDisconnectsClient(t *testing.T) {
	t.Parallel()
	mock := backend(t)
	ada := enter(t, playground(t, mock), "ada")
	panel := open(t, mock.url+"/faults")
	panel.waitForText("#clients strong", "ada")
	panel.choose("input[name=error]", "1")
	panel.click("#settings button.main")
	panel.waitForText("#said", "In force.")
	ada.send("Hello")
	ada.waitForText(".answer .chip.failed", "failed")
	ada.waitForText(".answer .under", "the model has given up (E_MOCK)")
	panel.choose("input[name=drop]", "2")
	panel.click("#settings button.main")
	panel.waitForText("#said.bad", "drop is a share from 0 to 1")
	panel.click("#calm")
	panel.waitForText("#said", "In force.")
	panel.click("#clients button:last-child")
	ada.waitForText("#banner", "The backend has ended the connection")
}

func TestPlayground_worksByKeyboardAndOnPhone(t *testing.T) {
	t.Parallel()
	ada := enter(t, playground(t, backend(t)), "ada")
	// Tab reaches every control.
	ada.send("Hello")
	ada.waitFor(answered)
	ada.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur(); window.reached = new Set(); addEventListener("focusin", ({ target }) => reached.add(target))`))
	for range 60 {
		ada.press(kb.Tab)
	}
	assert.Empty(t, eval[[]string](ada, `[...document.querySelectorAll("button, input, select, textarea, a[href], summary, [role=listbox]")]
		.filter((node) => node.checkVisibility() && !node.disabled && !reached.has(node) && !(node.role === "tab" && node.tabIndex < 0))
		.map((node) => node.outerHTML.slice(0, 120))`))
	ada.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	assert.True(t, eval[bool](ada, `document.documentElement.scrollWidth <= innerWidth`), "nothing is wider than the phone")
	ada.do(chromedp.Focus(chromedp.CSS("#tab-chat")))
	ada.press(kb.ArrowRight)
	ada.waitFor(`document.activeElement.id === "tab-machinery" && document.querySelector("#chat").offsetWidth === 0`)
	assert.True(t, eval[bool](ada, `document.documentElement.scrollWidth <= innerWidth`), "nothing is wider than the phone in the machinery tab")
	ada.press(kb.ArrowLeft)
	ada.waitFor(`document.querySelector("#chat").offsetWidth > 0`)
}
