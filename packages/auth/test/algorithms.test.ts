import { createPublicKey, createSecretKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { describe, expect, it } from 'vitest';
import { keyRing, TokenError, type Algorithm, type VerificationKey } from '../src/index.js';
import { thumbprint } from '../src/jwk.js';
import { verifiedPayload } from '../src/signature.js';
import { encode, keyOfEach, partsOf, refusalOf, tokensWith } from './token-support.js';

describe.each([...keyOfEach])('%s', (alg, key) => {
  it('signs what it verifies, and what it refuses when it was tampered with', async () => {
    const auth = tokensWith({ keys: keyRing([key]), cacheSize: 0 });
    const { accessToken, refreshToken } = await auth.issue('u_1', { roles: ['user'] });
    expect(partsOf(accessToken).header['alg']).toBe(alg);
    expect((await auth.verify(accessToken)).roles).toEqual(['user']);
    expect((await auth.refresh(refreshToken)).tokenType).toBe('Bearer');

    const [header, payload, signature = ''] = accessToken.split('.');
    const { payload: claims } = partsOf(accessToken);
    const tampered = [
      [header, encode({ ...claims, roles: ['admin'] }), signature],
      [encode({ ...partsOf(accessToken).header, more: 1 }), payload, signature],
      [header, payload, `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`],
      [header, payload, signature.slice(0, -4)],
    ];
    for (const parts of tampered) {
      const error = await refusalOf(() => auth.verify(parts.join('.')));
      expect(error).toMatchObject({ status: 401, code: 'invalid_token' });
      expect(error.problem).toMatch(/^(signature|malformed)$/);
    }
  });

  it('is the only algorithm that is accepted for its key', async () => {
    const auth = tokensWith({ keys: keyRing([{ ...key, kid: 'key' }]) });
    const family = alg.slice(0, 2);
    for (const [other, otherKey] of keyOfEach) {
      if (other === alg) continue;
      const { accessToken } = await tokensWith({ keys: keyRing([{ ...otherKey, kid: 'key' }]) }).issue('u_1');
      const error = await refusalOf(() => auth.verify(accessToken));
      expect(error, `${other} for ${family}`).toMatchObject({
        status: 401,
        code: 'invalid_token',
        problem: 'unknown_key',
      });
    }
  });
});

it('Ed448 signs, too', async () => {
  const auth = tokensWith({ keys: keyRing([{ privateKey: generateKeyPairSync('ed448').privateKey }]) });
  expect(auth.check((await auth.issue('u_1')).accessToken).subject).toBe('u_1');
});

it('RSA keys that are bound to PSS are refused, for they cannot be published', () => {
  const { privateKey } = generateKeyPairSync('rsa-pss', { modulusLength: 2_048 });
  expect(() => keyRing([{ privateKey }])).toThrow('must be an RSA (not RSA-PSS), EC or Ed key');
  expect(() => keyRing([{ privateKey, alg: 'PS256' }])).toThrow(
    'must be an RSA key of at least 2048 bits for PS256',
  );
});

/** A key of a vector. */
function keyOf(alg: Algorithm, jwk: JsonWebKey): VerificationKey {
  const verifier =
    jwk.kty === 'oct'
      ? createSecretKey(Buffer.from(String(jwk['k']), 'base64url'))
      : createPublicKey({ key: jwk, format: 'jwk' });
  return { kid: 'vector', alg, verifier };
}

// The claims of RFC 7515 appendices A.1 to A.3, with their line breaks.
const CLAIMS =
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ';
const joe = { iss: 'joe', exp: 1_300_819_380, 'http://example.com/is_root': true };

describe('the vectors', () => {
  const vectors: { of: string; key: VerificationKey; token: string; payload: unknown }[] = [
    {
      of: 'RFC 7515 A.1, HS256',
      key: keyOf('HS256', {
        kty: 'oct',
        k: 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
      }),
      token: `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`,
      payload: joe,
    },
    {
      of: 'RFC 7515 A.2, RS256',
      key: keyOf('RS256', {
        kty: 'RSA',
        n:
          'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR' +
          'T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQ' +
          'OS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8' +
          'q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
        e: 'AQAB',
      }),
      token:
        `eyJhbGciOiJSUzI1NiJ9.${CLAIMS}.` +
        'cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb' +
        'F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383' +
        'LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy' +
        'wlVmtVrBp0igcN_IoypGlUPQGe77Rw',
      payload: joe,
    },
    {
      of: 'RFC 7515 A.3, ES256',
      key: keyOf('ES256', {
        kty: 'EC',
        crv: 'P-256',
        x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
        y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
      }),
      token:
        `eyJhbGciOiJFUzI1NiJ9.${CLAIMS}.` +
        'DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q',
      payload: joe,
    },
    {
      of: 'RFC 7515 A.4, ES512',
      key: keyOf('ES512', {
        kty: 'EC',
        crv: 'P-521',
        x: 'AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk',
        y: 'ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2',
      }),
      token:
        'eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.' +
        'AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgo' +
        'XD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn',
      payload: 'Payload',
    },
    {
      of: 'RFC 8037 A.4, EdDSA',
      key: keyOf('EdDSA', { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }),
      token:
        'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.' +
        'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
      payload: 'Example of Ed25519 signing',
    },
  ];

  it.each(vectors)('of $of are read', ({ key, token, payload }) => {
    expect(verifiedPayload(token, key)).toEqual(payload);
    const tampered = `${token.slice(0, -2)}${token.endsWith('AA') ? 'BA' : 'AA'}`;
    expect(() => verifiedPayload(tampered, key)).toThrow(TokenError);
  });

  it('of RFC 7515 A.5, which is not secured, are refused', () => {
    const [{ key }] = vectors as [(typeof vectors)[0]];
    expect(() => verifiedPayload(`eyJhbGciOiJub25lIn0.${CLAIMS}.`, key)).toThrow(TokenError);
  });

  it('of RFC 8037 A.3 and RFC 7638 3.1 have the thumbprints that they say', () => {
    const okp = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
    expect(thumbprint(okp)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
    const rsa = {
      kty: 'RSA',
      n:
        '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV' +
        '4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d' +
        '0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-' +
        'csFCur-kEgU8awapJzKnqDKgw',
      e: 'AQAB',
    };
    expect(thumbprint(rsa)).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });
});

it('what jsonwebtoken signs and verifies is the same', async () => {
  const secret = 's'.repeat(32);
  const auth = tokensWith({ keys: keyRing([{ kid: 'k', secret }]), types: ['at+jwt', 'JWT'] });
  const { accessToken } = await auth.issue('u_1');
  const claims = jwt.verify(accessToken, secret, { algorithms: ['HS256'] }) as object;
  const again = jwt.sign(claims, secret, { keyid: 'k' });
  expect(auth.check(again).subject).toBe('u_1');
});
