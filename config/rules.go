package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// RequireAddress notes a problem unless the text is the address of an API to which a
// token may go: plain http is for loopback only.
func (l *Loader) RequireAddress(name, text string) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		l.Problem(name, "must be an absolute URL such as https://api.example.com")
		return
	}
	l.Require(u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()), name,
		"must begin with https://; http:// is allowed on loopback only")
	l.Require(u.User == nil && u.RawQuery == "" && u.Fragment == "" && !u.ForceQuery, name,
		"must have no user, query or fragment")
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// schemaName takes what needs no quotes and is nobody else's.
func schemaName(text string) bool {
	const longest = 40 // the names of River's notifications begin with it
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' }
	return text != "" && len(text) <= longest && text[0] >= 'a' && text[0] <= 'z' && !strings.ContainsFunc(text, odd) &&
		!strings.HasPrefix(text, "pg_") && text != "public" && text != "information_schema"
}

func databaseURL(text string) bool {
	scheme, rest, found := strings.Cut(text, ":")
	switch {
	case !found:
		return false
	case scheme == "sqlite":
		return rest != ""
	case scheme == "postgres" || scheme == "postgresql":
		_, err := url.Parse(text)
		return err == nil && strings.HasPrefix(rest, "//")
	}
	return false
}

func address(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	return portNumber(port)
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
