package e2e_test

import "strings"

// fusionAuthReports follow fusionauth-issues 3191, 3269 and FusionAuth's list of
// events.
func fusionAuthReports() []reported {
	of := func(name, kind, members, outcome string) reported {
		return reported{"fusionauth", name, `{"event":{"createInstant":1761998400000,"id":"` + name + `","tenantId":"t","type":"` + kind + `",` + members + `}}`, outcome}
	}
	return []reported{
		of("a user without e-mail, name and phone", "user.delete", `"user":{"id":"GONE","tenantId":"other"}`, isDeleted),
		of("a user after the commit", "user.delete.complete", `"info":{},"user":{"id":"GONE","email":"g@example.com"}`, isDeleted),
		{"fusionauth", "an event id that is a number", `{"event":{"id":5,"type":"user.delete","user":{"id":"GONE"}}}`, isDeleted},
		of("a user is deactivated", "user.deactivate", `"user":{"id":"LIVES"}`, isIgnored),
		of("a registration is deleted", "user.registration.delete", `"applicationId":"ALIAS","user":{"id":"LIVES"}`, isIgnored),
		of("a registration is deleted, after the commit", "user.registration.delete.complete", `"user":{"id":"LIVES"}`, isIgnored),
		of("a link to an identity provider is removed", "user.identity-provider.unlink", `"identityProviderLink":{"userId":"LIVES"},"user":{"id":"LIVES"}`, isIgnored),
		of("a second factor is removed", "user.two-factor.method.remove", `"user":{"id":"LIVES"}`, isIgnored),
		of("a group's member is removed", "group.member.remove", `"group":{"id":"ALIAS"},"user":{"id":"LIVES"}`, isIgnored),
	}
}

// clerkReports follow Clerk's catalogue and clerk/javascript's pull request 7209.
func clerkReports() []reported {
	of := func(name, kind, data, outcome string) reported {
		return reported{"clerk", name, `{"object":"event","type":"` + kind + `","instance_id":"ins_1","timestamp":1761998400000,"data":{` + data + `},"note":"` + name + `"}`, outcome}
	}
	return []reported{
		of("an id of the application beside it", "user.deleted", `"object":"user","id":"GONE","deleted":true,"external_id":"LIVES"`, isDeleted),
		of("an id that is null", "user.deleted", `"object":"user","id":null,"deleted":true`, isHeld),
		of("an id that is empty", "user.deleted", `"object":"user","id":"","deleted":true`, isHeld),
		of("an id that is a number", "user.deleted", `"object":"user","id":42,"deleted":true`, isHeld),
		of("not deleted after all", "user.deleted", `"object":"user","id":"LIVES","deleted":false`, isIgnored),
		of("an organization in a user's event", "user.deleted", `"object":"organization","id":"ALIAS","deleted":true`, isIgnored),
		of("an organization", "organization.deleted", `"object":"organization","id":"ALIAS","deleted":true`, isIgnored),
		of("a membership", "organizationMembership.deleted", `"object":"organization_membership","id":"ALIAS","public_user_data":{"user_id":"LIVES"}`, isIgnored),
		of("a role", "role.deleted", `"object":"role","id":"ALIAS","deleted":true`, isIgnored),
		of("a waiting-list entry", "waitlistEntry.deleted", `"object":"waitlist_entry","id":"ALIAS","deleted":true`, isIgnored),
		of("a session", "session.removed", `"object":"session","id":"ALIAS","user_id":"LIVES"`, isIgnored),
	}
}

// standardReports are Privy's, Stack Auth's and Prelude's documented events.
func standardReports() []reported {
	of := func(name, body, outcome string) reported {
		return reported{"standard", name, strings.Replace(body, "{", `{"note":"`+name+`",`, 1), outcome}
	}
	return []reported{
		of("a team in the user", `{"type":"user.deleted","data":{"id":"GONE","teams":[{"id":"ALIAS"}]}}`, isDeleted),
		of("a did", `{"type":"user.deleted","timestamp":"2026-11-01T12:00:00Z","data":{"id":"GONE"},"user":{"id":"LIVES"}}`, isDeleted),
		of("a number", `{"type":"user.deleted","data":{"id":7}}`, isHeld),
		of("an account is unlinked", `{"type":"user.unlinked_account","data":{"id":"LIVES"}}`, isIgnored),
		of("a membership", `{"type":"team_membership.deleted","data":{"id":"ALIAS","user_id":"LIVES"}}`, isIgnored),
		of("a type that is no text", `{"type":["user.deleted"],"data":{"id":"LIVES"}}`, isRefused),
	}
}

// stytchReports follow the catalogue that Svix keeps for Stytch.
func stytchReports() []reported {
	of := func(name, members, outcome string) reported {
		return reported{"stytch", name, `{"event_id":"` + name + `","project_id":"p","timestamp":"2026-11-01T12:00:00Z","vertical":"CONSUMER",` + members + `}`, outcome}
	}
	return []reported{
		of("a user by the API", `"action":"DELETE","object_type":"user","source":"DIRECT","id":"GONE"`, isDeleted),
		of("a user by the Dashboard", `"action":"DELETE","object_type":"user","source":"DASHBOARD","id":"GONE"`, isDeleted),
		of("a member", `"action":"DELETE","object_type":"member","source":"SCIM","id":"ALIAS"`, isIgnored),
		of("an organization", `"action":"DELETE","object_type":"organization","source":"DIRECT","id":"ALIAS"`, isIgnored),
		of("a session", `"action":"DELETE","object_type":"session","source":"DIRECT","id":"ALIAS"`, isIgnored),
		of("a member whose status is deleted", `"action":"UPDATE","object_type":"member","source":"DIRECT","id":"ALIAS","member":{"status":"deleted"}`, isIgnored),
		of("a part of a user", `"action":"UPDATE","object_type":"user","source":"DIRECT","id":"LIVES","user":{"status":"deleted"}`, isIgnored),
	}
}

// workosReports follow WorkOS's documentation and its libraries' samples.
func workosReports() []reported {
	of := func(name, kind, members, outcome string) reported {
		return reported{"workos", name, `{"object":"event","id":"` + name + `","event":"` + kind + `","created_at":"2026-11-01T12:00:00.000Z",` + members + `}`, outcome}
	}
	const actor = `"context":{"actor":{"id":"LIVES","source":"api","name":"J"}}`
	return []reported{
		of("an actor beside it", "user.deleted", `"data":{"object":"user","id":"GONE","external_id":"LIVES","metadata":{"id":"ALIAS"}},`+actor, isDeleted),
		of("no actor", "user.deleted", `"data":{"object":"user","id":"GONE"},"context":{}`, isDeleted),
		of("a directory's user", "dsync.user.deleted", `"data":{"id":"ALIAS","idp_id":"LIVES"}`, isIgnored),
		of("a directory", "dsync.deleted", `"data":{"id":"ALIAS"}`, isIgnored),
		of("a group's user", "dsync.group.user_removed", `"data":{"user":{"id":"LIVES"}}`, isIgnored),
		of("a membership", "organization_membership.deleted", `"data":{"id":"ALIAS","user_id":"LIVES"}`, isIgnored),
		of("an organization", "organization.deleted", `"data":{"id":"ALIAS"}`, isIgnored),
		of("a session", "session.revoked", `"data":{"id":"ALIAS","user_id":"LIVES"}`, isIgnored),
		of("a user is updated", "user.updated", `"data":{"id":"LIVES"},`+actor, isIgnored),
	}
}

// auth0Reports follow the schema in github.com/auth0/docs-v2 and its pages.
func auth0Reports() []reported {
	of := func(name, kind, members, outcome string) reported {
		return reported{"auth0", name, `{"specversion":"1.0","type":"` + kind + `","source":"urn:auth0:t","id":"evt_` + name + `","time":"2026-11-01T12:00:00+02:00",` +
			`"a0tenant":"t","a0stream":"est_1",` + members + `}`, outcome}
	}
	const identities = `"identities":[{"connection":"c","user_id":7,"provider":"custom"},{"user_id":"LIVES"}]`
	return []reported{
		of("linked identities and a previous object", "user.deleted", `"data":{"object":{"user_id":"GONE",`+identities+`},"previous_object":{"user_id":"LIVES"},"context":{"client":{"id":"ALIAS"}}}`, isDeleted),
		of("another spelling of specversion", "user.deleted", `"spec_version":"1.0","dataschema":"https://t/","data":{"object":{"user_id":"GONE"}}`, isDeleted),
		{"auth0", "an event id that is a number", `{"type":"user.deleted","id":5,"data":{"object":{"user_id":"GONE"}}}`, isDeleted},
		of("a test of the Dashboard", "user.deleted", `"a0purpose":"test","data":{"object":{"user_id":"LIVES"}}`, isIgnored),
		of("the overview page's name", "com.auth0.user.deleted", `"data":{"object":{"user_id":"LIVES"}}`, isIgnored),
		of("an organization's member", "organization.member.deleted", `"data":{"object":{"organization":{"id":"ALIAS"},"user":{"user_id":"LIVES"}}}`, isIgnored),
		of("a user is updated", "user.updated", `"data":{"object":{"user_id":"LIVES"}}`, isIgnored),
		of("only identities", "user.deleted", `"data":{"object":{`+identities+`}}`, isHeld),
	}
}

// auth0LogsReports follow the schemas in github.com/auth0/auth0-log-schemas.
func auth0LogsReports() []reported {
	of := func(name, layout, data, outcome string) reported {
		return reported{"auth0-logs", name, strings.Replace(layout, "ENTRY", `{"log_id":"`+name+`","data":{`+data+`}}`, 1), outcome}
	}
	const more = `"date":"2026-11-01T12:00:00.000Z","client_id":"ALIAS","details":{"body":{"user_id":"LIVES"}}`
	return []reported{
		of("a line", "ENTRY\r\n", `"type":"sdu","user_id":"GONE",`+more, isDeleted),
		of("a list", "[ENTRY]", `"type":"sdu","user_id":"GONE",`+more, isDeleted),
		of("an object with logs", `{"logs":[ENTRY]}`, `"type":"sdu","user_id":"GONE",`+more, isDeleted),
		of("a failure", "ENTRY", `"type":"fdu","user_id":"LIVES",`+more, isIgnored),
		of("the call that deleted", "ENTRY", `"type":"sapi","user_id":"LIVES",`+more, isIgnored),
		of("a second factor", "ENTRY", `"type":"gd_unenroll","user_id":"LIVES",`+more, isIgnored),
		of("a machine deleted", "ENTRY", `"type":"sdu","user_id":"",`+more, isHeld),
	}
}

// supabaseReports follow Supabase's documentation of Database Webhooks.
func supabaseReports() []reported {
	of := func(name, members, outcome string) reported {
		return reported{"supabase", name, `{"note":"` + name + `",` + members + `}`, outcome}
	}
	const row = `{"id":"GONE","email":"g@example.com","raw_user_meta_data":{"id":"LIVES"}}`
	return []reported{
		of("a row is deleted", `"type":"DELETE","table":"users","schema":"auth","record":null,"old_record":`+row, isDeleted),
		of("a row is marked", `"type":"UPDATE","table":"users","schema":"auth","record":{"id":"LIVES","deleted_at":"2026-11-01"},"old_record":{"id":"LIVES"}`, isIgnored),
		of("a row is inserted", `"type":"INSERT","table":"users","schema":"auth","record":{"id":"LIVES"},"old_record":null`, isIgnored),
		of("an identity", `"type":"DELETE","table":"identities","schema":"auth","record":null,"old_record":{"id":"ALIAS","user_id":"LIVES"}`, isIgnored),
		of("a table of the shop", `"type":"DELETE","table":"users","schema":"public","record":null,"old_record":{"id":"LIVES"}`, isIgnored),
		of("all rows", `"type":"TRUNCATE","table":"users","schema":"auth","record":null,"old_record":null`, isIgnored),
		of("a row without an id", `"type":"DELETE","table":"users","schema":"auth","record":null,"old_record":{}`, isHeld),
	}
}
