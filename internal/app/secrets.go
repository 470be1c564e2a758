package app

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
)

// secretLook is how often the files of secrets are looked at. A new content is
// taken when two looks found the same.
const secretLook = time.Second

// WatchSecrets takes rotated secrets over until ctx ends, and says so: at info
// when new values are valid, at error when they cannot be used. A signal on
// reread makes it look at once; nil is none.
func WatchSecrets(ctx context.Context, secrets []*config.SecretSource, reread <-chan os.Signal, log *zap.Logger) {
	ticker := time.NewTicker(secretLook)
	defer ticker.Stop()
	watched := make([]watchedSecret, len(secrets))
	for i, secret := range secrets {
		watched[i].SecretSource = secret
	}
	for {
		for i := range watched {
			watched[i].look(log)
		}
		select {
		case <-ticker.C:
		case <-reread:
			log.Info("told to read the files of secrets again")
		case <-ctx.Done():
			return
		}
	}
}

// watchedSecret is a secret and what was seen of its file.
type watchedSecret struct {
	*config.SecretSource

	seen observed // what the last look found
	said observed // what was complained of, none when the file was fine since
}

// observed is what a look at a file finds: its text, or why there is none.
type observed struct{ text, problem string }

// look reads the file once. What it holds is judged when two looks in a row found the
// same, so that one that is half written is neither taken nor complained of. What
// cannot be used leaves the old values in force and is said once: being told again
// takes another problem, or a recovery in between.
func (w *watchedSecret) look(log *zap.Logger) {
	if !w.CanChange() {
		return
	}
	var now observed
	text, err := w.Read()
	if err != nil {
		now.problem = err.Error()
	} else {
		now.text = text
	}
	settled := now == w.seen
	w.seen = now
	switch {
	case err == nil && w.Took(text):
		w.said = observed{}
		return
	case !settled || now == w.said:
		return
	}
	setting := zap.String("setting", w.Name())
	if err == nil {
		err = w.Take(text)
	}
	if err != nil {
		w.said = now
		log.Error("secret not usable", setting, zap.Error(fmt.Errorf("%s %w; the old value stays in force", w.Name(), err)))
		return
	}
	w.said = observed{}
	log.Info("secret rotated", setting, zap.Int("values", len(w.Values())))
}
