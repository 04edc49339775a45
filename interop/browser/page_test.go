package browser

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/seed67206a74/parley/internal/installed"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const code = "Try:\n\n```go\nfmt.Println(\"a < b\") // and a comment that is wider than the bubble of an answer\n```\n\nand [this](javascript:alert(1)), <b>that</b> ![x](x.png)"

// outside lists the elements of the lists that are outside of their card, or
// not wholly in the column.
const outside = `(() => {
	const card = document.querySelector(".lists").getBoundingClientRect();
	const column = document.querySelector("#machinery").getBoundingClientRect();
	return ["#inspector", "#payload", "#close, #inspector .close", "#log [aria-selected=true]"].filter((selector) => {
		const box = document.querySelector(selector).getBoundingClientRect();
		return box.height === 0 || box.left < card.left || box.right > card.right || box.bottom > card.bottom ||
			box.top < column.top || box.bottom > column.bottom + 1;
	});
})()`

func TestPlayground_showsDetailInsideItsCard(t *testing.T) {
	t.Parallel()
	ada := enter(t, playground(t, backend(t)), "ada")
	ada.send("Tell me something long")
	ada.waitFor(answered)
	for _, size := range [][2]int64{{1280, 800}, {1440, 900}} {
		ada.do(chromedp.EmulateViewport(size[0], size[1]))
		ada.click("#log .event:nth-last-child(20)")
		assert.Empty(t, eval[[]string](ada, outside), size)
		assert.True(t, eval[bool](ada, `document.querySelector(".lists").getBoundingClientRect().bottom <= document.querySelector("#names-details").getBoundingClientRect().top`))
		// New events do not scroll the selected row away.
		ada.send("Hello")
		ada.waitFor(answered)
		assert.Empty(t, eval[[]string](ada, outside), size)
	}
}

func TestPlayground_keepsHistoryMarkdownAndActions(t *testing.T) {
	t.Parallel()
	ada := enter(t, playground(t, backend(t)), "ada")
	ada.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector("#text").value = %s; document.querySelector("#composer").requestSubmit()`, quote(code))))
	ada.waitFor(answered)
	assert.Equal(t, 1, eval[int](ada, `document.querySelectorAll(".content pre code").length`))
	assert.Contains(t, ada.text(".content pre code"), `fmt.Println("a < b")`)
	assert.Equal(t, 0, eval[int](ada, `document.querySelectorAll(".bubble img, .bubble b, .bubble a[href^=javascript]").length`), "neither HTML nor javascript: links")
	assert.True(t, eval[bool](ada, `document.querySelector(".content").scrollWidth <= document.querySelector(".content").clientWidth`))
	ada.send("What time is it?")
	ada.waitFor(answered)

	before := eval[string](ada, `[...document.querySelectorAll(".bubble")].map((node) => node.textContent).join("|")`)
	ada.do(chromedp.Reload())
	ada.waitFor(`document.querySelector("#phase").textContent === "ready"`)
	assert.Equal(t, before, eval[string](ada, `[...document.querySelectorAll(".bubble")].map((node) => node.textContent).join("|")`))
	ada.do(chromedp.Evaluate[chromedp.Void](`navigator.clipboard.writeText = async (text) => { document.title = text; }`))
	ada.click(".code .copy")
	ada.waitFor(`document.title.startsWith("fmt.Println")`)
	ada.click(".actions .copy")
	ada.waitFor(`document.title.startsWith("You said: “Try:")`)
	ada.click(".answer:nth-last-child(2) .actions button:last-child") // the last line is a notice
	ada.waitFor(`document.querySelectorAll(".answer .by .chip.done").length === 3`)
	assert.Equal(t, "What time is it?", ada.text(".message.own:nth-last-child(2) .bubble"))
}

func TestPlayground_showsTrafficWithoutSecrets(t *testing.T) {
	t.Parallel()
	ada := enter(t, playground(t, backend(t), "-token", "secret-token"), "ada")
	ada.click("#tab-traffic")
	ada.send("Hello")
	ada.waitFor(answered)
	ada.waitForText("#traffic .log", `2["ai:message"`)
	assert.Contains(t, ada.text("#traffic .log"), "0•••")
	assert.NotContains(t, eval[string](ada, `document.documentElement.outerHTML`), "secret-token")
	ada.types("#traffic .filter", `["user:message`)
	assert.Equal(t, 1, eval[int](ada, `[...document.querySelectorAll("#traffic .event")].filter((row) => !row.hidden).length`))
	ada.do(chromedp.Evaluate[chromedp.Void](`URL.createObjectURL = (blob) => { blob.text().then((text) => (document.title = text)); return "#"; }; HTMLAnchorElement.prototype.click = () => {}`))
	ada.click("#export")
	ada.waitFor(`document.title.includes('"way":"out"') && document.title.trim().split("\n").length === 1`)
	ada.do(chromedp.Focus(chromedp.CSS("#traffic .log")))
	ada.press(kb.End)
	ada.waitForText("#traffic .payload", `"text":"Hello"`)
}

// The page has a copy of a file of npm's package, which package.json pins.
func TestPlayground_vendorsMarkdownUnchanged(t *testing.T) {
	const name = "markdown-it.esm.min.mjs"
	ours, err := os.ReadFile("../../examples/playground/page/vendor/" + name)
	require.NoError(t, err)
	theirs, err := os.ReadFile("../node/node_modules/markdown-it/dist/browser/" + name)
	installed.Need(t, err, "make interop/node/node_modules")
	assert.True(t, string(ours) == string(theirs), name)
}

// small lists the visible targets that are smaller than 44 pixels.
const small = `[...document.querySelectorAll("button, select, summary, textarea, a.quiet, .switch, input:not([type=checkbox]), .event")]
	.filter((node) => node.checkVisibility() && !node.closest(".hidden, .skip"))
	.filter((node) => { const { width, height } = node.getBoundingClientRect(); return height < 43.9 || width < 43.9; })
	.map((node) => node.outerHTML.slice(0, 120))`

// axe runs axe-core, and lists its findings.
func axe(t *testing.T, tab *tab) []string {
	t.Helper()
	source, err := os.ReadFile("../node/node_modules/axe-core/axe.min.js")
	require.NoError(t, err, "npm ci --prefix interop/node")
	tab.do(chromedp.Evaluate[chromedp.Void](string(source) + `; undefined`))
	ctx, cancel := context.WithTimeout(tab.ctx, timeout)
	defer cancel()
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`axe.run().then(({ violations }) => violations.flatMap(({ id, help, nodes }) => nodes.map(({ html, failureSummary }) => [id, help, html.slice(0, 200), failureSummary].join(": "))))`, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	return found
}

func TestPlayground_isAccessible(t *testing.T) {
	t.Parallel()
	ada := enter(t, playground(t, backend(t)), "ada")
	assert.Empty(t, axe(t, ada), "at the start")
	ada.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector("#text").value = %s; document.querySelector("#composer").requestSubmit()`, quote(code))))
	ada.waitFor(answered)
	ada.send("What time is it?")
	ada.waitFor(answered)
	ada.click("#names-details summary")
	ada.click("#reader-on")
	ada.click("#log .event:last-child")
	for _, scheme := range []string{"light", "dark"} {
		ada.prefer("prefers-color-scheme", scheme)
		assert.Empty(t, axe(t, ada), scheme)
	}
	ada.click("#tab-traffic")
	assert.Empty(t, axe(t, ada), "traffic")
	ada.prefer("prefers-reduced-motion", "reduce")
	assert.Equal(t, "none", eval[string](ada, `getComputedStyle(document.querySelector(".dot")).animationName`))

	ada.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	assert.Empty(t, axe(t, ada), "chat on a phone")
	assert.Empty(t, eval[[]string](ada, small), "chat on a phone")
	ada.click("#tab-machinery")
	assert.Empty(t, axe(t, ada), "internals on a phone")
	assert.Empty(t, eval[[]string](ada, small), "internals on a phone")
	assert.True(t, eval[bool](ada, `document.documentElement.scrollWidth <= innerWidth`), "nothing is wider than the phone")
}
