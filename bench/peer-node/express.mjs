// The webhook handler that most people write, with Express and Svix. It answers
// after Polar did and stores nothing.
import express from 'express'
import { Webhook } from 'svix'
import { deleteCustomer } from './polar.mjs'

const app = express()
const webhook = new Webhook(process.env.CLERK_WEBHOOK_SIGNING_SECRET)

app.post('/webhooks/clerk', express.raw({ type: 'application/json' }), async (req, res) => {
  let event
  try {
    webhook.verify(req.body, req.headers)
    event = JSON.parse(req.body)
  } catch {
    return res.status(401).json({ error: 'unauthenticated' })
  }
  if (event.type === 'user.deleted') await deleteCustomer(event.data.id)
  return res.status(202).json({ ok: true })
})

app.listen(Number(process.env.PORT), '127.0.0.1')
