package polartest

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Fault is what goes wrong with a call. The zero value is nothing. Faults
// stand in front of Polar, like the proxies there: unless Commit is set, a call
// that gets another answer than Polar's own never reaches Polar, its limiter
// and its token check. The functions below make the usual ones.
type Fault struct {
	// Name is the fault's name in the journal.
	Name string
	// Commit lets Polar carry the call out first; only its answer is lost.
	Commit bool
	// Delay is how long the answer takes, and without Commit the call itself:
	// when the client goes away meanwhile nothing happens.
	Delay time.Duration
	// Hang keeps the client waiting until it goes away.
	Hang bool
	// Reset resets the connection instead of answering.
	Reset bool
	// Truncate breaks the connection off in the middle of the body.
	Truncate bool
	// Status, Header and Body are answered in Polar's place; a Status of 0
	// leaves Polar's own answer.
	Status int
	Header http.Header
	Body   string
}

// AfterCommit returns the fault, but after Polar has carried the call out.
func (f Fault) AfterCommit() Fault {
	f.Commit = true
	f.Name += "_after_commit"
	return f
}

// Status answers with the status, a body and its type; contentType "" sends none.
func Status(status int, contentType, body string) Fault {
	return faultOf(fmt.Sprintf("status_%d", status), newAnswer(status, contentType, body))
}

// InternalError is Polar's own 500, in plain text.
func InternalError() Fault { return versioned(faultOf("internal_error", internalError())) }

// Gateway is an error page of the proxies in front of Polar: 502, 503, 504, 520 or 524.
func Gateway(status int) Fault {
	return htmlPage(fmt.Sprintf("gateway_%d", status), status, fmt.Sprintf("Error %d", status))
}

// Challenge is Cloudflare's "are you human" page, a 403.
func Challenge() Fault { return htmlPage("challenge", http.StatusForbidden, "Just a moment...") }

// Cloudflare is the 403 with one of Cloudflare's own errors, 1005 to 1012 or
// 1020, as it answers to clients that accept JSON (RFC 9457).
//
// https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/
func Cloudflare(code int) Fault {
	const body = `{"type":"https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/error-%[1]d/",` +
		`"title":"Error %[1]d: Access denied","status":403,"detail":"Access to this site was denied.","error_code":%[1]d,"error_name":"access_denied",` +
		`"error_category":"access_denied","cloudflare_error":true,"retryable":false,"owner_action_required":true}`
	return faultOf(fmt.Sprintf("cloudflare_%d", code), newAnswer(http.StatusForbidden, "application/json", fmt.Sprintf(body, code)))
}

// HTMLPage is a page with status 200, as a parked domain or a login wall shows it.
func HTMLPage() Fault { return htmlPage("html_page", http.StatusOK, "Welcome") }

// RateLimited is Polar's 429 that asks to wait, in whole seconds.
func RateLimited(wait time.Duration) Fault {
	return versioned(faultOf("rate_limited", tooManyRequests(wait)))
}

// Redirect is a 307 to location.
func Redirect(location string) Fault {
	reply := newAnswer(http.StatusTemporaryRedirect, "", "")
	reply.header.Set("Location", location)
	return faultOf("redirect", reply)
}

// VersionRemoved answers like an API version that does not exist any more.
func VersionRemoved() Fault { return faultOf("version_removed", notFoundRoute()) }

// RouteMissing answers like a path that Polar does not have.
func RouteMissing() Fault {
	return versioned(faultOf("route_missing", notFoundRoute()))
}

// Slow answers as always, but only after the delay, and does nothing when the
// client goes away meanwhile. Slow(d).AfterCommit() does it at once.
func Slow(delay time.Duration) Fault { return Fault{Name: "slow", Delay: delay} }

// Hang keeps the client waiting until it goes away.
func Hang() Fault { return Fault{Name: "hang", Hang: true} }

// ResetBeforeCommit resets the connection; Polar has not seen the call.
func ResetBeforeCommit() Fault { return Fault{Name: "reset_before_commit", Reset: true} }

// ResetAfterCommit resets the connection after Polar has carried the call out:
// a repeat finds no customer any more.
func ResetAfterCommit() Fault { return Fault{Name: "reset_after_commit", Reset: true, Commit: true} }

// Truncated breaks Polar's own answer off in the middle of its body, if it has one.
func Truncated() Fault { return Fault{Name: "truncated", Truncate: true} }

// faultOf returns a fault with that answer.
func faultOf(name string, reply answer) Fault {
	return Fault{Name: name, Status: reply.status, Header: reply.header, Body: reply.body}
}

// versioned returns the fault with the header that all of Polar's own answers have.
func versioned(fault Fault) Fault {
	fault.Header.Set("Polar-Version", CurrentVersion)
	return fault
}

// htmlPage returns a fault that answers with a page.
func htmlPage(name string, status int, title string) Fault {
	body := "<!DOCTYPE html>\n<html><head><title>" + title + "</title></head><body><h1>" + title + "</h1></body></html>\n"
	return faultOf(name, newAnswer(status, "text/html; charset=UTF-8", body))
}

// wait keeps the client waiting and reports whether it is still there.
func (f Fault) wait(ctx context.Context) bool {
	if f.Hang {
		<-ctx.Done()
		return false
	}
	if f.Delay <= 0 {
		return true
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answer returns the answer in Polar's place, in a copy that may be changed.
func (f Fault) answer() answer {
	reply := answer{status: f.Status, header: f.Header.Clone(), body: f.Body}
	if reply.header == nil {
		reply.header = http.Header{}
	}
	return reply
}
