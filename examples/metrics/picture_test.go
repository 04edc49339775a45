package main

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A grafana is the part of dashboard.json that the tests use.
type grafana struct {
	Title  string
	Panels []panel
}

type panel struct {
	Title, Type string
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct{ Expr, LegendFormat string }
	FieldConfig struct{ Defaults struct{ Unit string } }
}

// The units of a cell of Grafana's grid, in pixels.
const cellWidth, cellHeight = 50, 32

// A chart is a panel with its data.
type chart struct {
	panel
	Lines []line
	Max   string
}

type line struct{ Name, Colour, Points, Last string }

var colours = []string{"#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#f2495c", "#b877d9", "#8ab8ff", "#ffa6b0", "#c8f2c2", "#fade2a"}

// draw returns a page with the panels at their places and the data of the whole
// run.
func draw(t *testing.T, prom *promServer, dashboard grafana) []byte {
	t.Helper()
	var charts []chart
	for _, panel := range dashboard.Panels {
		drawn := chart{panel: panel}
		var names []string
		var all []series
		top := 0.0
		for _, target := range panel.Targets {
			for _, s := range prom.query(t, target.Expr) {
				names, all = append(names, legend(target.LegendFormat, s.Metric)), append(all, s)
				for _, p := range s.Values {
					top = max(top, p.value)
				}
			}
		}
		drawn.Max = withUnit(top, panel.FieldConfig.Defaults.Unit)
		for i, s := range all {
			var points strings.Builder
			width, height := float64(drawn.PlotWidth()), float64(drawn.PlotHeight())
			end := s.Values[len(s.Values)-1].at
			begin := float64(prom.start.UnixMilli()) / 1000
			for _, p := range s.Values {
				fmt.Fprintf(&points, "%.1f,%.1f ", width*(p.at-begin)/max(end-begin, 1), height*(1-p.value/max(top, math.SmallestNonzeroFloat64)))
			}
			drawn.Lines = append(drawn.Lines, line{names[i], colours[i%len(colours)], points.String(), withUnit(s.Values[len(s.Values)-1].value, panel.FieldConfig.Defaults.Unit)})
		}
		charts = append(charts, drawn)
	}
	var out bytes.Buffer
	require.NoError(t, page.Execute(&out, map[string]any{"Title": dashboard.Title, "Charts": charts}))
	return out.Bytes()
}

func (c chart) Left() int       { return c.GridPos.X*cellWidth + 8 }
func (c chart) Top() int        { return c.GridPos.Y*cellHeight + 48 }
func (c chart) Width() int      { return c.GridPos.W*cellWidth - 8 }
func (c chart) Height() int     { return c.GridPos.H*cellHeight - 8 }
func (c chart) PlotWidth() int  { return c.Width() - 24 }
func (c chart) PlotHeight() int { return c.Height() - 98 }

var label = regexp.MustCompile(`{{(\w+)}}`)

func legend(format string, labels map[string]string) string {
	return label.ReplaceAllStringFunc(format, func(name string) string { return labels[strings.Trim(name, "{}")] })
}

func withUnit(value float64, unit string) string {
	switch {
	case unit == "s" && value < 1:
		return fmt.Sprintf("%.0f ms", 1000*value)
	case unit == "s":
		return fmt.Sprintf("%.2f s", value)
	case value >= 100:
		return fmt.Sprintf("%.0f", value)
	}
	return fmt.Sprintf("%.3g", value)
}

var page = template.Must(template.New("").Parse(`<!doctype html><meta charset=utf-8><title>{{.Title}}</title>
<style>
body { margin: 0; background: #111217; color: #ccccdc; font: 13px "Liberation Sans", sans-serif }
h1 { font-size: 18px; font-weight: normal; margin: 12px }
section { position: absolute; box-sizing: border-box; background: #181b1f; border: 1px solid #2c3235; padding: 8px 11px; overflow: hidden }
h2 { font-size: 13px; margin: 0 0 6px } svg { display: block; border-bottom: 1px solid #2c3235 }
.value { font-size: 34px; color: #73bf69; text-align: center } .top { color: #7b8087; font-size: 11px }
.legend span { margin-right: 10px; white-space: nowrap; font-size: 12px }
</style><h1>{{.Title}}</h1>
{{range .Charts}}<section style="left: {{.Left}}px; top: {{.Top}}px; width: {{.Width}}px; height: {{.Height}}px"><h2>{{.Title}}</h2>
{{if eq .Type "stat"}}{{range .Lines}}<div class="value">{{.Last}}</div><div class="top">{{.Name}}</div>{{end}}
{{else}}<div class="top">{{.Max}}</div><svg width="{{.PlotWidth}}" height="{{.PlotHeight}}">{{range .Lines}}<polyline points="{{.Points}}" fill="none" stroke="{{.Colour}}"/>{{end}}</svg>
<div class="legend">{{range .Lines}}<span><b style="color: {{.Colour}}">—</b> {{.Name}} {{.Last}}</span>{{end}}</div>{{end}}</section>
{{end}}`))
