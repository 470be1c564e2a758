// Signs deliveries with Svix's own library and writes them to the testdata of
// the providers that Svix delivers for. Run it from anywhere:
// npm ci && node svix.mjs
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Webhook } from 'svix';

const testdata = join(dirname(fileURLToPath(import.meta.url)), '../../internal/provider/testdata');

// The same texts stand in the providers' tests; they are from the documentation
// of Standard Webhooks and of Svix.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const other = 'whsec_plJ3nmyCDGBKInavdOK15jsl';
const nobodys = 'whsec_bm9ib2R5LWhhcy10aGlzLWtleS0wMDA=';

const time = Date.parse('2026-01-15T12:00:01Z');
const arrival = 'Thu, 15 Jan 2026 12:00:02 GMT';

function write(provider, file, payload, { at = time, keys = [secret], id = 'msg_2aTestGolden01', body } = {}) {
  const text = JSON.stringify(payload);
  const signatures = keys.map((key) => new Webhook(key).sign(id, new Date(at), text));
  const path = join(testdata, provider, `${file}.http`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `POST /webhooks/${provider} HTTP/1.1
Host: bridge.example.com
Date: ${arrival}
Content-Type: application/json
User-Agent: Svix-Webhooks/1.99.1
svix-id: ${id}
svix-timestamp: ${Math.floor(at / 1000)}
svix-signature: ${signatures.join(' ')}

${body ?? text}`);
}

// https://github.com/clerk/openapi-specs/blob/main/webhooks/2025-04-15.yml
const clerk = (file, payload, options) => write('clerk', file, payload, options);
const deletedUser = {
  data: { deleted: true, id: 'user_2g7np7Hrk0SN6kj5EDMLDaKNL0S', object: 'user' },
  event_attributes: { http_request: { client_ip: '192.0.2.1', user_agent: 'Mozilla/5.0' } },
  instance_id: 'ins_2g7np7Hrk0SN6kj5EDMLDaKNL0S', object: 'event', timestamp: 1768478400000, type: 'user.deleted',
};
clerk('user-deleted', deletedUser);
clerk('user-updated', { ...deletedUser, type: 'user.updated', data: { id: deletedUser.data.id, object: 'user' } });
clerk('unknown-key', deletedUser, { keys: [nobodys] });
const deletedOrganization = {
  ...deletedUser, type: 'organization.deleted',
  data: { object: 'organization', id: 'org_2g7np7Hrk0SN6kj5EDMLDaKNL0S', slug: 'acme-corp', deleted: true },
};
clerk('organization/organization-deleted', deletedOrganization);
clerk('organization/missing-id', { ...deletedOrganization, data: { ...deletedOrganization.data, id: undefined } });
clerk('organization/membership-deleted', {
  ...deletedUser, type: 'organizationMembership.deleted',
  data: { object: 'organization_membership', id: 'orgmem_2g7np7Hrk0SN6kj5EDMLDaKNL0S', organization: { object: 'organization', id: deletedOrganization.data.id } },
});

// https://www.svix.com/event-types/us/org_2olWIePjxAFYube1xW8DoQUEnyY
const stytch = (file, payload, options) => write('stytch', file, payload, options);
const dashboard = {
  action: 'DELETE', event_id: 'webhook-event-test-00000000-0000-0000-0000-000000000000',
  id: 'user-test-00000000-0000-0000-0000-000000000000', object_type: 'user',
  project_id: 'project-test-00000000-0000-0000-0000-000000000000', source: 'DASHBOARD',
  timestamp: '2026-01-15T11:59:58.555247073Z', vertical: 'CONSUMER',
};
stytch('dashboard-user-delete', dashboard);
stytch('direct-user-delete', { ...dashboard, source: 'DIRECT' });
stytch('dashboard-user-update', { ...dashboard, action: 'UPDATE', user: { user_id: dashboard.id, status: 'deleted' } });
stytch('b2b-member-delete', {
  ...dashboard, object_type: 'member', id: 'member-test-32fc5024-9c09-4da3-bd2e-c9ce4da9375f', source: 'SCIM', vertical: 'B2B',
});
stytch('rotated-two-signatures', dashboard, { keys: [nobodys, other] });
stytch('unknown-key', dashboard, { keys: [nobodys] });
stytch('stale', dashboard, { at: time - 302_000 });
stytch('tampered', dashboard, { body: JSON.stringify(dashboard).replace('user-test-0', 'user-test-1') });
stytch('missing-id', { ...dashboard, id: undefined });

// The same header set at /webhooks/standard.
const standard = (file, payload, options) => write('standard', file, payload, options);
standard('stack-auth-user-deleted', { type: 'user.deleted', data: { id: '7f1b2c3d-1a2b-4c3d-8e9f-0a1b2c3d4e5f', teams: [] } });
standard('svix-rotated', { type: 'user.deleted', data: { id: 'user_1' } }, { keys: [nobodys, other] });
standard('privy/user-deleted', { type: 'user.deleted', user: { id: 'did:privy:cm3np4u9j001rc8b73seqmqqk', linked_accounts: [] } });
standard('privy/user-created', { type: 'user.created', user: { id: 'did:privy:cm3np4u9j001rc8b73seqmqqk' } });
