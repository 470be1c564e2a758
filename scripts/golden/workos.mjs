// Signs deliveries with WorkOS's own library and writes them to the provider's
// testdata. Run it from anywhere: npm ci && node workos.mjs
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WorkOS } from '@workos-inc/node';

const { webhooks } = new WorkOS('sk_test_not_used');
const out = join(dirname(fileURLToPath(import.meta.url)), '../../internal/provider/testdata/workos');

// The same texts stand in workos_test.go.
const secret = 'whsk_golden_0123456789abcdef';
const other = 'whsk_other_fedcba9876543210';

const time = Date.parse('2026-01-15T12:00:01.234Z');
const arrival = 'Thu, 15 Jan 2026 12:00:02 GMT';

const user = {
  object: 'user',
  id: 'user_01E4ZCR3C56J083X43JQXF3JK5',
  email: 'marcelina.davis@example.com',
  external_id: 'f1ffa2b2-c20b-4d39-be5c-212726e11222',
  metadata: { timezone: 'America/New_York' },
};
const event = (name, data) => ({
  object: 'event',
  id: 'event_01EHZNVPK3SFK441A1RGBFSHRT',
  event: name,
  data,
  created_at: '2026-01-15T12:00:00.000Z',
  context: { actor: { id: 'user_01EHWNCE74X7JSDV0X3SZ3KJNY', source: 'api', name: 'Jane Doe' } },
});
const directoryUser = {
  id: 'directory_user_01E1X1B89NH8Z3SDFJR4H7RGX7',
  directory_id: 'directory_01ECAZ4NV9QMV47GW873HDCX74',
  organization_id: 'org_01EZTR6WYX1A0DSE2CYMGXQ24Y',
  idp_id: '8931',
  email: 'lela.block@example.com',
  state: 'inactive',
};
// https://workos.com/docs/events/organization
const organization = {
  id: 'org_01HV1VNQBQ24JVREYB94RFCNDC',
  name: 'Foo Corp',
  object: 'organization',
  external_id: null,
  domains: [
    {
      id: 'org_domain_01HV1VX5N18E48ETTHNNK54R6S', state: 'verified', domain: 'foo-corp.com', object: 'organization_domain',
      organization_id: 'org_01HV1VNQBQ24JVREYB94RFCNDC', verification_strategy: 'manual',
    },
  ],
  created_at: '2023-11-16T16:32:25.239Z',
  updated_at: '2023-11-16T17:32:25.239Z',
};

const sign = (at, payload, key) => webhooks.computeSignature(at, payload, key);

async function write(file, payload, { at = time, keys = [secret], body = JSON.stringify(payload) } = {}) {
  const signatures = await Promise.all(keys.map(async (key) => `v1=${await sign(at, payload, key)}`));
  const path = join(out, `${file}.http`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `POST /webhooks/workos HTTP/1.1
Host: bridge.example.com
Date: ${arrival}
Content-Type: application/json
WorkOS-Signature: ${[`t=${at}`, ...signatures].join(', ')}

${body}`);
}

const deleted = event('user.deleted', user);
await write('user-deleted', deleted);
await write('rotated-two-signatures', deleted, { keys: ['whsk_nobody_has_this_key_0', other] });
await write('unknown-key', deleted, { keys: ['whsk_nobody_has_this_key_0'] });
await write('stale', deleted, { at: time - 182_000 });
await write('future', deleted, { at: time + 182_000 });
await write('tampered', deleted, { body: JSON.stringify(deleted).replace('3JK5', '3JK6') });
await write('user-updated', event('user.updated', user));
await write('missing-id', event('user.deleted', { object: 'user', email: user.email }));
await write('directory/user-deleted', event('dsync.user.deleted', directoryUser));
await write('directory/directory-deleted', event('dsync.deleted', { object: 'directory', id: directoryUser.directory_id }));
await write('organization/organization-deleted', event('organization.deleted', organization));
await write('organization/missing-id', event('organization.deleted', { ...organization, id: undefined }));
await write('organization/membership-deleted', event('organization_membership.deleted', {
  object: 'organization_membership', id: 'om_01E4ZCR3C56J083X43JQXF3JK5', user_id: user.id, organization_id: organization.id,
}));
