package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// doctorSetting is one setting and where its value comes from.
type doctorSetting struct {
	Name   string `json:"name"`   // the variable's
	Source string `json:"source"` // where the value comes from: a flag, environment, file or default
	// Value says of a secret only whether it is set and how many values it has.
	Value string `json:"value"`
}

// fromDefault is where a setting comes from that nobody set.
const fromDefault = "default"

// checkSettings lists what is wrong with the settings, as faults, and then all
// of them.
func (d *doctor) checkSettings(problems error) {
	secrets := map[string]*config.SecretSource{}
	for _, secret := range d.Config.Secrets() {
		secrets[secret.Name()] = secret
	}
	if invalid, ok := errors.AsType[*config.InvalidError](problems); ok {
		for _, problem := range invalid.Problems {
			name, _, _ := strings.Cut(problem, " ")
			if strings.ToUpper(name) != name { // "No identity provider is enabled; set one of ..."
				d.fault("providers", problem, "Set the secret of the identity provider that you use.")
				continue
			}
			d.invalid[name] = true
			_, secret := secrets[name]
			d.fault(name, problem, d.correct(name, secret))
		}
	}
	set := 0
	for _, entry := range d.Config.Summary() {
		source, secret := secrets[entry.Name]
		setting := doctorSetting{Name: entry.Name, Source: d.source(entry.Name, secret), Value: visible(entry.Value)}
		switch {
		case d.invalid[entry.Name] && (setting.Source != fromDefault || !secret):
			setting.Value = "not valid" // and not shown: it may be a secret that went astray
		case source.IsSet() && len(source.Values()) > 1:
			setting.Value = fmt.Sprintf("set, %d values", len(source.Values()))
		case source.IsSet() && strings.Contains(source.Value(), ","):
			setting.Value = "set, 1 value with a comma in it" // several stand one a line
		}
		if setting.Source != fromDefault {
			set++
		}
		d.report.Settings = append(d.report.Settings, setting)
	}
	if problems == nil {
		d.ok("settings", fmt.Sprintf("All %d are valid; %d of them are not left at their default.", len(d.report.Settings), set))
	}
}

// source says where a setting's value comes from. It names no file, because
// the secret itself may stand there by mistake.
func (d *doctor) source(name string, secret bool) string {
	text, file := strings.TrimRight(d.env.Getenv(name), "\r\n"), ""
	if secret {
		file = strings.TrimSpace(d.env.Getenv(name + "_FILE"))
	} else {
		text = strings.TrimSpace(text)
	}
	switch flag := d.flags[name]; {
	case flag != "":
		return "flag " + flag
	case text != "" && file != "":
		return "environment and file"
	case file != "":
		return "file (" + name + "_FILE)"
	case text != "":
		return "environment"
	case name == "LISTEN_ADDR" && strings.TrimSpace(d.env.Getenv("PORT")) != "":
		return "environment (PORT)"
	}
	return fromDefault
}

// correct says where to put a setting right.
func (d *doctor) correct(name string, secret bool) string {
	switch source := d.source(name, secret); {
	case source == fromDefault && secret:
		return "Set " + name + ", or " + name + "_FILE with the name of a file that holds it."
	case source == fromDefault && name != "PORT":
		return "Set " + name + "."
	case strings.HasPrefix(source, "flag"):
		return "Correct the " + source + "."
	case strings.HasPrefix(source, "file"):
		return "Correct the file that " + name + "_FILE names."
	case source == "environment and file":
		return "Unset " + name + " or " + name + "_FILE."
	}
	return "Correct the environment variable " + name + "."
}

// doctorProvider is an identity provider and what to know about it.
type doctorProvider struct {
	Name    string `json:"name"`    // its name here
	Title   string `json:"title"`   // its own name
	Enabled bool   `json:"enabled"` // its webhooks are taken
	Secret  string `json:"secret"`  // the setting that enables it
	URL     string `json:"url"`     // what to register at the provider
	Docs    string `json:"docs"`    // where the provider says how
	// SignedID says that the signature covers the event's id.
	SignedID bool `json:"event_id_signed"`
	// Timestamped says that a request which was recorded is refused later.
	Timestamped bool `json:"old_requests_refused"`
	// IDsReusable says that a new user can get the id of one who was deleted.
	IDsReusable bool `json:"user_ids_reusable"`
}

// checkProviders lists the providers and looks at those that are enabled.
func (d *doctor) checkProviders() {
	address := cmp.Or(strings.TrimRight(d.PublicURL, "/"), "https://<your host>")
	var on []string
	for _, p := range d.providers {
		enabled := p.Enabled() && !d.invalid[p.EnabledBy] && !d.invalid[p.KeysURLEnv]
		d.report.Providers = append(d.report.Providers, doctorProvider{
			Name: p.Name, Title: p.Title, Enabled: enabled, Secret: p.EnabledBy,
			URL: address + "/webhooks/" + p.Name, Docs: p.Docs,
			SignedID: p.SignedID, Timestamped: p.Timestamped, IDsReusable: p.IDsReusable,
		})
		if enabled {
			on = append(on, p.Name)
			d.checkKeys(p)
		}
	}
	if len(on) > 0 {
		d.ok("providers", "Webhooks are taken from "+strings.Join(on, ", ")+".")
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
		d.fault(name, p.Title+"'s public keys cannot be fetched, "+visible(reason)+". Its webhooks are answered 503 until they can.",
			"Check the address in that setting and the network on the way.")
		return
	}
	d.ok(name, p.Title+"'s public keys can be fetched.")
}
