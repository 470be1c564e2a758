package handlers

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// ipExtractor finds the sender's address: the last one in X-Forwarded-For that
// is not a trusted proxy's. Echo's own would trust private networks by itself,
// where any neighbour could write that header, and reads no addresses with a
// port, as Azure's Application Gateway writes them:
// https://learn.microsoft.com/azure/application-gateway/how-application-gateway-works
func ipExtractor(trusted []netip.Prefix) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	return func(r *http.Request) string {
		peer, ok := parseHop(r.RemoteAddr)
		if !ok {
			return r.RemoteAddr
		}
		sender := peer
		hops := strings.Split(strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ","), ",")
		for _, hop := range slices.Backward(hops) {
			if !trusts(trusted, sender) || strings.TrimSpace(hop) == "" {
				break
			}
			if sender, ok = parseHop(hop); !ok {
				return peer.String() // who else is named cannot be told
			}
		}
		return sender.String()
	}
}

func trusts(proxies []netip.Prefix, sender netip.Addr) bool {
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(sender) })
}

// parseHop reads an address, which may have a port, and brackets around IPv6.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr().Unmap(), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(hop, "["), "]"))
	return addr.Unmap(), err == nil
}
