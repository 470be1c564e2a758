package event

// Verification is what a look some time after a deletion came to. The set is
// closed.
type Verification string

// What a verification comes to.
const (
	VerificationGone  Verification = "gone"  // nobody has the external id
	VerificationFound Verification = "found" // somebody has it again
	VerificationError Verification = "error" // Polar could not be asked
)

// Verifications lists every Verification.
func Verifications() []Verification {
	return []Verification{VerificationGone, VerificationFound, VerificationError}
}

// Verified is the result of a verification.
type Verified struct {
	Verification Verification
	// Customer is whom it found.
	Customer Customer
	// PolarStatus is the HTTP status of Polar's answer, 0 when there was none.
	PolarStatus int
}
