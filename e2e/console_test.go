package e2e_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/polar-bridge/polar-bridge/internal/database/databasetest"
)

func TestGuessingTheConsolesPassword(t *testing.T) {
	t.Parallel()
	const right = "marker correct horse battery"
	p := newWorld(t, databasetest.SQLite(t), "ADMIN_PASSWORD="+right).start(t)
	ask := func(client *http.Client, password string, cookies ...*http.Cookie) (status int, session []*http.Cookie) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.operator+"/ui/", http.NoBody)
		require.NoError(t, err)
		request.SetBasicAuth("admin", password)
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		response, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode, response.Cookies()
	}
	status, session := ask(http.DefaultClient, right)
	require.Equal(t, http.StatusOK, status)

	var mutex sync.Mutex
	judged, began := 0, time.Now()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	var guessers sync.WaitGroup
	for range 8 {
		guessers.Go(func() {
			for range 200 {
				if status, _ := ask(client, "wrong horse battery"); status == http.StatusUnauthorized {
					mutex.Lock()
					judged++
					mutex.Unlock()
				}
			}
		})
	}
	guessers.Wait()
	most := 5 + int(time.Since(began)/(2*time.Second)) + 1
	require.LessOrEqual(t, judged, most, "of 1600 guesses in %s", time.Since(began))
	status, _ = ask(http.DefaultClient, right)
	require.Equal(t, http.StatusTooManyRequests, status, "the right one among too many is not judged either")
	status, _ = ask(http.DefaultClient, right, session...)
	require.Equal(t, http.StatusOK, status, "whoever is signed in stays in")
}
