package signature

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// minToken is the shortest static token that is accepted.
const minToken = 16

// TokenForm says where a static token stands in a request.
type TokenForm struct {
	Header string // the name of the header
	Prefix string // stands before the token, with its space; empty for verbatim values
}

// Bearer returns the form "Authorization: Bearer <token>".
//
// RFC 9110 lets the scheme's name be written in any case, but Auth0 sends
// exactly this and its documented handler compares exactly, so nothing else is
// taken.
func Bearer() TokenForm { return TokenForm{Header: "Authorization", Prefix: "Bearer "} }

// Verbatim returns the form in which the whole Authorization value is the token.
func Verbatim() TokenForm { return TokenForm{Header: "Authorization"} }

// Token is the scheme of a static token. It proves who sends, not what is sent:
// there is no signature and no time, so a captured request can be repeated for ever.
type Token struct {
	Keys[[sha256.Size]byte]

	form TokenForm
}

// NewToken returns the scheme. A token is at least 16 characters that a header can
// carry.
func NewToken(form TokenForm) *Token {
	return &Token{Keys: Keys[[sha256.Size]byte]{parse: form.digest}, form: form}
}

// CheckHeader reports why the request does not carry any of the tokens, or nil.
//
// Digests are compared because subtle.ConstantTimeCompare returns at once for
// texts of different length, and all of them, so that the time does not tell
// which one matched.
func (t *Token) CheckHeader(h http.Header) error {
	value, err := single(h, t.form.Header)
	if err != nil {
		return err
	}
	presented, hasPrefix := strings.CutPrefix(value, t.form.Prefix)
	digest := sha256.Sum256([]byte(presented))
	match := 0
	for _, want := range t.current() {
		match |= subtle.ConstantTimeCompare(digest[:], want[:])
	}
	if !hasPrefix || match != 1 {
		return refuseHeader(fault.ReasonBadToken, t.form.Header, "does not hold a configured token")
	}
	return nil
}

// Verify is CheckHeader: nothing depends on the body.
func (t *Token) Verify(h http.Header, body []byte) (Message, error) {
	if err := t.CheckHeader(h); err != nil {
		return Message{}, err
	}
	return Message{Payload: body}, nil
}

// Sign returns a request that carries the token.
func (t *Token) Sign(token, _ string, _ time.Time, body []byte) (http.Header, []byte, error) {
	if err := t.form.check(token); err != nil {
		return nil, nil, err
	}
	return jsonHeader(t.form.Header, t.form.Prefix+token), body, nil
}

// digest checks a configured token and returns its digest.
func (f TokenForm) digest(token string) ([sha256.Size]byte, error) {
	if err := f.check(token); err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256([]byte(token)), nil
}

// check reports why a header cannot carry the token, or why it is too short. A
// scheme's word before it, which everybody knows, does not make it longer. Errors
// follow a setting's name and never show the token.
func (f TokenForm) check(token string) error {
	word, rest, found := strings.Cut(token, " ")
	if !found || !schemeWord(word) {
		word, rest = "", token
	}
	verbatim := f.Prefix == ""
	switch {
	case !verbatim && strings.EqualFold(word+" ", f.Prefix):
		return errors.New("must be the token alone, without the word " + strings.TrimSpace(f.Prefix))
	case !verbatim && (found || !config.Printable(token)):
		return errors.New("must consist of visible ASCII characters without spaces")
	case !config.Printable(token) || token != strings.Join(strings.Fields(token), " "):
		return errors.New("must consist of visible ASCII characters and single spaces")
	case len(rest) >= minToken:
		return nil
	case word != "":
		return fmt.Errorf("must be at least %d characters long, not counting the scheme's word (such as Basic) before it", minToken)
	}
	return fmt.Errorf("must be at least %d characters long", minToken)
}

// schemeWord says whether a value's first word is the name of a scheme such as
// Basic rather than a part of the token: a few letters.
func schemeWord(word string) bool {
	return len(word) < minToken && !strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-'
	})
}
