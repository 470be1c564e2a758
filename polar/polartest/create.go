package polartest

import (
	"encoding/json"
	"net/http"
	"net/mail"
	"slices"
	"strings"
)

// maxCreate bounds what is read of a new customer.
const maxCreate = 64 << 10

// create makes a customer: mu is held. As at Polar the address must be one whose domain
// takes mail, as far as that can be told without the DNS.
func (s *Server) create(c *call, kind TokenKind) answer {
	var made struct {
		ExternalID string `json:"external_id"`
		Email      string `json:"email"`
		Name       string `json:"name"`
	}
	invalid := func(kind, name, message, input string) answer {
		return invalidRequest(kind, "body", name, message, input)
	}
	if json.Unmarshal(c.body, &made) != nil {
		return invalid("json_invalid", "", "JSON decode error", "")
	}
	c.entry.ExternalID = made.ExternalID
	if reason := undeliverable(made.Email); reason != "" {
		return invalid("value_error", "email", made.Email+" is not a valid email address: "+reason, made.Email)
	}
	if kind == TokenUser {
		return notPermitted()
	}
	for _, other := range s.customers.byID {
		if strings.EqualFold(other.Email, made.Email) {
			return invalid("value_error", "email", "A customer with this email address already exists.", made.Email)
		}
	}
	if s.customers.byExternal[made.ExternalID] != nil {
		return invalid("value_error", "external_id", "A customer with this external ID already exists.", made.ExternalID)
	}
	customer := s.insert(Customer{ExternalID: made.ExternalID, Email: made.Email, Name: made.Name})
	return jsonAnswer(http.StatusCreated, encode(customerJSON(s.options.OrganizationID, &customer)))
}

// undeliverable is why Polar would not take the address, which it checks with
// https://pypi.org/project/email-validator/, or "".
func undeliverable(address string) string {
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address {
		return "An email address must have an @-sign."
	}
	domain := strings.ToLower(address[strings.LastIndex(address, "@")+1:])
	labels := strings.Split(domain, ".")
	switch {
	case len(labels) == 1:
		return "The part after the @-sign is not valid. It should have a period."
	case slices.Contains([]string{"arpa", "invalid", "local", "localhost", "onion", "test"}, labels[len(labels)-1]):
		return "The part after the @-sign is a special-use or reserved name that cannot be used with email."
	case slices.Contains([]string{"example.com", "example.net", "example.org"}, domain): // which have a null MX
		return "The domain name " + domain + " does not accept email."
	}
	return ""
}
