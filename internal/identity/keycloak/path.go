package keycloak

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/polar-bridge/polar-bridge/internal/provider/payload"
)

// subject is what an admin event's resourcePath is about.
type subject int

const (
	wholeUser subject = iota
	partOfUser
	unknownSubject
)

// subject tells a user from a part of one: whoever removes a user's link to a
// sign-in provider, or one of the user's credentials, causes an event of the same
// type, whose resourceId is the alias or the credential. Users are users/<id> or,
// by SCIM, scim/v2/Users/<id>. Versions that send no path are taken at their word.
// https://github.com/keycloak/keycloak/blob/main/services/src/main/java/org/keycloak/services/resources/admin/UserResource.java
func (e envelope) subject() subject {
	if absent(e.ResourcePath) {
		return wholeUser
	}
	segments := e.segments()
	users := slices.IndexFunc(segments, func(s string) bool { return strings.EqualFold(s, "users") })
	known := users == 0 || users > 0 && segments[0] == "scim"
	switch rest := len(segments) - users - 1; {
	case !known || rest == 0:
		return unknownSubject
	case rest > 1:
		return partOfUser
	}
	return wholeUser
}

// agreed returns the id if nothing else in an admin's event names somebody else
// or something that is no user, else one that a human has to look at.
func (e envelope) agreed(id payload.ID) (payload.ID, error) {
	other, err := payload.Find(e.Details, "/userId")
	if err != nil {
		return payload.ID{}, err
	}
	id = id.Agreed(other)
	segments := e.segments()
	if last := segments[len(segments)-1]; e.subject() == unknownSubject || last != "" && last != id.Usable() {
		id = id.Doubtful()
	}
	return id, nil
}

// segments returns those of the path, one empty segment when there is none.
func (e envelope) segments() []string {
	return strings.Split(strings.Trim(payload.Text(e.ResourcePath), "/"), "/")
}

// absent says that a member is not there, null or empty.
func absent(raw jsontext.Value) bool {
	return len(raw) == 0 || raw.Kind() == jsontext.KindNull || string(raw) == `""`
}
