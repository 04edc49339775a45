package contract

import (
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/seed67206a74/parley/events"
)

// object is a JSON object whose members keep their order.
type object []entry

type entry struct {
	name  string
	value any
}

// MarshalJSONTo writes the members.
func (o object) MarshalJSONTo(enc *jsontext.Encoder) error {
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, e := range o {
		if err := enc.WriteToken(jsontext.String(e.name)); err != nil {
			return err
		}
		if err := json.MarshalEncode(enc, e.value); err != nil {
			return err
		}
	}
	return enc.WriteToken(jsontext.EndObject)
}

// schemas returns a JSON Schema (draft 7) for each type, by its name. Members
// that the contract does not name are allowed, because they are kept.
func (c *Contract) schemas() object {
	all := object{{"Envelope", schemaOfObject(aboutEnvelope, envelope())}}
	for _, t := range c.payloads {
		all = append(all, entry{t.Name(), object{
			{"description", c.comments[t.Name()]},
			{"allOf", []object{reference("schemas", "Envelope"), schemaOfObject("", members(t))}},
		}})
	}
	for _, t := range c.records {
		all = append(all, entry{t.Name(), schemaOfObject(c.comments[t.Name()], members(t))})
	}
	var names object
	for key := range events.Keys() {
		names = append(names, entry{string(key), object{{"type", "string"}, {"minLength", 1}}})
	}
	return append(all,
		entry{joinType, object{{"description", aboutJoin}, {"allOf", []object{reference("schemas", "Envelope")}}}},
		entry{namesType, object{{"description", "The names that differ from the default, by key."}, {"type", "object"}, {"properties", names}}},
		entry{anyType, object{{"description", "Any JSON that the server sends."}}},
	)
}

func schemaOfObject(description string, all []member) object {
	var properties object
	var required []string
	for _, m := range all {
		properties = append(properties, entry{m.name, m.schema()})
		if m.required {
			required = append(required, m.name)
		}
	}
	schema := object{{"type", "object"}, {"properties", properties}}
	if description != "" {
		schema = append(object{{"description", description}}, schema...)
	}
	if required != nil {
		schema = append(schema, entry{"required", required})
	}
	return schema
}

func (m member) schema() object {
	schema := schemaOf(m.typ)
	if m.allowed == nil {
		return schema
	}
	var values []any
	for _, v := range m.allowed {
		if m.typ.Kind() == reflect.Bool {
			values = append(values, v == "true")
		} else {
			values = append(values, v)
		}
	}
	return append(schema, entry{"enum", values})
}

func schemaOf(t reflect.Type) object {
	switch {
	case t == idType:
		return object{{"type", []string{"string", "integer"}}}
	case t == timeType:
		return object{{"type", "string"}, {"format", "date-time"}}
	case t == rawType, t.Kind() == reflect.Interface:
		return object{}
	}
	switch t.Kind() {
	case reflect.String:
		return object{{"type", "string"}}
	case reflect.Int, reflect.Int64:
		return object{{"type", "integer"}}
	case reflect.Float64:
		return object{{"type", "number"}}
	case reflect.Bool:
		return object{{"type", "boolean"}}
	case reflect.Slice:
		return object{{"type", "array"}, {"items", schemaOf(t.Elem())}}
	case reflect.Pointer:
		return schemaOf(t.Elem())
	}
	return reference("schemas", t.Name())
}

func reference(kind, name string) object {
	return object{{"$ref", "#/components/" + kind + "/" + name}}
}
