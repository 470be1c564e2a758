// Builds deliveries with the senders' own libraries and asks their own verifiers.
// First runs the tests that Svix publishes inside its package, as they are.
import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { verifyWebhook } from '@clerk/backend/webhooks';
import { WorkOS } from '@workos-inc/node';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { report, secret, textSecret } from './report.mjs';

const svixTests = import.meta.resolve('svix').replace('/dist/index.mjs', '/src/webhook.test.ts');
registerHooks({
  resolve(specifier, context, next) {
    if (context.parentURL === svixTests && specifier === './index') {
      return { url: new URL('recorder.mjs', import.meta.url).href, shortCircuit: true };
    }
    return next(specifier, context);
  },
  load(url, context, next) {
    if (url !== svixTests) {
      return next(url, context);
    }
    const source = stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'));
    return { format: 'module', source, shortCircuit: true };
  },
});
await import(svixTests);

const event = JSON.stringify({ type: 'user.deleted', timestamp: '2026-01-15T12:00:00Z', data: { id: 'nobody', object: 'user', deleted: true } });
const theirs = 'v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=';

// Each case changes a good delivery: { id, at (seconds), body, headers }. Signed is
// what the signature covers where that differs from what is sent.
const cases = {
  'a good delivery': {},
  'a body of the published vector': { body: '{"test": 2432232314}' },
  'text beyond ASCII': { body: JSON.stringify({ type: 'user.created', data: { name: 'Zoë 😀 \u2028' } }) },
  'a newline at the end': { body: `${event}\n` },
  'white space around': { body: `\r\n  ${event}\t ` },
  'an odd member': { body: event.replace('{', '{"user_agent":"\\ud800","note":1,"note":2,') },
  'another body than was signed': { body: event, signed: event.replace('nobody', 'nobodi') },
  'a newline that was not signed': { body: `${event}\n`, signed: event },
  'a signed body that is empty': { body: '' },
  'a signed body that is no JSON': { body: 'nothing' },
  'a signed body that is cut off': { body: event.slice(0, -1) },
  'a signed list': { body: '[]' },
  'a signed text': { body: '"user.deleted"' },
  'a signed null': { body: 'null' },
  'the time 270 seconds ago': { ago: 270 },
  'the time 270 seconds ahead': { ago: -270 },
  'the time 330 seconds ago': { ago: 330 },
  'the time 330 seconds ahead': { ago: -330 },
  'the time 0': { ago: Math.floor(Date.now() / 1000) },
  'a time with a fraction': { time: (at) => `${at}.5` },
  'a time with a sign': { time: (at) => `+${at}` },
  'a time with a zero before it': { time: (at) => `0${at}` },
  'a time with text behind it': { time: (at) => `${at}s` },
  'a time in milliseconds': { time: (at) => `${at}000` },
  'a time that is text': { time: () => 'hello' },
  'an empty time': { time: () => '' },
  'no time': { without: 'timestamp' },
  'no id': { without: 'id' },
  'an empty id': { sentID: '' },
  'another id than was signed': { sentID: 'msg_other' },
  'an id with a dot': { id: 'msg.1' },
  'an id of 300 characters': { id: 'm'.repeat(300) },
  'no signature': { without: 'signature' },
  'an empty signature': { list: () => '' },
  'a version without a signature': { list: () => 'v1,' },
  'a signature without a version': { list: (own) => own.slice(3) },
  'a signature that is cut off': { list: (own) => own.slice(0, 8) },
  'a signature without padding': { list: (own) => own.replace(/=+$/, '') },
  'a signature with something behind it': { list: (own) => `${own}A` },
  'a signature by nobody': { list: () => theirs },
  'a version in upper case': { list: (own) => own.replace('v1', 'V1') },
  'version v2': { list: (own) => own.replace('v1', 'v2') },
  'version v1a with an HMAC': { list: (own) => own.replace('v1', 'v1a') },
  'the own signature first': { list: (own) => `${own} ${theirs}` },
  'the own signature last': { list: (own) => `${theirs} ${own}` },
  'other versions beside it': { list: (own) => `v1a,AAAA v2,BBBB nonsense ${own}` },
  'two blanks': { list: (own) => `${theirs}  ${own}` },
  'a comma and a blank, the own first': { list: (own) => `${own}, ${theirs}` },
  'a comma and a blank, the own last': { list: (own) => `${theirs}, ${own}` },
  'a comma only, the own first': { list: (own) => `${own},${theirs}` },
  'a comma only, the own last': { list: (own) => `${theirs},${own}` },
  'a tab between signatures': { list: (own) => `${theirs}\t${own}` },
  '64 signatures': { list: (own) => `${`${theirs} `.repeat(63)}${own}` },
  '70 signatures': { list: (own) => `${`${theirs} `.repeat(69)}${own}` },
  'names of headers in upper case': { rename: (name) => name.toUpperCase() },
  'a foreign id under the other brand': { more: (other) => ({ [`${other}-id`]: 'foreign' }) },
  'a foreign set under the other brand': { more: (other, at) => ({ [`${other}-id`]: 'foreign', [`${other}-timestamp`]: `${at}`, [`${other}-signature`]: theirs }) },
};

function build(brand, other, sign, c) {
  const at = Math.floor(Date.now() / 1000) - (c.ago ?? 0);
  const id = c.id ?? 'msg_p5jXN8AQM9LWM0D4loKWxJek';
  const body = c.body ?? event;
  const own = sign(id, new Date(at * 1000), c.signed ?? body);
  const headers = {
    id: c.sentID ?? id,
    timestamp: c.time ? c.time(at) : `${at}`,
    signature: c.list ? c.list(own) : own,
  };
  delete headers[c.without];
  const rename = c.rename ?? ((name) => name);
  const branded = Object.fromEntries(Object.entries(headers).map(([name, value]) => [rename(`${brand}-${name}`), value]));
  return { body, headers: { ...branded, ...c.more?.(other, at) } };
}

async function accepts(verify) {
  try {
    await verify();
    return true;
  } catch {
    return false;
  }
}

function standardSuite(suite, route, brand, other, sign, verify) {
  test(suite, async () => {
    for (const [name, c] of Object.entries(cases)) {
      const { body, headers } = build(brand, other, sign, c);
      report(suite, name, route, headers, body, await accepts(() => verify(body, headers)));
    }
  });
}

const svix = new SvixWebhook(secret);
const standard = new StandardWebhook(secret.slice('whsec_'.length));
const bySvix = svix.sign.bind(svix);
// Svix's verifier no longer decodes, so that is done here as its users do.
const svixVerify = (body, headers) => { svix.verify(body, headers); JSON.parse(body); };
const clerkVerify = (body, headers) => verifyWebhook(new Request('https://shop.example.com/', { method: 'POST', headers, body }), { signingSecret: secret });

standardSuite('svix', 'clerk', 'svix', 'webhook', bySvix, svixVerify);
standardSuite('svix on both brands', 'standard', 'svix', 'webhook', bySvix, svixVerify);
standardSuite('svix without its brand', 'standard', 'webhook', 'foreign', bySvix, svixVerify);
standardSuite('standardwebhooks', 'standard', 'webhook', 'svix', standard.sign.bind(standard), (body, headers) => standard.verify(body, headers));
standardSuite('@clerk/backend', 'clerk', 'svix', 'webhook', bySvix, clerkVerify);
standardSuite('@clerk/backend without the brand', 'clerk', 'webhook', 'foreign', bySvix, clerkVerify);

const workos = new WorkOS('sk_test_0123456789', { clientId: 'client_0123456789' });
const deleted = { id: 'event_01', object: 'event', event: 'user.deleted', data: { object: 'user', id: 'nobody' }, created_at: '2026-01-15T12:00:00Z', context: {} };
const other = 'f'.repeat(64);
const workosCases = {
  'a good delivery': {},
  'no blank behind the comma': { header: (t, v) => `t=${t},v1=${v}` },
  'another event': { event: { ...deleted, event: 'user.updated' } },
  'an escape in the body': { event: { ...deleted, data: { ...deleted.data, first_name: 'Zoë "<>& \u2028 😀' } } },
  'another body than was signed': { sent: { ...deleted, id: 'event_02' } },
  'another secret': { secret: 'another-secret-0123456789' },
  'a signature by nobody': { header: (t) => `t=${t}, v1=${other}` },
  'a signature that is cut off': { header: (t, v) => `t=${t}, v1=${v.slice(0, 60)}` },
  'an empty signature': { header: (t) => `t=${t}, v1=` },
  'no signature': { header: (t) => `t=${t}` },
  'another time than was signed': { header: (t, v) => `t=${t + 1}, v1=${v}` },
  'no time': { header: (_, v) => `v1=${v}` },
  'a time that is empty': { header: (_, v) => `t=, v1=${v}` },
  'no header': { header: () => undefined },
  'an empty header': { header: () => '' },
  'two signatures, the own first': { header: (t, v) => `t=${t}, v1=${v}, v1=${other}` },
  'two signatures, the own last': { header: (t, v) => `t=${t}, v1=${other}, v1=${v}` },
  'a signature in upper case': { header: (t, v) => `t=${t}, v1=${v.toUpperCase()}` },
  'the signature before the time': { header: (t, v) => `v1=${v}, t=${t}` },
  'other names': { header: (t, v) => `time=${t}, v2=${v}` },
  'the time 150 seconds ago': { ago: 150 },
  'the time 210 seconds ago': { ago: 210 },
  'the time 150 seconds ahead': { ago: -150 },
  'the time 210 seconds ahead': { ago: -210 },
  'a time in seconds': { unit: 1000 },
  'a time in microseconds': { unit: 0.001 },
};

test('@workos-inc/node', async () => {
  for (const [name, c] of Object.entries(workosCases)) {
    const at = Math.floor((Date.now() - (c.ago ?? 0) * 1000) / (c.unit ?? 1));
    const own = await workos.webhooks.computeSignature(at, c.event ?? deleted, c.secret ?? textSecret);
    const header = c.header ? c.header(at, own) : `t=${at}, v1=${own}`;
    const payload = c.sent ?? c.event ?? deleted;
    const accepted = await accepts(() => workos.webhooks.constructEvent({ payload, sigHeader: header, secret: textSecret }));
    report('@workos-inc/node', name, 'workos', header === undefined ? {} : { 'WorkOS-Signature': header }, JSON.stringify(payload), accepted);
  }
});
