package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// minKey is the shortest HMAC key that is accepted, in bytes. Svix asks for 24,
// but its own documentation's vector has 18.
const minKey = 16

// claim is what the headers of a delivery say. Nothing of it is proven.
type claim struct {
	id      string    // of the delivery, where the scheme signs one
	at      time.Time // when it was signed, where the scheme signs that
	before  string    // what is signed before the body
	macs    [][]byte  // HMAC-SHA256
	ed25519 [][]byte
}

// key checks the signatures of its own kind and no others: a public key, which is no
// secret, must never serve as an HMAC key.
type key interface {
	// matches says whether any signature is the key's own for the delivery.
	matches(c claim, body []byte) bool
}

// verifier is what all schemes have in common that sign the body.
type verifier struct {
	Keys[key]

	// parse returns the claims that are sound in form and age, at least one. Those
	// signed up to maxAge ago are sound, even if that is more than the scheme allows.
	parse func(h http.Header, maxAge time.Duration) ([]claim, error)
}

// CheckHeader reports what can be said against a delivery before its body is
// read: headers that are missing, repeated or out of form, and its age.
func (v *verifier) CheckHeader(h http.Header) error {
	_, err := v.parse(h, 0)
	return err
}

// Verify returns the message of a delivery whose headers are sound and whose body
// carries a signature by any of the keys. The id is that of the claim which was
// verified, so it may serve as the idempotency key.
func (v *verifier) Verify(h http.Header, body []byte) (Message, error) {
	return v.VerifyLate(h, body, 0)
}

// VerifyLate is Verify for a delivery that was signed up to maxAge ago, even if that
// is more than the scheme allows.
func (v *verifier) VerifyLate(h http.Header, body []byte, maxAge time.Duration) (Message, error) {
	claims, err := v.parse(h, maxAge)
	if err != nil {
		return Message{}, err
	}
	for _, c := range claims {
		for _, k := range v.current() {
			if k.matches(c, body) {
				return Message{ID: c.id, Payload: body, SignedAt: c.at}, nil
			}
		}
	}
	return Message{}, refuse(fault.ReasonBadSignature, "no signature matches")
}

// hmacKey verifies HMACs.
type hmacKey []byte

func (k hmacKey) matches(c claim, body []byte) bool {
	want := hmacSum(k, []byte(c.before), body)
	return slices.ContainsFunc(c.macs, func(mac []byte) bool { return hmac.Equal(mac, want) })
}

func hmacSum(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// HMACHex returns the HMAC-SHA256 of the parts, one after the other, in hex.
func HMACHex(key []byte, parts ...[]byte) string { return hex.EncodeToString(hmacSum(key, parts...)) }

// hexMAC decodes a MAC of exactly the right length. Upper case is taken as
// well: it is the same bytes, and no vendor promises lower case.
func hexMAC(text string) ([]byte, bool) {
	if len(text) != hex.EncodedLen(sha256.Size) {
		return nil, false
	}
	mac, err := hex.DecodeString(text)
	return mac, err == nil
}

// errKeyLength follows a setting's name.
var errKeyLength = fmt.Errorf("must hold a key of at least %d bytes", minKey)

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

func parseTextKey(secret string) (key, error) {
	k, err := TextKey(secret)
	return hmacKey(k), err
}

// PlainHMAC is the scheme of a header that is the HMAC-SHA256 of the raw body in
// hex, as Logto and Phase Two's Keycloak extension send it. No time is signed, so a
// captured request can be repeated for ever.
type PlainHMAC struct {
	verifier

	header string
}

// NewPlainHMAC returns the scheme for the header. Keys are as TextKey takes them.
func NewPlainHMAC(header string) *PlainHMAC {
	parse := func(h http.Header, _ time.Duration) ([]claim, error) {
		value, err := single(h, header)
		if err != nil {
			return nil, err
		}
		mac, ok := hexMAC(value)
		if !ok {
			return nil, refuseHeader(fault.ReasonBadHeader, header, "is not a SHA-256 in hex")
		}
		return []claim{{macs: [][]byte{mac}}}, nil
	}
	return &PlainHMAC{verifier{Keys[key]{parse: parseTextKey}, parse}, header}
}

// Sign returns a delivery that is signed with secret.
func (p *PlainHMAC) Sign(secret, _ string, _ time.Time, body []byte) (http.Header, []byte, error) {
	key, err := TextKey(secret)
	if err != nil {
		return nil, nil, err
	}
	return jsonHeader(p.header, HMACHex(key, body)), body, nil
}

// Bounds on a header "t=…,v1=…" before anything is proven.
const (
	maxTimedHeader  = 4 << 10
	maxTimedEntries = 16
	maxTimedDigits  = 15 // milliseconds until the year 33658
)

// TimedForm says how a provider writes "t=<time>,v1=<hex>" in a header.
type TimedForm struct {
	Header string // the name of the header
	// Separator stands between the entries that we sign. Readers take a comma
	// with or without blanks behind it.
	Separator string
	Unit      time.Duration // what the time counts: time.Second or time.Millisecond
	Tolerance time.Duration // how far the time may lie from now, both ways
}

func (f TimedForm) stamp(maxAge time.Duration) stamp {
	return stamp{f.Header, f.Unit, maxTimedDigits, f.Tolerance, maxAge}
}

// TimedHMAC is the scheme of HMAC-SHA256 signatures over time, dot and raw body, as
// WorkOS and ZITADEL send them.
type TimedHMAC struct {
	verifier

	form TimedForm
}

// NewTimedHMAC returns the scheme. Keys are as TextKey takes them.
func NewTimedHMAC(now func() time.Time, form TimedForm) *TimedHMAC {
	parse := func(h http.Header, maxAge time.Duration) ([]claim, error) {
		value, err := single(h, form.Header)
		if err != nil {
			return nil, err
		}
		c, err := form.parse(value, form.stamp(maxAge), now())
		return []claim{c}, err
	}
	return &TimedHMAC{verifier{Keys[key]{parse: parseTextKey}, parse}, form}
}

// Sign returns a delivery that is signed with secret.
func (t *TimedHMAC) Sign(secret, _ string, at time.Time, body []byte) (http.Header, []byte, error) {
	key, err := TextKey(secret)
	if err != nil {
		return nil, nil, err
	}
	text := strconv.FormatInt(t.form.stamp(0).count(at), 10)
	value := "t=" + text + t.form.Separator + "v1=" + HMACHex(key, []byte(text+"."), body)
	return jsonHeader(t.form.Header, value), body, nil
}

// parse takes the header apart and checks its age. It wants one time and skips
// signatures that do not decode, which cannot match, and whatever else it does not
// know, so that a new version can stand beside this one.
func (f TimedForm) parse(value string, stamp stamp, now time.Time) (claim, error) {
	entries := strings.Split(value, ",")
	if len(value) > maxTimedHeader || len(entries) > maxTimedEntries {
		return claim{}, refuseHeader(fault.ReasonBadHeader, f.Header, "has %d bytes, %d entries", len(value), len(entries))
	}
	var times []string
	var macs [][]byte
	for _, entry := range entries {
		switch name, text, _ := strings.Cut(strings.TrimLeft(entry, " \t"), "="); name {
		case "t":
			times = append(times, text)
		case "v1":
			if mac, ok := hexMAC(text); ok {
				macs = append(macs, mac)
			}
		}
	}
	if len(times) != 1 {
		return claim{}, refuseHeader(fault.ReasonBadHeader, f.Header, "has %d times", len(times))
	}
	at, err := stamp.check(times[0], now)
	if err != nil {
		return claim{}, err
	}
	if len(macs) == 0 {
		return claim{}, refuseHeader(fault.ReasonBadSignature, f.Header, "has no signature of version v1")
	}
	return claim{at: at, before: times[0] + ".", macs: macs}, nil
}
