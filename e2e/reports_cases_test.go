package e2e_test

import "slices"

// reportedDeliveries lists what was described in public, with where.
func reportedDeliveries() []reported {
	return slices.Concat(keycloakReports())
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
		of("an event that carries the user's own text", admin+`,"resourcePath":"users/GONE","resourceId":"GONE","representation":"{\"id\":\"LIVES\"}"`, isDeleted),
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
	}
}
