package directory

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

const (
	// renewBefore is how long before its end a token is renewed. Auth0's last a
	// day by default, and how many are issued is limited and billed.
	// https://auth0.com/docs/secure/tokens/access-tokens/management-api-access-tokens
	renewBefore      = time.Minute
	maxTokenLifetime = 30 * 24 * time.Hour // the longest that a tenant can set
)

// auth0Token is an access token of the Management API, got by client credentials.
// https://auth0.com/docs/get-started/authentication-and-authorization-flow/client-credentials-flow
type auth0Token struct {
	value  string // "" for none
	scopes []string
	renew  time.Time
}

// do sends a request with a token. One that is refused is replaced once: it may
// have been revoked, or its key rotated.
func (a *Auth0) do(ctx context.Context, r Request) (Response, error) {
	var refused string
	for {
		token, err := a.currentToken(ctx, refused)
		if err != nil {
			return Response{}, err
		}
		r.Token = token.value
		response, err := a.options.API.Do(ctx, r)
		if refused != "" || !errors.Is(err, errToken) {
			return response, err
		}
		refused = token.value
	}
}

// Scopes returns the scopes that Auth0 grants these credentials.
func (a *Auth0) Scopes(ctx context.Context) ([]string, error) {
	token, err := a.currentToken(ctx, "")
	return token.scopes, err
}

// currentToken returns a token that is none of the refused one, a new one if
// there is no other.
func (a *Auth0) currentToken(ctx context.Context, refused string) (auth0Token, error) {
	if err := a.lock.Acquire(ctx, 1); err != nil {
		return auth0Token{}, unavailable(err)
	}
	defer a.lock.Release(1)
	now := a.options.Now()
	if t := a.token; t.value != "" && t.value != refused && now.Before(t.renew) {
		return t, nil
	}
	var err error
	a.token, err = a.requestToken(ctx, now)
	return a.token, err
}

func (a *Auth0) requestToken(ctx context.Context, now time.Time) (auth0Token, error) {
	body, err := json.Marshal(map[string]string{
		"grant_type": "client_credentials", "audience": a.options.Audience,
		"client_id": a.options.ClientID, "client_secret": a.options.ClientSecret(),
	})
	if err != nil {
		return auth0Token{}, unanswered(deletion.RetryDirectoryUnauthorized, "AUTH0_CLIENT_ID or AUTH0_CLIENT_SECRET is not valid UTF-8")
	}
	response, err := a.options.API.Do(ctx, Request{Method: http.MethodPost, Path: []string{"oauth", "token"}, Body: body})
	if err != nil {
		return auth0Token{}, err
	}
	if response.Status >= 400 {
		return auth0Token{}, unanswered(deletion.RetryDirectoryUnauthorized, "Auth0 grants no token for these credentials (%d)", response.Status)
	}
	var granted struct { // RFC 6749, section 5.1
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"` // seconds
		Scope       string `json:"scope"`
	}
	decoded := response.decode(http.StatusOK, &granted)
	unfit := granted.AccessToken == "" || strings.ContainsFunc(granted.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' }) // for a header
	if !decoded || !strings.EqualFold(granted.TokenType, "Bearer") || unfit || granted.ExpiresIn <= 0 {
		return auth0Token{}, inconclusive("Auth0 answered %d to the request for a token, without one", response.Status)
	}
	lifetime := time.Duration(min(granted.ExpiresIn, int64(maxTokenLifetime/time.Second))) * time.Second
	return auth0Token{granted.AccessToken, strings.Fields(granted.Scope), now.Add(max(lifetime-renewBefore, lifetime/2))}, nil
}
