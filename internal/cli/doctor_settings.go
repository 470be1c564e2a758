package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/polar-bridge/polar-bridge/config"
)

// doctorSetting is one setting and where its value comes from.
type doctorSetting struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	// Value says of a secret only whether it is set and how many values it has.
	Value string `json:"value"`
}

// Where a setting comes from, besides its flag and the like.
const (
	fromDefault     = "default"
	fromEnvironment = "environment"
)

// databaseURL is the one secret that cannot change while the program runs.
const databaseURL = "DATABASE_URL"

// givenFlags returns the flags that stand on the command line, by the name of
// their setting.
func givenFlags(parsed *kong.Context) map[string]string {
	given := map[string]string{}
	for _, part := range parsed.Path {
		if part.Flag != nil && !part.Resolved {
			given[part.Flag.Tag.Get("env")] = "--" + part.Flag.Name
		}
	}
	return given
}

// checkSettings lists what is wrong with the settings, as faults, and then all
// of them.
func (d *doctor) checkSettings(problems error) {
	secrets := d.secrets()
	if invalid, ok := errors.AsType[*config.InvalidError](problems); ok {
		for _, problem := range invalid.Problems {
			name, _, _ := strings.Cut(problem, " ")
			if strings.ToUpper(name) != name { // "No identity provider is enabled; set one of ..."
				d.add("providers", doctorFault, problem, "Set the secret of the identity provider that you use.")
				continue
			}
			d.invalid[name] = true
			_, secret := secrets[name]
			d.add(name, doctorFault, problem, d.correct(name, secret))
		}
	}
	set := 0
	for _, entry := range d.config.Summary() {
		count, secret := secrets[entry.Name]
		setting := doctorSetting{Name: entry.Name, Source: d.source(entry.Name, secret), Value: visible(entry.Value)}
		switch {
		case d.invalid[entry.Name] && (setting.Source != fromDefault || !secret):
			setting.Value = "not valid" // and not shown: it may be a secret that went astray
		case secret && count > 1:
			setting.Value = fmt.Sprintf("set, %d values", count)
		case secret && d.commaIn(entry.Name):
			setting.Value = "set, 1 value with a comma in it" // several stand one a line
		}
		if setting.Source != fromDefault {
			set++
		}
		d.report.Settings = append(d.report.Settings, setting)
	}
	if problems == nil {
		d.add("settings", doctorOK, fmt.Sprintf("All %d are valid; %d of them are not left at their default.", len(d.report.Settings), set), "")
	}
}

// secrets returns how many values each secret has.
func (d *doctor) secrets() map[string]int {
	counts := map[string]int{databaseURL: 1}
	for _, secret := range d.config.Secrets() {
		counts[secret.Name()] = len(secret.Values())
	}
	return counts
}

// commaIn says whether a comma belongs to a secret, which whoever meant several
// values did not expect.
func (d *doctor) commaIn(name string) bool {
	return slices.ContainsFunc(d.config.Secrets(), func(s *config.SecretSource) bool {
		return s.Name() == name && strings.Contains(s.Value(), ",")
	})
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
		return fromEnvironment
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

// visible returns text as it is when it can be seen as it is, else quoted.
func visible(text string) string {
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}
