package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// scene is one delivery of the demo and how it must end.
type scene struct {
	title      string
	provider   string
	externalID string
	eventID    string
	forged     bool             // signed with another secret
	fault      *polartest.Fault // what Polar's next DELETE meets

	status  int      // the answer to the webhook
	calls   []int    // what Polar answers to the DELETEs that follow
	line    []string // parts of the log line that tells the end
	metric  string   // the series that counts it
	outcome string   // for people

	gotStatus int // what was seen of it
	gotBody   string
	gotCalls  []int
	gotLine   string
	gotMetric string
}

func (d *demo) scenes() []scene {
	const retryAfter = 2 * time.Second
	wait := polartest.RateLimited(retryAfter)
	return []scene{
		{
			title: "Clerk: a customer left", provider: "clerk", externalID: demoAda, eventID: "msg_demo_1",
			status: http.StatusAccepted, calls: []int{http.StatusNoContent}, outcome: "deleted",
			line:   []string{`"msg":"deletion finished"`, `"event_id":"msg_demo_1"`, `"outcome":"deleted"`},
			metric: `polar_bridge_deletions_total{outcome="deleted",provider="clerk"}`,
		},
		{
			title: "Clerk: the same once more", provider: "clerk", externalID: demoAda, eventID: "msg_demo_1",
			status: http.StatusOK, outcome: "known, nothing to do",
			line:   []string{`"msg":"webhook received"`, `"event_id":"msg_demo_1"`, `"outcome":"duplicate"`},
			metric: `polar_bridge_webhooks_total{outcome="duplicate",provider="clerk"}`,
		},
		{
			title: "Forged: another customer", provider: "clerk", externalID: demoCleo, eventID: "msg_demo_2", forged: true,
			status: http.StatusUnauthorized, outcome: "refused, customer kept",
			line:   []string{`"msg":"webhook received"`, `"outcome":"unauthenticated"`, `"reason":"bad_signature"`},
			metric: `polar_bridge_webhooks_total{outcome="unauthenticated",provider="clerk"}`,
		},
		{
			title: "Auth0: never a customer", provider: "auth0", externalID: "auth0|demo-nobody", eventID: "evt_demo_1",
			status: http.StatusAccepted, calls: []int{http.StatusNotFound}, outcome: "not_found",
			line:   []string{`"msg":"deletion finished"`, `"event_id":"evt_demo_1"`, `"outcome":"not_found"`},
			metric: `polar_bridge_deletions_total{outcome="not_found",provider="auth0"}`,
		},
		{
			title: "Auth0, and Polar says 429", provider: "auth0", externalID: demoBen, eventID: "evt_demo_2", fault: &wait,
			status: http.StatusAccepted, calls: []int{http.StatusTooManyRequests, http.StatusNoContent}, outcome: "deleted after waiting",
			line:   []string{`"msg":"deletion finished"`, `"event_id":"evt_demo_2"`, `"outcome":"deleted"`},
			metric: `polar_bridge_deletion_attempts_total{provider="auth0",result="rate_limited"}`,
		},
	}
}

// play sends every scene's delivery and waits for its end.
func (d *demo) play(ctx context.Context) ([]scene, error) {
	const patience = 90 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all := d.scenes()
	for i := range all {
		s := &all[i]
		before := d.polar.Calls()
		if s.fault != nil {
			d.polar.FailNextOf(polartest.OperationDelete, 1, *s.fault)
		}
		var err error
		if s.gotStatus, s.gotBody, err = d.deliver(ctx, *s); err != nil {
			return nil, err
		}
		if s.gotLine, err = d.log.await(ctx, s.line); err != nil {
			return nil, fmt.Errorf("%s: the log never said so: %w", s.title, err)
		}
		for _, call := range d.polar.Journal()[before:] {
			if call.Operation == polartest.OperationDelete {
				s.gotCalls = append(s.gotCalls, call.Status)
			}
		}
		if s.gotMetric, err = d.metric(ctx, s.metric); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// deliver signs and posts a delivery as the identity provider would.
func (d *demo) deliver(ctx context.Context, s scene) (status int, body string, err error) {
	entry, ok := d.providers.Lookup(s.provider)
	if !ok {
		return 0, "", fmt.Errorf("there is no provider %q", s.provider)
	}
	secret := d.secrets[s.provider]
	if s.forged {
		secret = newClerkSecret()
	}
	header, payload, err := entry.Sample(secret, provider.Sample{ExternalID: s.externalID, EventID: s.eventID, Time: time.Now()})
	if err != nil {
		return 0, "", fmt.Errorf("make the event: %w", err)
	}
	return post(ctx, d.webhooks+"/webhooks/"+s.provider, header, payload)
}

// metric returns the series' line as Prometheus would scrape it.
func (d *demo) metric(ctx context.Context, series string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.operator+"/metrics", http.NoBody)
	if err != nil {
		return "", fmt.Errorf("make the scrape: %w", err)
	}
	_, text, err := roundTrip(request, nil)
	if err != nil {
		return "", fmt.Errorf("scrape metrics: %w", err)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, series) {
			return line, nil
		}
	}
	return "", errors.New("no series " + series)
}
