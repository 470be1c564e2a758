package app

import (
	"context"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/config"
)

// secretLook is how often the files of secrets are looked at. A new content is
// taken when two looks found the same.
const secretLook = time.Second

func (a *App) watchSecrets(ctx context.Context) {
	WatchSecrets(ctx, a.options.Config.Secrets(), a.options.Reread, a.log)
}

// WatchSecrets takes rotated secrets over until ctx ends, and says so: at info
// when new values are valid, at error when they cannot be used. A signal on
// reread makes it look at once; nil is none.
func WatchSecrets(ctx context.Context, secrets []*config.SecretSource, reread <-chan os.Signal, log *zap.Logger) {
	ticker := time.NewTicker(secretLook)
	defer ticker.Stop()
	for {
		for _, secret := range secrets {
			lookAt(secret, log)
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

func lookAt(secret *config.SecretSource, log *zap.Logger) {
	changed, err := secret.Look()
	switch setting := zap.String("setting", secret.Name()); {
	case err != nil:
		log.Error("secret not usable", setting, zap.Error(err))
	case changed:
		log.Info("secret rotated", setting, zap.Int("values", len(secret.Values())))
	}
}
