package payload

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// checkMembers reports why an object must not be decoded leniently into the struct
// type: a name of its fields stands twice, or text that is read is not UTF-8. The
// JSON package would take the last of several and replace what is not UTF-8. Names
// are compared as they are decoded, so an escape in one does not hide it; a name
// in another case is another name, here and there.
func checkMembers(object []byte, t reflect.Type) error {
	fields := map[string]reflect.Type{}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields[name] = field.Type
	}
	seen := map[string]bool{}
	return eachChild(object, func(name string, start, end int) error {
		field, read := fields[name]
		if !read {
			return nil
		}
		if seen[name] {
			return errTwice(start)
		}
		seen[name] = true
		value := jsontext.Value(object[start:end])
		switch {
		case field == reflect.TypeFor[jsontext.Value]():
		case field.Kind() == reflect.Struct && value.Kind() == jsontext.KindBeginObject:
			return checkMembers(value, field)
		case !value.IsValid():
			return malformed(fault.ReasonBadJSON, "not strict JSON at byte %d", start)
		}
		return nil
	})
}

// eachChild visits the members of an object or the elements of an array, whose
// names are their numbers; other values have none. Start and end are where the
// child's value stands. It is as lenient as Elements.
func eachChild(value []byte, visit func(name string, start, end int) error) error {
	kind := jsontext.Value(value).Kind()
	if kind != jsontext.KindBeginObject && kind != jsontext.KindBeginArray {
		return nil
	}
	dec := lenient(value)
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if next := dec.PeekKind(); next == jsontext.KindEndObject || next == jsontext.KindEndArray {
			return nil
		}
		name := strconv.Itoa(i)
		if kind == jsontext.KindBeginObject {
			tok, err := dec.ReadToken()
			if err != nil {
				return err
			}
			name = tok.String()
		}
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		end := int(dec.InputOffset())
		if err := visit(name, end-len(raw), end); err != nil {
			return err
		}
	}
}

// locate finds where the value at the pointer stands in a body, or returns zeros when
// it is not there. It is an error when a name on the way stands twice, in whatever
// spelling.
func locate(body []byte, at jsontext.Pointer) (start, end int, err error) {
	end = len(body)
	for name := range at.Tokens() {
		from, to, err := only(body[start:end], name)
		if err != nil || to == 0 {
			return 0, 0, err
		}
		start, end = start+from, start+to
	}
	return start, end, nil
}

// only finds the one member or element with the name.
func only(value []byte, name string) (start, end int, err error) {
	err = eachChild(value, func(key string, from, to int) error {
		if key != name {
			return nil
		}
		if end != 0 {
			return errTwice(from)
		}
		start, end = from, to
		return nil
	})
	return start, end, err
}

func errTwice(at int) error {
	return malformed(fault.ReasonBadJSON, "a JSON name that is read stands twice, at byte %d", at)
}
