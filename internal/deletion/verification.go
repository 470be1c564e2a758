package deletion

// Verification is what a look some time after a deletion came to. The set is
// closed.
type Verification string

// What a verification comes to.
const (
	VerificationPending Verification = "pending" // it is still to come
	VerificationGone    Verification = "gone"    // nobody has the external id
	VerificationFound   Verification = "found"   // somebody has it again
	VerificationError   Verification = "error"   // Polar could not be asked
)

// Verifications lists every Verification that came to something.
func Verifications() []Verification {
	return []Verification{VerificationGone, VerificationFound, VerificationError}
}
