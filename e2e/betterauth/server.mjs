// A Better Auth server as a shop has one. Its environment is better_auth_test.go's:
// HOOK is the page's own code, POLAR_SERVER_URL has Polar's plugin beside it.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { polar, portal } from '@polar-sh/better-auth'
import { Polar } from '@polar-sh/sdk'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import { admin, anonymous } from 'better-auth/plugins'
import pg from 'pg'

const { AUTH_DATABASE, HOOK, POLAR_SERVER_URL, CREATE_CUSTOMER } = process.env
const database = new pg.Pool({ connectionString: AUTH_DATABASE, options: '-c search_path=public' })
// The database is restarted; without these the process would end.
database.on('error', () => {})
database.on('connect', (connection) => connection.on('error', () => {}))
const client = new Polar({ accessToken: process.env.POLAR_ACCESS_TOKEN, serverURL: POLAR_SERVER_URL })
const polarPlugin = polar({ client, createCustomerOnSignUp: CREATE_CUSTOMER === 'true', use: [portal()] })
const server = createServer().listen(0, '127.0.0.1')
await once(server, 'listening')
const address = `127.0.0.1:${server.address().port}`

const auth = betterAuth({
  ...(HOOK && await import(HOOK)),
  database,
  baseURL: `http://${address}`,
  secret: 'secret-of-a-better-auth-server-in-tests',
  // A real hash takes most of a test's time and is nobody's business here.
  emailAndPassword: { enabled: true, password: { hash: async (text) => text, verify: async ({ hash, password }) => hash === password } },
  user: { deleteUser: { enabled: true } },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [admin(), anonymous(), ...(POLAR_SERVER_URL ? [polarPlugin] : [])],
})
await (await getMigrations(auth.options)).runMigrations()
server.on('request', toNodeHandler(auth))
console.log(JSON.stringify({ msg: 'ready', listen_addr: address }))
