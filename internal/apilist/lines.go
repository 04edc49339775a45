package apilist

import (
	"fmt"
	"go/constant"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// A Lister lists the exported API of packages.
type Lister struct {
	// Root is the import path of the root module. The name of a type in a
	// package below Root is qualified by the rest of the path, that of any
	// other type by the whole path.
	Root string
	// NotPromised lists the paths of modules whose types may change in any
	// release. A line that names such a type is marked.
	NotPromised []string
}

// mark is the end of a line that names a type of a module in NotPromised.
const mark = " // not promised"

// Lines returns the listing of a package: constants, variables, functions, and
// each type followed by its fields and methods, each sorted by name. Types that
// users reach but cannot name come last: unexported types, and types of
// internal packages, that a line refers to.
func (l Lister) Lines(pkg *types.Package) []string {
	b := &builder{Lister: l, pkg: pkg, listed: map[*types.TypeName]bool{}}
	var constants, variables, functions, defined []types.Object
	for _, name := range pkg.Scope().Names() { // sorted
		object := pkg.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		switch object.(type) {
		case *types.Const:
			constants = append(constants, object)
		case *types.Var:
			variables = append(variables, object)
		case *types.Func:
			functions = append(functions, object)
		case *types.TypeName:
			defined = append(defined, object)
		}
	}
	for _, object := range slices.Concat(constants, variables, functions, defined) {
		b.object(object)
	}
	for len(b.hidden) > 0 {
		next := slices.MinFunc(b.hidden, func(x, y *types.TypeName) int {
			return strings.Compare(b.name(x), b.name(y))
		})
		b.hidden = slices.DeleteFunc(b.hidden, func(t *types.TypeName) bool { return t == next })
		before := len(b.lines)
		b.object(next)
		if added := b.lines[before:]; structOf(next.Type()) != nil && !slices.ContainsFunc(added, isMember) {
			b.lines = b.lines[:before] // users can neither name it nor use a member
		}
	}
	return b.lines
}

// isMember reports whether a line is that of an exported field or method.
func isMember(line string) bool {
	_, detail, isDetail := strings.Cut(line, " struct, ")
	return strings.HasPrefix(line, "method ") || isDetail && detail != "comparable" && detail != "unexported fields"
}

// A builder collects the lines of one package.
type builder struct {
	Lister
	pkg    *types.Package
	lines  []string
	listed map[*types.TypeName]bool // types that have lines or are in hidden
	hidden []*types.TypeName        // types that still need lines
	marked bool                     // the current line names a type that is not promised
}

func (b *builder) add(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if b.marked {
		line += mark
	}
	b.marked = false
	b.lines = append(b.lines, line)
}

func (b *builder) object(object types.Object) {
	switch object := object.(type) {
	case *types.Const:
		b.add("const %s %s = %s", object.Name(), b.typ(object.Type()), value(object.Val()))
	case *types.Var:
		b.add("var %s %s", object.Name(), b.typ(object.Type()))
	case *types.Func:
		signature := object.Signature()
		b.add("func %s%s%s", object.Name(), b.typeParams(signature.TypeParams()), b.signature(signature))
	case *types.TypeName:
		b.listed[object] = true
		switch t := object.Type().(type) {
		case *types.Alias:
			b.add("type %s%s = %s", b.name(object), b.typeParams(t.TypeParams()), b.typ(t.Rhs()))
		case *types.Named:
			b.named(object, t)
		}
	}
}

// value returns a constant in Go syntax, or a fraction if no float64 is equal
// to it.
func value(v constant.Value) string {
	if v.Kind() == constant.Float {
		if f, exact := constant.Float64Val(v); exact {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
	}
	return v.ExactString()
}

func (b *builder) named(object *types.TypeName, t *types.Named) {
	name := b.name(object)
	header := name + b.typeParams(t.TypeParams())
	switch underlying := t.Underlying().(type) {
	case *types.Struct:
		b.add("type %s struct", header)
		if types.Comparable(t) {
			b.add("type %s struct, comparable", name)
		}
		b.fields(name, t, underlying)
	case *types.Interface:
		b.add("type %s interface", header)
		b.interfaceLines(name, underlying)
		return
	default:
		b.add("type %s %s", header, b.typ(underlying))
	}
	b.methods(name, t)
}

// fields lists the exported fields of a struct, including fields promoted from
// an unexported embedded field.
func (b *builder) fields(name string, t types.Type, s *types.Struct) {
	type line struct{ field, text string }
	var all []line
	unexported := false
	seen := map[*types.Struct]bool{}
	var collect func(s *types.Struct)
	collect = func(s *types.Struct) {
		seen[s] = true
		for field := range s.Fields() {
			switch inner := structOf(field.Type()); {
			case field.Exported():
				reached, _, _ := types.LookupFieldOrMethod(t, true, b.pkg, field.Name())
				if !same(reached, field) {
					break // another field or method has the name
				}
				text := field.Name() + " " + b.typ(field.Type())
				if field.Embedded() {
					text = "embedded " + b.typ(field.Type())
				}
				all = append(all, line{field.Name(), text + b.takeMark()})
			case field.Embedded() && inner != nil && !seen[inner]:
				unexported = true
				collect(inner)
			default:
				unexported = true
			}
		}
	}
	collect(s)
	slices.SortFunc(all, func(x, y line) int { return strings.Compare(x.field, y.field) })
	for _, l := range all {
		b.add("type %s struct, %s", name, l.text)
	}
	if unexported {
		b.add("type %s struct, unexported fields", name)
	}
}

// takeMark returns the mark if the current line needs it.
func (b *builder) takeMark() string {
	if !b.marked {
		return ""
	}
	b.marked = false
	return mark
}

func structOf(t types.Type) *types.Struct {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	s, _ := t.Underlying().(*types.Struct)
	return s
}

// same reports whether two fields are the same, even if one belongs to an
// instantiated type and the other to its generic type.
func same(object types.Object, field *types.Var) bool {
	v, ok := object.(*types.Var)
	return ok && v.Origin() == field.Origin()
}

func (b *builder) interfaceLines(name string, i *types.Interface) {
	for embedded := range i.EmbeddedTypes() {
		b.unions(name, embedded)
	}
	if i.IsComparable() && i.NumMethods() == 0 {
		b.add("type %s interface, comparable", name)
	}
	unexported := false
	for m := range i.Methods() { // includes embedded interfaces, sorted
		if !m.Exported() {
			unexported = true
			continue
		}
		b.add("type %s interface, %s%s", name, m.Name(), b.signature(m.Signature()))
	}
	if unexported {
		b.add("type %s interface, unexported methods", name)
	}
}

// unions lists the types to which a constraint is limited.
func (b *builder) unions(name string, embedded types.Type) {
	i, ok := embedded.Underlying().(*types.Interface)
	if !ok {
		b.add("type %s interface, %s", name, b.typ(embedded))
		return
	}
	for inner := range i.EmbeddedTypes() {
		b.unions(name, inner)
	}
}

// methods lists the exported methods of t and *t, including methods promoted
// from an unexported embedded field. Methods of an exported embedded field are
// listed with its own type.
func (b *builder) methods(name string, t *types.Named) {
	ofValue := types.NewMethodSet(t)
	for selection := range types.NewMethodSet(types.NewPointer(t)).Methods() { // sorted by name
		m := selection.Obj().(*types.Func)
		if !m.Exported() || throughExported(t, selection.Index()) {
			continue
		}
		params := t.TypeParams()
		if len(selection.Index()) == 1 {
			params = m.Signature().RecvTypeParams() // may have other names than those of the type
		}
		receiver := name + names(params)
		if ofValue.Lookup(m.Pkg(), m.Name()) == nil {
			receiver = "*" + receiver
		}
		b.add("method (%s) %s%s", receiver, m.Name(), b.signature(m.Signature()))
	}
}

// throughExported reports whether a method is promoted from an exported
// embedded field.
func throughExported(t types.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		field := structOf(t).Field(i)
		if field.Exported() {
			return true
		}
		t = field.Type()
	}
	return false
}

func names(params *types.TypeParamList) string {
	if params.Len() == 0 {
		return ""
	}
	var all []string
	for p := range params.TypeParams() {
		all = append(all, p.Obj().Name())
	}
	return "[" + strings.Join(all, ", ") + "]"
}
