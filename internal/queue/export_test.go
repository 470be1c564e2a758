package queue

import "context"

// What the tests of the crowd need, and its bounds.
const (
	Crowded   = crowded
	CrowdGone = crowdGone
	Courtesy  = courtesy
)

// Crowd is the crowd of webhooks before the disk.
type Crowd struct{ crowd }

// Comes begins a transaction that so many webhooks share.
func (c *Crowd) Comes(webhooks int) (passed func()) { return c.comes(webhooks) }

// LetPass lets webhooks go first.
func (c *Crowd) LetPass(ctx context.Context) { c.letPass(ctx) }

// CrowdComes begins such a transaction before a queue's own disk.
func CrowdComes(q *Queue, webhooks int) (passed func()) { return q.crowd.comes(webhooks) }
