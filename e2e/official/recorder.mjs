// What Svix's own tests get for './index': its Webhook, whose every verification
// is reported. Those tests sign 301 seconds from now; begun right after a second's
// turn they are still 301 when the delivery is sent.
import { Webhook as Official, WebhookVerificationError } from 'svix';
import { report } from './report.mjs';

export { WebhookVerificationError };

let verifications = 0;

export class Webhook extends Official {
  constructor(...args) {
    const late = Date.now() % 1000;
    if (late > 100) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1001 - late);
    }
    super(...args);
  }

  verify(body, headers) {
    const say = (accepted) => report('svix', `its own tests, verification ${++verifications}`, 'standard', headers, body, accepted);
    try {
      const result = super.verify(body, headers);
      say(true);
      return result;
    } catch (error) {
      say(false);
      throw error;
    }
  }
}
