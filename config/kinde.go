package config

import (
	"net/url"
	"strings"
)

// Kinde is the provider Kinde. It has no secret: it signs with keys of its own,
// which it publishes.
type Kinde struct {
	// IssuerURL enables the provider.
	IssuerURL string `name:"kinde-issuer-url" env:"KINDE_ISSUER_URL" type:"setting" placeholder:"URL" help:"Take Kinde's webhooks, signed with the keys of this address, such as https://example.kinde.com: https, or http on loopback."`
}

func (k *Kinde) load(l *Loader) {
	if k.IssuerURL != "" {
		checkIssuer(l, "KINDE_ISSUER_URL", k.IssuerURL)
	}
}

func (k *Kinde) enabledBy() []string { return []string{"KINDE_ISSUER_URL"} }

func (k *Kinde) enabled() bool { return k.IssuerURL != "" }

func (k *Kinde) secrets() []*SecretSource { return nil }

// checkIssuer allows plain http on loopback only: whoever answers there in the
// provider's place can have any customer deleted.
func checkIssuer(l *Loader, name, text string) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		l.problem(name, "must be an absolute URL such as https://example.com")
		return
	}
	l.require(u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()), name,
		"must begin with https://; http:// is allowed on loopback only")
	l.require(u.User == nil && u.RawQuery == "" && !u.ForceQuery && !strings.Contains(text, "#"), name,
		"must have no user, query or fragment")
}
