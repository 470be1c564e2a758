package config

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// How long a secret must be, so that guessing it is hopeless.
const (
	minTokenLength    = 16
	minPasswordLength = 12
)

// One returns a parser of a secret with one value, which it checks.
func One(check func(value string) error) func(text string) ([]string, error) {
	return func(text string) ([]string, error) {
		if strings.ContainsAny(text, "\r\n") {
			return nil, errors.New("must be one value on one line")
		}
		if err := check(text); err != nil {
			return nil, err
		}
		return []string{text}, nil
	}
}

// Several returns a parser of a secret that may have several values, so that it can
// be rotated: split, which is Lines or Listed, takes them apart, and use takes all of
// them or none. A list with one bad value in it is more likely a mistake than a wish.
func Several(split func(text string) []string, use func(values []string) error) func(text string) ([]string, error) {
	return func(text string) ([]string, error) {
		var values []string
		for _, field := range split(text) {
			if value := strings.TrimSpace(field); value != "" {
				values = append(values, value)
			}
		}
		if len(values) == 0 {
			return nil, errors.New("must hold a value between its commas and line breaks")
		}
		return values, use(values)
	}
}

// Lines splits what operators choose themselves, or an identity provider makes
// of any characters: a comma belongs to the value.
func Lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
}

// Listed splits keys that hold no comma at commas as well. The version that some
// consoles write before a key of Standard Webhooks, with a comma, is no value.
func Listed(text string) []string {
	text = strings.NewReplacer("v1,whsec_", "whsec_", "v1a,whpk_", "whpk_").Replace(text)
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' })
}

// CheckToken is the rule for tokens that this program sends behind "Bearer ".
func CheckToken(value string) error {
	if scheme, _, found := strings.Cut(value, " "); found && strings.EqualFold(scheme, "bearer") {
		return errors.New("must be the token alone, without the word Bearer")
	}
	if strings.Contains(value, " ") || !Printable(value) {
		return errors.New("must consist of visible ASCII characters without spaces")
	}
	if len(value) < minTokenLength {
		return errors.New("must be at least 16 characters long")
	}
	return nil
}

// checkPolarToken is CheckToken for Polar's tokens, whose prefix says whose they
// are. Nothing in the answer to a deletion says which organization's customer went,
// so a token that reaches several is refused.
// https://github.com/polarsource/polar (server/polar/personal_access_token, server/polar/oauth2/constants.py)
func checkPolarToken(value string) error {
	if strings.HasPrefix(value, "polar_pat_") || strings.HasPrefix(value, "polar_at_u_") {
		return errors.New("must be an organization access token, polar_oat_…: a person's token (polar_pat_…, polar_at_u_…) reaches every organization of that person, " +
			"and a deletion would reach their customers; create an organization access token with the scope customers:write at Polar")
	}
	return CheckToken(value)
}

// checkPassword is the rule for a password that people type.
func checkPassword(value string) error {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("must be valid UTF-8 without control characters")
	}
	if utf8.RuneCountInString(value) < minPasswordLength {
		return errors.New("must be at least 12 characters long")
	}
	return nil
}

// Printable reports whether all of value is printable ASCII, spaces included.
func Printable(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}
