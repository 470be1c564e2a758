package queue

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/polar-bridge/polar-bridge/internal/deletion"
)

// digestBytes is how much of a digest is kept: enough that nobody finds two
// texts with the same one.
const digestBytes = 16

// subject is whom a deletion is about. Two deletions with one event id are the
// same only if they name the same one.
type subject struct{ userID, externalID, unusableID string }

func subjectOf(d deletion.Deletion) subject { return subject{d.UserID, d.ExternalID, d.UnusableID} }

func (s subject) variant() string {
	sum := sha256.Sum256([]byte(s.userID + "\x00" + s.externalID + "\x00" + s.unusableID))
	return hex.EncodeToString(sum[:digestBytes])
}

// heldFromTheStart says why a human has to decide before a deletion is ever
// tried, "" if nobody has to. An id that names nobody is the graver reason:
// no approval helps there.
func heldFromTheStart(d deletion.Deletion, variant string) deletion.HoldReason {
	switch {
	case d.UnusableID != "":
		return deletion.HoldUnusableID
	case variant != "":
		return deletion.HoldConflict
	}
	return ""
}

// Ledger tells what one transaction has stored.
type Ledger struct {
	digestKey []byte
	binding   int64
	dryRun    bool
	entries   map[string]*entry // by idempotency key
}

// entry is one row as the transaction found or made it.
type entry struct {
	subject subject
	anybody bool // of one that was forgotten nobody knows whom it was about: every repeat is one of it
	id      int64
	fresh   bool
	held    deletion.HoldReason
}

func newLedger(digestKey []byte, binding int64, dryRun bool, n int) *Ledger {
	return &Ledger{digestKey: digestKey, binding: binding, dryRun: dryRun, entries: make(map[string]*entry, n)}
}

// key is the idempotency key: a keyed digest, so that it may stay when everything
// personal was taken out of the row. A dry run has one of its own, so that having
// been tried dry does not count as having been seen, and so has each binding: a
// trial in Polar's sandbox does not count in production. The variant is empty for the
// first user that an event names, and a digest of the user for each other one.
func (l *Ledger) key(d deletion.Deletion, variant string) string {
	mac := hmac.New(sha256.New, l.digestKey)
	for _, part := range []string{strconv.FormatInt(l.binding, 10), d.Provider, d.EventID, strconv.FormatBool(l.dryRun), variant} {
		mac.Write(strconv.AppendInt(nil, int64(len(part)), 10))
		mac.Write([]byte(":" + part))
	}
	return hex.EncodeToString(mac.Sum(nil)[:digestBytes])
}

// first notes the first deletion of an event and says whether this is it.
func (l *Ledger) first(d deletion.Deletion) (key string, first bool) {
	key = l.key(d, "")
	if l.entries[key] != nil {
		return key, false
	}
	l.entries[key] = &entry{subject: subjectOf(d)}
	return key, true
}

// conflict notes a deletion that names another user than the first of its event,
// and says whether it is one that was not noted yet.
func (l *Ledger) conflict(d deletion.Deletion) (key, variant string, first bool) {
	key, variant = l.keyOf(d)
	if l.entries[key] != nil {
		return key, variant, false
	}
	l.entries[key] = &entry{subject: subjectOf(d)}
	return key, variant, true
}

func (l *Ledger) keyOf(d deletion.Deletion) (key, variant string) {
	key = l.key(d, "")
	if first := l.entries[key]; first.anybody || first.subject == subjectOf(d) {
		return key, ""
	}
	variant = subjectOf(d).variant()
	return l.key(d, variant), variant
}

// Claim says whether the deletion was new, and then why it is held, if it is.
// The first one that claims it gets it, so that a repeat in the same
// transaction is a duplicate.
func (l *Ledger) Claim(d deletion.Deletion) (id int64, held deletion.HoldReason, fresh bool) {
	key, _ := l.keyOf(d)
	e := l.entries[key]
	fresh, e.fresh = e.fresh, false
	return e.id, e.held, fresh
}
