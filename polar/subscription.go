package polar

import (
	"context"
	"net/url"
	"slices"

	"github.com/go-json-experiment/json"
)

// HasActiveSubscription asks whether a customer, who may have been deleted, has an
// active subscription. customerID is Polar's own id. ResultFound comes with what
// Polar said; everything else is classified as for GetCustomer. The token needs a
// scope that deletions do not: see Answer.LacksScope.
//
// https://polar.sh/docs/api-reference/subscriptions/list
func (c *Client) HasActiveSubscription(ctx context.Context, customerID string) (bool, Answer, error) {
	query := url.Values{"customer_id": {customerID}, "active": {"true"}, "limit": {"1"}}
	const path = "/v1/subscriptions/"
	active, answer, err := get(ctx, c, OperationSubscriptions, c.url(path, path, query.Encode()), func(body []byte) (bool, bool) {
		return readSubscriptions(body, customerID)
	})
	if answer.Result == ResultNotFound {
		answer.Result = ResultUnexpected // a list is always there
	}
	return active, answer, err
}

// readSubscriptions reads whether there is any. Polar drops a filter that it does not
// know: one of another customer, or one that has ended, is no answer to the question.
func readSubscriptions(body []byte, customerID string) (active, ok bool) {
	var p struct {
		Items []struct {
			CustomerID string `json:"customer_id"`
			Status     string `json:"status"`
		} `json:"items"`
		Pagination *struct {
			Total *int `json:"total_count"`
		} `json:"pagination"`
	}
	if err := json.Unmarshal(body, &p); err != nil || p.Items == nil || p.Pagination == nil || p.Pagination.Total == nil {
		return false, false
	}
	for _, item := range p.Items {
		if item.CustomerID != customerID || !slices.Contains([]string{"active", "trialing", "past_due", "paused"}, item.Status) {
			return false, false
		}
	}
	return len(p.Items) > 0, (len(p.Items) > 0) == (*p.Pagination.Total > 0)
}
