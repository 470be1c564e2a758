package settings_test

import (
	"cmp"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/config"
	"github.com/polar-bridge/polar-bridge/internal/provider"
)

// reference is the page with all settings, which this test writes.
const reference = "../../docs/settings.md"

const referenceHead = `# Settings

Every setting is an environment variable; what is no secret has a flag of ` + "`polar-bridge serve`" + ` too, and the flag wins. A secret has no flag:
set ` + "`NAME`" + `, or ` + "`NAME_FILE`" + ` with the name of a file that holds it (both is an error, a newline at the end does not count). Such a file is
read every second, and at once on SIGHUP; a new content takes effect when two looks found the same, which the log says (` + "`secret rotated`" + `), and one that
cannot be used leaves the old one in force (` + "`secret not usable`" + `). Webhook secrets may be several, one a line, and all of them are valid: that is how
one rotates. Those of LISTED may be separated by commas as well; in a secret of LINES, which may be any text,
a comma belongs to the secret. A secret of Standard Webhooks is taken with or
without ` + "`whsec_`, `v1,whsec_`" + ` and its padding.
Without ` + "`LISTEN_ADDR`" + `, the port that ` + "`PORT`" + ` names is listened on.

Wrong settings stop the start, all of them are named at once, and ` + "`polar-bridge doctor`" + ` says what to do.

` + "`serve` (`setting looks wrong`) and `doctor`" + ` warn of names in the environment that are nearly a setting's (` + "`DRYRUN`, `POLAR_ANONYMISE`" + `), of values in quotation
marks, which Docker's ` + "`--env-file`" + ` keeps, and of keys of the wrong kind, such as a publishable key. A person's token of Polar (` + "`polar_pat_…`" + `) stops the
start: it reaches every organization of that person.

This page is generated: ` + "`make settings`" + `.
`

// TestReference fails when docs/settings.md is not what the settings are.
func TestReference(t *testing.T) {
	t.Parallel()
	c := load(t, with())
	page := head(c.Providers) + strings.Join(tables(t, c.Config), "")
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(reference, []byte(page), 0o644))
	}
	written, err := os.ReadFile(reference)
	require.NoError(t, err)
	require.Equal(t, page, string(written), "docs/settings.md is out of date: make settings")
	// The start's first line of log finds the settings in another way.
	for _, entry := range c.Summary() {
		require.Contains(t, page, "| `"+entry.Name+"`", "a setting is missing")
	}
}

// head says whose secrets may be separated by commas.
func head(providers provider.Registry) string {
	var listed, lines []string
	for _, p := range providers {
		switch {
		case p.Secret == nil:
		case len(p.SplitSecret("a,b")) > 1:
			listed = append(listed, "`"+p.Name+"`")
		default:
			lines = append(lines, "`"+p.Name+"`")
		}
	}
	return strings.NewReplacer("LISTED", strings.Join(listed, ", "), "LINES", strings.Join(lines, ", ")).Replace(referenceHead)
}

// tables returns a table for each group of settings, in the order of Config.
func tables(t *testing.T, c *config.Config) []string {
	t.Helper()
	var groups []string
	rows := map[string]string{}
	add := func(group string, section reflect.Value) {
		for field := range section.Fields() {
			name := cmp.Or(field.Tag.Get("group"), group)
			if _, known := rows[name]; !known {
				require.NotEmpty(t, name, field.Name)
				groups = append(groups, name)
			}
			rows[name] += row(t, field)
		}
	}
	for section, value := range reflect.ValueOf(c).Elem().Fields() {
		group := section.Tag.Get("group")
		if section.Name != "Providers" {
			add(group, value)
			continue
		}
		for _, settings := range c.Providers {
			add(group, reflect.ValueOf(settings).Elem())
		}
	}
	var all []string
	for _, group := range groups {
		all = append(all, "\n## "+group+"\n\n| variable | flag | default | meaning |\n|---|---|---|---|\n"+rows[group])
	}
	return all
}

// row returns a line of a table, "" for what is no setting.
func row(t *testing.T, field reflect.StructField) string {
	t.Helper()
	name, flagName, standard := field.Tag.Get("env"), "--"+field.Tag.Get("name"), code(field.Tag.Get("default"))
	if _, ok := field.Tag.Lookup("negatable"); ok {
		flagName = "--[no-]" + field.Tag.Get("name")
	}
	flagName = code(flagName)
	if secret := field.Tag.Get("secret"); secret != "" {
		name, flagName = secret, "secret, or `"+secret+"_FILE`"
	}
	if name == "" {
		return ""
	}
	help := field.Tag.Get("help")
	require.NotEmpty(t, help, "%s needs a help:\"…\" in its tag", name)
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, flagName, cmp.Or(standard, "—"), strings.ReplaceAll(help, "|", `\|`))
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
