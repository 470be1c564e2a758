package provider

import (
	"bytes"
	"cmp"
	"iter"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// Auth0Logs is the settings of Auth0's Log Streams.
type Auth0Logs struct {
	Token       *config.SecretSource `kong:"-" secret:"AUTH0_LOGS_TOKEN" help:"Enables /webhooks/auth0-logs (Log Streams); the whole Authorization header."`
	Unconfirmed bool                 `name:"auth0-logs-unconfirmed" env:"AUTH0_LOGS_UNCONFIRMED" type:"setting" default:"false" help:"Accept deletions from Auth0's Log Streams although they are not confirmed at Auth0."`
}

// auth0Logs reads the webhooks of Auth0 Log Streams: batches of log entries, a few of
// which say that a user was deleted. They carry a static token and no signature. Event
// Streams are to be preferred: Auth0's schema does not promise that the user_id of
// such an entry is the deleted user's.
// https://auth0.com/docs/customize/log-streams/custom-log-streams
func auth0Logs() *Spec {
	s := &Auth0Logs{}
	return &Spec{
		Name:        "auth0-logs",
		Title:       "Auth0 Log Streams",
		Docs:        "https://auth0.com/docs/customize/log-streams/custom-log-streams",
		EnabledBy:   "AUTH0_LOGS_TOKEN",
		IDsReusable: true, // imported and custom-database ids are the tenant's choice
		IDForm:      always(formAuth0),

		Settings:    s,
		Secret:      &s.Token,
		SplitSecret: config.Lines,

		Scheme:  signature.NewToken(signature.Verbatim()), // the whole Authorization value
		MaxBody: MaxBatch,
		Read:    readAuth0Logs,
		Event:   auth0LogsEvent,
	}
}

// RequireConfirmation notes a problem when deletions are taken that nobody confirms.
func (s *Auth0Logs) RequireConfirmation(l *config.Loader, confirmed bool) {
	l.Require(s.Unconfirmed || confirmed || !s.Token.IsSet(), "AUTH0_LOGS_TOKEN",
		"needs AUTH0_LOGS_UNCONFIRMED=true, because these deletions are not confirmed at Auth0")
}

// readAuth0Logs judges every entry alone: a 2xx acknowledges the entire batch and
// anything else brings all of it back, for days and again, so one that cannot be read
// must neither be lost with the answer nor keep the others from being carried out. A
// body that is broken as a whole is malformed.
func readAuth0Logs(m Message) (deletion.Delivery, error) {
	entries, err := auth0LogEntries(m.Payload)
	if err != nil {
		return deletion.Delivery{}, err
	}
	b, readable := &batch{message: m}, false
	for raw, err := range entries {
		if err != nil {
			return deletion.Delivery{}, err
		}
		isEntry, err := addAuth0Log(b, raw)
		if err != nil {
			return deletion.Delivery{}, err
		}
		readable = readable || isEntry
	}
	if !readable && b.invalid > 0 {
		return deletion.Delivery{}, b.tooManyInvalid()
	}
	return b.delivery, nil
}

// auth0UserDeleted is the code of "Successful User Deletion". fdu is a failed one,
// and sapi reports the same deletion once more.
// https://auth0.com/docs/deploy-monitor/logs/log-event-type-codes
const auth0UserDeleted = "sdu"

// auth0Log is one log entry. Its values are raw because entries of other types are
// not ours to refuse.
type auth0Log struct {
	LogID jsontext.Value `json:"log_id"`
	Data  jsontext.Value `json:"data"`
}

type auth0LogData struct {
	Type   jsontext.Value `json:"type"`
	LogID  jsontext.Value `json:"log_id"`
	Date   jsontext.Value `json:"date"`
	UserID jsontext.Value `json:"user_id"`
	Tenant jsontext.Value `json:"tenant_name"`
}

// addAuth0Log judges one entry and says whether it is one. One that cannot be read is
// held for a human: its text could be anybody's, so it is not kept.
func addAuth0Log(b *batch, raw jsontext.Value) (isEntry bool, err error) {
	var e auth0Log
	id, err := payload.DecodeAround(raw, "/data/user_id", &e)
	if fault.ReasonOf(err) == fault.ReasonBadType {
		b.ignore() // not an object: no entry at all
		return false, nil
	}
	var d auth0LogData
	if err == nil {
		err = payload.Member(e.Data, &d)
	}
	switch {
	case fault.ReasonOf(err) == fault.ReasonBadType, err == nil && payload.Text(d.Type) != auth0UserDeleted:
		b.ignore()
		return true, nil
	case err != nil:
		return false, b.holdInvalid(raw, "(unreadable entry)")
	}
	logID := cmp.Or(payload.Text(e.LogID), payload.Text(d.LogID))
	b.add(at(b.message.deletion(payload.EventID(logID, raw), id, d.Date), payload.Text(d.Tenant)))
	return true, nil
}

// auth0LogEntries tells the three documented layouts apart by the body alone, because
// the stream's content type is whatever an administrator typed, and yields the entries
// as they are, broken lines included. Its errors, and those it yields, mean that the
// body is broken as a whole.
func auth0LogEntries(body []byte) (iter.Seq2[jsontext.Value, error], error) {
	kind := jsontext.Value(body).Kind()
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return nil, fault.New(fault.Malformed, fault.ReasonBadJSON, "the body is empty")
	case kind == jsontext.KindBeginArray:
		return payload.Elements(body), nil
	case !payload.IsOne(body):
		return auth0LogLines(body), nil
	case kind == jsontext.KindBeginObject:
		return auth0LogsInObject(body)
	default:
		return nil, fault.New(fault.Malformed, fault.ReasonBadType, "the body is a JSON %s", kind)
	}
}

// auth0LogsInObject reads {"logs":[…]} or, without that name, a single entry, which
// may span lines.
func auth0LogsInObject(body []byte) (iter.Seq2[jsontext.Value, error], error) {
	logs, rest, err := payload.Cut(body, "/logs")
	switch {
	case err != nil:
		return nil, err
	case logs == nil:
		return func(yield func(jsontext.Value, error) bool) { yield(bytes.TrimSpace(body), nil) }, nil
	case logs.Kind() != jsontext.KindBeginArray:
		return nil, fault.New(fault.Malformed, fault.ReasonBadType, "logs is a JSON %s, not an array", logs.Kind())
	}
	// The entries are judged alone, but what stands around them is strict.
	if err := payload.Decode(rest, &struct{}{}); err != nil {
		return nil, err
	}
	return payload.Elements(logs), nil
}

// auth0LogLines yields what stands between line breaks, LF or CRLF.
func auth0LogLines(body []byte) iter.Seq2[jsontext.Value, error] {
	return func(yield func(jsontext.Value, error) bool) {
		for line := range bytes.Lines(body) {
			if line = bytes.TrimSpace(line); len(line) > 0 && !yield(line, nil) {
				return
			}
		}
	}
}

// auth0LogsEvent is one entry, which follows Auth0's log schema.
// https://github.com/auth0/auth0-log-schemas
func auth0LogsEvent(s Sample) any {
	data := map[string]any{
		"date":             s.Time.UTC().Format(time.RFC3339Nano),
		"type":             auth0UserDeleted,
		"connection":       "Username-Password-Authentication",
		"client_id":        "QG4F6eABIgDzPvcKCMKUjo8c9iet2Skc",
		"ip":               "192.0.2.1",
		"user_id":          s.ExternalID,
		"strategy":         "auth0",
		"log_id":           s.EventID,
		"strategy_type":    "database",
		"environment_name": "prod-us-1",
	}
	if !s.Anonymous {
		data["tenant_name"] = "my-tenant"
	}
	return map[string]any{"log_id": s.EventID, "data": data}
}
