package directory

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The scopes that looking at deliveries and repeating them take, besides
// Auth0ScopeUsers for everything else.
const (
	Auth0ScopeUsers      = "read:users"
	Auth0ScopeStreams    = "read:event_streams"
	Auth0ScopeDeliveries = "read:event_deliveries"
	Auth0ScopeRedeliver  = "update:event_deliveries"
)

// eventType is the event that is asked about.
const eventType = "user.deleted"

// take is Auth0's default for a page of deliveries; that more are allowed is not
// documented.
const take = 50

// maxPages bounds what one question collects: a stream is disabled long before
// it has as many failed deliveries, at 5000 of them.
// https://auth0.com/docs/customize/events/event-testing-observability-and-failure-recovery
const maxPages = 200

// Auth0Stream is an event stream.
type Auth0Stream struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
}

// Streams returns the tenant's event streams that carry user.deleted, the
// disabled ones too. https://auth0.com/docs/api/management/v2/event-streams/get-event-streams
func (d *Auth0) Streams(ctx context.Context) ([]Auth0Stream, error) {
	var all []Auth0Stream
	from := ""
	for range maxPages {
		streams, next, err := d.streams(ctx, from)
		if err != nil {
			return nil, err
		}
		all = append(all, streams...)
		if next == "" {
			return all, nil
		}
		from = next
	}
	return nil, inconclusive("Auth0's list of event streams has no end")
}

func (d *Auth0) streams(ctx context.Context, from string) ([]Auth0Stream, string, error) {
	query := url.Values{}
	if from != "" {
		query.Set("from", from)
	}
	answer, err := d.ask(ctx, Request{Method: http.MethodGet, Path: []string{"api", "v2", "event-streams"}, Query: query})
	if err != nil {
		return nil, "", err
	}
	var page struct {
		Streams []struct {
			Auth0Stream

			Status        string `json:"status"`
			Subscriptions []struct {
				EventType string `json:"event_type"`
			} `json:"subscriptions"`
		} `json:"eventStreams"`
		Next string `json:"next"`
	}
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &page) != nil || page.Streams == nil {
		return nil, "", inconclusive("Auth0 answers the question about event streams with %d and something else than a list", answer.Status)
	}
	var streams []Auth0Stream
	for _, s := range page.Streams {
		for _, subscription := range s.Subscriptions {
			if subscription.EventType == eventType {
				streams = append(streams, Auth0Stream{ID: s.ID, Name: s.Name, Enabled: s.Status == "enabled"})
			}
		}
	}
	return streams, page.Next, nil
}

// Auth0Delivery is an event that did not arrive.
type Auth0Delivery struct {
	// EventID is the event's id, by which it can be delivered again.
	EventID  string    `json:"event_id"`
	StreamID string    `json:"stream_id"`
	Attempts int       `json:"attempts"`
	LastAt   time.Time `json:"last_attempt_at"`
	// Error is what Auth0 says of the last attempt: a stranger's text.
	Error string `json:"error"`
}

// FailedDeliveries returns the deletions that the stream failed to deliver.
// https://auth0.com/docs/api/management/v2/event-streams/get-event-deliveries
func (d *Auth0) FailedDeliveries(ctx context.Context, streamID string) ([]Auth0Delivery, error) {
	var all []Auth0Delivery
	seen := map[string]bool{}
	from := ""
	for range maxPages {
		page, err := d.deliveries(ctx, streamID, from)
		if err != nil {
			return nil, err
		}
		// Whether "from" itself is in its page is not documented; either will do.
		fresh := 0
		for _, delivery := range page {
			if !seen[delivery.EventID] {
				seen[delivery.EventID], fresh = true, fresh+1
				all = append(all, delivery)
			}
			from = delivery.EventID
		}
		if fresh == 0 || len(page) < take {
			return all, nil
		}
	}
	return nil, inconclusive("Auth0's list of failed deliveries has no end")
}

func (d *Auth0) deliveries(ctx context.Context, streamID, from string) ([]Auth0Delivery, error) {
	query := url.Values{"statuses": {"failed"}, "event_types": {eventType}, "take": {strconv.Itoa(take)}}
	if from != "" {
		query.Set("from", from)
	}
	answer, err := d.ask(ctx, Request{
		Method: http.MethodGet, Path: []string{"api", "v2", "event-streams", streamID, "deliveries"}, Query: query,
	})
	if err != nil {
		return nil, err
	}
	var page []struct {
		ID       string         `json:"id"`
		Status   string         `json:"status"`
		Type     string         `json:"event_type"`
		Event    jsontext.Value `json:"event"`
		Attempts []struct {
			Timestamp time.Time `json:"timestamp"`
			Error     string    `json:"error_message"`
		} `json:"attempts"`
	}
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &page) != nil || page == nil {
		return nil, inconclusive("Auth0 answers the question about deliveries with %d and something else than a list", answer.Status)
	}
	var deliveries []Auth0Delivery
	for _, p := range page {
		if p.ID == "" || p.Status != "failed" || p.Type != eventType {
			return nil, inconclusive("Auth0 lists other deliveries than it was asked for")
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
func (d *Auth0) Redeliver(ctx context.Context, streamID, eventID string) error {
	if err := checkID(eventID); err != nil {
		return err
	}
	answer, err := d.ask(ctx, Request{
		Method: http.MethodPost, Path: []string{"api", "v2", "event-streams", streamID, "redeliver", eventID},
	})
	if err != nil {
		return err
	}
	if answer.Status >= 300 {
		return inconclusive("Auth0 does not deliver the event again (%d)", answer.Status)
	}
	return nil
}
