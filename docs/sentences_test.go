package docs

import (
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// A passage is a sentence or the row of a table, with one space between words.
type passage struct{ section, text string }

// manual returns the passages of the documentation of a package. Code is left
// out.
func manual(t *testing.T, pkg string) (all []passage) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", pkg, "doc.go"), nil, parser.ParseComments|parser.PackageClauseOnly)
	require.NoError(t, err)
	section := ""
	add := func(texts []string) {
		for _, text := range texts {
			all = append(all, passage{section, text})
		}
	}
	var visit func(blocks []comment.Block)
	visit = func(blocks []comment.Block) {
		for _, block := range blocks {
			switch block := block.(type) {
			case *comment.Heading:
				section = plain(block.Text)
			case *comment.Paragraph:
				add(sentences(plain(block.Text)))
			case *comment.List:
				for _, item := range block.Items {
					visit(item.Content)
				}
			case *comment.Code:
				if !isGo(block.Text) {
					add(rows(block.Text))
				}
			}
		}
	}
	visit(new(comment.Parser).Parse(file.Doc.Text()).Content)
	return all
}

// plain returns a text without its links.
func plain(texts []comment.Text) string {
	var b strings.Builder
	for _, text := range texts {
		switch text := text.(type) {
		case comment.Plain:
			b.WriteString(string(text))
		case comment.Italic:
			b.WriteString(string(text))
		case *comment.Link:
			b.WriteString(plain(text.Text))
		case *comment.DocLink:
			b.WriteString(plain(text.Text))
		}
	}
	return docLink.ReplaceAllString(b.String(), "$1")
}

// isGo reports whether a preformatted text is Go.
func isGo(text string) bool {
	text = strings.ReplaceAll(text, "…", "")
	_, err := parser.ParseFile(token.NewFileSet(), "", "package p; func f() {\n"+text+"}", 0)
	return err == nil
}

// rows returns the rows of a preformatted table. A line with an indentation
// continues the row before it.
func rows(text string) (all []string) {
	for line := range strings.Lines(text) {
		row := strings.Join(strings.Fields(line), " ")
		switch {
		case row == "":
		case len(all) > 0 && unicode.IsSpace([]rune(line)[0]):
			all[len(all)-1] += " " + row
		default:
			all = append(all, row)
		}
	}
	return all
}

// sentences splits a text at its full stops.
func sentences(text string) (all []string) {
	text = strings.Join(strings.Fields(text), " ")
	for _, m := range sentence.FindAllString(text+" ", -1) {
		all = append(all, strings.TrimSpace(m))
	}
	return all
}

var (
	docLink    = regexp.MustCompile(`\[([\w.*]+)\]`)
	sentence   = regexp.MustCompile(`\S.*?(?:[.?!][)*]* |$)`)
	testLink   = regexp.MustCompile(`,? ?\[(?:Test|Fuzz|Example)\w+\]\([^)]*\)(?:[.,]| and)`)
	pageLink   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	codeOrBold = regexp.MustCompile("[`]|\\*\\*")
)

// page returns the passages of a page. Code, and links to tests, are left out.
func page(t *testing.T, name string) (all []passage) {
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	section, paragraph := "", ""
	end := func() {
		for _, text := range sentences(paragraph) {
			all = append(all, passage{section, text})
		}
		paragraph = ""
	}
	clean := testLink.ReplaceAllString(withoutFences(string(text)), "")
	clean = codeOrBold.ReplaceAllString(pageLink.ReplaceAllString(clean, "$1"), "")
	for line := range strings.Lines(clean) {
		line = strings.TrimSpace(line)
		heading, isHeading := strings.CutPrefix(line, "#")
		item, isItem := strings.CutPrefix(line, "- ")
		switch {
		case isHeading:
			end()
			section = strings.TrimLeft(heading, "# ")
		case strings.HasPrefix(line, "|--"), strings.HasPrefix(line, "| --"), line == "":
			end()
		case strings.HasPrefix(line, "|"):
			end()
			all = append(all, passage{section, strings.Trim(line, "| ")})
		case isItem:
			end()
			paragraph = item
		default:
			paragraph += " " + line
		}
	}
	end()
	return all
}
