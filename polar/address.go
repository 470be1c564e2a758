package polar

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// externalPath is the endpoint's path up to the id, see
// https://polar.sh/docs/api-reference/customers/delete-external.
const externalPath = "/v1/customers/external/"

// ErrUnaddressable says that Polar's endpoint cannot address the external id.
// Nothing was sent.
var ErrUnaddressable = errors.New("external id cannot be addressed at Polar")

// CheckExternalID returns an error that wraps ErrUnaddressable, and says why,
// when Polar's endpoint cannot address the external id; else nil.
//
// Polar matches its routes on the decoded path: an id with a slash never
// matches, and "x/members/y" would even hit the endpoint that deletes a member
// of customer x. Dot segments are resolved by proxies on the way, bytes that
// are not UTF-8 are replaced, and NUL breaks the query. Everything else arrives
// as it is once escaped, a backslash too.
func CheckExternalID(externalID string) error {
	switch {
	case externalID == "":
		return fmt.Errorf("%w: it is empty", ErrUnaddressable)
	case externalID == "." || externalID == "..":
		return fmt.Errorf("%w: it is a dot segment", ErrUnaddressable)
	case strings.Contains(externalID, "/"):
		return fmt.Errorf("%w: it has a slash", ErrUnaddressable)
	case !utf8.ValidString(externalID):
		return fmt.Errorf("%w: it is not valid UTF-8", ErrUnaddressable)
	case strings.ContainsFunc(externalID, unicode.IsControl):
		return fmt.Errorf("%w: it has a control character", ErrUnaddressable)
	}
	return nil
}

// customerURL returns the endpoint's URL for an id that CheckExternalID took.
// Both forms of the path are set: net/url sends RawPath as it is when it
// decodes to Path, so the id is one segment on the wire whatever is in it.
func customerURL(base *url.URL, externalID string, anonymize bool) *url.URL {
	endpoint := externalURL(base, externalID, "")
	if anonymize {
		endpoint.RawQuery = "anonymize=true"
	}
	return endpoint
}

// stateURL returns the URL of what the customer has, for such an id.
func stateURL(base *url.URL, externalID string) *url.URL {
	return externalURL(base, externalID, "/state")
}

func externalURL(base *url.URL, externalID, rest string) *url.URL {
	return &url.URL{
		Scheme:  base.Scheme,
		Host:    base.Host,
		Path:    strings.TrimRight(base.Path, "/") + externalPath + externalID + rest,
		RawPath: strings.TrimRight(base.EscapedPath(), "/") + externalPath + url.PathEscape(externalID) + rest,
	}
}
