// Command peer-go is the least that a handler in Go does: it authenticates a
// webhook, deletes the customer and answers, with the provider and the client of
// polar-bridge. It stores nothing, repeats nothing and looks at nothing, so what
// the program needs beyond this is the price of its promises. make bench
// measures both; nobody should run it for anything else.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peer-go:", err)
		os.Exit(1)
	}
}

func run() error {
	base, err := url.Parse(os.Getenv("POLAR_BASE_URL"))
	if err != nil {
		return errors.New("POLAR_BASE_URL is not an address")
	}
	token := os.Getenv("POLAR_ACCESS_TOKEN")
	clerk, _ := provider.All(provider.Options{Now: time.Now}).Lookup("clerk")
	if err := clerk.Scheme.SetKeys([]string{os.Getenv("CLERK_WEBHOOK_SIGNING_SECRET")}); err != nil {
		return fmt.Errorf("CLERK_WEBHOOK_SIGNING_SECRET %w", err)
	}
	h := &handler{clerk, polar.New(polar.Options{BaseURL: base, Token: func() string { return token }, Now: time.Now})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /webhooks/clerk", h.webhook)
	const patience = 10 * time.Second
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: mux, ReadHeaderTimeout: patience}
	return server.ListenAndServe()
}

type handler struct {
	clerk  *provider.Spec
	client *polar.Client
}

func (h *handler) webhook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.clerk.MaxBody))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	delivery, err := h.clerk.Receive(r.Header, body)
	if err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	for _, d := range delivery.Deletions {
		answer, err := h.client.DeleteCustomer(r.Context(), d.ExternalID, false)
		if err != nil || answer.Result != polar.ResultDeleted {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
	}
	w.WriteHeader(http.StatusAccepted)
}
