package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// checkBaseURL allows plain http on loopback only: the token goes there.
func checkBaseURL(l *Loader, text string) { checkAddress(l, "POLAR_BASE_URL", text) }

// checkAddress is that rule for the named setting.
func checkAddress(l *Loader, name, text string) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		l.problem(name, "must be an absolute URL such as https://api.example.com")
		return
	}
	l.require(u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()), name,
		"must begin with https://; http:// is allowed on loopback only")
	l.require(u.User == nil && u.RawQuery == "" && u.Fragment == "" && !u.ForceQuery, name,
		"must have no user, query or fragment")
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// pointer reports whether text is the rest of a JSON pointer (RFC 6901) whose
// names are not empty and whose tildes are escapes.
func pointer(text string) bool {
	for name := range strings.SplitSeq(text, "/") {
		rest := strings.NewReplacer("~0", "", "~1", "").Replace(name)
		if name == "" || strings.Contains(rest, "~") {
			return false
		}
	}
	return true
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
