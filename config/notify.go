package config

import (
	"errors"
	"net/url"
)

// Notify says who is told when somebody must look.
type Notify struct {
	// URL takes Slack-compatible messages. It is a secret: who knows it can post.
	URL *SecretSource `kong:"-" secret:"NOTIFY_URL" help:"Where messages for people go: the address of a Slack-compatible webhook. https, or http on loopback."`
}

// Load implements Section.
func (n *Notify) Load(l *Loader) { n.URL = l.Secret("NOTIFY_URL", One(checkNotifyURL)) }

var (
	errNotifyURL    = errors.New("must be an absolute URL such as https://hooks.example.com/services/token")
	errNotifyScheme = errors.New("must begin with https://; http:// is allowed on loopback only")
)

// checkNotifyURL is the rule for the address, which nobody on the way may read.
func checkNotifyURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return errNotifyURL
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return errNotifyScheme
	}
	return nil
}
