package polartest

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
)

// deliver sends the answer, or what the fault leaves of it.
func deliver(w http.ResponseWriter, reply answer, fault Fault, seq int) {
	if fault.Reset {
		reset(w)
	}
	header := w.Header()
	maps.Copy(header, reply.header)
	// What Cloudflare adds to everything.
	header.Set("Server", "cloudflare")
	header.Set("Cf-Ray", fmt.Sprintf("%016x-TST", seq))
	if reply.body == "" {
		w.WriteHeader(reply.status)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(reply.body)))
	w.WriteHeader(reply.status)
	body := reply.body
	if fault.Truncate {
		body = body[:len(body)/2]
	}
	_, err := io.WriteString(w, body)
	if err != nil || len(body) < len(reply.body) {
		// Without the flush net/http would drop what it has not sent yet.
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to break an answer off
	}
}

// reset closes the connection so that the client gets a reset instead of an
// end, and ends the handler.
func reset(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		if tcp, ok := connection.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // what is not acknowledged is thrown away: RST
		}
		_ = connection.Close()
	}
	panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to break an answer off
}
