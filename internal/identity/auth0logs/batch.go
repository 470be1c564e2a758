package auth0logs

import (
	"cmp"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
)

// userDeleted is the code of "Successful User Deletion". fdu is a failed one,
// and sapi reports the same deletion once more.
// https://auth0.com/docs/deploy-monitor/logs/log-event-type-codes
const userDeleted = "sdu"

// unreadableEntry stands for the id of an entry that is not JSON. Its text could
// be anybody's, so it is not kept.
const unreadableEntry = "(unreadable entry)"

// entry is one log entry. Its values are raw because entries of other types
// are not ours to refuse.
type entry struct {
	LogID jsontext.Value `json:"log_id"`
	Data  jsontext.Value `json:"data"`
}

type entryData struct {
	Type   jsontext.Value `json:"type"`
	LogID  jsontext.Value `json:"log_id"`
	Date   jsontext.Value `json:"date"`
	UserID jsontext.Value `json:"user_id"`
	Tenant jsontext.Value `json:"tenant_name"`
}

// add judges one entry and says whether it is one. One that cannot be read is held
// for a human.
func (p *Provider) add(b *provider.Batch, raw jsontext.Value) (isEntry bool, err error) {
	var e entry
	id, err := payload.DecodeAround(raw, "/data/user_id", &e)
	if fault.ReasonOf(err) == fault.ReasonBadType {
		b.Ignore() // not an object: no entry at all
		return false, nil
	}
	var d entryData
	if err == nil {
		err = payload.Member(e.Data, &d)
	}
	switch {
	case fault.ReasonOf(err) == fault.ReasonBadType, err == nil && payload.Text(d.Type) != userDeleted:
		b.Ignore()
		return true, nil
	case err != nil:
		return false, b.Unreadable(raw, unreadableEntry)
	}
	logID := cmp.Or(payload.Text(e.LogID), payload.Text(d.LogID))
	b.Add(provider.At(p.Deletion(payload.EventID(logID, raw), id, d.Date), payload.Text(d.Tenant)))
	return true, nil
}
