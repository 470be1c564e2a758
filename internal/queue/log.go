package queue

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// Ways in which LogID may show an external id.
const (
	LogPlain  = "plain"
	LogDigest = "digest"
	LogNone   = "none"
)

// LogID returns what the log may say of an external id. Ids that are, or may
// be, an e-mail address or a telephone number are digested even in plain mode.
// The digest is an HMAC-SHA256 under key, so that a guess cannot be checked
// without the database.
func LogID(mode string, key []byte) func(id string) string {
	digest := func(id string) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id))
		return "hmac:" + hex.EncodeToString(mac.Sum(nil)[:digestBytes])
	}
	return func(id string) string {
		switch {
		case id == "" || mode == LogNone:
			return ""
		case mode == LogPlain && !strings.Contains(id, "@") && !strings.HasPrefix(id, "sms|"):
			return id
		}
		return digest(id)
	}
}

// fields are what every line about a deletion says.
func (o *Options) fields(d deletion.Deletion) []zap.Field {
	fields := []zap.Field{
		zap.String("provider", d.Provider),
		zap.String("event_id", d.EventID),
		zap.String("external_id", o.LogID(cmp.Or(d.UnusableID, d.ExternalID))),
	}
	if d.Source == deletion.SourceSelftest {
		fields = append(fields, zap.String("source", string(d.Source)))
	}
	if d.Traceparent != "" {
		fields = append(fields, zap.String("trace_id", d.Traceparent.TraceID()))
	}
	return fields
}
