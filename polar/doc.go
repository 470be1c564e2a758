// Package polar sends requests to Polar (https://polar.sh): delete a customer, or
// look one up. It classifies each answer as one Result.
//
// It exists because the call cannot be undone and Polar's answers are easy to
// misread: an id that is not escaped deletes somebody else, three different
// answers carry the status 404 and only one of them means "already gone", and
// an answer that never arrives does not mean that nothing happened.
//
// It must not know webhooks, queues, retries, limits or metrics: it makes one
// request and classifies one answer. It imports nothing else of this module.
package polar
