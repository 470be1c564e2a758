//go:build deploy

package e2e_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

// deployed returns a file of deploy/ with other texts in the place of some, each of
// which it must have.
func deployed(t *testing.T, name string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile("../deploy/" + name)
	require.NoError(t, err)
	for i := 0; i < len(replace); i += 2 {
		require.Contains(t, string(text), replace[i])
	}
	return strings.NewReplacer(replace...).Replace(string(text))
}

// certificate makes one, and its key, for hooks.example.com.
func certificate(t *testing.T, folder string) (certificateFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"hooks.example.com"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certificateFile, keyFile = filepath.Join(folder, "certificate.pem"), filepath.Join(folder, "key.pem")
	require.NoError(t, os.WriteFile(certificateFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	return certificateFile, keyFile
}

// Each proxy of deploy/ leads to the webhooks and nothing else.
func TestTheProxiesFilesLeadToTheWebhooksOnly(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(t *testing.T, folder, listen, server string) *exec.Cmd{
		"nginx": func(t *testing.T, folder, listen, server string) *exec.Cmd {
			t.Helper()
			certificateFile, keyFile := certificate(t, folder)
			site := deployed(t, "nginx.conf", "listen 443", "listen "+listen, "http://127.0.0.1:8080", server,
				"/etc/letsencrypt/live/hooks.example.com/fullchain.pem", certificateFile, "/etc/letsencrypt/live/hooks.example.com/privkey.pem", keyFile)
			main := "daemon off; master_process off; pid nginx.pid; error_log stderr; events {}\nhttp {\naccess_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n" + site + "}\n"
			require.NoError(t, os.WriteFile(filepath.Join(folder, "nginx.conf"), []byte(main), 0o600))
			return exec.Command(os.Getenv("NGINX_PROGRAM"), "-p", folder, "-e", "stderr", "-c", "nginx.conf")
		},
		"caddy": func(t *testing.T, folder, listen, server string) *exec.Cmd {
			t.Helper()
			file := "{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system " + folder + "\n\tskip_install_trust\n}\n" +
				deployed(t, "Caddyfile", "hooks.example.com {", strings.Replace(listen, "127.0.0.1", "hooks.example.com", 1)+" {\n\tbind 127.0.0.1\n\ttls internal", "127.0.0.1:8080", strings.TrimPrefix(server, "http://"))
			require.NoError(t, os.WriteFile(filepath.Join(folder, "Caddyfile"), []byte(file), 0o600))
			return exec.Command(os.Getenv("CADDY_PROGRAM"), "run", "--adapter", "caddyfile", "--config", filepath.Join(folder, "Caddyfile"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnvironment(t, databasetest.SQLite(t), "TRUSTED_PROXIES=127.0.0.1")
			id := env.addCustomers(1)[0]
			p := env.start(t)
			listen := freeAddress(t)
			proxy := command(t, t.TempDir(), listen, p.webhooks)
			proxy.Env, proxy.Stderr, proxy.WaitDelay = append(os.Environ(), "HOME="+t.TempDir()), t.Output(), time.Second
			require.NoError(t, proxy.Start())
			t.Cleanup(func() { _ = proxy.Process.Kill(); _ = proxy.Wait() })
			client := &http.Client{Transport: &http.Transport{
				TLSClientConfig: &tls.Config{ServerName: "hooks.example.com", InsecureSkipVerify: true},
			}}
			ask := func(method, path string, d delivery) (int, string) {
				request, err := http.NewRequestWithContext(t.Context(), method, "https://"+listen+path, bytes.NewReader(d.body))
				require.NoError(t, err)
				request.Host, request.Header = "hooks.example.com", d.header.Clone()
				response, err := client.Do(request)
				if err != nil {
					return 0, ""
				}
				defer response.Body.Close() //nolint:errcheck // only read
				text, err := io.ReadAll(response.Body)
				require.NoError(t, err)
				return response.StatusCode, string(text)
			}
			d := sign(t, "clerk", "msg_1", id)
			require.Eventually(t, func() bool {
				status, _ := ask(http.MethodPost, "/webhooks/clerk", d)
				return status == http.StatusAccepted
			}, time.Minute, 100*time.Millisecond)
			env.waitDeleted(t, []string{id}, time.Minute)
			status, text := ask(http.MethodGet, "/webhooks/clerk", delivery{})
			require.Equal(t, http.StatusMethodNotAllowed, status, text)
			require.Equal(t, http.StatusOK, p.get(t, "/livez"), "the server has it on the same port")
			_, text = ask(http.MethodGet, "/livez", delivery{})
			require.NotContains(t, text, "ok", "the proxy does not lead there")
		})
	}
}
