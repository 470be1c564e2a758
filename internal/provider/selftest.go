package provider

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// selftestHeader proves that the sender of an event has the webhook secret and means the
// deletion of that external id for a test. No provider sends it.
const selftestHeader = "Polar-Bridge-Selftest"

// TestPrefixes begin the ids of tests of one kind, one of each form that a provider may
// want of its users' ids; no user's id begins so. The last one is of a version 8 UUID,
// which is for private use, and says "polarb".
// https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8
func TestPrefixes(kind string) []string {
	return []string{"polar-bridge-" + kind + "-", "user_polarbridge" + kind, "auth0|polarbridge" + kind, "706f6c61-7262-8"}
}

// TestIDs are external ids for a test, one for each of TestPrefixes, the same for the
// same seed, which is of letters and digits.
func TestIDs(kind, seed string) []string {
	ids := TestPrefixes(kind)
	digits := sha256.Sum256([]byte(seed))
	const variant = 0x80 // of RFC 9562
	uuid := fmt.Sprintf("%03x-%02x%02x-%x", int(digits[0])<<4|int(digits[1])>>4, digits[2]&0x3f|variant, digits[3], digits[4:10])
	for i := range ids {
		if i == len(ids)-1 {
			ids[i] += uuid
		} else {
			ids[i] += seed
		}
	}
	return ids
}

const selftestKind = "selftest"

// SelftestIDs are new external ids for polar-bridge selftest, random.
func SelftestIDs() []string { return TestIDs(selftestKind, strings.ToLower(rand.Text())) }

// Selftest returns a delivery that says of itself that it is a test.
func (s *Spec) Selftest(secret string, sample Sample) (http.Header, []byte, error) {
	header, body, err := s.Sample(secret, sample)
	if err == nil {
		header.Set(selftestHeader, hex.EncodeToString(selftestMAC(secret, sample.ExternalID)))
	}
	return header, body, err
}

// markSelftests marks those deletions of an authentic delivery that are tests. Whoever
// could mark another one would hide it from metrics and export: that takes the secret,
// and an id that no user has.
func (s *Spec) markSelftests(h http.Header, d *deletion.Delivery) {
	claim, err := hex.DecodeString(h.Get(selftestHeader))
	if len(claim) == 0 || err != nil {
		return
	}
	forms := TestPrefixes(selftestKind)
	for i := range d.Deletions {
		id := d.Deletions[i].ExternalID
		if !slices.ContainsFunc(forms, func(prefix string) bool { return strings.HasPrefix(id, prefix) }) {
			continue
		}
		for _, secret := range s.Secrets() {
			if hmac.Equal(claim, selftestMAC(secret, id)) {
				d.Deletions[i].Source = deletion.SourceSelftest
			}
		}
	}
}

func selftestMAC(secret, externalID string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("polar-bridge selftest\n" + externalID))
	return mac.Sum(nil)
}
