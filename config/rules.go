package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var errHTTPS = errors.New("must begin with https://; http:// is allowed on loopback only")

// CheckAddress is the rule for an address to which a token may go, or from which keys
// come: whoever can answer in its place has the token, or can sign. Errors follow a
// setting's name and never show the address.
func CheckAddress(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return errors.New("must be an absolute URL such as https://example.com")
	case !confidential(u):
		return errHTTPS
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return errors.New("must have no user, query or fragment")
	}
	return nil
}

// RequireAddress notes a problem unless the text meets CheckAddress.
func (l *Loader) RequireAddress(name, text string) {
	if err := CheckAddress(text); err != nil {
		l.Invalid(name, err.Error())
	}
}

// confidential says that nobody on the way can read or answer: plain http is for
// loopback only.
func confidential(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	loopback := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && loopback
}

// schemaName takes what needs no quotes and is nobody else's.
func schemaName(text string) bool {
	const longest = 40 // the names of River's notifications begin with it
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' }
	return text != "" && len(text) <= longest && text[0] >= 'a' && text[0] <= 'z' && !strings.ContainsFunc(text, odd) &&
		!strings.HasPrefix(text, "pg_") && text != "public" && text != "information_schema"
}

// metadataKey takes what Polar takes for a key of metadata, besides those that it keeps
// for itself or takes from a checkout link's address.
func metadataKey(text string) bool {
	const longest = 40
	return utf8.RuneCountInString(text) <= longest && !strings.ContainsAny(text, "[]") &&
		!strings.HasPrefix(text, "__") && !strings.HasPrefix(text, "utm_") && text != "reference_id"
}

// checkDatabaseURL is the rule for DATABASE_URL.
func checkDatabaseURL(text string) error {
	if path, found := strings.CutPrefix(text, "sqlite:"); found && path != "" || checkPostgresURL(text) == nil {
		return nil
	}
	return errors.New("must be sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME")
}

// checkPostgresURL is the rule for AUTH_DATABASE_URL.
func checkPostgresURL(text string) error {
	scheme, rest, _ := strings.Cut(text, "://")
	if _, err := url.Parse(text); err != nil || rest == "" || scheme != "postgres" && scheme != "postgresql" {
		return errors.New("must be postgres://USER:PASSWORD@HOST/NAME")
	}
	return nil
}

func address(text string) bool {
	_, port, err := net.SplitHostPort(text)
	return err == nil && portNumber(port)
}

func portNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// collide reports whether two addresses cannot both be listened on.
func collide(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return hostA == hostB || wildcard(hostA) || wildcard(hostB)
}

func wildcard(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// checkNotifyURL is the rule for the address, which nobody on the way may read.
func checkNotifyURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return errors.New("must be an absolute URL such as https://hooks.example.com/services/token")
	}
	if !confidential(u) {
		return errHTTPS
	}
	return nil
}

// List returns the parts of a setting between its commas, none of an empty one.
func List(text string) []string {
	if text == "" {
		return nil
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// RequireEach notes a problem with a list of which a part has another form. An
// id that no event can carry has every event ignored.
func (l *Loader) RequireEach(name, text string, form *regexp.Regexp, predicate string) {
	for _, part := range List(text) {
		if !form.MatchString(part) {
			l.Invalid(name, predicate)
		}
	}
}
