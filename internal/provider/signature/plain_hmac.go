package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// PlainHMAC is the scheme of a header that is the HMAC-SHA256 of the raw body in
// hex, as Logto and Phase Two's Keycloak extension send it. No time is signed, so a
// captured request can be repeated for ever.
type PlainHMAC struct {
	Keys[[]byte]

	header string
}

// NewPlainHMAC returns the scheme for the header. Keys are as TextKey takes them.
func NewPlainHMAC(header string) *PlainHMAC {
	return &PlainHMAC{Keys: Keys[[]byte]{parse: TextKey}, header: header}
}

// CheckHeader reports what can be said against a delivery before its body is
// read.
func (p *PlainHMAC) CheckHeader(h http.Header) error {
	_, err := p.parse(h)
	return err
}

// Verify requires that the body is signed by any of the keys.
func (p *PlainHMAC) Verify(h http.Header, body []byte) (Message, error) {
	mac, err := p.parse(h)
	if err != nil {
		return Message{}, err
	}
	return verified(body, matchHMAC(p.current(), [][]byte{mac}, body))
}

// Sign returns a delivery that is signed with secret.
func (p *PlainHMAC) Sign(secret, _ string, _ time.Time, body []byte) (http.Header, []byte, error) {
	key, err := TextKey(secret)
	if err != nil {
		return nil, nil, err
	}
	return jsonHeader(p.header, HMACHex(key, body)), body, nil
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
