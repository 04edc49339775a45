package browser

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestPictures takes screenshots, among them the picture of the README. It is
// run by make picture: only then it takes those of each width in light and
// dark.
func TestPictures(t *testing.T) {
	all := os.Getenv("PARLEY_PICTURE") == "write"
	mock := backend(t, "-recovery", "10m")
	play := playground(t, mock)
	ada := enter(t, play, "ada")
	each := func(name string) {
		if !all {
			return
		}
		for _, size := range []struct {
			width, height int64
			name          string
		}{{1280, 800, "1280"}, {1440, 900, "1440"}, {390, 844, "390"}} {
			ada.do(chromedp.EmulateViewport(size.width, size.height))
			if name == "traffic" && size.width > 500 {
				ada.click("#traffic .event:nth-last-child(3)")
			}
			for _, scheme := range []string{"light", "dark"} {
				ada.prefer("prefers-color-scheme", scheme)
				ada.picture(name + " " + size.name + " " + scheme)
			}
			if size.width < 500 && name != "start" {
				ada.click("#tab-machinery")
				ada.picture(name + " 390 internals")
				ada.click("#tab-chat")
			}
		}
		ada.do(chromedp.EmulateViewport(1280, 860))
		ada.prefer("prefers-color-scheme", "light")
	}
	each("start")
	grace := enter(t, play, "grace")
	ada.send("What time is it?")
	ada.waitFor(answered)
	each("tool")
	grace.send("Nice. Where does that come from?")
	grace.waitFor(`document.querySelectorAll(".answer .by .chip.done").length === 2`)
	ada.choose("#reader-limit", "24")
	ada.choose("#reader-pace", "3")
	ada.click("#reader-on")
	mock.hold(t, 150)
	ada.send("Tell me something long")
	ada.waitFor(`Number(document.querySelector("[data-name='slow reader'] dd.dropped")?.textContent) > 60`)
	grace.types("#text", "Wait, I have a")
	if all {
		ada.waitForText("#typing", "grace") // it is there for some seconds only
	}
	picture := ada.picture("light")
	debug := open(t, play.url+"/debug/chat")
	debug.waitForText("h1", "Chat clients")
	internals := debug.picture("debug page")
	each("streaming")
	ada.choose("#cut-for", "20")
	ada.click("#cut")
	ada.waitFor(`document.querySelector("#pill").dataset.phase === "waiting"`)
	each("cut")
	ada.endCut()
	ada.waitFor(`document.querySelector("#pill").dataset.phase === "ready"`)
	ada.click("#tab-traffic")
	each("traffic")

	panel := open(t, mock.url+"/faults")
	panel.waitForText("#clients", "ada")
	panel.picture("faults light")
	if all {
		panel.prefer("prefers-color-scheme", "dark")
		panel.picture("faults dark")
		panel.do(chromedp.EmulateViewport(390, 844))
		panel.picture("faults 390")
		for name, path := range map[string]string{"playground": picture, "debug": internals} {
			png, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Less(t, len(png), 300_000, "the pictures of the pages must be small")
			require.NoError(t, os.WriteFile("../../docs/pictures/"+name+".png", png, 0o644))
		}
	}
}
