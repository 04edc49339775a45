package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

var (
	link    = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	named   = regexp.MustCompile("^`?((?:Test|Example|Fuzz|Benchmark)[A-Za-z0-9_]*)`?$")
)

// Every linked file exists, every anchor is a heading, and a link whose text is
// the name of a test leads to the file of that test.
func TestLinks_pointToExistingTargets(t *testing.T) {
	for _, page := range pages(t) {
		text := withoutFences(read(t, page))
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			label, target := m[1], m[2]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			path := page
			if file != "" {
				path = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(path); !assert.NoError(t, err, "%s: %s", page, m[0]) {
				continue
			}
			if anchor != "" {
				assert.Contains(t, anchors(read(t, path)), anchor, "%s: %s", page, m[0])
			}
			if test := named.FindStringSubmatch(label); test != nil {
				has := regexp.MustCompile(`(?m)^func ` + test[1] + `\(`).MatchString(read(t, path))
				assert.True(t, has, "%s: the file does not have the test: %s", page, m[0])
			}
		}
	}
}

// anchors returns the link anchors of a page's headings.
func anchors(text string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(withoutFences(text), -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', r >= '0' && r <= '9', r >= 'a' && r <= 'z', r > 127 && r != '…' && r != '’':
				return r
			}
			return -1
		}, strings.ToLower(m[1]))
		all = append(all, anchor)
	}
	return all
}

var fence = regexp.MustCompile("(?ms)^ *```.*?^ *```")

func withoutFences(text string) string { return fence.ReplaceAllString(text, "") }
