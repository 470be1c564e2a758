//go:build fixture

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// TestScreenshots writes the pictures of docs/console.md into the folder that
// POLAR_BRIDGE_SCREENSHOTS names:
//
//	POLAR_BRIDGE_SCREENSHOTS=$PWD/docs/console go test -tags fixture -run TestScreenshots ./e2e
func TestScreenshots(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("POLAR_BRIDGE_SCREENSHOTS")
	require.NotEmpty(t, folder, "POLAR_BRIDGE_SCREENSHOTS names the folder to write to")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	database := databasetest.SQLite(t)
	db := databasetest.OpenMigrated(t, database)
	_, err := db.Main.ExecContext(t.Context(), fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 160)
		INSERT INTO polar_bridge_deletions (idempotency_key, provider, event_id, dry_run, variant, source, instance, user_id, external_id, unusable_id,
			occurred_at, received_at, state, hold_reason, held_at, outcome, finished_at, customer_id, customer_type, active_subscriptions, granted_benefits, result, polar_status,
			attempts, verification, decided_at, confirmed_by, reported)
		SELECT 'k' || i, 'clerk', 'evt_' || (7000 + i), FALSE, '', 'webhook', '', 'user_2qX' || (4000 + 7 * i), 'user_2qX' || (4000 + 7 * i), '', at, at,
			state, CASE WHEN state <> 'held' THEN '' WHEN i %% 3 = 0 THEN 'recreated' WHEN i > 154 THEN 'mass_deletion' ELSE 'team' END, CASE WHEN state = 'held' THEN at + 2000000 ELSE 0 END,
			CASE WHEN state = 'held' THEN '' WHEN i %% 19 = 0 THEN 'not_found' ELSE 'deleted' END, CASE WHEN state = 'held' THEN 0 ELSE at + 3000000 END,
			'0b7c54f1-5d0e-4c55-8a9b-7c1d2e3f' || (4000 + i), CASE WHEN state = 'held' AND i %% 3 > 0 THEN 'team' ELSE 'individual' END, 1, 2,
			CASE WHEN state = 'held' THEN '' ELSE 'deleted' END, CASE WHEN state = 'held' THEN 0 ELSE 204 END, CASE WHEN state = 'held' THEN 0 ELSE 1 END,
			CASE WHEN state = 'reappeared' THEN 'found' WHEN state = 'held' THEN '' ELSE 'gone' END, CASE WHEN state = 'held' THEN 0 ELSE at + 3000000 END,
			CASE WHEN state = 'held' THEN '' ELSE 'answer' END, TRUE
		FROM (SELECT i, CASE WHEN i %% 16 = 5 OR i > 154 THEN 'held' WHEN i = 140 THEN 'reappeared' ELSE 'done' END AS state,
			%d - (160 - i) * (560 + 60 * (i %% 3)) * 1000000 AS at FROM n) AS rows`, time.Now().UnixMicro()))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	env, _ := withClerk(t, database, "ADMIN_PASSWORD="+consolePassword, "RECONCILE_INTERVAL=24h", "DRY_RUN=false")
	env.polar.AddCustomer(polartest.Customer{ExternalID: "user_2qX9001", CreatedAt: longAgo(), ActiveSubscriptions: 1})
	p := env.start(t)
	p.deliver(t, sign(t, "clerk", "evt_9001", "user_2qX9001"), 202)
	env.waitDeleted(t, []string{"user_2qX9001"}, 30*time.Second)
	b := startBrowser(t, p.operator, true)
	b.open(t, "/ui/login")
	b.fill(t, "name", "alice")
	b.fill(t, "password", consolePassword)
	b.press(t, "Sign in")

	shot := func(name, path string, width int64, dark bool) {
		scheme := map[bool]string{false: "light", true: "dark"}[dark]
		_, err := chromedp.Call(b.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		require.NoError(t, err)
		b.do(t, chromedp.EmulateViewport(width, 760))
		if path != "" {
			b.open(t, path)
		}
		ctx, cancel := context.WithTimeout(b.tab, time.Minute)
		defer cancel()
		picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)), small(t, picture), 0o644))
	}
	const wide, narrow = 960, 400
	const held = "/ui/deletions?state=held&order=oldest"
	shot("overview", "/ui/", wide, false)
	shot("overview", "/ui/", wide, true)
	shot("overview", "/ui/", narrow, false)
	shot("list", held, narrow, true)
	shot("detail", "/ui/deletions/133", wide, false)
	b.open(t, held)
	b.fill(t, "verb", "approve")
	b.fill(t, "which", "all")
	b.press(t, "Continue")
	shot("question", "", wide, false)
}

// small is the picture with its 256 most frequent colours.
func small(t *testing.T, picture []byte) []byte {
	t.Helper()
	whole, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	counts := map[color.Color]int{}
	for y := range whole.Bounds().Dy() {
		for x := range whole.Bounds().Dx() {
			counts[whole.At(x, y)]++
		}
	}
	palette := color.Palette(slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] }))
	reduced := image.NewPaletted(whole.Bounds(), palette[:min(len(palette), 256)])
	draw.Draw(reduced, whole.Bounds(), whole, image.Point{}, draw.Src)
	var out bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, reduced))
	return out.Bytes()
}
