package e2e_test

// officialExceptions are the cases, "suite: name", in which this program differs
// from the official verifier, with the reason. One that no longer differs fails.
//
// A delivery that is exactly 300 seconds old is not among the cases: the libraries
// for JavaScript take it, as this program does, and those for Go do not, but 300
// seconds are over when it arrives. identitytest plays it with a fixed clock.
func officialExceptions() map[string]string {
	const (
		oneForm = "a time has one form, whole seconds, as the specification says and every sender writes it; " +
			"parseInt takes what begins like a number, which are other bytes than those that were signed"
		noEvent = "it is authentic, but an event is a JSON object: answered 400"
		bounded = "what strangers send is bounded before it is proven; no sender comes near"
		dots    = "the specification forbids dots in ids, because the signed text is id.time.body: the same signature would fit another id and time"
		ahead   = "a signature whose time is ahead would last as long; workos-node looks for old ones only"
		hex     = "the same bytes, proven by the same signature; workos-node compares texts at fixed places"
		names   = "a header names its parts; workos-node goes by their places only"
	)
	exceptions := map[string]string{
		"standardwebhooks: a signed body that is empty":   noEvent,
		"@workos-inc/node: the time 210 seconds ahead":    ahead,
		"@workos-inc/node: a time in microseconds":        ahead,
		"@workos-inc/node: two signatures, the own last":  hex,
		"@workos-inc/node: a signature in upper case":     hex,
		"@workos-inc/node: the signature before the time": hex,
		"@workos-inc/node: other names":                   names,
	}
	for _, suite := range []string{"svix", "svix on both brands", "svix without its brand", "standardwebhooks", "@clerk/backend"} {
		for name, why := range map[string]string{
			"a signed list": noEvent, "a signed text": noEvent, "a signed null": noEvent,
			"a time with a fraction": oneForm, "a time with a sign": oneForm, "a time with a zero before it": oneForm, "a time with text behind it": oneForm,
			"an id with a dot": dots, "an id of 300 characters": bounded, "70 signatures": bounded,
		} {
			exceptions[suite+": "+name] = why
		}
	}
	delete(exceptions, "@clerk/backend: a signed null") // which Clerk's verifier cannot read either
	return exceptions
}
