package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
)

// Entry is one setting for the log's first line.
type Entry struct {
	Name, Value string
}

// Summary returns every setting with its value, in the order of Config; of a
// secret it says only whether it is set.
func (c *Config) Summary() []Entry {
	var entries []Entry
	for field, value := range settings(reflect.ValueOf(c)) {
		entries = append(entries, Entry{Name(field), show(value)})
	}
	return entries
}

// SecretHelp returns the help of every secret, which has no flag to stand at, in
// the order of Config.
func (c *Config) SecretHelp() []Entry {
	var entries []Entry
	for field := range settings(reflect.ValueOf(c)) {
		if name := field.Tag.Get("secret"); name != "" {
			entries = append(entries, Entry{Name: name, Value: field.Tag.Get("help")})
		}
	}
	return entries
}

func show(value reflect.Value) string {
	const unset = "not set"
	switch v := value.Interface().(type) {
	case *SecretSource:
		if v.IsSet() {
			return "set"
		}
		return unset
	case []netip.Prefix:
		if len(v) == 0 {
			return unset
		}
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ","), "[]")
	case *bool:
		if v != nil {
			return fmt.Sprint(*v)
		}
	}
	if kind := value.Kind(); (kind == reflect.Pointer || kind == reflect.String) && value.IsZero() {
		return unset
	}
	return fmt.Sprint(value.Interface())
}
