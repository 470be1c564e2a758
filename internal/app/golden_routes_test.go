package app_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

// goldenRoute is what is to become of a provider's golden requests, an entry of
// testdata/NAME/golden.json. What stands there is what docs/providers says, not what
// the code does.
type goldenRoute struct {
	route, folder string // the folder is the provider's, or one below it

	// Below is the folder below the provider's.
	Below string `json:"folder"`
	// Signer is who signs the requests, see scripts/golden.
	Signer string `json:"signer"`
	// Variables are settings, NAME=VALUE; KEYS stands for the issuer's address.
	Variables []string `json:"variables"`
	// Empty says that the provider demands 200 without a body; else 202 and 200 with
	// counts.
	Empty bool `json:"empty_acknowledgement"`
	// KeySet is the file in the folder that the issuer publishes.
	KeySet string `json:"key_set"`
	// Genuine are deletions: file to external id.
	Genuine map[string]string `json:"genuine"`

	goldenCases `json:",inline"`
}

// goldenCases name a file each or, in brackets, why there can be none.
type goldenCases struct {
	// These are answered with 401.
	Tampered    string   `json:"tampered"`
	WrongKey    string   `json:"wrong_key"`
	Stale       string   `json:"stale"`
	AlsoRefused []string `json:"also_refused"`
	// These are ignored.
	OtherType   string   `json:"other_type"`
	Failure     string   `json:"failure"`
	AlsoIgnored []string `json:"also_ignored"`
	// Actor names somebody besides the user who goes, and is among the genuine.
	Actor string `json:"actor"`
	// These are held.
	MissingID string   `json:"missing_id"`
	Held      []string `json:"held"`
}

// Why there can be no file.
const (
	noTime      = "(no time is signed)"
	noSignature = "(the body is not signed)"
	byNobody    = "nothing is signed: a static token beside the provider's own example"
)

// goldenRoutes reads them for every provider.
func goldenRoutes(t *testing.T) []goldenRoute {
	t.Helper()
	var all []goldenRoute
	for _, spec := range everyProvider() {
		raw, err := os.ReadFile(filepath.Join("../provider/testdata", spec.Name, "golden.json"))
		require.NoError(t, err)
		var routes []goldenRoute
		require.NoError(t, json.Unmarshal(raw, &routes, json.RejectUnknownMembers(true)))
		for _, r := range routes {
			r.route, r.folder = spec.Name, filepath.Join(spec.Name, r.Below)
			all = append(all, r)
		}
	}
	return all
}
