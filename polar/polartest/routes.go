package polartest

import (
	"net/http"
	"slices"
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

// route is a path with the operation of each method; "{}" stands for one
// segment that is not empty.
type route struct {
	segments   []string
	operations map[string]Operation
}

// routes are in Polar's order: the first that matches counts.
func routes() []route {
	path := func(pattern string, operations map[string]Operation) route {
		return route{strings.Split(pattern, "/"), operations}
	}
	return []route{
		path("/v1/customers/", map[string]Operation{http.MethodGet: OperationList, http.MethodPost: OperationCreate}),
		path("/v1/subscriptions/", map[string]Operation{http.MethodGet: OperationSubscriptions}),
		path("/v1/customers/{}", map[string]Operation{
			http.MethodGet: OperationGetByID, http.MethodDelete: OperationDeleteByID,
		}),
		path("/v1/customers/external/{}", map[string]Operation{
			http.MethodGet: OperationGet, http.MethodDelete: OperationDelete,
		}),
		path("/v1/orders/", map[string]Operation{http.MethodGet: OperationOrders}),
		path("/v1/customers/{}/state", map[string]Operation{http.MethodGet: OperationStateByID}),
		path("/v1/customers/external/{}/state", map[string]Operation{http.MethodGet: OperationState}),
		path("/v1/customers/external/{}/members/{}", map[string]Operation{http.MethodDelete: OperationDeleteMember}),
	}
}

// match is what a path was found to be.
type match struct {
	operation  Operation
	parameters []string
	allow      string // the methods of the path when it has none for this one
	redirect   bool   // the path exists with, or without, its trailing slash
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
	segments := strings.Split(path, "/")
	for _, candidate := range routes {
		parameters, ok := candidate.parameters(segments)
		if !ok {
			continue
		}
		if operation, ok := candidate.operations[method]; ok {
			return match{operation: operation, parameters: parameters}, true
		}
		if partial.allow == "" {
			partial.allow = candidate.allow()
		}
	}
	return partial, partial.allow != ""
}

// parameters returns what stands for the pattern's wildcards.
func (r route) parameters(segments []string) ([]string, bool) {
	if len(segments) != len(r.segments) {
		return nil, false
	}
	var parameters []string
	for i, segment := range segments {
		switch {
		case r.segments[i] == "{}" && segment != "":
			// Converting to runes and back makes each bad byte U+FFFD, as
			// uvicorn does.
			parameters = append(parameters, string([]rune(segment)))
		case r.segments[i] != segment:
			return nil, false
		}
	}
	return parameters, true
}

// allow returns the route's methods for the Allow header.
func (r route) allow() string {
	var methods []string
	for method := range r.operations {
		methods = append(methods, method)
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}
