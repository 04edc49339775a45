package mockserver

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed67206a74/parley/events"
)

// names are event names by key. It is a flag.Value: KEY=name,KEY=name.
type Names map[events.Key]string

// Set is flag.Value.
func (n *Names) Set(list string) error {
	changes := Names{}
	for pair := range strings.SplitSeq(list, ",") {
		key, name, _ := strings.Cut(pair, "=")
		changes[events.Key(key)] = name
	}
	*n = changes
	return n.validate()
}

// String is flag.Value.
func (n Names) String() string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(n)) {
		pairs = append(pairs, string(key)+"="+n[key])
	}
	return strings.Join(pairs, ",")
}

// complete gives every key its name.
func (n Names) complete() Names {
	all := Names{}
	for key := range events.Keys() {
		all[key] = key.DefaultName()
	}
	maps.Copy(all, n)
	return all
}

// validate rejects unknown keys, and names that do not distinguish the events.
func (n Names) validate() error {
	for key, name := range n {
		if key.DefaultName() == "" {
			return fmt.Errorf("there is no event with the key %q", key)
		}
		if name == "" {
			return fmt.Errorf("%s has no name", key)
		}
	}
	taken := map[string]events.Key{}
	for key, name := range n.complete() {
		if other, ok := taken[name]; ok {
			return fmt.Errorf("%s and %s are both named %q", min(key, other), max(key, other), name)
		}
		taken[name] = key
	}
	return nil
}
