package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
)

// Entry is one setting for the log's first line.
type Entry struct {
	Name, Value string
}

// How a secret stands in a summary.
const (
	summarySet   = "set"
	summaryUnset = "not set"
)

// Summary returns every setting with its value, in the order of Config; of a
// secret it says only whether it is set.
func (c *Config) Summary() []Entry {
	var entries []Entry
	sections := []any{&c.Polar}
	for _, provider := range c.providers() {
		sections = append(sections, provider)
	}
	for _, section := range append(sections, &c.Directory, &c.Work, &c.Guards, &c.Database, &c.HTTP, &c.Notify, &c.Log) {
		entries = append(entries, summarize(reflect.ValueOf(section).Elem())...)
	}
	return entries
}

func summarize(section reflect.Value) []Entry {
	var entries []Entry
	for field, value := range section.Fields() {
		if name := field.Tag.Get("env"); name != "" {
			entries = append(entries, Entry{name, show(value.Interface())})
		}
		if name := field.Tag.Get("secret"); name != "" {
			entries = append(entries, Entry{name, showSecret(section, value.Interface())})
		}
	}
	return entries
}

func showSecret(section reflect.Value, value any) string {
	set := false
	switch v := value.(type) {
	case *SecretSource:
		set = v.IsSet()
	case Secret:
		set = section.FieldByName("set").Bool()
	}
	if set {
		return summarySet
	}
	return summaryUnset
}

func show(value any) string {
	switch v := value.(type) {
	case *bool:
		if v == nil {
			return summaryUnset
		}
		return fmt.Sprint(*v)
	case *regexp.Regexp:
		if v == nil {
			return summaryUnset
		}
		return v.String()
	case []netip.Prefix:
		if len(v) == 0 {
			return summaryUnset
		}
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ","), "[]")
	case string:
		if v == "" {
			return summaryUnset
		}
		return v
	}
	return fmt.Sprint(value)
}
