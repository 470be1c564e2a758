// Writes requests for providers whose vendors publish no signer: ZITADEL,
// Logto, and Phase Two's keycloak-events. The signatures are OUR OWN reading of
// the vendors' source, computed by Node's crypto instead of Go's. They show that
// the Go code does what we believe, not that the vendors do.
import { createHmac } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const testdata = join(dirname(fileURLToPath(import.meta.url)), '../../internal/provider/testdata');

// The same texts stand in the providers' tests.
const secret = 'golden-secret-0123456789abcdef';
const other = 'other-secret-fedcba9876543210';

const arrival = 'Thu, 15 Jan 2026 12:00:02 GMT';
const created = '2026-01-15T12:00:00Z';
const seconds = Date.parse('2026-01-15T12:00:01Z') / 1000;

const hex = (key, text) => createHmac('sha256', key).update(text).digest('hex');

function write(provider, file, header, body) {
  const path = join(testdata, provider, `${file}.http`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `POST /webhooks/${provider} HTTP/1.1
Host: bridge.example.com
Date: ${arrival}
Content-Type: application/json
${header}

${body}`);
}

// https://github.com/zitadel/zitadel/blob/main/pkg/actions/signing.go
function zitadel(file, event, { at = seconds, keys = [secret], sent } = {}) {
  const body = JSON.stringify(event);
  const entries = [`t=${at}`, ...keys.map((key) => `v1=${hex(key, `${at}.${body}`)}`)];
  write('zitadel', file, `ZITADEL-Signature: ${entries.join(',')}`, sent ?? body);
}
const removed = {
  aggregateID: '313014806065971608', aggregateType: 'user', resourceOwner: '312909075211944344',
  instanceID: '312909075212468632', version: 'v2', sequence: 12, event_type: 'user.removed',
  created_at: created, userID: '312909075212075416',
};
zitadel('user-removed', removed);
zitadel('rotated-two-signatures', removed, { keys: ['nobody-has-this-key-00', other] });
zitadel('stale', removed, { at: seconds - 300 });
zitadel('wrong-key', removed, { keys: ['nobody-has-this-key-00'] });
zitadel('tampered', removed, { sent: JSON.stringify(removed).replace('971608', '971609') });
zitadel('missing-id', { ...removed, aggregateID: undefined });
zitadel('user-deactivated', { ...removed, event_type: 'user.deactivated' });
zitadel('organization-removed', { ...removed, aggregateType: 'org', event_type: 'org.removed' });

// https://docs.logto.io/developers/webhooks/secure-webhooks
function logto(file, event, { key = secret, sent } = {}) {
  const body = JSON.stringify(event);
  write('logto', file, `logto-signature-sha-256: ${hex(key, body)}`, sent ?? body);
}
const api = {
  event: 'User.Deleted', createdAt: created, userAgent: 'node', ip: '192.0.2.1', path: '/users/8ok3xk2lnq1w',
  method: 'DELETE', status: 204, params: { userId: '8ok3xk2lnq1w' }, matchedRoute: '/users/:userId', data: null,
  hookId: 'qO0Lx2kCbP3sWv9YzA1bT',
};
logto('user-deleted', api);
logto('user-deleted-with-data', { ...api, data: { id: '8ok3xk2lnq1w', username: 'gone' } });
logto('user-deleted-data-only', { ...api, params: {}, data: { id: '8ok3xk2lnq1w' } });
logto('two-users', { ...api, data: { id: 'another' } });
logto('user-data-updated', { ...api, event: 'User.Data.Updated', method: 'PATCH', status: 200 });
logto('console-test', {
  ...api, path: '/fake-path/:id', method: 'POST', status: 200, params: { id: 'fake-id' }, data: { result: 'success' },
});
logto('wrong-key', api, { key: 'nobody-has-this-key-00' });
logto('tampered', api, { sent: JSON.stringify(api).replaceAll('8ok3', '8ok4') });
logto('missing-id', { ...api, params: {} });
logto('call-failed', { ...api, status: 404 });

// https://github.com/p2-inc/keycloak-events
function keycloak(file, event, { key = secret, sent } = {}) {
  const body = JSON.stringify(event);
  write('keycloak', file, `X-Keycloak-Signature: ${hex(key, body)}`, sent ?? body);
}
const admin = {
  id: '0e7a6a67-7d0c-4f4f-9d0c-1b2f0e2ddc3a', time: Date.parse(created), realmId: '8a5b3f4e-3f1b-4f7e-9f4e-6f1f5f0b7a10',
  realmName: 'example',
  authDetails: { realmId: 'master', clientId: 'admin-cli', userId: '5c4b4c1e-58a5-4c3a-9d9a-6a5f2f1c7a55', username: 'admin' },
  resourceType: 'USER', operationType: 'DELETE', resourcePath: 'users/2f1d4f9a-2d53-4f0e-8c1d-3f3a1c7f9b21',
  resourceId: '2f1d4f9a-2d53-4f0e-8c1d-3f3a1c7f9b21', representation: null, error: null,
  uid: '9a0b5c1d-1f0a-4b7b-9c53-0d6b6f7d1a11', type: 'admin.USER-DELETE',
  details: { userId: '2f1d4f9a-2d53-4f0e-8c1d-3f3a1c7f9b21', username: 'gone' },
};
const { resourceId, ...older } = admin;
const self = {
  uid: 'b7f0c1a2-5d0e-4c55-8a9b-7c1d2e3f4a5b', time: Date.parse(created), realmName: 'example', type: 'access.DELETE_ACCOUNT',
  authDetails: { realmId: 'example', clientId: 'account-console', userId: '7d9c0e1f-6a5b-4c3d-9e8f-1a2b3c4d5e6f' }, details: {},
};
keycloak('admin-deleted-a-user', admin);
keycloak('older-version-without-resource-id', older);
keycloak('two-users', { ...admin, details: { userId: 'another' } });
keycloak('user-deleted-themselves', self);
keycloak('user-failed-to-delete-themselves', { ...self, type: 'access.DELETE_ACCOUNT_ERROR', error: 'user_delete_error' });
keycloak('admin-failed', { ...admin, error: 'forbidden' });
keycloak('user-logged-in', { ...self, type: 'access.LOGIN' });
keycloak('wrong-key', admin, { key: 'nobody-has-this-key-00' });
keycloak('tampered', admin, { sent: JSON.stringify(admin).replaceAll('9b21', '9b22') });
keycloak('missing-id', { ...older, details: {} });
