// Package polartest is a faithful local Polar (https://polar.sh): what its
// customer endpoints answer, byte by byte, and what goes wrong with them. It
// serves tests, the demo and any program that talks to Polar.
//
// A Server keeps customers and tokens in memory, writes down every call in a
// journal, and misbehaves on demand: see Fault. Routes are matched on the
// decoded path, as Polar does it, so an id that was escaped badly hits the
// same wrong customer here as there. Serve it directly: http.ServeMux cleans
// paths and would hide exactly that.
//
// It must not know package polar: a client that is tested against its own idea
// of the server proves nothing.
//
// Looking one customer up may lag behind (SetReplicaLag), as Polar's replicas do.
//
// Weaker than Polar: only the endpoints that this project needs; one
// organization; no pending-token limit; changing customers is done with
// AddCustomer, not over HTTP, and the domains of e-mail addresses are not looked up.
package polartest
