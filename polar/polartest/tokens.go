package polartest

import (
	"net/http"
	"slices"
	"strings"
)

// TokenKind is what a token may do.
type TokenKind int

// The kinds of tokens.
const (
	tokenAbsent  TokenKind = iota // no Authorization, or not in its form
	tokenUnknown                  // unknown, expired, revoked, or of the other environment

	// TokenFull is an organization access token with every scope.
	TokenFull
	// TokenWriteOnly has customers:write and no other scope.
	TokenWriteOnly
	// TokenReadOnly has customers:read and no other scope.
	TokenReadOnly
	// TokenWithoutOrders has every scope but orders:read.
	TokenWithoutOrders
	// TokenUser is a user's token who may not manage customers.
	TokenUser
	// TokenCustomerSession is of a type that these endpoints do not take.
	TokenCustomerSession
)

// AllowToken makes the token work as kind from now on, a revoked one as well.
func (s *Server) AllowToken(token string, kind TokenKind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = kind
}

// RevokeToken makes the token unknown from now on.
func (s *Server) RevokeToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// identify returns the request's token and its kind: mu is held.
func (s *Server) identify(header http.Header) (string, TokenKind) {
	scheme, token, _ := strings.Cut(header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", tokenAbsent
	}
	if kind, ok := s.tokens[token]; ok {
		return token, kind
	}
	return token, tokenUnknown
}

// The scopes that the endpoints ask for.
const (
	scopeRead               = "customers:read"
	scopeWrite              = "customers:write"
	scopeMembersWrite       = "members:write"
	scopeSubscriptionsRead  = "subscriptions:read"
	scopeSubscriptionsWrite = "subscriptions:write"
	scopeOrdersRead         = "orders:read"
)

// authorize returns nil when kind may do what needs one of the scopes.
func (k TokenKind) authorize(scopes []string) *answer {
	refusal := unauthorized()
	switch k {
	case TokenFull, TokenUser:
		return nil // a user's permission is checked after the lookup
	case TokenWithoutOrders:
		if !slices.Contains(scopes, scopeOrdersRead) {
			return nil
		}
		refusal = insufficientScope(scopes)
	case TokenWriteOnly, TokenReadOnly:
		for _, scope := range scopes {
			if scope == scopeWrite && k == TokenWriteOnly || scope == scopeRead && k == TokenReadOnly {
				return nil
			}
		}
		refusal = insufficientScope(scopes)
	case tokenAbsent, tokenUnknown, TokenCustomerSession:
	}
	return &refusal
}
