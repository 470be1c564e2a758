// Command apiserver runs Kubernetes' own API server with an etcd, on loopback and
// for tests, until its standard input ends:
//
//	apiserver FOLDER
//
// It keeps everything in the folder and says "ready" when FOLDER/kubeconfig leads to
// it. There is no kubelet and no controller: objects are validated and stored, and
// nothing runs. It is a module of its own, so that Kubernetes is no dependency of the
// program, and it knows nothing of it.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://%s", insecure-skip-tls-verify: true}}]
users: [{name: test, user: {token: %s}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
current-context: test
`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: apiserver FOLDER")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, folder string) error {
	store, err := startEtcd(folder)
	if err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	defer store.Close()
	token, key := rand.Text(), filepath.Join(folder, "service-account.key")
	if err := writeKey(key); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	tokens := filepath.Join(folder, "tokens")
	if err := os.WriteFile(tokens, []byte(token+",test,test,system:masters\n"), 0o600); err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(address)
	command := app.NewAPIServerCommand()
	command.SetArgs([]string{
		"--etcd-servers=" + store.Clients[0].Addr().String(), "--bind-address=127.0.0.1", "--secure-port=" + port, "--cert-dir=" + folder,
		"--token-auth-file=" + tokens, "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/16,fd00::/112",
		"--service-account-issuer=https://" + address, "--service-account-signing-key-file=" + key, "--service-account-key-file=" + key,
		"--disable-admission-plugins=ServiceAccount", "--v=0",
	})
	ended := make(chan error, 1)
	go func() { ended <- command.ExecuteContext(ctx) }()
	if err := waitReady(ctx, "https://"+address+"/readyz", token, ended); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "kubeconfig"), fmt.Appendf(nil, kubeconfig, address, token), 0o600); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func startEtcd(folder string) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir, config.LogLevel = filepath.Join(folder, "etcd"), "error"
	config.UnsafeNoFsync = true
	loopback := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config.ListenClientUrls, config.ListenPeerUrls = []url.URL{loopback}, []url.URL{loopback}
	store, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	<-store.Server.ReadyNotify()
	return store, nil
}

// writeKey makes the key with which the server would sign tokens of pods.
func writeKey(path string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return os.WriteFile(path, pem.EncodeToMemory(&block), 0o600)
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func waitReady(ctx context.Context, address, token string, ended <-chan error) error {
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // its own certificate, on loopback
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	for range 600 {
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-ended:
			return fmt.Errorf("API server ended: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return fmt.Errorf("API server not ready after a minute")
}
