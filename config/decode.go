package config

import (
	"errors"
	"net/netip"
	"reflect"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
)

// decode sets target, or returns what is wrong with text.
func decode(text string, target reflect.Value) (predicate string) {
	var value any
	switch target.Interface().(type) {
	case time.Duration:
		value, predicate = duration(text)
	case int:
		value, predicate = integer(text)
	case bool:
		value, predicate = boolean(text)
	case *bool:
		var b bool
		b, predicate = boolean(text)
		value = &b
	case *regexp.Regexp:
		value, predicate = pattern(text)
	case []netip.Prefix:
		var more []netip.Prefix
		more, predicate = prefixes(text)
		value = reflect.AppendSlice(target, reflect.ValueOf(more)).Interface()
	default:
		value = text
	}
	target.Set(reflect.ValueOf(value))
	return predicate
}

func duration(text string) (time.Duration, string) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, "must be a duration with its unit, such as 500ms, 5s or 72h"
	}
	return d, ""
}

func integer(text string) (int, string) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, "must be a whole number"
	}
	return n, ""
}

func boolean(text string) (value bool, predicate string) {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		return true, ""
	case "false", "0", "no", "off":
		return false, ""
	}
	return false, "must be true or false"
}

func pattern(text string) (*regexp.Regexp, string) {
	if text == "" {
		return nil, ""
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return nil, "must be a regular expression in RE2's syntax" + reason(err)
	}
	return compiled, ""
}

// reason names the mistake without the expression.
func reason(err error) string {
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		return " (" + e.Code.String() + ")"
	}
	return ""
}

func prefixes(text string) ([]netip.Prefix, string) {
	var all []netip.Prefix
	for field := range strings.SplitSeq(text, ",") {
		field = strings.TrimSpace(field)
		if field == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(field)
		if err != nil {
			ip, err := netip.ParseAddr(field)
			if err != nil || ip.Zone() != "" {
				return nil, "must be networks such as 10.0.0.0/8 or addresses, separated by commas"
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		all = append(all, prefix.Masked())
	}
	return all, ""
}
