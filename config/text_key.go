package config

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// errKeyText follows the setting's name.
var errKeyText = errors.New("must consist of characters that print")

// checkTextKey is the rule for HMAC keys that are used as they stand, in UTF-8.
func checkTextKey(value string) error {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errKeyText
	}
	if len(value) < minKeyBytes {
		return errKeyLength
	}
	return nil
}
