package deletion

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxExternalID is the longest external id that is believed, in bytes.
const MaxExternalID = 512

// maxQuoted bounds what of an unusable id is kept, in bytes.
const maxQuoted = 64

// MissingID stands for an id that was not in the event at all.
const MissingID = "(missing)"

// CheckExternalID reports why id cannot name a customer, or nil when it can.
// It says nothing about whether Polar's endpoint can address it.
func CheckExternalID(id string) error {
	switch {
	case id == "":
		return errors.New("id is empty")
	case id == "." || id == "..":
		return errors.New("id is a path's dot segment")
	case len(id) > MaxExternalID:
		return fmt.Errorf("id is longer than %d bytes", MaxExternalID)
	case !utf8.ValidString(id):
		return errors.New("id is not valid UTF-8")
	case strings.ContainsFunc(id, unicode.IsControl):
		return errors.New("id has a control character")
	}
	return nil
}

// QuoteID makes an unusable id safe to keep and to show: quoted, with control
// and non-ASCII characters escaped, and cut to 64 bytes.
func QuoteID(raw string) string {
	quoted := strconv.QuoteToASCII(raw[:min(len(raw), maxQuoted)])
	return quoted[:min(len(quoted), maxQuoted)]
}
