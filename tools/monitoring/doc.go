// Package monitoring tests the alert rules, the dashboard and the runbook
// against the program, and all of them together in a real Prometheus and
// Alertmanager. scripts/monitoring-test runs it and brings those along.
//
// It has tests only.
package monitoring
