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

// Saw notes how many webhooks shared a transaction.
func (c *Crowd) Saw(webhooks int) { c.saw(webhooks) }

// LetPass lets webhooks go first.
func (c *Crowd) LetPass(ctx context.Context) { c.letPass(ctx) }
