package app_test

// signers of the golden requests, see scripts/golden.
const (
	bySvix     = "npm svix"
	byStandard = "npm standardwebhooks"
	byWorkOS   = "npm @workos-inc/node"
	byJose     = "npm jose"
	byNobody   = "nothing is signed: a static token beside the provider's own example"
	byOurOwn   = "own computation in another language: the vendor publishes no signer"
)

// goldenRoute is what is to become of a provider's golden requests. What stands
// here is what docs/providers says, not what the code does.
type goldenRoute struct {
	route     string
	folder    string   // under internal/identity
	variables []string // settings, NAME=VALUE
	keySet    string   // file in the folder that the issuer publishes
	signer    string
	// empty says that the provider demands 200 without a body; else 202 and 200
	// with counts.
	empty bool
	// genuine are deletions: file to external id.
	genuine map[string]string
	// cases are all others.
	cases goldenCases
}

// goldenCases name a file each or, in brackets, why there can be none.
type goldenCases struct {
	tampered, wrongKey, stale      string // 401
	otherType, failure             string // ignored
	actor                          string // only the user goes, and the file is among the genuine
	missingID                      string // held
	alsoRefused, alsoIgnored, held []string
}

const (
	noTime      = "(no time is signed)"
	noSignature = "(the body is not signed)"
	noFailure   = "(failures are not sent)"
	noActor     = "(the event names nobody else)"
)

func goldenRoutes() []goldenRoute {
	return []goldenRoute{
		{
			route: "clerk", folder: "clerk/testdata", signer: bySvix,
			variables: []string{"CLERK_WEBHOOK_SIGNING_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,whsec_plJ3nmyCDGBKInavdOK15jsl"},
			genuine:   map[string]string{"user-deleted": "user_2g7np7Hrk0SN6kj5EDMLDaKNL0S", "vector-3": "user_29wBMCtzATuFJut8jO2VNTVekS4"},
			cases: goldenCases{
				tampered: "tampered", wrongKey: "unknown-key", stale: "stale", otherType: "user-updated",
				failure: noFailure, actor: noActor, missingID: "missing-id", alsoIgnored: []string{"organization-deleted"},
			},
		},
		{
			route: "auth0", folder: "auth0/testdata", signer: byNobody,
			variables: []string{"AUTH0_WEBHOOK_TOKEN=auth0-marker-token-0123456789abcdef"},
			genuine:   map[string]string{"official-example": "auth0|507f1f77bcf86cd799439020"},
			cases: goldenCases{
				tampered: noSignature, wrongKey: "wrong-token", stale: noTime, otherType: "user-updated", failure: noFailure,
				actor: noActor, missingID: "missing-id", alsoIgnored: []string{"test-event"},
			},
		},
		{
			route: "auth0-logs", folder: "auth0logs/testdata", signer: byNobody,
			variables: []string{"AUTH0_LOGS_TOKEN=logs-marker-token-0123456789abcdef", "AUTH0_LOGS_UNCONFIRMED=true"},
			genuine:   map[string]string{"user-deleted": "auth0|6182002f34f4dd006b05b5c7"},
			cases: goldenCases{
				tampered: noSignature, wrongKey: "wrong-token", stale: noTime, otherType: "management-api-operation",
				failure: "deletion-failed", actor: "(the entry has one id only, see docs/providers/auth0-logs.md)", missingID: "missing-id",
			},
		},
		{
			route: "workos", folder: "workos/testdata", signer: byWorkOS, empty: true,
			variables: []string{"WORKOS_WEBHOOK_SECRET=whsk_golden_0123456789abcdef,whsk_other_fedcba9876543210"},
			genuine:   map[string]string{"user-deleted": "user_01E4ZCR3C56J083X43JQXF3JK5"},
			cases: goldenCases{
				tampered: "tampered", wrongKey: "unknown-key", stale: "stale", otherType: "user-updated", failure: noFailure,
				actor: "user-deleted", missingID: "missing-id", alsoRefused: []string{"future"}, alsoIgnored: []string{"directory/user-deleted"},
			},
		},
		{
			route: "workos", folder: "workos/testdata/directory", signer: byWorkOS, empty: true,
			variables: []string{"WORKOS_WEBHOOK_SECRET=whsk_golden_0123456789abcdef,whsk_other_fedcba9876543210", "WORKOS_DIRECTORY_SYNC=true"},
			genuine:   map[string]string{"user-deleted": "directory_user_01E1X1B89NH8Z3SDFJR4H7RGX7"},
			cases: goldenCases{
				tampered: "../tampered", wrongKey: "../unknown-key", stale: "../stale", otherType: "directory-deleted",
				failure: noFailure, actor: "user-deleted", missingID: "../missing-id",
			},
		},
		{
			route: "stytch", folder: "stytch/testdata", signer: bySvix,
			variables: []string{"STYTCH_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,whsec_plJ3nmyCDGBKInavdOK15jsl"},
			genuine: map[string]string{
				"dashboard-user-delete": "user-test-00000000-0000-0000-0000-000000000000", "direct-user-delete": "user-test-00000000-0000-0000-0000-000000000000",
			},
			cases: goldenCases{
				tampered: "tampered", wrongKey: "unknown-key", stale: "stale", otherType: "dashboard-user-update",
				failure: noFailure, actor: noActor, missingID: "missing-id", alsoIgnored: []string{"b2b-member-delete"},
			},
		},
		{
			route: "standard", folder: "standard/testdata", signer: byStandard,
			variables: []string{"STANDARD_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,whsec_plJ3nmyCDGBKInavdOK15jsl,whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="},
			genuine: map[string]string{
				"user-deleted": "1f81eb52-5198-4599-803e-771906343485", "stack-auth-user-deleted": "7f1b2c3d-1a2b-4c3d-8e9f-0a1b2c3d4e5f",
			},
			cases: goldenCases{
				tampered: "tampered", wrongKey: "unknown-key", stale: "stale", otherType: "user-created",
				failure: "(the sender's choice of types)", actor: noActor, missingID: "missing-id",
			},
		},
		{
			route: "standard", folder: "standard/testdata", signer: byOurOwn,
			variables: []string{"STANDARD_WEBHOOK_SECRET=whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="},
			genuine:   map[string]string{"ed25519-own-computation": "1f81eb52-5198-4599-803e-771906343485"},
			cases: goldenCases{
				tampered: "ed25519-tampered", wrongKey: "user-deleted", stale: "stale", otherType: "(with HMAC above)",
				failure: "(with HMAC above)", actor: noActor, missingID: "(with HMAC above)",
			},
		},
		{
			route: "standard", folder: "standard/testdata/privy", signer: bySvix,
			variables: []string{"STANDARD_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,whsec_plJ3nmyCDGBKInavdOK15jsl", "STANDARD_ID_FIELD=/user/id"},
			genuine:   map[string]string{"user-deleted": "did:privy:cm3np4u9j001rc8b73seqmqqk"},
			cases: goldenCases{
				tampered: "../tampered", wrongKey: "../unknown-key", stale: "../stale", otherType: "user-created",
				failure: noFailure, actor: noActor, missingID: "../missing-id",
			},
		},
		{
			route: "kinde", folder: "kinde/testdata", signer: byJose, empty: true,
			variables: []string{"KINDE_ISSUER_URL=KEYS"}, keySet: "jwks.json",
			genuine: map[string]string{"user-deleted": "kp_0123456789abcdef0123456789abcdef", "user-deleted-by-the-next-key": "kp_0123456789abcdef0123456789abcdef"},
			cases: goldenCases{
				tampered: "tampered", wrongKey: "known-kid-and-another-key", stale: noTime, otherType: "user-updated",
				failure: noFailure, actor: noActor, missingID: "missing-id",
				alsoRefused: []string{"alg-none", "hs256-with-the-public-key", "user-access-token", "user-access-token-with-claims-of-an-event", "unknown-kid"},
			},
		},
		{
			route: "fusionauth", folder: "fusionauth/testdata", signer: byJose,
			variables: []string{"FUSIONAUTH_WEBHOOK_KEY=golden_0123456789abcdef0123456789abcdef\nother_fedcba9876543210fedcba9876543210"},
			genuine:   map[string]string{"hs256": "00000000-0000-0001-0000-000000000000", "before-the-commit": "00000000-0000-0001-0000-000000000000"},
			cases: goldenCases{
				tampered: "tampered", wrongKey: "unknown-key", stale: noTime, otherType: "user-updated",
				failure: "(a deletion that was rolled back cannot be told, see docs/adr/0007)", actor: noActor, missingID: "missing-id",
				alsoRefused: []string{"alg-none", "rs256", "missing-signature", "wrong-hash"},
			},
		},
		{
			route: "fusionauth", folder: "fusionauth/testdata/public-keys", signer: byJose,
			variables: []string{"FUSIONAUTH_JWKS_URL=KEYS/.well-known/jwks.json"}, keySet: "jwks.json",
			genuine: map[string]string{"rs256": "00000000-0000-0001-0000-000000000000", "es256": "00000000-0000-0001-0000-000000000000"},
			cases: goldenCases{
				tampered: "tampered", wrongKey: "unknown-kid", stale: noTime, otherType: "(with HMAC above)",
				failure: "(with HMAC above)", actor: noActor, missingID: "(with HMAC above)",
				alsoRefused: []string{"alg-none", "hs256-with-the-public-key", "hs256-with-a-published-key", "user-token"},
			},
		},
		{
			route: "logto", folder: "logto/testdata", signer: byOurOwn, empty: true,
			variables: []string{"LOGTO_WEBHOOK_SECRET=golden-secret-0123456789abcdef,other-secret-fedcba9876543210"},
			genuine:   map[string]string{"user-deleted": "8ok3xk2lnq1w", "user-deleted-data-only": "8ok3xk2lnq1w"},
			cases: goldenCases{
				tampered: "tampered", wrongKey: "wrong-key", stale: noTime, otherType: "user-data-updated", failure: "call-failed",
				actor: noActor, missingID: "missing-id", alsoIgnored: []string{"console-test"}, held: []string{"two-users"},
			},
		},
		{
			route: "zitadel", folder: "zitadel/testdata", signer: byOurOwn,
			variables: []string{"ZITADEL_WEBHOOK_SECRET=golden-secret-0123456789abcdef,other-secret-fedcba9876543210"},
			genuine:   map[string]string{"user-removed": "313014806065971608"},
			cases: goldenCases{
				tampered: "tampered", wrongKey: "wrong-key", stale: "stale", otherType: "user-deactivated", failure: noFailure,
				actor: "user-removed", missingID: "missing-id", alsoIgnored: []string{"organization-removed"},
			},
		},
		{
			route: "keycloak", folder: "keycloak/testdata", signer: byOurOwn,
			variables: []string{"KEYCLOAK_WEBHOOK_SECRET=golden-secret-0123456789abcdef\nother-secret-fedcba9876543210"},
			genuine: map[string]string{
				"admin-deleted-a-user": "2f1d4f9a-2d53-4f0e-8c1d-3f3a1c7f9b21", "user-deleted-themselves": "7d9c0e1f-6a5b-4c3d-9e8f-1a2b3c4d5e6f",
			},
			cases: goldenCases{
				tampered: "tampered", wrongKey: "wrong-key", stale: noTime, otherType: "user-logged-in", failure: "admin-failed",
				actor: "admin-deleted-a-user", missingID: "missing-id", alsoIgnored: []string{"user-failed-to-delete-themselves"}, held: []string{"two-users"},
			},
		},
		{
			route: "okta", folder: "okta/testdata", signer: byNobody, empty: true,
			variables: []string{"OKTA_WEBHOOK_TOKEN=golden-marker-token-0123456789"},
			genuine:   map[string]string{"user-deleted": "00uz9fj5aT69fHVro1d6"},
			cases: goldenCases{
				tampered: noSignature, wrongKey: "wrong-token", stale: noTime, otherType: "user-deactivated", failure: "deletion-failed",
				actor: "user-deleted", missingID: "no-user-in-target", alsoIgnored: []string{"official-example-session-start"}, held: []string{"two-users", "no-outcome"},
			},
		},
		{
			route: "supabase", folder: "supabase/testdata", signer: byNobody,
			variables: []string{"SUPABASE_WEBHOOK_TOKEN=golden-marker-token-0123456789"},
			genuine:   map[string]string{"user-deleted": "8b7a6c5d-4e3f-4a2b-9c1d-0e9f8a7b6c5d"},
			cases: goldenCases{
				tampered: noSignature, wrongKey: "wrong-token", stale: noTime, otherType: "soft-delete", failure: noFailure,
				actor: noActor, missingID: "missing-id", alsoIgnored: []string{"other-table", "public-users", "user-created"},
			},
		},
	}
}
