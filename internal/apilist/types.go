package apilist

import (
	"fmt"
	"go/types"
	"slices"
	"strings"
)

// name returns the name of a type, qualified unless it belongs to this package.
func (b *builder) name(t *types.TypeName) string {
	if t.Pkg() == nil || t.Pkg() == b.pkg {
		return t.Name()
	}
	path := strings.TrimPrefix(t.Pkg().Path(), b.Root+"/")
	return path + "." + t.Name()
}

// refer returns the name of a type for a line. If users cannot name the type,
// it gets lines of its own. If the type is not promised, the line is marked.
func (b *builder) refer(t *types.TypeName) string {
	if b.isHidden(t) && !b.listed[t] {
		b.listed[t] = true
		b.hidden = append(b.hidden, t)
	}
	if t.Pkg() != nil && slices.ContainsFunc(b.NotPromised, func(module string) bool { return below(t.Pkg().Path(), module) }) {
		b.marked = true
	}
	return b.name(t)
}

// isHidden reports whether users cannot name t: it is unexported, or belongs to
// an internal package of this repository.
func (b *builder) isHidden(t *types.TypeName) bool {
	if t.Pkg() == nil || t.Parent() != t.Pkg().Scope() {
		return false // predeclared
	}
	if t.Pkg() == b.pkg {
		return !t.Exported()
	}
	return below(t.Pkg().Path(), b.Root) && slices.Contains(strings.Split(t.Pkg().Path(), "/"), "internal")
}

func below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// typ returns a type in Go syntax, without the names of parameters.
func (b *builder) typ(t types.Type) string {
	switch t := t.(type) {
	case *types.Alias:
		if b.isHidden(t.Obj()) {
			return b.typ(t.Rhs())
		}
		return b.refer(t.Obj()) + b.typeArgs(t.TypeArgs())
	case *types.Named:
		return b.refer(t.Obj()) + b.typeArgs(t.TypeArgs())
	case *types.TypeParam:
		return t.Obj().Name()
	case *types.Pointer:
		return "*" + b.typ(t.Elem())
	case *types.Slice:
		return "[]" + b.typ(t.Elem())
	case *types.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), b.typ(t.Elem()))
	case *types.Map:
		return "map[" + b.typ(t.Key()) + "]" + b.typ(t.Elem())
	case *types.Chan:
		return b.channel(t)
	case *types.Signature:
		return "func" + b.signature(t)
	case *types.Struct:
		return b.structType(t)
	case *types.Interface:
		return b.interfaceType(t)
	case *types.Union:
		var terms []string
		for term := range t.Terms() {
			tilde := ""
			if term.Tilde() {
				tilde = "~"
			}
			terms = append(terms, tilde+b.typ(term.Type()))
		}
		return strings.Join(terms, " | ")
	default: // *types.Basic
		return t.String()
	}
}

func (b *builder) channel(t *types.Chan) string {
	elem := b.typ(t.Elem())
	switch t.Dir() {
	case types.RecvOnly:
		return "<-chan " + elem
	case types.SendOnly:
		return "chan<- " + elem
	}
	if strings.HasPrefix(elem, "<-") {
		elem = "(" + elem + ")"
	}
	return "chan " + elem
}

// signature returns parameters and results.
func (b *builder) signature(s *types.Signature) string {
	var params []string
	for p := range s.Params().Variables() {
		params = append(params, b.typ(p.Type()))
	}
	if last := len(params) - 1; s.Variadic() {
		params[last] = "..." + strings.TrimPrefix(params[last], "[]")
	}
	text := "(" + strings.Join(params, ", ") + ")"
	var results []string
	for r := range s.Results().Variables() {
		results = append(results, b.typ(r.Type()))
	}
	switch len(results) {
	case 0:
		return text
	case 1:
		return text + " " + results[0]
	}
	return text + " (" + strings.Join(results, ", ") + ")"
}

func (b *builder) structType(s *types.Struct) string {
	var fields []string
	for f := range s.Fields() {
		text := b.typ(f.Type())
		if !f.Embedded() {
			text = f.Name() + " " + text
		}
		fields = append(fields, text)
	}
	if len(fields) == 0 {
		return "struct{}"
	}
	return "struct{ " + strings.Join(fields, "; ") + " }"
}

func (b *builder) interfaceType(i *types.Interface) string {
	var parts []string
	for m := range i.ExplicitMethods() {
		parts = append(parts, m.Name()+b.signature(m.Signature()))
	}
	for embedded := range i.EmbeddedTypes() {
		parts = append(parts, b.typ(embedded))
	}
	switch {
	case len(parts) == 0:
		return "any"
	case i.IsImplicit(): // [T ~int]
		return parts[0]
	}
	return "interface{ " + strings.Join(parts, "; ") + " }"
}

func (b *builder) typeParams(params *types.TypeParamList) string {
	if params.Len() == 0 {
		return ""
	}
	var all []string
	for p := range params.TypeParams() {
		all = append(all, p.Obj().Name()+" "+b.typ(p.Constraint()))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func (b *builder) typeArgs(args *types.TypeList) string {
	if args.Len() == 0 {
		return ""
	}
	var all []string
	for t := range args.Types() {
		all = append(all, b.typ(t))
	}
	return "[" + strings.Join(all, ", ") + "]"
}
