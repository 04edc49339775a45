package browser

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestPictures takes screenshots, among them the picture of the README. It is
// run by make picture.
func TestPictures(t *testing.T) {
	mock := backend(t, "-pace", "60ms")
	play := playground(t, mock)
	ada := enter(t, play, "ada")
	grace := enter(t, play, "grace")
	ada.send("What time is it?")
	ada.waitFor(`document.querySelector(".answer .chip.done")`)
	grace.send("Nice. Where does that come from?")
	grace.waitFor(`document.querySelectorAll(".answer .chip.done").length === 2`)
	ada.choose("#reader-limit", "24")
	ada.choose("#reader-pace", "3")
	ada.click("#reader-on")
	ada.send("Tell me something long")
	ada.waitFor(`Number(document.querySelector("[data-name='slow reader'] dd.dropped")?.textContent) > 90`)
	grace.types("#text", "Wait, I have a")
	ada.waitForText("#typing", "grace")
	light := ada.picture("light")
	debug := open(t, play.url+"/debug/chat")
	debug.waitForText("h1", "Chat clients")
	internals := debug.picture("debug page")
	ada.prefer("prefers-color-scheme", "dark")
	ada.waitFor(`document.querySelectorAll(".answer:last-of-type .token").length > 100`)
	ada.picture("dark")
	ada.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
	ada.picture("phone dark")
	ada.click("#tab-machinery")
	ada.waitFor(`document.querySelector("[data-name=conversation] canvas").width > 500`)
	ada.picture("phone machinery dark")
	ada.prefer("prefers-color-scheme", "light")
	ada.picture("phone machinery")
	ada.click("#tab-chat")
	ada.picture("phone")

	panel := open(t, mock.url+"/faults")
	panel.waitForText("#clients", "ada")
	panel.picture("faults")

	if os.Getenv("PARLEY_PICTURE") == "write" {
		for name, path := range map[string]string{"playground": light, "debug": internals} {
			png, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Less(t, len(png), 300_000, "the pictures of the pages must be small")
			require.NoError(t, os.WriteFile("../../docs/pictures/"+name+".png", png, 0o644))
		}
	}
}
