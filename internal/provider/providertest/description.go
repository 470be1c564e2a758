package providertest

import (
	"bytes"
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// description is a provider's testdata/NAME/conformance.json: what the suite cannot
// know. It describes the provider with its default settings and, in variants, with
// others.
type description struct {
	variant

	// DerivedEventID says that the event's id is made from the body, because the
	// provider sends none of its own.
	DerivedEventID bool `json:"derived_event_id"`
	// Untimed says that the event does not say when it happened.
	Untimed bool `json:"untimed"`
	// Batch says that a body holds many events, so that a broken one is held.
	Batch bool `json:"batch"`
	// CommaSeparates says that a comma separates secrets, else it is a part of them.
	CommaSeparates bool `json:"comma_separates"`
	// Tolerance is how far a signed time may be off, both ways, and Unit its smallest
	// difference; for schemes other than Svix'.
	Tolerance string `json:"tolerance"`
	Unit      string `json:"unit"`
	// Seeds are bodies for fuzzing.
	Seeds []string `json:"seeds"`

	Variants []variant `json:"variants"`
}

// variant is how a provider is set up and what it is sent then. What it leaves out is
// as it is without it, of Ignored and Malformed each reason alone.
type variant struct {
	// Name is a sentence.
	Name string `json:"name"`
	// Settings are those besides the secret, by their environment variables.
	Settings map[string]string `json:"settings"`
	// SecretEnv is the setting of the secret, by default the provider's own.
	SecretEnv string `json:"secret_env"`
	// Secret and OtherSecret are two good ones; they must not appear in errors. An
	// address stands for the keys that are published there.
	Secret      string `json:"secret"`
	OtherSecret string `json:"other_secret"`
	// UnusableSecrets must be refused.
	UnusableSecrets []string `json:"unusable_secrets"`
	// Rules say of values of settings what is wrong with each, as a sentence, or "" for
	// nothing.
	Rules map[string]map[string]string `json:"rules"`

	// Body is a deletion in which the member "MEMBERS" stands for those of the user
	// object, such as the id.
	Body jsontext.Value `json:"body"`
	// IDMember is the name of the member that holds the id.
	IDMember string `json:"id_member"`
	// OptionalID says that an event without the id is ignored, not held.
	OptionalID bool `json:"optional_id"`
	// Ignored are authentic bodies of no interest, Malformed those that are not as
	// documented, by reason and name.
	Ignored   map[string]map[string]jsontext.Value `json:"ignored"`
	Malformed map[string]map[string]jsontext.Value `json:"malformed"`

	// Golden is the folder of golden requests below the provider's, and
	// GoldenSecrets sign them.
	Golden        string   `json:"golden"`
	GoldenSecrets []string `json:"golden_secrets"`
	// GoldenOnly leaves out everything but these.
	GoldenOnly bool `json:"golden_only"`
}

// placeholder is the member of Body that is replaced.
const placeholder = `"MEMBERS":0`

// body returns the deletion with these members.
func (v variant) body(members string) []byte {
	if members == "" {
		for _, with := range []string{"," + placeholder, placeholder + ","} {
			if bytes.Contains(v.Body, []byte(with)) {
				return bytes.Replace(v.Body, []byte(with), nil, 1)
			}
		}
	}
	return bytes.Replace(v.Body, []byte(placeholder), []byte(members), 1)
}

// over returns v, completed by what it leaves out.
func (v variant) over(base variant) variant {
	v.SecretEnv = cmp.Or(v.SecretEnv, base.SecretEnv)
	v.Secret, v.OtherSecret = cmp.Or(v.Secret, base.Secret), cmp.Or(v.OtherSecret, base.OtherSecret)
	v.IDMember = cmp.Or(v.IDMember, base.IDMember)
	if v.UnusableSecrets == nil {
		v.UnusableSecrets = base.UnusableSecrets
	}
	if v.Rules == nil {
		v.Rules = base.Rules
	}
	if v.Body == nil {
		v.Body = base.Body
	}
	if v.GoldenSecrets == nil {
		v.GoldenSecrets = base.GoldenSecrets
	}
	v.Ignored, v.Malformed = merged(base.Ignored, v.Ignored), merged(base.Malformed, v.Malformed)
	return v
}

func merged(base, over map[string]map[string]jsontext.Value) map[string]map[string]jsontext.Value {
	all := map[string]map[string]jsontext.Value{}
	maps.Copy(all, base)
	maps.Copy(all, over)
	return all
}

// describe reads the description of the provider whose folder it is.
func describe(tb testing.TB, folder string) description {
	tb.Helper()
	file, err := os.Open(filepath.Join(folder, "conformance.json")) //nolint:gosec // a test's own file
	require.NoError(tb, err)
	defer file.Close() //nolint:errcheck // only read
	var d description
	require.NoError(tb, json.UnmarshalRead(file, &d, json.RejectUnknownMembers(true)))
	require.Contains(tb, string(d.Body), placeholder)
	return d
}

func duration(tb testing.TB, text string) time.Duration {
	tb.Helper()
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	require.NoError(tb, err)
	return d
}

// spaced makes a sentence of a file's name.
func spaced(name string) string { return strings.ReplaceAll(name, "-", " ") }
