package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	// styles is the folder with the rules of Vale.
	styles = ".ci/styles/Parley"

	// badWord is in each line of a Go sample that breaks a rule.
	badWord = "nobody"
)

// selfCheck compares the findings in the samples with the required ones, and
// returns the differences. The samples are:
//
//   - bad.md: each list item breaks the rule that the heading above it names,
//     and no other. Every rule has one, and so has every entry of a word list.
//   - bad.go and bad_test.go: each line with the word in badWord breaks a rule.
//   - good.md and good.go: no line breaks a rule.
func selfCheck(found []finding) (problems []string, err error) {
	rules, err := readRules()
	if err != nil {
		return nil, err
	}
	samples, err := readSamples()
	if err != nil {
		return nil, err
	}
	var messages strings.Builder // of bad.md
	seen := map[place]bool{}
	for _, f := range found {
		at := place{filepath.Base(f.path), f.line}
		switch rule, bad := samples[at]; {
		case !bad || rule != "" && rule != f.rule:
			problems = append(problems, "this is no example of the rule: "+f.String())
		case rule != "":
			fmt.Fprintln(&messages, f.rule, f.message)
		}
		seen[at] = true
	}
	for at, rule := range samples {
		if !seen[at] {
			problems = append(problems, fmt.Sprintf("%s:%d: this must be a finding %s", at.name, at.line, rule))
		}
		delete(rules, rule)
	}
	for rule := range rules {
		problems = append(problems, "bad.md has no example of the rule "+rule)
	}
	missing, err := missingExamples(messages.String())
	return append(problems, missing...), err
}

// A place is a line of a sample.
type place struct {
	name string
	line int
}

// readRules returns the names of all rules.
func readRules() (map[string]bool, error) {
	rules := map[string]bool{"Width": true}
	paths, err := filepath.Glob(styles + "/*.yml")
	for _, path := range paths {
		rules[strings.TrimSuffix(filepath.Base(path), ".yml")] = true
	}
	return rules, err
}

// readSamples returns the lines that break a rule, with its name in bad.md.
func readSamples() (map[place]string, error) {
	bad := map[place]string{}
	for _, name := range []string{"bad.md", "bad.go", "bad_test.go"} {
		source, err := os.ReadFile(filepath.Join(samples, name))
		if err != nil {
			return nil, err
		}
		rule := ""
		for i, text := range strings.Split(string(source), "\n") {
			at := place{name, i + 1}
			if name == "bad.md" {
				if heading, ok := strings.CutPrefix(text, "# "); ok {
					rule = heading
				} else if strings.HasPrefix(text, "- ") {
					bad[at] = rule
				}
			} else if strings.Contains(strings.ToLower(text), badWord) {
				bad[at] = ""
			}
		}
	}
	return bad, nil
}

// entry matches an entry of a word list: a pattern and the replacement that is
// in the message.
var entry = regexp.MustCompile(`(?m)^  '.*': (.+)$`)

// missingExamples returns the entries of the word lists whose replacement is
// in none of the messages. It also returns entries with equal replacements,
// because one would hide the other.
func missingExamples(messages string) (problems []string, err error) {
	for _, rule := range []string{"FreeRelative", "Metaphors", "Words"} {
		source, err := os.ReadFile(filepath.Join(styles, rule+".yml"))
		if err != nil {
			return nil, err
		}
		known := map[string]bool{}
		for _, m := range entry.FindAllStringSubmatch(string(source), -1) {
			if known[m[1]] {
				problems = append(problems, fmt.Sprintf("%s has the replacement %q twice", rule, m[1]))
			}
			known[m[1]] = true
			if !strings.Contains(messages, fmt.Sprintf("%s Use '%s' instead", rule, m[1])) {
				problems = append(problems, fmt.Sprintf("bad.md has no example that %s replaces with %q", rule, m[1]))
			}
		}
	}
	return problems, nil
}
