package outbox

import "context"

// Batch is how many rows are stored together.
const Batch = batch

// Look looks once, as Run does again and again.
func (r *Reader) Look(ctx context.Context) (taken int, err error) {
	taken, err = r.read(ctx)
	r.observe(err)
	return taken, err
}
