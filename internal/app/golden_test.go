package app_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
	"github.com/polar-bridge/polar-bridge/internal/fault"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/internal/provider/providertest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// The clock is that of the request's Date, because the signatures are old; all
// else is what serve does.

// A genuine deletion is acknowledged as its provider demands and exactly that
// external id reaches Polar. Of all that is none, nothing is stored, or it waits
// for a human.
func TestGoldenRequestsThroughTheProgram(t *testing.T) {
	t.Parallel()
	for _, r := range goldenRoutes(t) {
		t.Run(r.name(), func(t *testing.T) {
			t.Parallel()
			t.Run("nothing comes of the others", func(t *testing.T) {
				t.Parallel()
				r.storesNothing(t)
			})
			for file, id := range r.Genuine {
				t.Run(file, func(t *testing.T) {
					t.Parallel()
					r.deletesOnly(t, file, id)
				})
			}
			for _, file := range r.heldFiles() {
				t.Run("held "+file, func(t *testing.T) {
					t.Parallel()
					r.holds(t, file)
				})
			}
		})
	}
}

// storesNothing requires that requests which are refused or ignored leave no deletion,
// whatever the answer shows of it.
func (r goldenRoute) storesNothing(t *testing.T) {
	t.Helper()
	p := r.start(t)
	for _, refused := range r.refusedFiles() {
		status, answer := r.play(t, p, refused)
		require.Equal(t, http.StatusUnauthorized, status, "%s: %s", refused, answer)
		require.Regexp(t, `^\{"error":"unauthenticated","request_id":"[^"]+"\}\s*$`, answer, refused)
	}
	for _, ignored := range r.ignoredFiles() {
		status, answer := r.play(t, p, ignored)
		require.Equal(t, http.StatusOK, status, ignored)
		r.requireCounts(t, answer, "ignored", 0, 0, 1)
	}
	require.Empty(t, p.deletions(t, r.route))
	require.Zero(t, p.polar.Calls()-p.polar.CallsOf(polartest.OperationList), "Polar is asked about nobody")
}

func (r goldenRoute) deletesOnly(t *testing.T, file, id string) {
	t.Helper()
	p := r.start(t)
	p.addCustomer(id)
	status, answer := r.play(t, p, file)
	r.requireAccepted(t, status, answer)
	p.waitFinished(t, 1)
	status, answer = r.play(t, p, file)
	require.Equal(t, http.StatusOK, status)
	r.requireCounts(t, answer, "duplicate", 0, 1, 0)

	require.Equal(t, []stored{{state: deletion.StateDone}}, p.deletions(t, r.route))
	require.Equal(t, []string{id}, p.deleted())
}

// holds requires that the request is taken and waits for a human.
func (r goldenRoute) holds(t *testing.T, file string) {
	t.Helper()
	p := r.start(t)
	status, answer := r.play(t, p, file)
	r.requireAccepted(t, status, answer)
	require.Equal(t, []stored{{state: deletion.StateHeld, hold: deletion.HoldUnusableID}}, p.deletions(t, r.route))
	require.Zero(t, p.polar.Calls()-p.polar.CallsOf(polartest.OperationList), "Polar is asked about nobody")
}

// A deletion that FusionAuth announced and rolled back does not make the real
// one vanish that follows within a second, nor that one's second event.
func TestADeletionThatWasRolledBackDoesNotHideTheRealOne(t *testing.T) {
	t.Parallel()
	const id = "00000000-0000-0001-0000-000000000000"
	r := routeIn(t, "fusionauth")
	p := r.start(t)
	for i, file := range []string{"before-the-commit", "again-after-a-rollback"} {
		p.addCustomer(id) // the user lived on and bought something
		status, answer := r.play(t, p, file)
		r.requireAccepted(t, status, answer)
		p.waitFinished(t, float64(i+1))
		require.Equal(t, i+1, p.polar.Deleted(id), file)
	}
	status, answer := r.play(t, p, "hs256") // user.delete.complete, after the commit
	r.requireAccepted(t, status, answer)
	p.waitFinished(t, 3)
	require.Equal(t, 2, p.polar.Deleted(id), "the third finds nobody")
}

// Whatever is checked for one route is checked for all thirteen, or it is said
// why it cannot be.
func TestEveryRouteHasAllGoldenCases(t *testing.T) {
	t.Parallel()
	played := map[string]bool{}
	for _, r := range goldenRoutes(t) {
		played[r.route] = true
		require.NotEmpty(t, r.Signer, r.route)
		require.NotEmpty(t, r.Genuine, r.route)
		c := r.goldenCases
		for _, file := range []string{c.Tampered, c.WrongKey, c.Stale, c.OtherType, c.Failure, c.Actor, c.MissingID} {
			require.NotEmpty(t, file, "%s: a file or the reason why there is none", r.name())
		}
		if !strings.HasPrefix(c.Actor, "(") {
			require.Contains(t, r.Genuine, c.Actor, r.name())
		}
		e, ok := everyProvider().Lookup(r.route)
		require.True(t, ok)
		if e.Timestamped {
			require.NotEqual(t, noTime, c.Stale, r.route)
		}
		if e.SignedID {
			require.NotEqual(t, noSignature, c.Tampered, r.route)
			require.NotEqual(t, byNobody, r.Signer, r.route)
		}
	}
	for _, name := range everyProvider().Names() {
		require.True(t, played[name], name)
	}
	require.Len(t, played, len(everyProvider().Names()))
}

// Every golden request of a provider ends in the program as it does in the
// provider's own test.
func TestEveryGoldenRequestThroughTheProgram(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range goldenRoutes(t) {
		if seen[r.folder] {
			continue
		}
		seen[r.folder] = true
		requests, err := filepath.Glob(r.path("*.http"))
		require.NoError(t, err)
		for _, request := range requests {
			file := strings.TrimSuffix(filepath.Base(request), ".http")
			t.Run(r.folder+"/"+file, func(t *testing.T) {
				t.Parallel()
				r.becomes(t, file, r.recorded(t, file))
			})
		}
	}
	require.NoError(t, filepath.WalkDir("../provider/testdata", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".http" {
			require.True(t, seen[strings.TrimPrefix(filepath.Dir(path), "../provider/testdata/")], "%s is played by no route", path)
		}
		return err
	}))
}

// recorded is what a provider made of a request, see providertest.Golden.
type recorded struct {
	Kind      fault.Kind `json:"kind"`
	Deletions []deletion.Deletion
	Ignored   int
}

func (r goldenRoute) recorded(t *testing.T, file string) recorded {
	t.Helper()
	raw, err := os.ReadFile(r.path(file + ".golden.json"))
	require.NoError(t, err)
	var result recorded
	require.NoError(t, json.Unmarshal(raw, &result))
	return result
}

func (r goldenRoute) becomes(t *testing.T, file string, result recorded) {
	t.Helper()
	p := r.start(t)
	status, answer := r.play(t, p, file)
	switch {
	case result.Kind == fault.Unauthenticated:
		require.Equal(t, http.StatusUnauthorized, status, answer)
	case result.Kind != "":
		require.Equal(t, fault.Malformed, result.Kind)
		require.Equal(t, http.StatusBadRequest, status, answer)
	case len(result.Deletions) > 0:
		require.Equal(t, r.acceptedStatus(), status, answer)
		r.requireCounts(t, answer, "accepted", len(result.Deletions), 0, result.Ignored)
	default:
		require.Equal(t, http.StatusOK, status, answer)
		r.requireCounts(t, answer, "ignored", 0, 0, result.Ignored)
	}
	ids, want := []string{}, []stored{}
	for _, d := range result.Deletions {
		if d.UnusableID != "" {
			want = append(want, stored{state: deletion.StateHeld, hold: deletion.HoldUnusableID})
			continue
		}
		ids, want = append(ids, d.ExternalID), append(want, stored{state: deletion.StateDone})
	}
	p.waitFinished(t, float64(len(ids)))
	require.Equal(t, want, p.deletions(t, r.route))
	require.ElementsMatch(t, ids, p.deleted())
}

func routeIn(t *testing.T, folder string) goldenRoute {
	t.Helper()
	for _, r := range goldenRoutes(t) {
		if r.folder == folder {
			return r
		}
	}
	require.FailNow(t, "no such folder", folder)
	return goldenRoute{}
}

func (r goldenRoute) name() string {
	return r.folder + " by " + r.Signer
}

func (r goldenRoute) start(t *testing.T) *program {
	t.Helper()
	p := startProgram(t, r.Variables)
	if r.KeySet != "" {
		r.publish(t, p)
	}
	return p
}

// publish lets the issuer answer with the keys that signed the requests.
func (r goldenRoute) publish(t *testing.T, p *program) {
	t.Helper()
	keySet, err := os.ReadFile(r.path(r.KeySet))
	require.NoError(t, err)
	p.keySet.Store(&keySet)
}

func (r goldenRoute) path(file string) string {
	return filepath.Join("../provider/testdata", r.folder, file)
}

// play sends the request in the file at its time.
func (r goldenRoute) play(t *testing.T, p *program, file string) (status int, answer string) {
	t.Helper()
	header, body := providertest.ReadRequest(t, r.path(file)+".http")
	at, err := http.ParseTime(header.Get("Date"))
	require.NoError(t, err)
	p.now(at)
	defer p.now(time.Now())
	return p.post(t, r.route, header, body)
}

func (r goldenRoute) requireAccepted(t *testing.T, status int, answer string) {
	t.Helper()
	require.Equal(t, r.acceptedStatus(), status, answer)
	r.requireCounts(t, answer, "accepted", 1, 0, 0)
}

func (r goldenRoute) acceptedStatus() int {
	if r.Empty {
		return http.StatusOK
	}
	return http.StatusAccepted
}

func (r goldenRoute) requireCounts(t *testing.T, answer, word string, accepted, duplicates, ignored int) {
	t.Helper()
	if r.Empty {
		require.Empty(t, answer)
		return
	}
	require.JSONEq(t, fmt.Sprintf(`{"status":%q,"accepted":%d,"duplicates":%d,"ignored":%d}`, word, accepted, duplicates, ignored), answer)
}

func (c goldenCases) refusedFiles() []string {
	return files(append(c.AlsoRefused, c.Tampered, c.WrongKey, c.Stale)...)
}

func (c goldenCases) ignoredFiles() []string {
	return files(append(c.AlsoIgnored, c.OtherType, c.Failure)...)
}

func (c goldenCases) heldFiles() []string { return files(append(c.Held, c.MissingID)...) }

// files leaves the reasons out.
func files(names ...string) []string {
	var some []string
	for _, name := range names {
		if !strings.HasPrefix(name, "(") {
			some = append(some, name)
		}
	}
	return some
}

func everyProvider() provider.Registry { return provider.All(provider.Options{Now: time.Now}) }
