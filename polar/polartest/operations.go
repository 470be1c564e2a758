package polartest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// routed is everything behind the token's lookup: mu is held.
func (s *Server) routed(c *call, kind TokenKind) answer {
	switch {
	case c.match.redirect:
		return redirectSlash(c.request)
	case c.match.allow != nil:
		return methodNotAllowed(strings.Join(c.match.allow, ", "))
	case c.match.operation == OperationNone:
		return notFoundRoute()
	}
	if refusal := kind.authorize(c.match.operation.scopes()); refusal != nil {
		return *refusal
	}
	return s.operate(c, kind)
}

// scopes returns the scopes of which the operation needs one.
func (o Operation) scopes() []string {
	switch o {
	case OperationDelete, OperationDeleteByID, OperationCreate:
		return []string{scopeWrite}
	case OperationOrders:
		return []string{scopeOrdersRead}
	case OperationDeleteMember:
		return []string{scopeMembersWrite}
	case OperationSubscriptions:
		return []string{scopeSubscriptionsRead, scopeSubscriptionsWrite}
	case OperationGet, OperationState, OperationList, OperationGetByID, OperationStateByID:
		return []string{scopeRead, scopeWrite}
	case OperationNone:
	}
	return nil
}

// operate carries the operation out: mu is held.
func (s *Server) operate(c *call, kind TokenKind) answer {
	query := c.request.URL.Query()
	for name := range s.unknown {
		query.Del(name)
	}
	switch c.match.operation { //nolint:exhaustive // the others are about a customer
	case OperationList:
		return s.list(query)
	case OperationSubscriptions:
		return s.listSubscriptions(query)
	case OperationOrders:
		return s.listOrders(query)
	case OperationCreate:
		return s.create(c, kind)
	}
	id := c.match.parameters[0]
	customer := s.customers.byExternal[id]
	byID := slices.Contains([]Operation{OperationDeleteByID, OperationGetByID, OperationStateByID}, c.match.operation)
	switch {
	case byID && !isUUID(id):
		return invalidRequest("uuid_parsing", "path", "id", uuidMessage(id), id)
	case byID:
		customer = s.customers.byID[strings.ToLower(id)]
	case strings.ContainsRune(id, 0):
		return internalError() // PostgreSQL's text takes no NUL
	case c.match.operation == OperationGet || c.match.operation == OperationState:
		customer = s.onReplica(id)
	}
	if c.match.operation == OperationDelete || c.match.operation == OperationDeleteByID {
		if _, ok := parseBool(query, "anonymize"); !ok {
			return invalidRequest("bool_parsing", "query", "anonymize",
				"Input should be a valid boolean, unable to interpret input", last(query, "anonymize"))
		}
	}
	if customer == nil {
		return notFoundCustomer()
	}
	return s.operateOn(c, kind, customer)
}

// operateOn carries out an operation on a customer that exists: mu is held.
func (s *Server) operateOn(c *call, kind TokenKind, customer *Customer) answer {
	switch c.match.operation {
	case OperationGet, OperationGetByID:
		return jsonAnswer(http.StatusOK, encode(customerJSON(s.options.OrganizationID, customer)))
	case OperationState, OperationStateByID:
		return jsonAnswer(http.StatusOK, encode(stateJSON(s.options.OrganizationID, customer)))
	case OperationDeleteMember:
		return s.deleteMember(customer, c.match.parameters[1], kind)
	case OperationDelete, OperationDeleteByID:
		return s.deleteCustomer(customer, kind)
	case OperationList, OperationCreate, OperationSubscriptions, OperationOrders, OperationNone:
	}
	return notFoundRoute() // operate lets no such call through
}

// deleteCustomer is what all this is about: mu is held.
func (s *Server) deleteCustomer(customer *Customer, kind TokenKind) answer {
	if kind == TokenUser || customer.Forbidden {
		return notPermitted()
	}
	s.customers.remember(customer.ExternalID, s.options.Now())
	s.customers.remove(customer)
	now := s.options.Now().UTC()
	customer.deletedAt = &now
	if customer.ActiveSubscriptions > 0 || len(customer.Orders) > 0 {
		s.customers.former = append(s.customers.former, customer)
	}
	s.deleted[customer.ExternalID]++
	return deletedNow()
}

// deleteMember deletes a member of a team: mu is held.
func (s *Server) deleteMember(customer *Customer, member string, kind TokenKind) answer {
	i := slices.Index(customer.Members, member)
	switch {
	case i < 0:
		return jsonAnswer(http.StatusNotFound, `{"error":"ResourceNotFound","detail":"Member not found"}`)
	case kind == TokenUser:
		return notPermitted()
	}
	// A copy, because Customers has handed out the old one.
	customer.Members = slices.Concat(customer.Members[:i], customer.Members[i+1:])
	return deletedNow()
}

// deletedNow is the answer to a deletion that is committed.
func deletedNow() answer {
	reply := newAnswer(http.StatusNoContent, "", "")
	reply.header.Set("Cache-Control", "private, no-store")
	reply.committed = true
	return reply
}

// redirectSlash sends the client to the same path with, or without, its
// trailing slash.
func redirectSlash(r *http.Request) answer {
	path := r.URL.EscapedPath()
	if strings.HasSuffix(path, "/") {
		path = strings.TrimRight(path, "/")
	} else {
		path += "/"
	}
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	reply := newAnswer(http.StatusTemporaryRedirect, "", "")
	reply.header.Set("Location", scheme+r.Host+path)
	return reply
}

// parseBool reads a flag as pydantic does, and reports whether it is one;
// absent is false.
func parseBool(query url.Values, name string) (value, ok bool) {
	if !query.Has(name) {
		return false, true
	}
	switch strings.ToLower(last(query, name)) {
	case "true", "1", "yes", "on", "t", "y":
		return true, true
	case "false", "0", "no", "off", "f", "n":
		return false, true
	}
	return false, false
}

// last returns the last value of a parameter, which is the one that Starlette
// takes, or "".
func last(query url.Values, name string) string {
	values := query[name]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// isUUID reports whether text is a UUID in the form that Polar's ids have.
func isUUID(text string) bool {
	groups := strings.Split(text, "-")
	lengths := []int{8, 4, 4, 4, 12}
	if len(groups) != len(lengths) {
		return false
	}
	for i, group := range groups {
		if len(group) != lengths[i] || strings.Trim(group, "0123456789abcdefABCDEF") != "" {
			return false
		}
	}
	return true
}

// uuidMessage is pydantic's complaint about a text that is not a UUID.
func uuidMessage(text string) string {
	const wanted = "Input should be a valid UUID, "
	for i, r := range text {
		if !strings.ContainsRune("0123456789abcdefABCDEF-", r) {
			return fmt.Sprintf(wanted+"invalid character: expected an optional prefix of `urn:uuid:` "+
				"followed by [0-9a-fA-F-], found `%c` at %d", r, i+1)
		}
	}
	return fmt.Sprintf(wanted+"invalid length: expected length 32 for simple format, found %d", len(text))
}
