package standard_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/identity/standard"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	other  = "whsec_plJ3nmyCDGBKInavdOK15jsl"
	// public belongs to the key of Svix' server tests, which signs the golden requests.
	public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
)

func harness() providertest.Harness {
	set := signature.StandardHeaders()
	return providertest.Harness{
		Info:   standard.About(),
		New:    func(s provider.Settings) (provider.Provider, error) { return standard.New(s) },
		Sample: standard.Sample,
		Secret: secret,
		Other:  other,
		Unusable: []string{
			"whsec_", "whsec_AAAAAAAAAAAAAAAAAAAA", "whsec_not-base64-marker!", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
			"whpk_", "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		},
		UnusableIDFields: []string{"id", "data.id", "/", "//id", "/data/~2", "/type"},
		Svix:             &set,
		IDMember:         "id",
		Body:             deletion,
		Ignored:          providertest.Cases(event.IgnoreOtherType, ignored()),
		Malformed:        providertest.Cases(fault.ReasonBadType, malformed()),
		Golden:           []string{secret, other, public},
	}
}

// svixHarness sends the same signatures under the other names.
func svixHarness() providertest.Harness {
	h := harness()
	set := signature.SvixHeaders()
	h.Svix = &set
	h.Sample = func(secret string, s provider.Sample) (http.Header, []byte, error) {
		header, body, err := standard.Sample(secret, s)
		return renamed(header), body, err
	}
	return h
}

func renamed(h http.Header) http.Header {
	changed := http.Header{}
	for name, values := range h {
		changed[http.CanonicalHeaderKey(strings.Replace(name, "Webhook-", "Svix-", 1))] = values
	}
	return changed
}

// otherFieldsHarness is a sender that follows no convention.
func otherFieldsHarness() providertest.Harness {
	h := harness()
	h.IDField = "/payload/user/uid"
	h.UnusableIDFields = []string{"id", "/meta", "/meta/kind", "/meta/kind/id"}
	h.IDMember = "uid"
	h.New = func(s provider.Settings) (provider.Provider, error) {
		s.EventTypes, s.TypeField = []string{"USER_GONE"}, "/meta/kind"
		return standard.New(s)
	}
	h.Sample = func(secret string, s provider.Sample) (http.Header, []byte, error) {
		s.EventType, s.TypeField = "USER_GONE", "/meta/kind"
		return standard.Sample(secret, s)
	}
	h.Body = func(members string) []byte {
		return []byte(`{"meta":{"kind":"USER_GONE"},"type":"x","payload":{"actor":{"uid":"admin"},"user":{` + members + `}}}`)
	}
	h.Ignored = providertest.Cases(event.IgnoreOtherType, map[string]string{
		"the default type at the default place": `{"type":"user.deleted","data":{"id":"a"},"payload":{"user":{"uid":"a"}}}`,
		"the default type":                      `{"meta":{"kind":"user.deleted"},"payload":{"user":{"uid":"a"}}}`,
		"the type at the default place":         `{"type":"USER_GONE","payload":{"user":{"uid":"a"}}}`,
		"meta is not an object":                 `{"meta":["USER_GONE"],"payload":{"user":{"uid":"a"}}}`,
	})
	h.Malformed = providertest.Cases(fault.ReasonBadType, map[string]string{"the type is a number": `{"meta":{"kind":1}}`})
	return h
}

// ed25519Harness signs with version v1a. Its keys are made from fixed seeds: the
// sender's half never is a setting.
func ed25519Harness() providertest.Harness {
	h := harness()
	h.Svix = nil
	h.Secret, h.Other = publicText(keyOf(1)), publicText(keyOf(2))
	h.Scheme = &providertest.Scheme{
		Headers: []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"},
		Sign: func(public string, at time.Time, body []byte) (http.Header, error) {
			return signed(public, "msg_1", at, body)
		},
		Tolerance: 5 * time.Minute,
		Unit:      time.Second,
		Same:      func(genuine, given string) bool { return slices.Contains(strings.Split(given, " "), genuine) },
	}
	h.Sample = func(public string, s provider.Sample) (http.Header, []byte, error) {
		_, body, err := standard.Sample(secret, s)
		if err != nil {
			return nil, nil, err
		}
		header, err := signed(public, s.EventID, s.Time, body)
		return header, body, err
	}
	return h
}

func keyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, 31), n))
}

func publicText(key ed25519.PrivateKey) string {
	return "whpk_" + base64.StdEncoding.EncodeToString(key[32:])
}

// signed signs as the owner of the public key, if it is one of the two.
func signed(public, id string, at time.Time, body []byte) (http.Header, error) {
	h, err := signature.SvixHeader(signature.StandardHeaders(), secret, id, at, body)
	if err != nil {
		return nil, err
	}
	message := append([]byte(id+"."+strconv.FormatInt(at.Unix(), 10)+"."), body...)
	for n := range byte(3) {
		if key := keyOf(n); publicText(key) == public {
			h.Set("Webhook-Signature", "v1a,"+base64.StdEncoding.EncodeToString(ed25519.Sign(key, message)))
			return h, nil
		}
	}
	return nil, errors.New("nobody has that key")
}

func deletion(members string) []byte {
	return []byte(`{"type":"user.deleted","data":{` + members + `}}`)
}

func ignored() map[string]string {
	return map[string]string{
		"another type":                 `{"type":"user.updated","data":{"id":"a"}}`,
		"another type with other data": `{"type":"session.created","data":[1,2]}`,
		"a neighbouring type":          `{"type":"user.deleted.v2","data":{"id":"a"}}`,
		"a test":                       `{"type":"ping","data":{"id":"a"}}`,
		"type in other case":           `{"type":"User.Deleted","data":{"id":"a"}}`,
		"type with a blank":            `{"type":"user.deleted ","data":{"id":"a"}}`,
		"type under another name":      `{"Type":"user.deleted","event_type":"user.deleted","data":{"id":"a"}}`,
		"type is null":                 `{"type":null,"data":{"id":"a"}}`,
		"no type":                      `{"data":{"id":"a","type":"user.deleted"}}`,
		"empty object":                 `{}`,
	}
}

func malformed() map[string]string {
	return map[string]string{
		"array":             `[]`,
		"string":            `"user.deleted"`,
		"null":              `null`,
		"integer type":      `{"type":5,"data":{"id":"a"}}`,
		"type is an array":  `{"type":["user.deleted"],"data":{"id":"a"}}`,
		"type is an object": `{"type":{"name":"user.deleted"},"data":{"id":"a"}}`,
		"type is true":      `{"type":true}`,
	}
}
