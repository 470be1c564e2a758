package polar

import (
	"context"
	"net/url"
	"slices"
)

// HasActiveSubscription asks whether a customer, who may have been deleted, has an
// active subscription. customerID is Polar's own id. ResultFound comes with what
// Polar said; everything else is classified as for GetCustomer. The token needs a
// scope that deletions do not: see Answer.LacksScope.
//
// https://polar.sh/docs/api-reference/subscriptions/list
func (c *Client) HasActiveSubscription(ctx context.Context, customerID string) (bool, Answer, error) {
	query := url.Values{"customer_id": {customerID}, "active": {"true"}, "limit": {"1"}}
	return get(ctx, c, OperationSubscriptions, c.listURL("/v1/subscriptions/", query), func(body []byte) (bool, bool) {
		return readSubscriptions(body, customerID)
	})
}

// readSubscriptions reads whether there is any. Polar drops a filter that it does not
// know: one of another customer, or one that has ended, is no answer to the question.
func readSubscriptions(body []byte, customerID string) (active, ok bool) {
	items, total, ok := readItems[struct {
		CustomerID string `json:"customer_id"`
		Status     string `json:"status"`
	}](body)
	for _, item := range items {
		if item.CustomerID != customerID || !slices.Contains([]string{"active", "trialing", "past_due", "paused"}, item.Status) {
			return false, false
		}
	}
	return len(items) > 0, ok && (len(items) > 0) == (total > 0)
}
