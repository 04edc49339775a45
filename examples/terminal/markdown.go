package main

import (
	"regexp"
	"strings"

	"charm.land/glamour/v2"
	"charm.land/glamour/v2/styles"
)

// A painter renders Markdown for one width of the terminal. It keeps the last
// result, because the view is drawn more often than its text changes.
type painter struct {
	light    bool
	width    int
	renderer *glamour.TermRenderer
	text     string
	painted  string
}

// paint renders text, which must have no control characters. If it cannot be
// rendered, paint returns it unchanged.
func (p *painter) paint(text string, width int, light bool) string {
	if p.renderer == nil || p.width != width || p.light != light {
		style := styles.DarkStyleConfig
		if light {
			style = styles.LightStyleConfig
		}
		none := uint(0)
		style.Document.Margin, style.CodeBlock.Margin = &none, &none
		style.Document.BlockPrefix, style.Document.BlockSuffix = "", ""
		renderer, err := glamour.NewTermRenderer(glamour.WithStyles(style), glamour.WithWordWrap(width), glamour.WithPreservedNewLines())
		if err != nil {
			return text
		}
		p.renderer, p.width, p.light, p.text, p.painted = renderer, width, light, "", ""
	}
	if text == p.text {
		return p.painted
	}
	painted, err := p.renderer.Render(text)
	if err != nil {
		return text
	}
	lines := strings.Split(strings.Trim(painted, "\n"), "\n")
	for i, line := range lines {
		lines[i] = padding.ReplaceAllString(line, "\x1b[m")
	}
	p.text, p.painted = text, strings.Join(lines, "\n")
	return p.painted
}

// padding is the end of a line that is filled with spaces. A narrower terminal
// would wrap them.
var padding = regexp.MustCompile(`(?: |\x1b\[[0-9;]*m)+$`)
