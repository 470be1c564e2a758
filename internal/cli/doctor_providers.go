package cli

import (
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/app"
	"github.com/polar-bridge/polar-bridge/internal/identity"
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
	// SignedID, Timestamped and IDsReusable are as in identity.Info.
	SignedID    bool `json:"event_id_signed"`
	Timestamped bool `json:"old_requests_refused"`
	IDsReusable bool `json:"user_ids_reusable"`
}

// checkProviders lists the providers and sets up those that are enabled.
func (d *doctor) checkProviders() {
	enabled := app.ProviderSettings(&d.config.Identity, time.Now)
	var on []string
	for _, entry := range identity.Entries() {
		settings, ok := enabled[entry.Name]
		ok = ok && !d.invalid[entry.SecretEnv]
		d.report.Providers = append(d.report.Providers, doctorProvider{
			Name: entry.Name, Title: entry.Title, Enabled: ok, Secret: entry.SecretEnv,
			URL: d.publicURL + "/webhooks/" + entry.Name, Docs: entry.Docs,
			SignedID: entry.SignedID, Timestamped: entry.Timestamped, IDsReusable: entry.IDsReusable,
		})
		if !ok {
			continue
		}
		on = append(on, entry.Name)
		// What is wrong with a setting stands in the list already.
		provider, err := entry.New(settings)
		switch {
		case err == nil:
			d.checkKeys(entry, settings, provider)
		case len(d.invalid) == 0:
			d.add("provider "+entry.Name, doctorFault, "It cannot be set up: "+visible(err.Error())+".", "Correct "+entry.SecretEnv+" and the other settings of "+entry.Title+".")
		}
	}
	if len(on) > 0 {
		d.add("providers", doctorOK, "Webhooks are taken from "+strings.Join(on, ", ")+".", "")
	}
}

// checkKeys fetches the keys of a provider that publishes them: until they can be
// fetched, its webhooks are answered 503.
func (d *doctor) checkKeys(entry identity.Entry, settings identity.Settings, provider identity.Provider) {
	publisher, ok := provider.(interface{ CheckKeys() error })
	if !ok || !settings.PublicKeys {
		return
	}
	name := entry.Name + " keys"
	if err := publisher.CheckKeys(); err != nil {
		d.add(name, doctorFault, entry.Title+"'s public keys cannot be fetched, "+visible(strings.ReplaceAll(err.Error(), "\n", "; "))+". Its webhooks are answered 503 until they can.",
			"Check the address in that setting and the network on the way.")
		return
	}
	d.add(name, doctorOK, entry.Title+"'s public keys can be fetched.", "")
}
