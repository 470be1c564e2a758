package directory

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// The scopes that reading deliveries and repeating them take, besides
// Auth0ScopeUsers for everything else.
const (
	Auth0ScopeUsers      = "read:users"
	Auth0ScopeStreams    = "read:event_streams"
	Auth0ScopeDeliveries = "read:event_deliveries"
	Auth0ScopeRedeliver  = "update:event_deliveries"
)

const (
	userDeleted = "user.deleted" // the type of the events that are asked about
	// deliveriesPage is Auth0's default for a page of deliveries; that more are
	// allowed is not documented.
	deliveriesPage = 50
	// maxPages bounds what one list collects: a stream is disabled long before it
	// has as many failed deliveries, at 5000 of them.
	// https://auth0.com/docs/customize/events/event-testing-observability-and-failure-recovery
	maxPages = 200
)

// Auth0Stream is an event stream.
type Auth0Stream struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
}

// Streams returns the tenant's event streams that carry user.deleted, the
// disabled ones too. https://auth0.com/docs/api/management/v2/event-streams/get-event-streams
func (a *Auth0) Streams(ctx context.Context) ([]Auth0Stream, error) {
	var all []Auth0Stream
	query := url.Values{}
	for range maxPages {
		response, err := a.get(ctx, query, "event-streams")
		if err != nil {
			return nil, err
		}
		type subscription struct {
			EventType string `json:"event_type"`
		}
		var page struct {
			Streams []struct {
				ID            string         `json:"id"`
				Name          string         `json:"name"`
				Status        string         `json:"status"`
				Subscriptions []subscription `json:"subscriptions"`
			} `json:"eventStreams"`
			Next string `json:"next"`
		}
		if !response.decode(http.StatusOK, &page) || page.Streams == nil {
			return nil, inconclusive("Auth0 answered %d to the list of event streams, without a list", response.Status)
		}
		for _, s := range page.Streams {
			if slices.Contains(s.Subscriptions, subscription{userDeleted}) {
				all = append(all, Auth0Stream{ID: s.ID, Name: s.Name, Enabled: s.Status == "enabled"})
			}
		}
		if page.Next == "" {
			return all, nil
		}
		query.Set("from", page.Next)
	}
	return nil, inconclusive("Auth0's list of event streams has no end")
}

// Auth0Delivery is an event that did not arrive.
type Auth0Delivery struct {
	EventID  string    `json:"event_id"`        // the event's id, by which it can be delivered again
	StreamID string    `json:"stream_id"`       // the event stream's id
	Attempts int       `json:"attempts"`        // so far
	LastAt   time.Time `json:"last_attempt_at"` // when
	Error    string    `json:"error"`           // what Auth0 says of the last attempt: a stranger's text
}

// FailedDeliveries returns the deletions that the stream failed to deliver.
// https://auth0.com/docs/api/management/v2/event-streams/get-event-deliveries
func (a *Auth0) FailedDeliveries(ctx context.Context, streamID string) ([]Auth0Delivery, error) {
	var all []Auth0Delivery
	seen := map[string]bool{}
	query := url.Values{"statuses": {"failed"}, "event_types": {userDeleted}, "take": {strconv.Itoa(deliveriesPage)}}
	for range maxPages {
		page, err := a.deliveries(ctx, streamID, query)
		if err != nil {
			return nil, err
		}
		// Whether "from" itself is in its page is not documented; either will do.
		unread := 0
		for _, delivery := range page {
			if !seen[delivery.EventID] {
				seen[delivery.EventID], unread = true, unread+1
				all = append(all, delivery)
			}
			query.Set("from", delivery.EventID)
		}
		if unread == 0 || len(page) < deliveriesPage {
			return all, nil
		}
	}
	return nil, inconclusive("Auth0's list of failed deliveries has no end")
}

func (a *Auth0) deliveries(ctx context.Context, streamID string, query url.Values) ([]Auth0Delivery, error) {
	response, err := a.get(ctx, query, "event-streams", streamID, "deliveries")
	if err != nil {
		return nil, err
	}
	var page []struct {
		ID       string `json:"id"`
		Status   string `json:"status"`
		Type     string `json:"event_type"`
		Attempts []struct {
			Timestamp time.Time `json:"timestamp"`
			Error     string    `json:"error_message"`
		} `json:"attempts"`
	}
	if !response.decode(http.StatusOK, &page) || page == nil {
		return nil, inconclusive("Auth0 answered %d to the list of deliveries, without a list", response.Status)
	}
	deliveries := make([]Auth0Delivery, 0, len(page))
	for _, p := range page {
		if p.ID == "" || p.Status != "failed" || p.Type != userDeleted {
			return nil, inconclusive("Auth0 lists deliveries other than those it was asked for")
		}
		failed := Auth0Delivery{EventID: p.ID, StreamID: streamID, Attempts: len(p.Attempts)}
		for _, attempt := range p.Attempts {
			if attempt.Timestamp.After(failed.LastAt) {
				failed.LastAt, failed.Error = attempt.Timestamp, attempt.Error
			}
		}
		deliveries = append(deliveries, failed)
	}
	return deliveries, nil
}

// Redeliver asks Auth0 to deliver the event again. The stream must be enabled.
// https://auth0.com/docs/api/management/v2/event-streams/post-redeliver-by-event-id
func (a *Auth0) Redeliver(ctx context.Context, streamID, eventID string) error {
	response, err := a.do(ctx, Request{Method: http.MethodPost, Path: []string{"api", "v2", "event-streams", streamID, "redeliver", eventID}})
	if err == nil && response.Status >= 300 {
		return inconclusive("Auth0 does not deliver the event again (%d)", response.Status)
	}
	return err
}
