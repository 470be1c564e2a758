package directory

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// renewBefore is how long before its end a token is renewed. Auth0's last a day
// by default, and how many are issued is limited and billed.
// https://auth0.com/docs/secure/tokens/access-tokens/management-api-access-tokens
const renewBefore = time.Minute

// token keeps an access token of the Management API, got by client credentials.
// https://auth0.com/docs/get-started/authentication-and-authorization-flow/client-credentials-flow
type auth0Token struct {
	options Auth0Options
	turn    chan struct{} // holds one element while somebody uses what follows

	value  string
	scopes []string
	renew  time.Time
}

func newAuth0Token(o Auth0Options) auth0Token {
	return auth0Token{options: o, turn: make(chan struct{}, 1)}
}

// ask sends a request with a token. One that is refused is replaced once: it may
// have been revoked, or its key rotated.
func (d *Auth0) ask(ctx context.Context, r Request) (Response, error) {
	for again := true; ; again = false {
		value, _, err := d.token.get(ctx)
		if err != nil {
			return Response{}, err
		}
		r.Token = value
		answer, err := d.options.API.Do(ctx, r)
		if !again || !errors.Is(err, ErrToken) {
			return answer, err
		}
		d.token.drop(value)
	}
}

// Scopes returns the scopes that Auth0 grants these credentials.
func (d *Auth0) Scopes(ctx context.Context) ([]string, error) {
	_, scopes, err := d.token.get(ctx)
	return scopes, err
}

func (t *auth0Token) get(ctx context.Context) (value string, scopes []string, err error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", nil, fault.New(fault.Unavailable, ReasonUnavailable, "wait for a token: %w", ctx.Err())
	}
	now := t.options.Now()
	if t.value != "" && now.Before(t.renew) {
		return t.value, t.scopes, nil
	}
	granted, err := t.fetch(ctx)
	if err != nil {
		return "", nil, err
	}
	lifetime := time.Duration(granted.ExpiresIn) * time.Second
	t.value, t.scopes = granted.AccessToken, strings.Fields(granted.Scope)
	t.renew = now.Add(max(lifetime-renewBefore, lifetime/2))
	return t.value, t.scopes, nil
}

// drop forgets the token, unless it was replaced already.
func (t *auth0Token) drop(value string) {
	t.turn <- struct{}{} // a fetch is bounded in time
	defer func() { <-t.turn }()
	if t.value == value {
		t.value = ""
	}
}

// grant is the answer of /oauth/token (RFC 6749, section 5.1).
type grant struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
}

func (t *auth0Token) fetch(ctx context.Context) (grant, error) {
	body, err := json.Marshal(map[string]string{
		"grant_type": "client_credentials", "audience": t.options.Audience,
		"client_id": t.options.ClientID, "client_secret": t.options.ClientSecret(),
	})
	if err != nil {
		return grant{}, fault.New(fault.Unavailable, ReasonUnauthorized, "AUTH0_CLIENT_ID or AUTH0_CLIENT_SECRET is not valid UTF-8")
	}
	answer, err := t.options.API.Do(ctx, Request{Method: http.MethodPost, Path: []string{"oauth", "token"}, Body: body})
	if err != nil {
		return grant{}, err
	}
	var granted grant
	switch {
	case answer.Status >= 400:
		return grant{}, fault.New(fault.Unavailable, ReasonUnauthorized, "Auth0 grants no token for these credentials (%d)", answer.Status)
	case answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &granted) != nil ||
		!strings.EqualFold(granted.TokenType, "Bearer") || !usable(granted.AccessToken) || granted.ExpiresIn <= 0:
		return grant{}, inconclusive("Auth0 answers the request for a token with %d and no token", answer.Status)
	}
	const longest = 30 * 24 * time.Hour // what a tenant can set
	granted.ExpiresIn = min(granted.ExpiresIn, int64(longest/time.Second))
	return granted, nil
}

// usable says whether the token can stand in a header.
func usable(value string) bool {
	return value != "" && !strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' })
}
