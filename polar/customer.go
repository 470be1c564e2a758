package polar

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Customer is what a lookup keeps of a customer: nothing that says who it is.
type Customer struct {
	// ID is Polar's own id.
	ID string
	// Type is "individual" or "team"; "" when Polar did not say.
	Type string
	// CreatedAt is when Polar made the customer, by Polar's clock.
	CreatedAt time.Time
}

// State is what a deletion would end.
type State struct {
	// ActiveSubscriptions and GrantedBenefits are how many there are.
	ActiveSubscriptions, GrantedBenefits int
}

// GetCustomer looks the customer up. ResultFound comes with the Customer;
// ResultNotFound says that there was none a moment ago: Polar answers from a
// replica, so a customer who was just made, or just deleted, may still look
// otherwise. Everything else is classified as for DeleteCustomer, and so is the
// error. AnswerLost is never set: a lookup changes nothing.
//
// https://polar.sh/docs/api-reference/customers/get-external
func (c *Client) GetCustomer(ctx context.Context, externalID string) (Customer, Answer, error) {
	if err := CheckExternalID(externalID); err != nil {
		return Customer{}, Answer{}, err
	}
	var found Customer
	answer, err := c.do(ctx, request{OperationGet, http.MethodGet, customerURL(c.options.BaseURL, externalID, false), lookup(func(body []byte) (ok bool) {
		found, ok = readCustomer(body, externalID)
		return ok
	})})
	if answer.Result != ResultFound {
		return Customer{}, answer, err
	}
	return found, answer, err
}

// GetState looks up what the customer would lose; see GetCustomer.
//
// https://polar.sh/docs/api-reference/customers/state-external
func (c *Client) GetState(ctx context.Context, externalID string) (State, Answer, error) {
	if err := CheckExternalID(externalID); err != nil {
		return State{}, Answer{}, err
	}
	var found State
	answer, err := c.do(ctx, request{OperationState, http.MethodGet, stateURL(c.options.BaseURL, externalID), lookup(func(body []byte) (ok bool) {
		found, ok = readState(body, externalID)
		return ok
	})})
	if answer.Result != ResultFound {
		return State{}, answer, err
	}
	return found, answer, err
}

// lookup classifies the answer to a lookup. It is found only when Polar itself says
// so in JSON and read understands it.
func lookup(read func(body []byte) bool) func(int, http.Header, []byte, time.Time) Answer {
	return func(statusCode int, header http.Header, body []byte, now time.Time) Answer {
		answer := Classify(statusCode, header, body, now)
		answer.AnswerLost = false
		switch {
		case answer.Result == ResultDeleted:
			answer.Result = ResultUnexpected // a lookup deletes nothing
		case statusCode == http.StatusOK && isJSON(header) && read(body):
			answer.Result = ResultFound
		}
		return answer
	}
}

// readCustomer reads the customer out of an answer, and reports whether it is
// the one that was asked for, with all that Polar always says.
func readCustomer(body []byte, externalID string) (Customer, bool) {
	var c struct {
		ID         string    `json:"id"`
		ExternalID string    `json:"external_id"`
		Type       string    `json:"type"`
		CreatedAt  time.Time `json:"created_at"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return Customer{}, false
	}
	found := Customer{ID: printable(c.ID), Type: printable(c.Type), CreatedAt: c.CreatedAt}
	readable := found.ID != "" && found.Type == c.Type && !c.CreatedAt.IsZero()
	return found, readable && c.ExternalID == externalID
}

// readState counts what a deletion would end.
func readState(body []byte, externalID string) (State, bool) {
	var s struct {
		ExternalID    string            `json:"external_id"`
		Subscriptions *[]jsontext.Value `json:"active_subscriptions"`
		Benefits      *[]jsontext.Value `json:"granted_benefits"`
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return State{}, false
	}
	if s.ExternalID != externalID || s.Subscriptions == nil || s.Benefits == nil {
		return State{}, false
	}
	return State{ActiveSubscriptions: len(*s.Subscriptions), GrantedBenefits: len(*s.Benefits)}, true
}
