package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/internal/directory/directorytest"
	"github.com/polar-bridge/polar-bridge/internal/provider/signature"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// What the second of two has.
const (
	secondSecret = "whsec_bWFya2VyLXNlY3JldC1vZi1hbm90aGVyLW9uZQ=="
	secondToken  = "polar_oat_marker_secret_of_another_one"
)

// environmentsPage is docs/environments.md.
type environmentsPage struct {
	files map[string]string // by their names
	used  sync.Map
}

func readEnvironmentsPage(t *testing.T) *environmentsPage {
	t.Helper()
	text, err := os.ReadFile("../docs/environments.md")
	require.NoError(t, err)
	page := &environmentsPage{files: map[string]string{}}
	for _, block := range regexp.MustCompile("(?s)```env\n# (\\S+)\n(.*?)```\n").FindAllStringSubmatch(string(text), -1) {
		page.files[block[1]] = block[2]
	}
	require.Len(t, page.files, strings.Count(string(text), "```env\n"), "each begins with its own name")
	return page
}

// fileEnvironment is an environment whose settings stand in a file.
type fileEnvironment struct {
	*environment

	file string
}

// write writes the named file of the page, with these values in place of those that
// have "..." in them. The environment has nothing else but where it listens and where
// Polar is.
func (page *environmentsPage) write(t *testing.T, name string, polar *polartest.Server, values map[string]string) fileEnvironment {
	t.Helper()
	require.Contains(t, page.files, name)
	page.used.Store(name, true)
	var text strings.Builder
	for line := range strings.Lines(page.files[name]) {
		setting, value, _ := strings.Cut(line, "=")
		if strings.Contains(value, "...") {
			require.Contains(t, values, setting, name)
			line = setting + "='" + values[setting] + "'\n"
		}
		text.WriteString(line)
	}
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	env := &environment{polar: polar, settings: map[string]string{
		"LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "POLAR_BASE_URL": polar.URL().String(),
	}}
	return fileEnvironment{env, file}
}

func (env fileEnvironment) start(t *testing.T) *process {
	t.Helper()
	p := env.launch(t, "serve", "--env-file", env.file)
	t.Cleanup(p.kill)
	require.NotEmpty(t, p.webhooks, p.output())
	return p
}

// credentials are the values of a file.
func credentials(database, token, secret, key, instance string) map[string]string {
	return map[string]string{
		"DATABASE_URL": database, "POLAR_ACCESS_TOKEN": token,
		"CLERK_WEBHOOK_SIGNING_SECRET": secret, "CLERK_SECRET_KEY": key, "CLERK_INSTANCE_ID": instance,
	}
}

// clerkTells is a deletion that an instance of Clerk tells of.
func clerkTells(t *testing.T, secret, instance, object, id string) delivery {
	t.Helper()
	body := fmt.Appendf(nil, `{"object":"event","type":"%s.deleted","instance_id":%q,"data":{"object":%q,"id":%q,"deleted":true}}`, object, instance, object, id)
	header, err := signature.SvixHeader(signature.SvixHeaders(), secret, "msg_"+instance+"_"+id, time.Now(), body)
	require.NoError(t, err)
	return delivery{"clerk", header, body}
}

// polarWith is a Polar that has customers with these external ids.
func polarWith(t *testing.T, token, organization string, ids ...string) *polartest.Server {
	t.Helper()
	server := polartest.Start(t, polartest.Options{Token: token, OrganizationID: organization})
	for _, id := range ids {
		server.AddCustomer(polartest.Customer{ExternalID: id, CreatedAt: longAgo()})
	}
	return server
}

func TestEveryFileOfTheEnvironmentsPageRuns(t *testing.T) {
	t.Parallel()
	page := readEnvironmentsPage(t)
	for name, test := range map[string]func(*testing.T, *environmentsPage){
		"brands in one database never reach each other's Polar":          brands,
		"two Clerk applications confirm their own deletions":             applications,
		"one polar-bridge takes two applications' webhooks, unconfirmed": twoApplications,
		"organizations are customers":                                    organizationsAsCustomers,
		"staging and a rehearsal stand beside production":                stagingAndProduction,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, page)
		})
	}
	t.Cleanup(func() { // after all of them
		for name := range page.files {
			_, used := page.used.Load(name)
			require.True(t, used, "nothing runs %s", name)
		}
	})
}

func brands(t *testing.T, page *environmentsPage) {
	database := databasetest.Postgres(t)
	a := page.write(t, "brand-a.env", polarWith(t, polarToken, "", "user_a", "user_both"), credentials(database, polarToken, clerkKey, "", ""))
	b := page.write(t, "brand-b.env", polarWith(t, secondToken, otherOrganization, "user_b", "user_both"), credentials(database, secondToken, secondSecret, "", ""))
	ofA, ofB := a.start(t), b.start(t)
	for _, id := range []string{"user_a", "user_both"} {
		ofB.deliver(t, clerkTells(t, clerkKey, "ins_A", "user", id), http.StatusUnauthorized)
		ofA.deliver(t, clerkTells(t, clerkKey, "ins_A", "user", id), http.StatusAccepted)
	}
	a.waitDeleted(t, []string{"user_a", "user_both"}, time.Minute)
	require.Zero(t, b.calls())
	ofB.deliver(t, clerkTells(t, secondSecret, "ins_B", "user", "user_b"), http.StatusAccepted)
	b.waitDeleted(t, []string{"user_b"}, time.Minute)
	require.Equal(t, 2, a.deletes())

	b.set("DATABASE_SCHEMA=brand_a") // by mistake
	wrong := b.start(t)
	wrong.waitMetric(t, otherOrganizationPaused, 1, time.Minute)
	wrong.deliver(t, clerkTells(t, secondSecret, "ins_B", "user", "user_both"), http.StatusAccepted)
	wrong.waitMetric(t, `polar_bridge_events_total{outcome="accepted",provider="clerk"}`, 1, time.Minute)
	require.Equal(t, 1, b.deletes())
	require.Equal(t, 2, a.deletes())
}

func applications(t *testing.T, page *environmentsPage) {
	database, clerk := databasetest.Postgres(t), directorytest.StartClerk(t)
	clerk.AddInstance(otherClerkKey, otherClerk)
	polar := polarWith(t, polarToken, "", "user_one", "user_two")
	one := page.write(t, "application-1.env", polar, credentials(database, polarToken, clerkKey, directorytest.ClerkKey, directorytest.ClerkInstance))
	two := page.write(t, "application-2.env", polar, credentials(database, polarToken, secondSecret, otherClerkKey, otherClerk))
	for _, env := range []fileEnvironment{one, two} {
		env.set("CLERK_API_URL=" + clerk.URL().String())
	}
	ofOne, ofTwo := one.start(t), two.start(t)
	ofOne.deliver(t, clerkTells(t, secondSecret, otherClerk, "user", "user_two"), http.StatusUnauthorized)
	ofOne.deliver(t, clerkTells(t, clerkKey, otherClerk, "user", "user_two"), http.StatusOK)
	ofOne.deliver(t, clerkTells(t, clerkKey, directorytest.ClerkInstance, "user", "user_one"), http.StatusAccepted)
	one.waitDeleted(t, []string{"user_one"}, time.Minute)
	ofTwo.deliver(t, clerkTells(t, secondSecret, otherClerk, "user", "user_two"), http.StatusAccepted)
	two.waitDeleted(t, []string{"user_one", "user_two"}, time.Minute)
}

func twoApplications(t *testing.T, page *environmentsPage) {
	clerk := directorytest.StartClerk(t)
	env := page.write(t, "two-applications.env", polarWith(t, polarToken, "", "user_one", "user_two", "user_four"),
		credentials(databasetest.Postgres(t), polarToken, clerkKey+","+secondSecret, "", directorytest.ClerkInstance+",ins_B"))
	env.set("CLERK_API_URL=" + clerk.URL().String())
	p := env.start(t)
	p.deliver(t, clerkTells(t, clerkKey, directorytest.ClerkInstance, "user", "user_one"), http.StatusAccepted)
	p.deliver(t, clerkTells(t, secondSecret, "ins_B", "user", "user_two"), http.StatusAccepted)
	p.deliver(t, clerkTells(t, secondSecret, "ins_C", "user", "user_three"), http.StatusOK)
	env.waitDeleted(t, []string{"user_one", "user_two"}, time.Minute)
	require.Zero(t, p.terminate(t))

	env.set("CLERK_SECRET_KEY=" + directorytest.ClerkKey)
	p = env.start(t)
	p.deliver(t, clerkTells(t, secondSecret, "ins_B", "user", "user_four"), http.StatusAccepted)
	p.waitMetric(t, held("clerk", "other_instance"), 1, time.Minute)
	require.Equal(t, 2, env.deletes())
}

func organizationsAsCustomers(t *testing.T, page *environmentsPage) {
	env := page.write(t, "organizations.env", polarWith(t, polarToken, "", "org_1", "user_1"), credentials("", polarToken, clerkKey, "", ""))
	p := env.start(t)
	p.deliver(t, clerkTells(t, clerkKey, "ins_A", "user", "user_1"), http.StatusOK)
	p.deliver(t, clerkTells(t, clerkKey, "ins_A", "organization", "org_1"), http.StatusAccepted)
	env.waitDeleted(t, []string{"org_1"}, time.Minute)
	require.Equal(t, 1, env.deletes())
}

func stagingAndProduction(t *testing.T, page *environmentsPage) {
	database := databasetest.Postgres(t)
	polar := polarWith(t, polarToken, "", "user_1")
	production := page.write(t, "production.env", polar, credentials(database, polarToken, clerkKey, "", "ins_live"))
	staging := page.write(t, "staging.env", polarWith(t, secondToken, otherOrganization, "user_1"), credentials(database, secondToken, secondSecret, "", "ins_test"))
	rehearsal := page.write(t, "rehearsal.env", polar, credentials(database, polarToken, clerkKey, "", ""))
	rehearsed := rehearsal.start(t)
	rehearsed.deliver(t, clerkTells(t, clerkKey, "ins_live", "user", "user_1"), http.StatusAccepted)
	rehearsed.waitMetric(t, `polar_bridge_deletions_total{outcome="dry_run",provider="clerk"}`, 1, time.Minute)

	staged := staging.start(t)
	staged.says(t, `"POLAR_SERVER":"sandbox"`)
	staged.deliver(t, clerkTells(t, secondSecret, "ins_test", "user", "user_1"), http.StatusAccepted)
	staging.waitDeleted(t, []string{"user_1"}, time.Minute)
	require.Zero(t, production.deletes())

	p := production.start(t)
	p.deliver(t, clerkTells(t, clerkKey, "ins_test", "user", "user_1"), http.StatusOK)
	p.waitMetric(t, `polar_bridge_events_total{outcome="other_instance",provider="clerk"}`, 1, time.Minute)
	require.Zero(t, production.deletes())
	p.deliver(t, clerkTells(t, clerkKey, "ins_live", "user", "user_1"), http.StatusAccepted)
	production.waitDeleted(t, []string{"user_1"}, time.Minute)
	require.Equal(t, 1, staging.deletes())
}
