package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// browser is a tab of a real Chromium with cookies of its own.
type browser struct {
	tab  context.Context //nolint:containedctx // it is the tab
	base string
}

// startBrowser begins one, in which pages' scripts run or do not.
func startBrowser(t *testing.T, base string, scripts bool) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
			if _, err := os.Stat(filepath.Join(folder, name)); err == nil && program == "" {
				program = filepath.Join(folder, name)
			}
		}
	}
	require.NotEmpty(t, program, "Chromium is missing: make tools-test")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-dev-shm-usage", true))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	tab, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	b := &browser{tab, base}
	require.NoError(t, chromedp.Do(tab, chromedp.EmulateViewport(1000, 900)))
	_, err := chromedp.Call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
	require.NoError(t, err)
	b.do(t, chromedp.Navigate(`data:text/html,<title>off</title><script>document.title = "on"</script>`))
	title, err := chromedp.Run(tab, chromedp.Title())
	require.NoError(t, err)
	require.Equal(t, scripts, title == "on")
	return b
}

// do carries out steps within a minute.
func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, time.Minute)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, steps...))
}

// open goes to a page as somebody does who types its address.
func (b *browser) open(t *testing.T, path string) {
	t.Helper()
	b.do(t, chromedp.Navigate(b.base+path))
}

// click clicks what the CSS selector or XPath finds, and waits for the next page.
func (b *browser) click(t *testing.T, what string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, time.Minute)
	defer cancel()
	_, err := chromedp.RunResponse(ctx, chromedp.Click(what))
	require.NoError(t, err, what)
}

// press clicks a button by its words.
func (b *browser) press(t *testing.T, words string) {
	t.Helper()
	b.click(t, fmt.Sprintf(`//button[starts-with(normalize-space(), %q)]`, words))
}

// fill types into the field of that name.
func (b *browser) fill(t *testing.T, name, text string) {
	t.Helper()
	b.do(t, chromedp.SendKeys(fmt.Sprintf(`//*[@name=%q]`, name), text))
}

// tick ticks the box of that name and value.
func (b *browser) tick(t *testing.T, name, value string) {
	t.Helper()
	b.do(t, chromedp.Click(fmt.Sprintf(`//input[@name=%q and @value=%q]`, name, value)))
}

// text is what somebody reads on the page.
func (b *browser) text(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, time.Minute)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(`body`))
	require.NoError(t, err)
	return strings.Join(strings.Fields(text), " ")
}

func (b *browser) sees(t *testing.T, text string) {
	t.Helper()
	require.Contains(t, b.text(t), text)
}
