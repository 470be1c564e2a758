// The webhook handler that most people write, with Hono and Clerk's own
// verification. It answers after Polar did and stores nothing.
import { serve } from '@hono/node-server'
import { verifyWebhook } from '@clerk/backend/webhooks'
import { Hono } from 'hono'
import { deleteCustomer } from './polar.mjs'

const app = new Hono()

app.post('/webhooks/clerk', async (c) => {
  let event
  try {
    event = await verifyWebhook(c.req.raw, { signingSecret: process.env.CLERK_WEBHOOK_SIGNING_SECRET })
  } catch {
    return c.json({ error: 'unauthenticated' }, 401)
  }
  if (event.type === 'user.deleted') await deleteCustomer(event.data.id)
  return c.json({ ok: true }, 202)
})

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT) })
