package databasetest

import (
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
)

// Listening is what an engine in Postgres' place does with LISTEN.
type Listening string

// Both stand for a statement of their own.
const (
	ListenRefused Listening = `DO 'BEGIN RAISE ''LISTEN is not supported'' USING ERRCODE = ''0A000''; END'`
	ListenIgnored Listening = `DO 'BEGIN RAISE WARNING ''LISTEN not supported yet and will be ignored''; END'`
)

// WithoutListen returns the URL under which a proxy offers the database that a URL of
// Postgres names, as an engine that knows no LISTEN. Everything else is the server's.
func WithoutListen(t testing.TB, database string, listening Listening) string {
	t.Helper()
	return proxied(t, database, listening.forward)
}

// forward passes on what a client says. Only the first message has no type, and a
// statement may come in two kinds.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
func (l Listening) forward(client io.Reader, server io.Writer) error {
	for typeLength := 0; ; typeLength = 1 {
		const length = 4 // counts itself
		head := make([]byte, typeLength+length)
		if _, err := io.ReadFull(client, head); err != nil {
			return err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[typeLength:])-length)
		if _, err := io.ReadFull(client, body); err != nil {
			return err
		}
		if typeLength == 1 && (head[0] == 'Q' || head[0] == 'P') {
			body = l.replace(body)
			binary.BigEndian.PutUint32(head[1:], uint32(len(body)+length)) //nolint:gosec // a statement is short
		}
		if _, err := server.Write(slices.Concat(head, body)); err != nil {
			return err
		}
	}
}

// replace takes LISTEN out of a simple query, or out of a statement to prepare, which
// a name precedes.
func (l Listening) replace(body []byte) []byte {
	parts := strings.SplitAfter(string(body), "\x00")
	for i, part := range parts {
		if statement, rest, found := strings.Cut(part, "LISTEN "); found && statement == "" {
			_, others, _ := strings.Cut(rest, ";")
			parts[i] = string(l) + "; " + strings.TrimSuffix(others, "\x00") + "\x00"
		}
	}
	return []byte(strings.Join(parts, ""))
}
