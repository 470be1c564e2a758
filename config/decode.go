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

// decode sets target, or returns what the text must be.
func decode(text string, target reflect.Value) (predicate string) {
	var value any
	var err error
	switch target.Interface().(type) {
	case time.Duration:
		predicate = "must be a duration with its unit, such as 500ms, 5s, 72h or 30d"
		value, err = duration(text)
	case int:
		predicate = "must be a whole number"
		value, err = strconv.Atoi(text)
	case bool:
		predicate = "must be true or false"
		value, err = boolean(text)
	case *bool:
		predicate = "must be true or false"
		var b bool
		b, err = boolean(text)
		value = &b
	case *regexp.Regexp:
		predicate = "must be a regular expression in RE2's syntax"
		if text == "" {
			return ""
		}
		value, err = regexp.Compile(text)
		if mistake, ok := errors.AsType[*syntax.Error](err); ok {
			predicate += " (" + mistake.Code.String() + ")" // without the expression
		}
	case []netip.Prefix:
		predicate = "must be networks such as 10.0.0.0/8 or addresses, separated by commas"
		var more []netip.Prefix
		more, err = networks(text)
		value = reflect.AppendSlice(target, reflect.ValueOf(more)).Interface()
	default:
		value = text
	}
	if err != nil {
		return predicate
	}
	target.Set(reflect.ValueOf(value))
	return ""
}

// duration also takes whole days, of 24 hours.
func duration(text string) (time.Duration, error) {
	const day, most = 24 * time.Hour, 16 // bits: more would not fit
	if days, found := strings.CutSuffix(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, most)
		return time.Duration(n) * day, err
	}
	return time.ParseDuration(text)
}

func boolean(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, errors.New("neither true nor false")
}

func networks(text string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, part := range List(text) {
		if part == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			address, err := netip.ParseAddr(part)
			if err != nil || address.Zone() != "" {
				return nil, errors.New("no address, or one with a zone")
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}
