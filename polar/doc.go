// Package polar asks Polar (https://polar.sh) to delete a customer, or who that
// customer is, and says in one word what Polar made of it.
//
// It exists because the call cannot be undone and Polar's answers are easy to
// misread: an id that is not escaped deletes somebody else, three different
// answers carry the status 404 and only one of them means "already gone", and
// an answer that never arrives does not mean that nothing happened.
//
// It must not know webhooks, queues, retries, limits or metrics: it makes one
// request and judges one answer. It imports nothing else of this module.
package polar
