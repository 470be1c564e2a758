package polar

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// externalPath is the endpoint's path up to the id, see
// https://polar.sh/docs/api-reference/customers/delete-external.
const externalPath = customersPath + "external/"

// customersPath is the endpoint's path up to Polar's own id, and the list's: without
// the slash at the end Polar redirects.
const customersPath = "/v1/customers/"

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
