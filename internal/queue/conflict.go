package queue

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/go-json-experiment/json"
	"github.com/riverqueue/river/rivertype"

	"github.com/polar-bridge/polar-bridge/internal/event"
)

// key is the idempotency key. The variant is empty for the first user that an
// event names, and a digest of the user for each other one.
type key struct{ provider, eventID, variant string }

// who is whom a deletion is about. Two deletions with one event id are the same
// only if they name the same one.
type who struct{ userID, externalID, unusableID string }

func whoOf(d event.Deletion) who { return who{d.UserID, d.ExternalID, d.UnusableID} }

// variantBytes is how much of the digest is kept: enough that nobody finds two
// users with the same one.
const variantBytes = 16

func (w who) variant() string {
	sum := sha256.Sum256([]byte(w.userID + "\x00" + w.externalID + "\x00" + w.unusableID))
	return hex.EncodeToString(sum[:variantBytes])
}

// heldFromTheStart says why a human has to decide before a deletion is ever
// tried, "" if nobody has to. An id that names nobody is the graver reason:
// no approval helps there.
func heldFromTheStart(d event.Deletion, variant string) event.HoldReason {
	switch {
	case d.UnusableID != "":
		return event.HoldUnusableID
	case variant != "":
		return event.HoldConflict
	}
	return ""
}

// ledger tells what one transaction has stored: who the first of each event
// was, and which keys were new.
type ledger struct {
	firsts map[key]who // by the key without a variant; the zero who is anybody
	fresh  map[key]bool
}

func newLedger(n int) ledger {
	return ledger{firsts: make(map[key]who, n), fresh: make(map[key]bool, n)}
}

// first notes the first deletion of an event and says whether this is it.
func (l ledger) first(d event.Deletion) (key, bool) {
	k := key{provider: d.Provider, eventID: d.EventID}
	if _, seen := l.firsts[k]; seen {
		return k, false
	}
	l.firsts[k], l.fresh[k] = whoOf(d), true
	return k, true
}

// stored notes that the first one was there before, as it stands in the
// database. Of one that was forgotten nobody knows whom it was about: every
// repeat is one of it.
func (l ledger) stored(k key, row *rivertype.JobRow) {
	var a args
	_ = json.Unmarshal(row.EncodedArgs, &a) // what was read until then counts
	l.firsts[k], l.fresh[k] = whoOf(a.deletion()), false
}

// conflict notes a deletion that names another user than the first of its event,
// and says whether it is one that was not noted yet.
func (l ledger) conflict(d event.Deletion) (key, bool) {
	k := l.keyOf(d)
	_, seen := l.fresh[k]
	if !seen {
		l.fresh[k] = false
	}
	return k, !seen
}

func (l ledger) keyOf(d event.Deletion) key {
	k := key{provider: d.Provider, eventID: d.EventID}
	if first, this := l.firsts[k], whoOf(d); first != this && first != (who{}) {
		k.variant = this.variant()
	}
	return k
}

// claim says whether the deletion was new, and then why it is held, if it is.
// The first one that claims it gets it, so that a repeat in the same
// transaction is a duplicate.
func (l ledger) claim(d event.Deletion) (held event.HoldReason, fresh bool) {
	k := l.keyOf(d)
	if fresh = l.fresh[k]; fresh {
		l.fresh[k] = false
	}
	return heldFromTheStart(d, k.variant), fresh
}
