package handlers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/tracing"
	"github.com/polar-bridge/polar-bridge/metrics"
)

// acceptTimeout is the last bound on storing one request. The Acceptor gives up
// by itself as soon as the database does not take it; only a large batch that
// is making progress takes longer.
const acceptTimeout = 10 * time.Second

// webhook takes one provider's requests: authenticate, store, answer.
func webhook(p Provider, o Options, bodies *bodies) echo.HandlerFunc {
	what := "POST /webhooks/" + p.Name
	return func(c echo.Context) error {
		rec := recordOf(c)
		rec.provider = p.Name
		delivery, err := receive(c, p, bodies)
		if err != nil {
			return err
		}
		rec.delivery = delivery
		connectionOf(c.Request().Context()).authenticated()
		// Strangers' requests are no spans: they would push out the others.
		ctx, span := o.Tracer.Start(c.Request().Context(), tracing.Server, what, string(rec.traceparent), rec.start)
		defer span.End()
		rec.traceparent = cmp.Or(deletion.Traceparent(span.Traceparent()), rec.traceparent)
		span.Set("event_id", delivery.EventID)
		if rec.traceparent != "" {
			for i := range delivery.Deletions {
				delivery.Deletions[i].Traceparent = rec.traceparent
			}
		}
		receipt, err := accept(ctx, o, delivery.Deletions)
		if err != nil {
			rec.cause = err
			span.Fail(string(fault.ReasonOf(err)))
			return err
		}
		rec.stored(receipt)
		span.Set("outcome", rec.outcome)
		return acknowledge(c, p, rec)
	}
}

// receive checks everything that it can before it reads the body.
func receive(c echo.Context, p Provider, bodies *bodies) (deletion.Delivery, error) {
	r := c.Request()
	if err := checkRequest(r, p.MaxBody); err != nil {
		return deletion.Delivery{}, err
	}
	if err := p.CheckHeader(r.Header); err != nil {
		return deletion.Delivery{}, err
	}
	// The reader needs net/http's own writer, to close the connection of
	// somebody who sends too much.
	body, release, err := bodies.read(c.Response().Writer, r, p.MaxBody)
	defer release()
	if err != nil {
		return deletion.Delivery{}, err
	}
	delivery, err := p.Receive(r.Header, body)
	if refusal, ok := errors.AsType[*fault.Error](err); ok && changedOnTheWay(r.Header, body) {
		changed := *refusal
		changed.Reason = fault.ReasonBodyChanged
		err = &changed
	}
	return delivery, err
}

// changedOnTheWay says that the sender gave a digest of the body (RFC 9530), as
// polar-bridge selftest does, and that it is another body's.
func changedOnTheWay(h http.Header, body []byte) bool {
	digest, found := strings.CutPrefix(h.Get("Content-Digest"), "sha-256=:")
	if !found {
		return false
	}
	sum := sha256.Sum256(body)
	return digest != base64.StdEncoding.EncodeToString(sum[:])+":"
}

// accept stores the deletions within acceptTimeout. It does not stop when the
// sender hangs up: what has arrived is authentic, and some never send it again.
// Every error is answered with 5xx, whatever it was: several providers never repeat
// what was answered 4xx.
func accept(ctx context.Context, o Options, d []deletion.Deletion) (deletion.Receipt, error) {
	if len(d) == 0 {
		return deletion.Receipt{}, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptTimeout)
	defer cancel()
	ctx, span := o.Tracer.Start(ctx, tracing.Internal, "store deletions", "", time.Time{})
	defer span.End()
	receipt, err := o.Acceptor.Accept(ctx, d)
	switch {
	case err == nil:
		return receipt, nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return deletion.Receipt{}, fault.New(fault.Unavailable, fault.ReasonDatabase, "accept: %w", err)
	case fault.KindOf(err) == fault.Unavailable:
		return deletion.Receipt{}, err
	}
	return deletion.Receipt{}, fault.New(fault.Internal, fault.ReasonOf(err), "accept: %w", err)
}

// acknowledgement is the body of a 2xx answer.
type acknowledgement struct {
	Status     string `json:"status"`
	Accepted   int    `json:"accepted"`
	Duplicates int    `json:"duplicates"`
	Ignored    int    `json:"ignored"`
}

// acknowledge answers what was stored. When the answer is lost on its way, the
// deletion is not: a repeat will be recognised.
func acknowledge(c echo.Context, p Provider, rec *record) error {
	if p.AcknowledgeEmpty {
		return c.NoContent(http.StatusOK)
	}
	status := http.StatusOK
	if rec.outcome == metrics.WebhookAccepted {
		status = http.StatusAccepted
	}
	body, err := json.Marshal(acknowledgement{
		Status:     rec.outcome,
		Accepted:   rec.receipt.Accepted,
		Duplicates: rec.receipt.Duplicates,
		Ignored:    rec.delivery.Ignored,
	})
	if err != nil {
		return err
	}
	return c.JSONBlob(status, body)
}

// reasonChallenge is why an answered challenge counts as ignored: it has no
// events.
const reasonChallenge = "challenge"

// visit refuses whoever opens the address in a browser, and says what it is for.
func visit(p Provider) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderAllow, http.MethodPost)
		recordOf(c).said = "This address takes webhooks of " + p.Title + " by POST: register it there. It has nothing to show.\n"
		return fault.New(fault.MethodNotAllowed, "", "method is not allowed here")
	}
}

// withChallenge adds the provider's challenges to its webhooks. The body of a GET is
// not read.
func withChallenge(p Provider, webhook echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method != http.MethodGet {
			return webhook(c)
		}
		rec := recordOf(c)
		rec.provider = p.Name
		body, err := p.Challenge(c.Request().Header)
		if err != nil {
			return err
		}
		rec.outcome, rec.reason = metrics.WebhookIgnored, reasonChallenge
		return c.JSONBlob(http.StatusOK, body)
	}
}
