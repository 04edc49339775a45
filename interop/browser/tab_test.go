package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/seed67206a74/parley/internal/installed"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// timeout limits each wait of a test.
const timeout = 60 * time.Second

// browser is shared by all tests. Each test has tabs of its own.
var browser struct {
	mu   sync.Mutex
	ctx  context.Context
	stop func()
}

// chromium returns the context of the browser. The first call starts it, with
// an empty profile. The test is skipped if there is no Chromium.
func chromium(t *testing.T) context.Context {
	t.Helper()
	browser.mu.Lock()
	defer browser.mu.Unlock()
	if browser.ctx != nil {
		return browser.ctx
	}
	path, err := exec.LookPath("chromium")
	installed.Need(t, err, "make chromium")
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(programs, "profile")),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.WSURLReadTimeout(timeout),
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync",
		"disable-background-timer-throttling", "disable-renderer-backgrounding", "disable-backgrounding-occluded-windows", "disable-dev-shm-usage"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stopBrowser := chromedp.NewContext(allocator)
	browser.stop = func() {
		stopBrowser()
		stop()
	}
	require.NoError(t, chromedp.Do(ctx))
	browser.ctx = ctx
	return ctx
}

// A tab shows the playground to one user.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	errors []string // of the page
}

// open opens a page in a new tab of 1280 by 860 pixels.
func open(t *testing.T, address string) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(chromium(t))
	tab := &tab{t: t, ctx: ctx}
	t.Cleanup(func() {
		if t.Failed() {
			tab.picture(t.Name() + " end")
		}
		closeTab()
		tab.mu.Lock()
		defer tab.mu.Unlock()
		assert.Empty(t, tab.errors, "the page has errors")
	})
	// This ctx must have no deadline, because its end closes the tab.
	require.NoError(t, chromedp.Do(ctx))
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			tab.addError(fmt.Sprintf("%+v", *event.ExceptionDetails))
		case *log.EventEntryAdded: // for example, a violation of the content policy
			if event.Entry.Level == log.EntryLevelError && event.Entry.Source != log.EntrySourceNetwork {
				tab.addError(event.Entry.Text)
			}
		}
	}))
	tab.do(chromedp.EmulateViewport(1280, 860), chromedp.Navigate(address))
	return tab
}

func (b *tab) addError(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errors = append(b.errors, text)
}

// enter opens the playground as a user, and returns when that user is in the
// room.
func enter(t *testing.T, playground program, user string) *tab {
	t.Helper()
	tab := open(t, playground.url+"/?"+url.Values{"user": {user}, "room": {"lobby"}}.Encode())
	tab.waitFor(`document.querySelector("#phase").textContent === "ready"`)
	return tab
}

// do runs actions in the tab.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, timeout)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, actions...))
}

// waitFor waits until a JavaScript expression is true. The page evaluates it
// every 20 ms. It does so without eval, because its content policy forbids
// that.
func (b *tab) waitFor(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, timeout)
	defer cancel()
	wait := fmt.Sprintf(`(async () => { while (!(%s)) await new Promise((next) => setTimeout(next, 20)); return true; })()`, expression)
	_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](wait, chromedp.EvalAwaitPromise))
	if err != nil {
		b.picture(b.t.Name() + " timed out")
		require.NoError(b.t, err, "waiting for %s", expression)
	}
}

// eval returns the value of a JavaScript expression.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, timeout)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, expression)
	return value
}

// text returns the text of an element.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf(`document.querySelector(%s)?.textContent ?? "(no such element)"`, quote(selector)))
}

// waitForText waits until the text of an element contains text.
func (b *tab) waitForText(selector, text string) {
	b.t.Helper()
	b.waitFor(fmt.Sprintf(`document.querySelector(%s)?.textContent.includes(%s)`, quote(selector), quote(text)))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// send types a message into the field and presses Enter. It returns when the
// page shows the message and the beginning of an answer.
func (b *tab) send(text string) {
	b.t.Helper()
	own := eval[int](b, `document.querySelectorAll(".message.own").length`)
	b.types("#text", text)
	b.press(kb.Enter)
	b.waitFor(fmt.Sprintf(`document.querySelectorAll(".message.own").length > %d && document.querySelector(".messages > :last-child.answer")`, own))
}

// press presses one key. The page can prevent its default action. With the keys
// of chromedp it cannot, because they also enter a character.
func (b *tab) press(key string) {
	b.t.Helper()
	code := kb.Keys[[]rune(key)[0]]
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
			_, err := cdp.Call(ctx, t, input.DispatchKeyEvent, input.DispatchKeyEventParams{
				Type: kind, Key: code.Key, Code: code.Code, WindowsVirtualKeyCode: code.Windows, NativeVirtualKeyCode: code.Native,
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// types enters keys in an element.
func (b *tab) types(selector, keys string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(selector), keys))
}

// choose sets the value of a field, and dispatches the events of a change.
func (b *tab) choose(selector, value string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => {
		const field = document.querySelector(%s);
		field.value = %s;
		field.dispatchEvent(new Event("input", { bubbles: true }));
		field.dispatchEvent(new Event("change", { bubbles: true }));
	})()`, quote(selector), quote(value))))
}

// prefer sets a preference of the user, for example "prefers-color-scheme".
func (b *tab) prefer(feature, value string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: feature, Value: value}}}
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, media)
		return err
	}))
}

// picture saves a screenshot in the folder screenshots.
func (b *tab) picture(name string) (path string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, timeout)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Logf("no picture of %s: %v", name, err)
		return ""
	}
	require.NoError(b.t, os.MkdirAll("screenshots", 0o755))
	path = filepath.Join("screenshots", strings.NewReplacer(" ", "-", "/", "-").Replace(name)+".png")
	require.NoError(b.t, os.WriteFile(path, png, 0o644))
	return path
}

func quote(s string) string {
	quoted, _ := json.Marshal(s) // cannot fail for a string
	return string(quoted)
}
