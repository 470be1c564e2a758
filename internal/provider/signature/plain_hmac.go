package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// PlainHMAC verifies a header that is the HMAC-SHA256 of the raw body in hex,
// as Logto and Phase Two's Keycloak extension send it. No time is signed, so a
// captured request can be repeated for ever.
type PlainHMAC struct {
	keys   *keyring[[]byte]
	header string
}

// NewPlainHMAC returns a verifier of the header. It fails when the secret,
// named by env in errors, is missing or cannot be a key; see TextKey.
func NewPlainHMAC(env string, secrets Secrets, header string) (*PlainHMAC, error) {
	keys, err := newKeyring(env, secrets, TextKey)
	if err != nil {
		return nil, err
	}
	return &PlainHMAC{keys: keys, header: header}, nil
}

// CheckHeader reports what can be said against a delivery before its body is
// read.
func (p *PlainHMAC) CheckHeader(h http.Header) error {
	_, err := p.parse(h)
	return err
}

// Verify reports why the body is not signed by any of the keys, or nil.
func (p *PlainHMAC) Verify(h http.Header, body []byte) error {
	mac, err := p.parse(h)
	if err != nil {
		return err
	}
	return matchHMAC(p.keys.current(), [][]byte{mac}, body)
}

func (p *PlainHMAC) parse(h http.Header) ([]byte, error) {
	value, err := single(h, p.header)
	if err != nil {
		return nil, err
	}
	mac, ok := hexMAC(value)
	if !ok {
		return nil, refuseHeader(fault.ReasonBadHeader, p.header, "is not a SHA-256 in hex")
	}
	return mac, nil
}

// PlainHMACHeader returns the headers of a delivery that is signed with secret.
func PlainHMACHeader(header, secret string, body []byte) (http.Header, error) {
	key, err := TextKey(secret)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set(header, HMACHex(key, body))
	return h, nil
}

// TextKey returns the key of a secret that is used as it stands, in UTF-8. What
// a paste may have added without anybody seeing it is refused. Errors follow a
// setting's name and never show the secret.
func TextKey(secret string) ([]byte, error) {
	switch {
	case len(secret) < minKey:
		return nil, errKeyLength
	case secret != strings.TrimSpace(secret):
		return nil, errors.New("must have no white space around it")
	case !utf8.ValidString(secret) || strings.ContainsFunc(secret, func(r rune) bool { return !unicode.IsPrint(r) }):
		return nil, errors.New("must consist of characters that print")
	}
	return []byte(secret), nil
}

// HMACHex returns the HMAC-SHA256 of the parts, one after the other, in hex.
func HMACHex(key []byte, parts ...[]byte) string { return hex.EncodeToString(hmacSum(key, parts...)) }

func hmacSum(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// matchHMAC compares every MAC with that of every key, in constant time each.
func matchHMAC(keys, macs [][]byte, parts ...[]byte) error {
	for _, key := range keys {
		want := hmacSum(key, parts...)
		for _, mac := range macs {
			if hmac.Equal(mac, want) {
				return nil
			}
		}
	}
	return refuse(fault.ReasonBadSignature, "no signature matches")
}

// hexMAC decodes a MAC of exactly the right length. Upper case is taken as
// well: it is the same bytes, and no vendor promises lower case.
func hexMAC(text string) ([]byte, bool) {
	if len(text) != hex.EncodedLen(sha256.Size) {
		return nil, false
	}
	mac, err := hex.DecodeString(text)
	return mac, err == nil
}
