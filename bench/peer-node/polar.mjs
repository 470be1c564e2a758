import { createPolar } from '@polar-sh/sdk/2026-10'

const polar = createPolar({
  accessToken: process.env.POLAR_ACCESS_TOKEN,
  baseUrl: process.env.POLAR_BASE_URL,
})

export const deleteCustomer = (id) => polar.customers.deleteExternal(id)
