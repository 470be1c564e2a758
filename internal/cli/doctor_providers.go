package cli

import (
	"strings"

	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// doctorProvider is an identity provider and what to know about it.
type doctorProvider struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Enabled bool   `json:"enabled"`
	// Secret is the setting that enables it.
	Secret string `json:"secret"`
	// URL is what to register at the provider.
	URL string `json:"url"`
	// Docs is where the provider says how.
	Docs string `json:"docs"`
	// SignedID, Timestamped and IDsReusable are as in provider.Spec.
	SignedID    bool `json:"event_id_signed"`
	Timestamped bool `json:"old_requests_refused"`
	IDsReusable bool `json:"user_ids_reusable"`
}

// checkProviders lists the providers and looks at those that are enabled.
func (d *doctor) checkProviders() {
	var on []string
	for _, p := range d.providers {
		enabled := p.Enabled() && !d.invalid[p.EnabledBy] && !d.invalid[p.KeysURLEnv]
		d.report.Providers = append(d.report.Providers, doctorProvider{
			Name: p.Name, Title: p.Title, Enabled: enabled, Secret: p.EnabledBy,
			URL: d.publicURL + "/webhooks/" + p.Name, Docs: p.Docs,
			SignedID: p.SignedID, Timestamped: p.Timestamped, IDsReusable: p.IDsReusable,
		})
		if enabled {
			on = append(on, p.Name)
			d.checkKeys(p)
		}
	}
	if len(on) > 0 {
		d.add("providers", doctorOK, "Webhooks are taken from "+strings.Join(on, ", ")+".", "")
	}
}

// checkKeys fetches the keys of a provider that publishes them: until they can be
// fetched, its webhooks are answered 503.
func (d *doctor) checkKeys(p *provider.Spec) {
	if p.KeysURL == nil || p.KeysURL() == "" {
		return
	}
	name := p.Name + " keys"
	if err := p.CheckKeys(); err != nil {
		reason := p.KeysURLEnv + ": " + strings.ReplaceAll(err.Error(), "\n", "; ")
		d.add(name, doctorFault, p.Title+"'s public keys cannot be fetched, "+visible(reason)+". Its webhooks are answered 503 until they can.",
			"Check the address in that setting and the network on the way.")
		return
	}
	d.add(name, doctorOK, p.Title+"'s public keys can be fetched.", "")
}
