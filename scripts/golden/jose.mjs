// Signs deliveries of Kinde and FusionAuth with npm's jose and writes them to the
// providers' testdata. Every run makes new keys: their public halves are written,
// the private ones are forgotten. Run it from anywhere: npm ci && node jose.mjs
// Then: UPDATE_GOLDEN=1 go test ./internal/provider -run TestConformance, and read the diff.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CompactSign, SignJWT, UnsecuredJWT, exportJWK, exportSPKI, generateKeyPair } from 'jose';

const testdata = join(dirname(fileURLToPath(import.meta.url)), '../../internal/provider/testdata');
const arrival = 'Thu, 15 Jan 2026 12:00:02 GMT';
const text = (s) => new TextEncoder().encode(s);

async function pair(alg, name, jwk = {}) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const kid = `TEST-ONLY-${name}`;
  return { alg, kid, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, use: 'sig', ...jwk } };
}

const rsa = await pair('RS256', 'rsa', { alg: 'RS256' });
const rsaNext = await pair('RS256', 'rsa-next'); // says nothing of its algorithm
const ec256 = await pair('ES256', 'ec256', { alg: 'ES256' });
const ec384 = await pair('ES384', 'ec384');
const ec512 = await pair('ES512', 'ec512');
const okp = await pair('EdDSA', 'okp');
const forEncryption = await pair('RS256', 'enc', { use: 'enc' });
const unpublished = await pair('RS256', 'unpublished');
// A key set has no business to hold a symmetric key; whoever reads it could sign.
const oct = text('TEST-ONLY this key stands in the published key set');
const octJWK = { kty: 'oct', kid: 'TEST-ONLY-oct', alg: 'HS256', k: Buffer.from(oct).toString('base64url') };
const publicPEM = text(await exportSPKI(rsa.publicKey));

const set = (...keys) => JSON.stringify({ keys: keys.map((k) => k.jwk ?? octJWK) }, null, 2) + '\n';
const token = (claims, key, header = {}) =>
  new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header }).sign(key.privateKey);
const mac = (claims, alg, key, header = {}) =>
  new SignJWT(claims).setProtectedHeader({ alg, typ: 'JWT', ...header }).sign(key);
const unsecured = (claims) => new UnsecuredJWT(claims).encode();
const withHeader = (jws, header) => `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${jws.split('.').slice(1).join('.')}`;
const withClaims = (jws, claims) => jws.split('.').with(1, Buffer.from(JSON.stringify(claims)).toString('base64url')).join('.');

function write(path, content) {
  const file = join(testdata, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

// Kinde: the token is the body.
const kinde = (file, jws) => write(`kinde/${file}.http`, `POST /webhooks/kinde HTTP/1.1
Host: bridge.example.com
Date: ${arrival}
Content-Type: application/jwt
Webhook-Id: whr_018dc2e0

${jws}`);
const deleted = {
  data: { user: { id: 'kp_0123456789abcdef0123456789abcdef' } },
  event_id: 'event_018dc2e1f1d4a1b2c3d4e5f60718293a',
  source: 'admin',
  timestamp: '2026-01-15T12:00:00.123Z',
  type: 'user.deleted',
};
const accessToken = {
  aud: [], azp: 'f5d2a5f7c1e94b0f', exp: 1768564800, iat: 1768478400, iss: 'https://golden.kinde.com',
  jti: '3b2f7d1e', org_code: 'org_1', permissions: [], scp: ['openid', 'profile'], sub: 'kp_0123456789abcdef0123456789abcdef',
};
write('kinde/jwks.json', set(rsa, rsaNext, ec256, octJWK, forEncryption));
kinde('user-deleted', await token(deleted, rsa));
kinde('user-deleted-by-the-next-key', await token(deleted, rsaNext));
kinde('user-updated', await token({ ...deleted, type: 'user.updated' }, rsa));
kinde('missing-id', await token({ ...deleted, data: { user: {} } }, rsa));
kinde('alg-none', unsecured(deleted));
kinde('alg-none-with-a-signature', withHeader(await token(deleted, rsa), { alg: 'none', kid: rsa.kid }));
kinde('hs256-with-the-public-key', await mac(deleted, 'HS256', publicPEM, { kid: rsa.kid }));
kinde('hs256-with-a-published-key', await mac(deleted, 'HS256', oct, { kid: octJWK.kid }));
kinde('rs256-with-the-kid-of-an-hmac-key', await token(deleted, rsa, { kid: octJWK.kid }));
kinde('rs256-with-the-kid-of-an-ec-key', await token(deleted, rsa, { kid: ec256.kid }));
kinde('es256', await token(deleted, ec256));
kinde('unknown-kid', await token(deleted, unpublished));
kinde('no-kid', await token(deleted, rsa, { kid: undefined }));
kinde('known-kid-and-another-key', await token(deleted, { ...unpublished, kid: rsa.kid }));
kinde('key-for-encryption', await token(deleted, forEncryption));
kinde('brings-its-own-key', await token(deleted, unpublished, {
  jwk: await exportJWK(unpublished.publicKey), jku: 'https://attacker.example.com/jwks.json', x5u: 'https://attacker.example.com/x5u',
}));
kinde('own-key-is-not-looked-at', await token(deleted, rsa, { jwk: 'nonsense', jku: 5, x5c: ['nonsense'] }));
kinde('tampered', withClaims(await token(deleted, rsa), { ...deleted, data: { user: { id: 'kp_1' } } }));
kinde('demands-an-extension', await new CompactSign(text(JSON.stringify(deleted)))
  .setProtectedHeader({ alg: 'RS256', kid: rsa.kid, b64: true, crit: ['b64'] }).sign(rsa.privateKey));
kinde('user-access-token', await token(accessToken, rsa));
kinde('user-access-token-with-claims-of-an-event', await token({ ...accessToken, ...deleted }, rsa));
kinde('access-token-by-its-type', await token(deleted, rsa, { typ: 'at+JWT' }));

// FusionAuth: the token is about the body.
const secret = text('golden_0123456789abcdef0123456789abcdef'); // as in harness_test.go
const other = text('other_fedcba9876543210fedcba9876543210');
// Each event has an id of its own, also the two of one deletion.
const ids = { 'user.delete': '1f0c5a4e-8a70-4d47-9d0f-3c1b9f6f2a01', 'user.delete.complete': 'e502168a-b469-45d9-a079-fd45f83e0406' };
const event = (type, more = {}) => JSON.stringify({
  event: {
    createInstant: 1768478400123, id: ids[type] ?? ids['user.delete.complete'], info: { ipAddress: '192.0.2.1' },
    tenantId: 'e872a880-b14f-6d62-c312-cb40f22af465', type,
    user: { active: true, email: 'example@fusionauth.io', id: '00000000-0000-0001-0000-000000000000', insertInstant: 1331449200000, ...more },
  },
});
const complete = event('user.delete.complete');
const about = (body) => ({ request_body_sha256: createHash('sha256').update(body).digest('base64') });
const fusionauth = (file, jws, body = complete) => write(`fusionauth/${file}.http`, `POST /webhooks/fusionauth HTTP/1.1
Host: bridge.example.com
Date: ${arrival}
Content-Type: application/json
${jws ? `X-FusionAuth-Signature-JWT: ${jws}\n` : ''}
${body}`);
const wrongHash = { request_body_sha256: 'KeV+/HGoIQrxuE5YPCRR6AuQOJveldYNNhbVi1i22qk=' };
for (const alg of ['HS256', 'HS384', 'HS512']) fusionauth(alg.toLowerCase(), await mac(about(complete), alg, secret, { kid: 'any' }));
const bulk = event('user.delete');
fusionauth('before-the-commit', await mac(about(bulk), 'HS256', secret), bulk);
const again = bulk.replace(ids['user.delete'], '2f0c5a4e-8a70-4d47-9d0f-3c1b9f6f2a02').replace('400123', '400923');
fusionauth('again-after-a-rollback', await mac(about(again), 'HS256', secret), again);
fusionauth('rotated-key', await mac(about(complete), 'HS256', other));
fusionauth('unknown-key', await mac(about(complete), 'HS256', text('TEST-ONLY nobody has configured this key')));
fusionauth('alg-none', unsecured(about(complete)));
fusionauth('rs256', await token(about(complete), rsa));
fusionauth('missing-signature', '');
fusionauth('wrong-hash', await mac(wrongHash, 'HS256', secret));
fusionauth('tampered', await mac(about(complete), 'HS256', secret), complete.replace('000000000000', '000000000001'));
const updated = event('user.update');
fusionauth('user-updated', await mac(about(updated), 'HS256', secret), updated);
const nobody = event('user.delete', { id: undefined });
fusionauth('missing-id', await mac(about(nobody), 'HS256', secret), nobody);

write('fusionauth/public-keys/jwks.json', set(rsa, rsaNext, ec256, ec384, ec512, okp, octJWK, forEncryption));
const published = (file, jws, body) => fusionauth(`public-keys/${file}`, jws, body);
for (const key of [rsa, ec256, ec384, ec512, okp]) published(key.alg.toLowerCase(), await token(about(complete), key));
published('rs512', await token(about(complete), { ...rsaNext, alg: 'RS512', privateKey: await as(rsaNext, 'RS512') }));
published('rs512-with-a-key-for-rs256', await token(about(complete), { ...rsa, alg: 'RS512', privateKey: await as(rsa, 'RS512') }));
published('ps256', await token(about(complete), { ...rsaNext, alg: 'PS256', privateKey: await as(rsaNext, 'PS256') }));
published('alg-none', unsecured(about(complete)));
published('hs256-with-the-public-key', await mac(about(complete), 'HS256', publicPEM, { kid: rsa.kid }));
published('hs256-with-a-published-key', await mac(about(complete), 'HS256', oct, { kid: octJWK.kid }));
published('es256-with-the-kid-of-an-rsa-key', await token(about(complete), ec256, { kid: rsa.kid }));
published('unknown-kid', await token(about(complete), unpublished));
published('key-for-encryption', await token(about(complete), forEncryption));
published('wrong-hash', await token(wrongHash, rsa));
published('tampered', await token(about(complete), rsa), complete.replace('000000000000', '000000000001'));
published('user-token', await token({ sub: '00000000-0000-0001-0000-000000000000', aud: 'app', exp: 1768482000, applicationId: 'app' }, rsa));

// as returns a key pair's private half for another algorithm of its type.
async function as(key, alg) {
  const { importJWK } = await import('jose');
  return importJWK({ ...(await exportJWK(key.privateKey)), alg }, alg);
}
