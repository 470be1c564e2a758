package polartest

import (
	"net/http"
	"strings"
)

// Operation names an endpoint as Polar's OpenAPI document does.
type Operation string

// The endpoints that exist here.
const (
	OperationNone         Operation = "" // no route, or not this method
	OperationDelete       Operation = "customers:delete_external"
	OperationGet          Operation = "customers:get_external"
	OperationState        Operation = "customers:get_state_external"
	OperationList         Operation = "customers:list"
	OperationDeleteByID   Operation = "customers:delete"
	OperationGetByID      Operation = "customers:get"
	OperationDeleteMember Operation = "members:delete_external"

	OperationStateByID     Operation = "customers:get_state"
	OperationCreate        Operation = "customers:create"
	OperationSubscriptions Operation = "subscriptions:list"
	OperationOrders        Operation = "orders:list"
)

// route is a path with one of its methods; "{}" stands for one segment that is not
// empty.
type route struct {
	pattern, method string
	operation       Operation
}

// routes are in Polar's order: the first that matches counts.
func routes() []route {
	return []route{
		{"/v1/customers/", http.MethodGet, OperationList},
		{"/v1/customers/", http.MethodPost, OperationCreate},
		{"/v1/subscriptions/", http.MethodGet, OperationSubscriptions},
		{"/v1/customers/{}", http.MethodDelete, OperationDeleteByID},
		{"/v1/customers/{}", http.MethodGet, OperationGetByID},
		{"/v1/customers/external/{}", http.MethodDelete, OperationDelete},
		{"/v1/customers/external/{}", http.MethodGet, OperationGet},
		{"/v1/orders/", http.MethodGet, OperationOrders},
		{"/v1/customers/{}/state", http.MethodGet, OperationStateByID},
		{"/v1/customers/external/{}/state", http.MethodGet, OperationState},
		{"/v1/customers/external/{}/members/{}", http.MethodDelete, OperationDeleteMember},
	}
}

// match is what a path was found to be.
type match struct {
	operation  Operation
	parameters []string
	allow      []string // the methods of the path when it has none for this one
	redirect   bool     // the path exists with, or without, its trailing slash
}

// externalID returns the decoded external id in the path, or "".
func (m match) externalID() string {
	switch m.operation {
	case OperationDelete, OperationGet, OperationState, OperationDeleteMember:
		return m.parameters[0]
	case OperationNone, OperationList, OperationCreate, OperationSubscriptions, OperationOrders, OperationGetByID, OperationStateByID, OperationDeleteByID:
	}
	return ""
}

// matchRoute finds the route of a decoded path, as Starlette does: a segment is
// "[^/]+" of what came out of decoding, so an escaped slash separates too.
func matchRoute(routes []route, method, path string) match {
	found, exists := findRoute(routes, method, path)
	if exists {
		return found
	}
	other := path + "/"
	if strings.HasSuffix(path, "/") {
		other = strings.TrimRight(path, "/")
	}
	if _, exists = findRoute(routes, method, other); exists {
		return match{redirect: true}
	}
	return match{}
}

// findRoute finds the first route with the path and the method, else the first
// with the path, and reports whether there is any.
func findRoute(routes []route, method, path string) (match, bool) {
	var partial match
	pattern := ""
	for _, candidate := range routes {
		parameters, ok := candidate.parameters(path)
		switch {
		case ok && candidate.method == method:
			return match{operation: candidate.operation, parameters: parameters}, true
		case ok && (pattern == "" || pattern == candidate.pattern):
			pattern, partial.allow = candidate.pattern, append(partial.allow, candidate.method)
		}
	}
	return partial, pattern != ""
}

// parameters returns what stands for the pattern's wildcards.
func (r route) parameters(path string) ([]string, bool) {
	pattern, segments := strings.Split(r.pattern, "/"), strings.Split(path, "/")
	if len(segments) != len(pattern) {
		return nil, false
	}
	var parameters []string
	for i, segment := range segments {
		switch {
		case pattern[i] == "{}" && segment != "":
			// Converting to runes and back makes each bad byte U+FFFD, as
			// uvicorn does.
			parameters = append(parameters, string([]rune(segment)))
		case pattern[i] != segment:
			return nil, false
		}
	}
	return parameters, true
}
