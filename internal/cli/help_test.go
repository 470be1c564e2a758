package cli_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider"
	allsettings "github.com/polar-bridge/polar-bridge/internal/settings"
)

// TestEveryCommandHasHelp follows the lists of commands, so a new command is
// tested as soon as it is there.
func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	visitHelp(t, nil, seen)
	for _, want := range []string{"serve", "demo", "send", "selftest", "doctor", "migrate", "healthcheck", "version", "deletions list", "deletions forget", "outbox sql", "outbox check"} {
		require.True(t, seen[want], "%s is not in the list of commands", want)
	}
}

func visitHelp(t *testing.T, command []string, seen map[string]bool) {
	t.Helper()
	got := run(t, settings(), append(command, "--help")...)
	name := strings.Join(command, " ")
	require.Zero(t, got.code, name)
	require.Empty(t, got.stderr, name)
	require.Contains(t, got.stdout, strings.TrimSpace("Usage: polar-bridge "+name))
	require.Contains(t, got.stdout, "-h, --help")
	_, list, _ := strings.Cut(got.stdout, "\nCommands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for _, found := range regexp.MustCompile(`(?m)^  (\S[a-z -]*[a-z])  +(\S.*)$`).FindAllStringSubmatch(list, -1) {
		words := strings.Fields(found[1])
		require.NotEmpty(t, found[2])
		if !seen[found[1]] {
			seen[found[1]] = true
			visitHelp(t, words, seen)
		}
	}
}

func TestHelpNamesTheVariablesOfSecrets(t *testing.T) {
	t.Parallel()
	got := run(t, settings(), "serve", "--help")
	require.Contains(t, got.stdout, "NAME_FILE")
	require.Regexp(t, `\n +DATABASE_URL +\S`, got.stdout)
	for _, secret := range allsettings.New(provider.Options{}).SecretHelp() {
		require.Regexp(t, `\n +`+secret.Name+` +\S`, got.stdout)
	}
}

func TestASecretThatIsGivenAsAFlag(t *testing.T) {
	t.Parallel()
	all := allsettings.New(provider.Options{}).SecretHelp()
	require.NotEmpty(t, all)
	for _, secret := range all {
		flag := "--" + strings.ReplaceAll(strings.ToLower(secret.Name), "_", "-")
		for _, args := range [][]string{{flag, marker}, {flag + "=" + marker}, {flag + "-file", "/run/secret"}, {"--" + secret.Name + "=" + marker}, {"--dry-run", flag}} {
			got := run(t, settings(), append([]string{"serve"}, args...)...) // which fails when it prints the marker
			require.Equal(t, 2, got.code, args)
			require.Equal(t, "polar-bridge: secrets have no flag: set "+secret.Name+" or "+secret.Name+"_FILE\nTry: polar-bridge --help\n", got.stderr)
			require.Empty(t, got.stdout)
		}
	}
	require.Contains(t, run(t, settings(), "serve", "--polar-acess-token", marker).stderr, "unknown flag --polar-acess-token", "nobody guesses what was meant")
}
