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

// TimedHMAC is the scheme of HMAC-SHA256 signatures over time, dot and raw body, as
// WorkOS and ZITADEL send them.
type TimedHMAC struct {
	Keys[[]byte]

	now  func() time.Time
	form TimedForm
}

// NewTimedHMAC returns the scheme. Keys are as TextKey takes them.
func NewTimedHMAC(now func() time.Time, form TimedForm) *TimedHMAC {
	return &TimedHMAC{Keys: Keys[[]byte]{parse: TextKey}, now: now, form: form}
}

// CheckHeader reports what can be said against a delivery before its body is
// read: a header that is missing, repeated or out of form, and its age.
func (t *TimedHMAC) CheckHeader(h http.Header) error {
	_, err := t.parse(h)
	return err
}

// Verify requires that a signature of the header fits the body.
func (t *TimedHMAC) Verify(h http.Header, body []byte) (Message, error) {
	m, err := t.parse(h)
	if err != nil {
		return Message{}, err
	}
	return verified(body, matchHMAC(t.current(), m.macs, []byte(m.time+"."), body))
}

// Sign returns a delivery that is signed with secret.
func (t *TimedHMAC) Sign(secret, _ string, at time.Time, body []byte) (http.Header, []byte, error) {
	key, err := TextKey(secret)
	if err != nil {
		return nil, nil, err
	}
	text := strconv.FormatInt(t.form.stamp().count(at), 10)
	value := timedTime + "=" + text + t.form.Separator + timedSignature + "=" + HMACHex(key, []byte(text+"."), body)
	return jsonHeader(t.form.Header, value), body, nil
}

func (f TimedForm) stamp() stamp { return stamp{f.Header, f.Unit, maxTimedDigits, f.Tolerance} }

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
	if err := t.form.stamp().check(m.time, t.now()); err != nil {
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
