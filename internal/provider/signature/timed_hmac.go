package signature

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// Bounds on a header "t=…,v1=…" before anything is proven.
const (
	maxTimedHeader  = 4 << 10
	maxTimedEntries = 16
	maxTimedDigits  = 15 // milliseconds until the year 33658
)

// The names in such a header. Others are skipped, so that a new version can
// stand beside this one.
const (
	timedTime      = "t"
	timedSignature = "v1"
)

// TimedForm says how a provider writes "t=<time>,v1=<hex>" in a header.
type TimedForm struct {
	// Header is the name of the header.
	Header string
	// Separator stands between the entries that we sign. Readers take a comma
	// with or without blanks behind it.
	Separator string
	// Unit is what the time counts: time.Second or time.Millisecond.
	Unit time.Duration
	// Tolerance is how far the time may lie from now, both ways.
	Tolerance time.Duration
}

// TimedHMAC verifies HMAC-SHA256 signatures over time, dot and raw body, as
// WorkOS and ZITADEL send them.
type TimedHMAC struct {
	keys *keyring[[]byte]
	now  func() time.Time
	form TimedForm
}

// NewTimedHMAC returns a verifier. It fails when the secret, named by env in
// errors, is missing or cannot be a key; see TextKey.
func NewTimedHMAC(env string, secrets Secrets, now func() time.Time, form TimedForm) (*TimedHMAC, error) {
	keys, err := newKeyring(env, secrets, TextKey)
	if err != nil {
		return nil, err
	}
	return &TimedHMAC{keys: keys, now: now, form: form}, nil
}

// CheckHeader reports what can be said against a delivery before its body is
// read: a header that is missing, repeated or out of form, and its age.
func (t *TimedHMAC) CheckHeader(h http.Header) error {
	_, err := t.parse(h)
	return err
}

// Verify reports why no signature of the header fits the body, or nil.
func (t *TimedHMAC) Verify(h http.Header, body []byte) error {
	m, err := t.parse(h)
	if err != nil {
		return err
	}
	return matchHMAC(t.keys.current(), m.macs, []byte(m.time+"."), body)
}

// SignHeader returns the headers of a delivery that is signed with secret.
func (f TimedForm) SignHeader(secret string, at time.Time, body []byte) (http.Header, error) {
	key, err := TextKey(secret)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set(f.Header, timedTime+"="+f.stamp(at)+f.Separator+timedSignature+"="+f.Sign(key, at, body))
	return h, nil
}

// Sign returns the signature of a delivery in hex.
func (f TimedForm) Sign(key []byte, at time.Time, body []byte) string {
	return HMACHex(key, []byte(f.stamp(at)+"."), body)
}

func (f TimedForm) stamp(at time.Time) string { return strconv.FormatInt(f.count(at), 10) }

// count returns the time in units.
func (f TimedForm) count(at time.Time) int64 {
	return at.UnixMilli() / int64(f.Unit/time.Millisecond)
}

// timed is what the header of a delivery claims. Nothing of it is proven.
type timed struct {
	time string
	macs [][]byte
}

func (t *TimedHMAC) parse(h http.Header) (timed, error) {
	value, err := single(h, t.form.Header)
	if err != nil {
		return timed{}, err
	}
	m, err := t.scan(value)
	if err != nil {
		return timed{}, err
	}
	if err := t.checkAge(m.time); err != nil {
		return timed{}, err
	}
	if len(m.macs) == 0 {
		return timed{}, refuseHeader(fault.ReasonBadSignature, t.form.Header, "has no signature of version v1")
	}
	return m, nil
}

// scan takes the header apart. It wants one time and skips signatures that do
// not decode, which cannot match, and whatever else it does not know.
func (t *TimedHMAC) scan(value string) (timed, error) {
	name, entries := t.form.Header, strings.Split(value, ",")
	if len(value) > maxTimedHeader || len(entries) > maxTimedEntries {
		return timed{}, refuseHeader(fault.ReasonBadHeader, name, "has %d bytes, %d entries", len(value), len(entries))
	}
	var m timed
	times := 0
	for _, entry := range entries {
		key, text, _ := strings.Cut(strings.TrimLeft(entry, " \t"), "=")
		switch key {
		case timedTime:
			m.time = text
			times++
		case timedSignature:
			if mac, ok := hexMAC(text); ok {
				m.macs = append(m.macs, mac)
			}
		}
	}
	if times != 1 {
		return timed{}, refuseHeader(fault.ReasonBadHeader, name, "has %d times", times)
	}
	return m, nil
}

// checkAge takes the canonical form only: "+1" and "01" are other bytes under
// the signature, but the same time. The vendors' own verifiers do not look for
// times in the future, which would make a signature last for ever.
func (t *TimedHMAC) checkAge(text string) error {
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(text) > maxTimedDigits || strconv.FormatInt(at, 10) != text || at < 0 {
		return refuseHeader(fault.ReasonBadHeader, t.form.Header, "has no UNIX time")
	}
	tolerance := int64(t.form.Tolerance / t.form.Unit)
	switch age := t.form.count(t.now()) - at; {
	case age > tolerance:
		return refuseHeader(fault.ReasonStale, t.form.Header, "says that it was signed %d times %s ago", age, t.form.Unit)
	case age < -tolerance:
		return refuseHeader(fault.ReasonFuture, t.form.Header, "says that it was signed %d times %s ahead", -age, t.form.Unit)
	}
	return nil
}
