package config

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"
)

// How long a secret must be, so that guessing it is hopeless.
const (
	minKeyBytes       = 16
	minTokenLength    = 16
	minPasswordLength = 12
)

// Why a secret is refused. The texts follow the setting's name.
var (
	errSeveral      = errors.New("must be one value on one line")
	errNoValue      = errors.New("must hold a value between its commas and line breaks")
	errKeyEncoding  = errors.New("must be base64 after whsec_, as the provider's console shows it")
	errKeyLength    = errors.New("must hold a key of at least 16 bytes")
	errTokenLength  = errors.New("must be at least 16 characters long")
	errTokenText    = errors.New("must consist of visible ASCII characters without spaces")
	errTokenScheme  = errors.New("must be the token alone, without the word Bearer")
	errHeaderText   = errors.New("must consist of visible ASCII characters and single spaces")
	errPasswordText = errors.New("must be valid UTF-8 without control characters")
	errPassword     = errors.New("must be at least 12 characters long")
)

// one refuses several lines and checks the value.
func one(check func(string) error) func(string) ([]string, error) {
	return func(text string) ([]string, error) {
		if strings.ContainsAny(text, "\r\n") {
			return nil, errSeveral
		}
		if err := check(text); err != nil {
			return nil, err
		}
		return []string{text}, nil
	}
}

// several splits at commas and line breaks and checks every value: a list with
// one bad value in it is more likely a mistake than a wish.
func several(check func(string) error) func(string) ([]string, error) {
	return func(text string) ([]string, error) {
		var values []string
		for field := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
			value := strings.TrimSpace(field)
			if value == "" {
				continue
			}
			if err := check(value); err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		if len(values) == 0 {
			return nil, errNoValue
		}
		return values, nil
	}
}

// checkKey is the rule for HMAC keys in the form of Svix and Standard Webhooks.
func checkKey(value string) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(value, "whsec_"))
	if err != nil {
		return errKeyEncoding
	}
	if len(key) < minKeyBytes {
		return errKeyLength
	}
	return nil
}

// checkToken is the rule for tokens that go into a header behind "Bearer ".
func checkToken(value string) error {
	if scheme, _, found := strings.Cut(value, " "); found && strings.EqualFold(scheme, "bearer") {
		return errTokenScheme
	}
	if strings.Contains(value, " ") || !visible(value) {
		return errTokenText
	}
	if len(value) < minTokenLength {
		return errTokenLength
	}
	return nil
}

// checkHeaderValue is the rule for a whole Authorization value, which may begin
// with a scheme; the scheme does not make it longer.
func checkHeaderValue(value string) error {
	if !visible(value) || value != strings.Join(strings.Fields(value), " ") {
		return errHeaderText
	}
	longest := 0
	for field := range strings.FieldsSeq(value) {
		longest = max(longest, len(field))
	}
	if longest < minTokenLength {
		return errTokenLength
	}
	return nil
}

// checkPassword is the rule for a password that people type.
func checkPassword(value string) error {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errPasswordText
	}
	if utf8.RuneCountInString(value) < minPasswordLength {
		return errPassword
	}
	return nil
}

// visible reports whether all of value is printable ASCII, spaces included.
func visible(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}
