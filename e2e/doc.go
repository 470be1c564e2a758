// Package e2e tests the real binary as an operator runs it: started with an
// environment, spoken to over HTTP, killed at the worst moments, with a
// faithful local Polar behind it whose journal is the oracle.
//
// It has tests only.
package e2e
