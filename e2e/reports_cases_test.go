package e2e_test

import "slices"

// reportedDeliveries lists what was described in public, with where.
func reportedDeliveries() []reported {
	return slices.Concat(
		keycloakReports(), oktaReports(), kindeReports(), zitadelReports(), logtoReports(), fusionAuthReports(),
		clerkReports(), standardReports(), stytchReports(), workosReports(), auth0Reports(), auth0LogsReports(), supabaseReports(),
	)
}

// keycloakReports are what github.com/p2-inc/keycloak-events makes of what
// Keycloak's UserResource.java reports, and its issues 42, 50, 72 and 105.
func keycloakReports() []reported {
	const admin = `"type":"admin.USER-DELETE","resourceType":"USER","operationType":"DELETE","time":1795435200000,` +
		`"authDetails":{"realmId":"master","userId":"LIVES","username":"admin"}`
	of := func(name, members, outcome string) reported {
		return reported{"keycloak", name, `{"uid":"` + name + `",` + members + `}`, outcome}
	}
	return []reported{
		of("an admin deletes a user", admin+`,"resourcePath":"users/GONE","resourceId":"GONE","details":{"userId":"GONE"}`, isDeleted),
		of("an event that carries a user's own text", admin+`,"resourcePath":"users/GONE","resourceId":"GONE","representation":"{\"id\":\"LIVES\"}"`, isDeleted),
		of("a version without resourceId", admin+`,"resourcePath":"users/GONE","details":{"userId":"GONE"}`, isDeleted),
		of("a deletion by SCIM", admin+`,"resourcePath":"scim/v2/Users/GONE","resourceId":"GONE"`, isDeleted),
		of("a user deletes the own account", `"type":"access.DELETE_ACCOUNT","authDetails":{"userId":"GONE"},"details":{"username":"u"}`, isDeleted),
		of("a user's link to a sign-in provider is removed", admin+`,"resourcePath":"users/LIVES/federated-identity/ALIAS","resourceId":"ALIAS","details":{}`, isIgnored),
		of("a link is removed, without resourceId", admin+`,"resourcePath":"users/LIVES/federated-identity/ALIAS","details":{}`, isIgnored),
		of("a link is removed, with the user in details", admin+`,"resourcePath":"users/LIVES/federated-identity/ALIAS","details":{"userId":"LIVES"}`, isIgnored),
		of("a user's credential is revoked", admin+`,"resourcePath":"users/LIVES/vc/credentials/ALIAS","resourceId":"ALIAS","details":{}`, isIgnored),
		of("a user leaves a group", `"type":"admin.GROUP_MEMBERSHIP-DELETE","resourceType":"GROUP_MEMBERSHIP","operationType":"DELETE",`+
			`"resourcePath":"users/LIVES/groups/ALIAS","resourceId":"ALIAS","details":{"userId":"LIVES"}`, isIgnored),
		of("a resource that nobody knows", admin+`,"resourcePath":"organizations/o/members/LIVES","resourceId":"LIVES"`, isHeld),
		of("a path and an id that differ", admin+`,"resourcePath":"users/GONE","resourceId":"LIVES"`, isHeld),
		of("only the actor is named", admin, isHeld),
	}
}

// oktaReports follow the events that github.com/port-labs/ocean's tests have, and
// Okta's list of event types.
func oktaReports() []reported {
	const deletion = `"eventType":"user.lifecycle.delete.initiated","published":"2026-11-01T12:00:00.000Z","actor":{"id":"LIVES","type":"User"}`
	of := func(name, event, outcome string) reported {
		return reported{"okta", name, `{"eventType":"com.okta.event_hook","eventId":"` + name + `","data":{"events":[{"uuid":"` + name + `",` + event + `}]}}`, outcome}
	}
	return []reported{
		of("an account in an application before the user", deletion+`,"outcome":{"result":"SUCCESS","reason":null},"target":[{"id":"ALIAS","type":"AppUser"},{"id":"GONE","type":"User","alternateId":"g@example.com","detailEntry":null}]`, isDeleted),
		{"okta", "an id of the request that is a number", `{"eventId":5,"data":{"events":[{"uuid":"n",` + deletion + `,"outcome":{"result":"SUCCESS"},"target":[{"id":"GONE","type":"User"}]}]}}`, isDeleted},
		of("a deletion without outcome", deletion+`,"target":[{"type":"User","id":"GONE"}]`, isHeld),
		of("two users", deletion+`,"outcome":{"result":"SUCCESS"},"target":[{"type":"User","id":"GONE"},{"type":"User","id":"LIVES"}]`, isHeld),
		of("a failure", deletion+`,"outcome":{"result":"FAILURE"},"target":[{"type":"User","id":"LIVES"}]`, isIgnored),
		of("two users are activated", `"eventType":"user.lifecycle.activate","outcome":{"result":"SUCCESS"},"target":[{"type":"User","id":"LIVES"},{"type":"User","id":"ALIAS"}]`, isIgnored),
		of("a user is deactivated", `"eventType":"user.lifecycle.deactivate","outcome":{"result":"SUCCESS"},"target":[{"type":"User","id":"LIVES"}]`, isIgnored),
		of("only accounts in applications", deletion+`,"outcome":{"result":"SUCCESS"},"target":[{"type":"AppUser","id":"ALIAS"}]`, isHeld),
	}
}

// kindeReports have the claims of the token in github.com/kinde-oss/webhook's
// tests and of Kinde's documentation of 2026.
func kindeReports() []reported {
	of := func(name, claims, outcome string) reported {
		return reported{"kinde", name, `{"event_id":"` + name + `","source":"admin",` + claims + `}`, outcome}
	}
	const user = `"email":"g@example.com","first_name":"G","id":"GONE","is_suspended":false,"organizations":[{"code":"org_1","permissions":null,"roles":null}],"phone":null`
	return []reported{
		of("a time with an offset", `"timestamp":"2026-11-01T17:41:45.592145+10:00","type":"user.deleted","data":{"user":{`+user+`}}`, isDeleted),
		of("the time of the event beside it", `"timestamp":"2026-11-01T07:41:45Z","event_timestamp":"2026-11-01T07:41:44Z","type":"user.deleted","data":{"user":{"id":"GONE"}}`, isDeleted),
		of("a user is updated", `"timestamp":"2026-11-01T07:41:45Z","type":"user.updated","data":{"user":{"id":"LIVES"}}`, isIgnored),
		of("an organization is deleted", `"timestamp":"2026-11-01T07:41:45Z","type":"organization.deleted","data":{"organization":{"code":"ALIAS"}}`, isIgnored),
	}
}

// zitadelReports have the form of ZITADEL's ContextInfoEvent and of its issues
// 10344 and 11985.
func zitadelReports() []reported {
	of := func(name, sequence, members, outcome string) reported {
		return reported{"zitadel", name, `{"aggregateType":"user","resourceOwner":"1","instanceID":"2","version":"v2","sequence":` + sequence +
			`,"created_at":"2026-11-01T12:00:00.123456789Z","userID":"LIVES",` + members + `}`, outcome}
	}
	return []reported{
		of("a payload that is an object", "1", `"aggregateID":"GONE","event_type":"user.removed","event_payload":{"userName":"g","id":"LIVES"}`, isDeleted),
		of("a payload in base64", "2", `"aggregateID":"GONE","event_type":"user.removed","event_payload":"e30=","position":1.5`, isDeleted),
		of("a payload that is null", "3", `"aggregateID":"GONE","event_type":"user.removed","event_payload":null`, isDeleted),
		of("a grant is removed", "4", `"aggregateID":"LIVES","event_type":"user.grant.removed"`, isIgnored),
		of("a second factor is removed", "5", `"aggregateID":"LIVES","event_type":"user.human.mfa.otp.removed"`, isIgnored),
		of("a link to a sign-in provider is removed", "6", `"aggregateID":"LIVES","event_type":"user.human.externalidp.removed"`, isIgnored),
		of("a key of a machine is removed", "7", `"aggregateID":"LIVES","event_type":"user.machine.key.removed"`, isIgnored),
		of("a user is deactivated", "8", `"aggregateID":"LIVES","event_type":"user.deactivated"`, isIgnored),
	}
}

// logtoReports have the forms of Logto's hook/utils.ts and of its pull request 5986.
func logtoReports() []reported {
	of := func(name, members, outcome string) reported {
		return reported{"logto", name, `{"hookId":"` + name + `","createdAt":"2026-11-01T12:00:00.000Z",` + members + `}`, outcome}
	}
	const call = `"path":"/users/GONE","method":"DELETE","matchedRoute":"/users/:userId","params":{"userId":"GONE"}`
	return []reported{
		of("the user in data", `"event":"User.Deleted","status":204,`+call+`,"data":{"id":"GONE","username":null}`, isDeleted),
		of("no data", `"event":"User.Deleted","status":204,`+call+`,"data":null`, isDeleted),
		of("nothing but data", `"event":"User.Deleted","data":{"id":"GONE"}`, isDeleted),
		of("a user who was not found", `"event":"User.Deleted","status":404,`+call, isIgnored),
		of("the test of the Console", `"event":"User.Deleted","path":"/fake-path/:id","params":{"id":"LIVES","userId":"LIVES"},"status":200`, isIgnored),
		of("an organization is deleted", `"event":"Organization.Deleted","params":{"id":"ALIAS","userId":"LIVES"}`, isIgnored),
		of("a user's data changes", `"event":"User.Data.Updated","params":{"userId":"LIVES"},"data":{"id":"LIVES"}`, isIgnored),
		of("a user is suspended", `"event":"User.SuspensionStatus.Updated","params":{"userId":"LIVES"}`, isIgnored),
	}
}
