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
	for field, value := range settings(reflect.ValueOf(c)) {
		entries = append(entries, Entry{Name(field), c.show(value.Interface())})
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

func (c *Config) show(value any) string {
	set := false
	switch v := value.(type) {
	case *SecretSource:
		set = v.IsSet()
	case Secret:
		set = c.Database.set
	default:
		return show(value)
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
