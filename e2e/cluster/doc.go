// Package cluster is both ends of a service in a cluster while its pods are replaced:
// the provider that sends events and a local Polar whose journal is the oracle.
//
// It must not know how the pods are replaced. scripts/cluster-test builds it, runs it
// in a pod and closes its standard input when the rollout is over.
package cluster
