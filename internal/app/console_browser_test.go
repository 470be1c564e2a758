package app_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database"
	"github.com/polar-bridge/polar-bridge/internal/provider"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

const (
	consolePassword = "correct horse battery"
	// screenshotVariable names the file that the browser test's picture goes to.
	screenshotVariable = "POLAR_BRIDGE_SCREENSHOT"
)

// An operator signs in, finds a deletion that waits after a failure, retries it
// and sees it done.
func TestTheConsoleInABrowser(t *testing.T) {
	t.Parallel()
	p := startProgram(t, []string{"CLERK_WEBHOOK_SIGNING_SECRET=" + clerkKey, "ADMIN_PASSWORD=" + consolePassword})
	p.addCustomer("user_browser")
	p.polar.SetFault(polartest.Fault{Name: "500", Status: http.StatusInternalServerError})
	entry, ok := provider.All(provider.Options{Now: time.Now}).Lookup("clerk")
	require.True(t, ok)
	header, body, err := entry.Sample(clerkKey, provider.Sample{ExternalID: "user_browser", EventID: "msg_browser", Time: time.Now()})
	require.NoError(t, err)
	status, _ := p.post(t, "clerk", header, body)
	require.Equal(t, http.StatusAccepted, status)
	p.putOff(t)

	b := browse(t)
	address := (&url.URL{Scheme: "http", Host: p.admin, User: url.UserPassword("admin", consolePassword)}).String()
	b.do(chromedp.Navigate(address + "/ui/robots.txt"))
	b.do(chromedp.Navigate("http://" + p.admin + "/ui/jobs?state=retryable")) // a page whose address has a password may not fetch
	b.do(chromedp.WaitVisible(`//*[contains(text(), "delete_customer")]`))
	b.do(chromedp.Click(`//a[contains(@href, "/jobs/") and contains(., "delete_customer")]`))
	b.do(chromedp.WaitVisible(`//*[contains(text(), "msg_browser")]`))
	b.do(chromedp.WaitVisible(`//*[contains(text(), "user_browser")]`))
	p.polar.ClearFaults()
	p.now(time.Now().Add(time.Minute)) // Polar's outage is over
	b.do(chromedp.Click(`//button[contains(., "Retry")]`))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, p.polar.WaitForDeleted(ctx, "user_browser"))
	b.do(chromedp.WaitVisible(`//*[text() = "Completed"]`))
	b.do(chromedp.WaitVisible(`//*[contains(text(), "actions")]`)) // who did it
	if file := os.Getenv(screenshotVariable); file != "" {
		picture := b.picture()
		require.Less(t, len(picture), 300_000)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, picture, 0o600))
	}
	p.waitFinished(t, 1)
	require.Equal(t, []string{"user_browser"}, deletedOnce(p))
}

// putOff lets the failed deletion wait for so long that only an operator can
// be why it is tried again.
func (p *program) putOff(t *testing.T) {
	t.Helper()
	db, err := database.Open(t.Context(), p.database)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.Eventually(t, func() bool {
		result, err := db.Main.ExecContext(t.Context(), "UPDATE river_job SET scheduled_at = datetime('now', '+1 hour') WHERE state = 'retryable'")
		require.NoError(t, err)
		count, err := result.RowsAffected()
		require.NoError(t, err)
		return count == 1
	}, 30*time.Second, 10*time.Millisecond)
}

// deletedOnce leaves out the calls that failed.
func deletedOnce(p *program) []string {
	ids := []string{}
	for _, call := range p.polar.Journal() {
		if call.Method == http.MethodDelete && call.Status == http.StatusNoContent {
			ids = append(ids, call.ExternalID)
		}
	}
	return ids
}

// browser is Debian's chromium.
type browser struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps the tab there
}

func browse(t *testing.T) browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	require.NoError(t, err, "the browser test needs chromium; run scripts/test-tools")
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 820), chromedp.WSURLReadTimeout(time.Minute),
	}
	for _, flag := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-dev-shm-usage",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	// It lives as long as the first context that it runs with.
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(1280, 820)), "start the browser")
	return browser{t, ctx}
}

// do does it within a bound, and says what the page was when it cannot.
func (b browser) do(action chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		late, stop := context.WithTimeout(b.ctx, 5*time.Second)
		defer stop()
		text, _ := chromedp.Run(late, chromedp.Text("//body")) // as far as it can say
		require.NoError(b.t, err, text)
	}
}

func (b browser) picture() []byte {
	b.t.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	return picture
}
