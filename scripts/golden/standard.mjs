// Signs deliveries with the library of the Standard Webhooks project and writes
// them to the providers' testdata. Run it from anywhere:
// npm ci && node standard.mjs
//
// Neither this library nor Svix's signs with ed25519 (version v1a). Those
// requests are OUR OWN reading of the specification, computed by Node's crypto
// instead of Go's, with the key of Svix's server tests; the one signature that
// those tests publish stands in internal/provider/signature/ed25519_test.go.
import { createPrivateKey, sign as signWith } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Webhook } from 'standardwebhooks';

const testdata = join(dirname(fileURLToPath(import.meta.url)), '../../internal/provider/testdata');

// The same texts stand in standard_test.go.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const nobodys = 'whsec_bm9ib2R5LWhhcy10aGlzLWtleS0wMDA=';
const seed = Buffer.from('6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==', 'base64').subarray(0, 32);
const ed25519 = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8',
});

const time = Date.parse('2026-01-15T12:00:01Z');
const arrival = 'Thu, 15 Jan 2026 12:00:02 GMT';

const v1 = (key) => (id, at, body) => new Webhook(key).sign(id, new Date(at), body);
const v1a = (id, at, body) =>
  `v1a,${signWith(null, Buffer.from(`${id}.${Math.floor(at / 1000)}.${body}`), ed25519).toString('base64')}`;

function writeFor(provider, file, payload, { at = time, signers = [v1(secret)], id = 'msg_2KWPBgLlAfxdpx2AI54pPJ85f4W', body } = {}) {
  const text = JSON.stringify(payload);
  const path = join(testdata, provider, `${file}.http`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `POST /webhooks/${provider} HTTP/1.1
Host: bridge.example.com
Date: ${arrival}
Content-Type: application/json
webhook-id: ${id}
webhook-timestamp: ${Math.floor(at / 1000)}
webhook-signature: ${signers.map((sign) => sign(id, at, text)).join(' ')}

${body ?? text}`);
}

const write = (file, payload, options) => writeFor('standard', file, payload, options);
const deleted = { type: 'user.deleted', timestamp: '2026-01-15T12:00:00.344522Z', data: { id: '1f81eb52-5198-4599-803e-771906343485' } };
write('user-deleted', deleted);
write('user-created', { ...deleted, type: 'user.created' });
write('rotated-two-signatures', deleted, { signers: [v1(nobodys), v1(secret)] });
write('unknown-key', deleted, { signers: [v1(nobodys)] });
write('stale', deleted, { at: time - 302_000 });
write('tampered', deleted, { body: JSON.stringify(deleted).replace('1f81', '1f82') });
write('missing-id', { ...deleted, data: {} });
write('ed25519-own-computation', deleted, { signers: [v1a] });
write('ed25519-beside-an-unknown-key', deleted, { signers: [v1(nobodys), v1a] });
write('ed25519-tampered', deleted, { signers: [v1a], body: JSON.stringify(deleted).replace('1f81', '1f82') });

// What the hook in docs/providers/better-auth.md sends.
const betterAuth = (file, payload, options) => writeFor('better-auth', file, payload, options);
const gone = { type: 'user.deleted', timestamp: '2026-01-15T12:00:00.344Z', data: { id: 'Qe3Zx7vT0JmWc1dPbRk5HsYaUg9LnO2f', isAnonymous: false } };
betterAuth('user-deleted', gone);
betterAuth('anonymous-user-deleted', { ...gone, data: { ...gone.data, isAnonymous: true } });
betterAuth('unknown-key', gone, { signers: [v1(nobodys)] });
betterAuth('stale', gone, { at: time - 302_000 });
betterAuth('tampered', gone, { body: JSON.stringify(gone).replace('Qe3Z', 'Qe4Z') });
betterAuth('missing-id', { ...gone, data: { isAnonymous: false } });
