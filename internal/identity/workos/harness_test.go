package workos_test

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/polar-bridge/polar-bridge/internal/event"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/identity/provider"
	"github.com/polar-bridge/polar-bridge/internal/identity/workos"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
)

// The same texts stand in scripts/golden/workos.mjs.
const (
	secret = "whsk_golden_0123456789abcdef"
	other  = "whsk_other_fedcba9876543210"
)

func harness() providertest.Harness {
	form := signature.TimedForm{Header: "Workos-Signature", Separator: ", ", Unit: time.Millisecond}
	return providertest.Harness{
		Info:             workos.About(),
		New:              func(s provider.Settings) (provider.Provider, error) { return workos.New(s) },
		Sample:           workos.Sample,
		Secret:           secret,
		Other:            other,
		Unusable:         []string{"whsk_15_bytes..", " whsk_golden_0123456789abcdeg", "whsk_golden\x00_0123456789abcdeh"},
		UnusableIDFields: []string{"ID", "data.id", "/data/id", "email", "idp_id"},
		Scheme: &providertest.Scheme{
			Headers: []string{form.Header}, Sign: form.SignHeader, Same: same,
			Tolerance: 3 * time.Minute, Unit: time.Millisecond,
		},
		IDMember:  "id",
		Body:      body("user.deleted", ""),
		Ignored:   ignored(),
		Malformed: malformed(),
		Golden:    []string{secret, other},
	}
}

func externalHarness() providertest.Harness {
	h := harness()
	h.IDField = "external_id"
	h.IDMember = "external_id"
	h.OptionalID = true
	h.Body = body("user.deleted", `,"id":"user_1"`)
	return h
}

func directoryHarness() providertest.Harness {
	h := harness()
	h.New = func(s provider.Settings) (provider.Provider, error) {
		s.DirectorySync = true
		return workos.New(s)
	}
	h.Body = body("dsync.user.deleted", `,"idp_id":"8931","email":"a@example.com"`)
	h.Ignored = slices.DeleteFunc(ignored(), func(c providertest.Case) bool { return c.Name == "dsync.user.deleted" })
	return h
}

func body(name, more string) func(string) []byte {
	return func(members string) []byte {
		var user []string
		for _, part := range []string{members, strings.TrimPrefix(more, ",")} {
			if part != "" {
				user = append(user, part)
			}
		}
		return []byte(`{"object":"event","id":"event_1","event":"` + name + `","data":{` + strings.Join(user, ",") +
			`},"created_at":"2026-11-23T12:00:00.000Z","context":{"actor":{"id":"user_actor","external_id":"actor","source":"api"}}}`)
	}
}

// same takes more signatures beside the genuine one, in any case.
func same(genuine, given string) bool {
	entries := func(value string) []string {
		return strings.Split(strings.ReplaceAll(strings.ToLower(value), " ", ""), ",")
	}
	for _, entry := range entries(genuine) {
		if !slices.Contains(entries(given), entry) {
			return false
		}
	}
	return true
}

func ignored() []providertest.Case {
	var cases []providertest.Case
	for _, name := range []string{
		"user.created", "user.updated", "USER.DELETED", "user.deleted ", "user.deleted.failed", "", "organization.deleted",
		"organization_membership.deleted", "invitation.revoked", "session.revoked", "dsync.user.created", "dsync.user.updated",
		"dsync.user.deleted", "dsync.deleted", "dsync.group.deleted", "dsync.group.user_removed", "test",
	} {
		cases = append(cases, providertest.Case{
			Name: name, Body: string(body(name, "")(`"id":"a","external_id":"a"`)), Reason: string(event.IgnoreOtherType),
		})
	}
	return append(cases,
		providertest.Case{Name: "the name in type", Body: `{"type":"user.deleted","data":{"id":"a","external_id":"a"}}`, Reason: string(event.IgnoreOtherType)},
		providertest.Case{Name: "the name in another case", Body: `{"Event":"user.deleted","data":{"id":"a","external_id":"a"}}`, Reason: string(event.IgnoreOtherType)})
}

func malformed() []providertest.Case {
	return providertest.Cases(fault.ReasonBadType, map[string]string{
		"array":            `[]`,
		"string":           `"user.deleted"`,
		"null":             `null`,
		"integer event":    `{"event":5}`,
		"data is an array": `{"event":"user.deleted","data":[]}`,
		"data is a string": `{"event":"user.deleted","data":"user_1"}`,
	})
}

// signed returns a body's headers at the time.
func signed(body string, at time.Time) (http.Header, []byte, error) {
	form := signature.TimedForm{Header: "Workos-Signature", Separator: ", ", Unit: time.Millisecond}
	h, err := form.SignHeader(secret, at, []byte(body))
	return h, []byte(body), err
}
