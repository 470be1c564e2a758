package signature

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// How long a token may be, in bytes, before anything of it is read.
const (
	// MaxHeaderToken is for a token in a header: a digest, signed with RSA of
	// 4096 bits, takes about 900.
	MaxHeaderToken = 8 << 10
	MaxBodyToken   = 64 << 10 // for a token that is the body: one event
)

// JWT verifies JSON Web Tokens in the compact form (RFC 7515 section 7.1), over
// the bytes as they were sent.
//
// A key verifies the algorithms of its own type and no others, whatever the
// token's header says, so neither "none" nor an HMAC made with a public key can
// pass (RFC 8725 sections 2.1 and 3.1). Of the header alg, kid, typ and crit are
// read; jku, x5u, jwk and x5c, by which a token could bring its own key, are not.
type JWT struct {
	Keys[jwtSource]

	algorithms []string
	max        int
}

// BodyJWT is the scheme of a body that is nothing but a token. What it says is not
// looked at: the same keys may sign tokens that are no events.
type BodyJWT struct{ *JWT }

// CheckHeader has nothing to check: all that authenticates is the body.
func (BodyJWT) CheckHeader(http.Header) error { return nil }

// Verify returns what the token says. White space around it is no part of it.
func (b BodyJWT) Verify(_ http.Header, body []byte) (Message, error) {
	return b.VerifyToken(strings.Trim(string(body), " \t\r\n"))
}

// Sign returns a token with the payload, signed with a private key: see NewSigningKey.
func (BodyJWT) Sign(privateKey, _ string, _ time.Time, payload []byte) (http.Header, []byte, error) {
	if !IsSigningKey(privateKey) {
		return nil, nil, errors.New("a private key is needed to sign as the provider does")
	}
	token, err := SignJWT(privateKey, payload)
	return http.Header{"Content-Type": {"application/jwt"}}, []byte(token), err
}

// jwtSource finds the keys that may have signed a token.
type jwtSource interface {
	// find returns those that the token's kid names. Its error is of kind
	// fault.Unavailable: which keys there are cannot be told now.
	find(kid string) ([]jwtKey, error)
	// check reports why keys cannot be had.
	check() error
}

// VerifyToken returns what a token says that was signed with any of the keys.
func (j *JWT) VerifyToken(token string) (Message, error) {
	t, err := j.parse(token)
	if err != nil {
		return Message{}, err
	}
	var unavailable error
	for _, source := range j.current() {
		keys, err := source.find(t.header.KeyID)
		if err != nil {
			unavailable = err
			continue
		}
		if slices.ContainsFunc(keys, func(k jwtKey) bool { return k.signed(t) }) {
			return Message{Type: t.header.Type, Payload: t.payload}, nil
		}
	}
	if unavailable != nil {
		return Message{}, unavailable
	}
	return Message{}, refuse(fault.ReasonBadSignature, "no key verifies the token")
}

// CheckKeys reports why the keys of an issuer cannot be had now, nil when they can
// or when there is nothing to fetch. It asks the issuer and changes nothing. The
// error begins with the setting's name and does not show the address.
func (j *JWT) CheckKeys() error {
	var problems []error
	for _, source := range j.current() {
		if err := source.check(); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// VerifyHeader is VerifyToken for a token that stands in the named header, once.
func (j *JWT) VerifyHeader(h http.Header, name string) (Message, error) {
	token, err := single(h, name)
	if err != nil {
		return Message{}, err
	}
	return j.VerifyToken(token)
}

// parsedJWT is a token that nothing is known about yet.
type parsedJWT struct {
	header    joseHeader
	signed    string // header and payload as they were sent
	payload   []byte
	signature []byte
}

// joseHeader is what is read of a token's header.
type joseHeader struct {
	Algorithm string         `json:"alg"`
	KeyID     string         `json:"kid"`
	Type      string         `json:"typ"`
	Critical  jsontext.Value `json:"crit"`
}

// parse takes a token apart. Its errors name nothing that stands in it.
func (j *JWT) parse(token string) (parsedJWT, error) {
	if len(token) > j.max {
		return parsedJWT{}, refuse(fault.ReasonBadToken, "token has %d bytes, at most %d are read", len(token), j.max)
	}
	parts := strings.SplitN(token, ".", 4)
	if len(parts) != 3 {
		return parsedJWT{}, refuse(fault.ReasonBadToken, "token does not consist of three parts")
	}
	t := parsedJWT{signed: token[:len(parts[0])+1+len(parts[1])]}
	var header []byte
	for i, into := range []*[]byte{&header, &t.payload, &t.signature} {
		decoded, err := decodeSegment(parts[i])
		if err != nil {
			return parsedJWT{}, refuse(fault.ReasonBadToken, "part %d of the token is not base64url", i+1)
		}
		*into = decoded
	}
	// Names that stand twice are refused (RFC 7515 section 4).
	if err := json.Unmarshal(header, &t.header); err != nil {
		return parsedJWT{}, refuse(fault.ReasonBadToken, "token's header is not a strict JSON object")
	}
	if t.header.Critical != nil {
		return parsedJWT{}, refuse(fault.ReasonBadToken, "token demands an extension") // RFC 7515 section 4.1.11
	}
	if !slices.Contains(j.algorithms, t.header.Algorithm) {
		return parsedJWT{}, refuse(fault.ReasonBadToken, "token's algorithm is not one of %s", strings.Join(j.algorithms, ", "))
	}
	return t, nil
}

// decodeSegment decodes base64url without padding, in its one form: no line
// breaks, which the decoder would skip, and no bits left over (RFC 7515 section 2).
func decodeSegment(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, base64.CorruptInputError(0)
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}

// jwtKey is a key and what it may verify.
type jwtKey struct {
	key        any // as the library wants it
	algorithms []string
}

// signed says whether the key signed the token.
func (k jwtKey) signed(t parsedJWT) bool {
	if !slices.Contains(k.algorithms, t.header.Algorithm) {
		return false
	}
	method := jwt.GetSigningMethod(t.header.Algorithm)
	return method != nil && method.Verify(t.signed, t.signature, k.key) == nil
}

// NewHMACJWT returns a verifier of tokens that are signed with HMAC (RFC 7518
// section 3.2), at most limit bytes long. Keys are as TextKey takes them, and nothing
// that is public and was put there by mistake.
func NewHMACJWT(limit int) *JWT {
	return &JWT{Keys: Keys[jwtSource]{parse: parseHMACSource}, algorithms: []string{"HS256", "HS384", "HS512"}, max: limit}
}

// hmacSource is one key. Which one signed is tried, not told by the kid: that
// one names the key at the sender.
type hmacSource struct{ key jwtKey }

func (s hmacSource) find(string) ([]jwtKey, error) { return []jwtKey{s.key}, nil }

func (hmacSource) check() error { return nil }

func parseHMACSource(secret string) (jwtSource, error) {
	if err := checkHMACSecret(secret); err != nil {
		return nil, err
	}
	return hmacSource{jwtKey{key: []byte(secret), algorithms: []string{"HS256", "HS384", "HS512"}}}, nil
}

// checkHMACSecret is TextKey, and refuses what everybody knows: an address or a
// public key in this place would let everybody sign. RFC 7518 section 3.2 demands
// a key as long as the digest; senders do not, so the bound is this program's own.
func checkHMACSecret(secret string) error {
	public := func(prefix string) bool { return strings.HasPrefix(secret, prefix) }
	if slices.ContainsFunc([]string{"https://", "http://", "-----BEGIN", "{", "ssh-"}, public) {
		return errors.New("must be the HMAC secret, not an address or a key of a pair")
	}
	_, err := TextKey(secret)
	return err
}
