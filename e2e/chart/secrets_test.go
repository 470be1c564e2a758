//go:build chart

package chart_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The set-up trying-out is the one with secrets among its values.
const tryingOut = "trying-out"

func TestExistingSecretsAreOnlyNamed(t *testing.T) {
	t.Parallel()
	eachSetup(t, func(t *testing.T, s setup) {
		if s.name == tryingOut || s.name == "everything-extra" {
			return
		}
		require.Empty(t, s.of("Secret"))
	})
}

func TestGivenSecretsStandInASecretOnly(t *testing.T) {
	t.Parallel()
	s := setupNamed(t, tryingOut)
	secrets := s.of("Secret")
	require.Len(t, secrets, 1)
	given := map[string]string{
		"POLAR_ACCESS_TOKEN":  "polar_oat_0123456789abcdef",
		"AUTH0_WEBHOOK_TOKEN": "0123456789abcdef0123456789abcdef",
	}
	require.Len(t, secrets[0].at("data"), len(given))
	for name, value := range given {
		encoded := base64.StdEncoding.EncodeToString([]byte(value))
		require.Equal(t, encoded, secrets[0].at("data")[name])
		require.NotContains(t, s.text, value)
		require.Equal(t, 1, strings.Count(s.text, encoded))
	}
}

func TestSecretsAreFilesForTheServersGroup(t *testing.T) {
	t.Parallel()
	eachSetup(t, func(t *testing.T, s setup) {
		const ownerAndGroup = 0o440
		volume := find(s.server(t).list("spec", "volumes"), "secrets")
		if s.name == "vault" {
			require.Nil(t, volume, "an operator's own files need none of the chart's")
			return
		}
		require.Equal(t, ownerAndGroup, volume.at("projected")["defaultMode"])
		files := map[any]bool{}
		for _, source := range volume.list("projected", "sources") {
			for _, item := range source.list("secret", "items") {
				files[item["path"]] = true
			}
		}
		server := find(s.server(t).list("spec", "containers"), "polar-bridge")
		require.Equal(t, true, find(server.list("volumeMounts"), "secrets")["readOnly"])
		named := 0
		for _, variable := range server.list("env") {
			name, _ := variable["name"].(string)
			setting, isFile := strings.CutSuffix(name, "_FILE")
			if !isFile {
				continue
			}
			require.Equal(t, "/etc/polar-bridge/"+setting, variable["value"])
			require.True(t, files[setting], setting)
			named++
		}
		require.Len(t, files, named)
	})
}
