package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/polar-bridge/polar-bridge/config"
)

type healthcheckCommand struct {
	HTTP config.HTTP `embed:""`
	URL  string      `name:"url" placeholder:"URL" help:"Another address to ask than the admin listener's /readyz."`
}

// Run asks a running server whether it is ready: for container health checks,
// where there is no curl.
func (c *healthcheckCommand) Run(ctx context.Context, env *Env, loader *config.Loader) error {
	if err := loader.Load(&c.HTTP); err != nil {
		return err
	}
	url := c.URL
	if url == "" {
		url = "http://" + reachable(c.HTTP.AdminAddr) + "/readyz?verbose"
	}
	const timeout = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return usage("%q is not an address: %w", url, err)
	}
	status, text, err := roundTrip(request, nil)
	if err != nil {
		return fmt.Errorf("not reachable: %w; is serve running, and is ADMIN_ADDR or --url its address?", err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s answered %d: %s", url, status, text)
	}
	_, err = fmt.Fprintln(env.Stdout, text)
	return err
}

// reachable turns an address to listen on into one to ask.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
