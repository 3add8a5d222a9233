import { type KeyObject, createSign, generateKeyPairSync } from 'node:crypto';

/** A key and a certificate for 127.0.0.1 that nobody vouches for, made on the spot. */
export function selfSigned(): { key: string; cert: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: certificate(publicKey, privateKey),
  };
}

// Just enough of X.509 (RFC 5280) and DER.
function certificate(publicKey: KeyObject, privateKey: KeyObject): string {
  const ecdsaWithSha256 = sequence(Buffer.from('06082a8648ce3d040302', 'hex'));
  const name = sequence(
    der(0x31, sequence(Buffer.concat([Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from('test'))]))),
  );
  const validity = sequence(Buffer.concat([utcTime('200101000000Z'), utcTime('491231235959Z')]));
  const body = sequence(
    Buffer.concat([
      der(0x02, Buffer.from([1])),
      ecdsaWithSha256,
      name,
      validity,
      name,
      publicKey.export({ type: 'spki', format: 'der' }),
    ]),
  );
  const signature = createSign('sha256').update(body).sign(privateKey);
  const whole = sequence(
    Buffer.concat([body, ecdsaWithSha256, der(0x03, Buffer.concat([Buffer.from([0]), signature]))]),
  );
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function utcTime(text: string): Buffer {
  return der(0x17, Buffer.from(text));
}

function sequence(content: Buffer): Buffer {
  return der(0x30, content);
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  if (length < 0x100) return Buffer.concat([Buffer.from([tag, 0x81, length]), content]);
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), content]);
}
