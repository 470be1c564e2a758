package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// change is what may happen to a genuine delivery on its way without making it
// less genuine.
type change struct {
	name   string
	change func(t *testing.T, s signingSide, e *provider.Spec, d delivery) delivery
}

// Nothing but the signature, the time and the size decides whether a delivery is
// genuine. Each provider gets its deletion in every form that proves as much.
func TestWhatProvesNothingRefusesNothing(t *testing.T) {
	t.Parallel()
	for _, e := range everyProvider() {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			s := senderOf(t, e)
			env := newProviderEnvironment(t, e, s)
			env.polar.AddCustomer(polartest.Customer{ExternalID: living, CreatedAt: longAgo()})
			p := env.start(t)
			var leave, lost []string
			for i, c := range changesFor(e, s.deliver(t, e, s.secret, gone, time.Now())) {
				id := fmt.Sprintf("%s_%d", gone, i)
				env.polar.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
				leave = append(leave, id)
				d := c.change(t, s, e, s.deliver(t, e, s.secret, id, time.Now()))
				status, answer := p.post(t.Context(), http.DefaultClient, d)
				if status != http.StatusOK && status != http.StatusAccepted {
					lost = append(lost, fmt.Sprint(c.name, ": ", status, " ", answer))
				}
			}
			require.Empty(t, lost)
			env.waitDeleted(t, leave, 30*time.Second)
			require.Equal(t, len(leave), env.deletes(), "%+v", env.journal())
			require.True(t, env.polar.Exists(living))
		})
	}
}

func changesFor(e *provider.Spec, sample delivery) []change {
	changes := []change{
		{"a slash at the end of the path", headers(func(d *delivery) { d.provider += "/" })},
		{"another Content-Type", headers(func(d *delivery) { d.header.Set("Content-Type", "text/plain") })},
		{"no Content-Type", headers(func(d *delivery) { d.header["Content-Type"] = nil })},
		{"a Content-Type that is none", headers(func(d *delivery) { d.header.Set("Content-Type", ";") })},
		{"headers of gateways", headers(func(d *delivery) {
			d.header.Set("X-Hookdeck-Signature", "AAAA")
			d.header.Set("X-Forwarded-For", "192.0.2.1, 192.0.2.2")
			d.header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		})},
		{"a foreign webhook-id", headers(func(d *delivery) {
			if d.header.Get("Webhook-Id") == "" {
				d.header.Set("Webhook-Id", "of_a_gateway")
			}
		})},
	}
	for name, member := range map[string]string{
		"half a character in a user agent": `"user_agent":"Mozilla \ud800"`,
		"a name that stands twice":         `"user_agent":{"a":1,"a":2},"note":1,"note":2`,
		"text that is not UTF-8":           "\"user_agent\":\"Mozilla \xff\"",
	} {
		changes = append(changes, change{name, odd(member)})
	}
	if sample.header.Get("Authorization") != "" || e.Name == "fusionauth" { // the sender is known before the body is read
		changes = append(changes, change{"a picture in the user's profile", odd(`"picture":"` + strings.Repeat("A", 100<<10) + `"`)})
	}
	if sample.header.Get("Svix-Signature") != "" || sample.header.Get("Webhook-Signature") != "" {
		changes = append(changes, svixChanges()...)
	}
	if sample.header.Get("Authorization") == "" && e.Name == "kinde" {
		for name, space := range map[string]string{"a newline": "\n", "CR and LF": "\r\n", "a blank": " "} {
			changes = append(changes, change{name + " behind the token", headers(func(d *delivery) { d.body = append(bytes.Clone(d.body), space...) })})
		}
	}
	return changes
}

// svixChanges are of the list of signatures and of the other set's headers.
func svixChanges() []change {
	const theirs = "v1,MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	list := func(form string) func(t *testing.T, s signingSide, e *provider.Spec, d delivery) delivery {
		return headers(func(d *delivery) {
			for _, name := range []string{"Svix-Signature", "Webhook-Signature"} {
				if own := d.header.Get(name); own != "" {
					d.header.Set(name, strings.NewReplacer("OWN", own, "THEIRS", theirs).Replace(form))
				}
			}
		})
	}
	return []change{
		{"a comma and a blank, the own first", list("OWN, THEIRS")},
		{"a comma and a blank, the own last", list("THEIRS, OWN")},
		{"a comma only", list("OWN,THEIRS")},
		{"two blanks", list("THEIRS  OWN")},
		{"other versions", list("v1a,AAAA v2,BBBB OWN")},
		{"a complete foreign set", headers(func(d *delivery) {
			from, to := "Webhook-", "Svix-"
			if d.header.Get("Svix-Id") != "" {
				from, to = to, from
			}
			d.header.Set(to+"Id", "of_a_gateway")
			d.header.Set(to+"Timestamp", d.header.Get(from+"Timestamp"))
			d.header.Set(to+"Signature", theirs)
		})},
	}
}

// odd puts members that nobody reads into the event and into all that stands in it.
func odd(member string) func(t *testing.T, s signingSide, e *provider.Spec, d delivery) delivery {
	return func(t *testing.T, s signingSide, e *provider.Spec, d delivery) delivery {
		t.Helper()
		event := string(s.plain(t, d.body))
		event = strings.ReplaceAll(strings.ReplaceAll(event, "{", "{"+member+","), ",}", "}")
		header, body := s.sign(t, s.secret, time.Now(), []byte(event))
		return delivery{e.Name, header, body}
	}
}

func headers(change func(d *delivery)) func(t *testing.T, s signingSide, e *provider.Spec, d delivery) delivery {
	return func(_ *testing.T, _ signingSide, _ *provider.Spec, d delivery) delivery {
		d.header = d.header.Clone()
		change(&d)
		return d
	}
}
