package handlers

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"github.com/polar-bridge/polar-bridge/internal/fault"
)

// keyRequestID is the log field by which a line is found again.
const keyRequestID = "request_id"

// maxRequestID is the longest request id that is taken over from a sender.
const maxRequestID = 64

const requestIDCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// requestID takes over the sender's request id when it is harmless in logs and
// answers, else makes one.
func requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		// Trimming stops at the first other character, so it leaves nothing
		// only when there is none.
		if id == "" || len(id) > maxRequestID || strings.Trim(id, requestIDCharacters) != "" {
			id = rand.Text()
		}
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		return next(c)
	}
}

// secureHeaders forbids browsers to sniff types and caches to keep answers.
func secureHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set(echo.HeaderXContentTypeOptions, "nosniff")
		h.Set(echo.HeaderCacheControl, "no-store")
		return next(c)
	}
}

// recoverPanics turns a panic into an error, which is answered 500.
func recoverPanics(log *zap.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) (err error) {
			defer func() {
				if v := recover(); v != nil {
					log.Error("panic recovered",
						zap.String("panic", describePanic(v)),
						zap.ByteString("stack", debug.Stack()),
						zap.String(keyRequestID, c.Response().Header().Get(echo.HeaderXRequestID)))
					err = fault.New(fault.Internal, fault.ReasonPanic, "panic in a handler")
				}
			}()
			return next(c)
		}
	}
}

// describePanic says what a panic was about without a request's contents: only
// the runtime's own messages are known to have none. Stacks have none either.
func describePanic(v any) string {
	if e, ok := v.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", v)
}

// unobserved keeps probes out of the log and the metrics.
func unobserved(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		recordOf(c).skip = true
		return next(c)
	}
}
