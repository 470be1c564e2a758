package polar

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Customer is what a lookup keeps of a customer: nothing that says who it is.
type Customer struct {
	ID        string    // Polar's own id
	Type      string    // "individual" or "team"; "" when Polar did not say
	CreatedAt time.Time // when Polar made the customer, by Polar's clock
	// OrganizationID is Polar's id of the organization, "" when Polar did not say.
	OrganizationID string
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
	return get(ctx, c, OperationGet, c.customerURL(externalPath, externalID, "", ""), func(body []byte) (Customer, bool) {
		return readCustomer(body, externalID)
	})
}

// GetState looks up what the customer would lose; see GetCustomer.
//
// https://polar.sh/docs/api-reference/customers/state-external
func (c *Client) GetState(ctx context.Context, externalID string) (State, Answer, error) {
	if err := CheckExternalID(externalID); err != nil {
		return State{}, Answer{}, err
	}
	return get(ctx, c, OperationState, c.customerURL(externalPath, externalID, "/state", ""), func(body []byte) (State, bool) {
		return readState(body, func(s customerState) bool { return s.ExternalID == externalID })
	})
}

// GetStateByID is GetState for the customer with that id of Polar's own.
//
// https://polar.sh/docs/api-reference/customers/state
func (c *Client) GetStateByID(ctx context.Context, id string) (State, Answer, error) {
	if err := CheckExternalID(id); err != nil {
		return State{}, Answer{}, err
	}
	return get(ctx, c, OperationState, c.customerURL(customersPath, id, "/state", ""), func(body []byte) (State, bool) {
		return readState(body, func(s customerState) bool { return s.ID == id })
	})
}

// CreateCustomer makes a customer with that external id, name and e-mail address, whose
// domain Polar looks up in the DNS. ResultFound comes with the Customer, ResultRejected
// says that Polar does not take the id or the address. Everything else is classified as
// for DeleteCustomer; after ResultServerError and ResultNetworkError the customer may
// exist.
//
// https://polar.sh/docs/api-reference/customers/create
func (c *Client) CreateCustomer(ctx context.Context, externalID, name, email string) (made Customer, answer Answer, err error) {
	if err := CheckExternalID(externalID); err != nil {
		return Customer{}, Answer{}, err
	}
	body, err := json.Marshal(map[string]string{"external_id": externalID, "name": name, "email": email})
	if err != nil {
		return Customer{}, Answer{}, fmt.Errorf("polar %s: %w", OperationCreate, err)
	}
	answer, err = c.do(ctx, request{OperationCreate, http.MethodPost, c.listURL(customersPath, nil), body, func(statusCode int, header http.Header, body []byte, now time.Time) Answer {
		answer := Classify(statusCode, header, body, now)
		if statusCode == http.StatusCreated && isJSON(header) {
			if found, ok := readCustomer(body, externalID); ok {
				made, answer.Result = found, ResultFound
			}
		}
		return answer
	}})
	return made, answer, err
}

// get looks something up. It is found only when Polar itself says so in JSON and read
// understands it.
func get[T any](ctx context.Context, c *Client, operation string, endpoint *url.URL, read func(body []byte) (T, bool)) (T, Answer, error) {
	var found, none T
	answer, err := c.do(ctx, request{operation, http.MethodGet, endpoint, nil, func(statusCode int, header http.Header, body []byte, now time.Time) Answer {
		answer := Classify(statusCode, header, body, now)
		answer.AnswerLost = false
		if answer.Result == ResultDeleted || answer.Result == ResultNotFound && isList(operation) {
			answer.Result = ResultUnexpected // a lookup deletes nothing, and a list is always there
		}
		if statusCode == http.StatusOK && isJSON(header) {
			var ok bool
			if found, ok = read(body); ok {
				answer.Result = ResultFound
			}
		}
		return answer
	}})
	if answer.Result != ResultFound {
		found = none // half of it may have been read
	}
	return found, answer, err
}

// customerJSON is what is read of a customer.
type customerJSON struct {
	ID         string     `json:"id"`
	ExternalID string     `json:"external_id"`
	Owner      string     `json:"organization_id"`
	Type       string     `json:"type"`
	CreatedAt  time.Time  `json:"created_at"`
	DeletedAt  *time.Time `json:"deleted_at"`
}

// customer returns what is kept, and reports whether it is all that Polar always says.
func (c *customerJSON) customer() (Customer, bool) {
	found := Customer{ID: printable(c.ID), Type: printable(c.Type), CreatedAt: c.CreatedAt, OrganizationID: printable(c.Owner)}
	return found, found.ID != "" && found.Type == c.Type && !c.CreatedAt.IsZero()
}

// readCustomer reads the customer out of an answer, and reports whether it is
// the one that was asked for.
func readCustomer(body []byte, externalID string) (Customer, bool) {
	var c customerJSON
	if err := json.Unmarshal(body, &c); err != nil {
		return Customer{}, false
	}
	found, complete := c.customer()
	return found, complete && c.ExternalID == externalID
}

// customerState is what is read of a customer and what they have.
type customerState struct {
	ID            string            `json:"id"`
	ExternalID    string            `json:"external_id"`
	Subscriptions *[]jsontext.Value `json:"active_subscriptions"`
	Benefits      *[]jsontext.Value `json:"granted_benefits"`
}

// readState counts what a deletion would end, of the customer that was asked for.
func readState(body []byte, wanted func(customerState) bool) (State, bool) {
	var s customerState
	if err := json.Unmarshal(body, &s); err != nil {
		return State{}, false
	}
	if !wanted(s) || s.Subscriptions == nil || s.Benefits == nil {
		return State{}, false
	}
	return State{ActiveSubscriptions: len(*s.Subscriptions), GrantedBenefits: len(*s.Benefits)}, true
}
