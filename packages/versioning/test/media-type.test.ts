import { describe, expect, it } from 'vitest';
import { versions } from '../src/index.js';
import { get, routerOf, send, serving } from './support.js';
import { Router } from 'express';
import { says } from './support.js';

const handlers = { v1: routerOf('v1', '/search'), v2: routerOf('v2', '/search') };
const VENDOR = 'application/vnd.acme';

describe('a version in the media type', () => {
  it.each([
    ['application/vnd.acme.v1+json', 'v1'],
    ['application/vnd.acme.v2', 'v2'],
    ['Application/VND.acme.V1+json', 'v1'],
    ['application/vnd.acme+json; version=v1', 'v1'],
    ['application/json;version="v1"', 'v1'],
    ['application/json; charset="a,b;c"; version=v1', 'v1'],
    ['application/vnd.acme.v1+json;q=0.1, application/vnd.acme.v2+json;q=0.9', 'v2'],
    ['application/vnd.acme.v2+json;q=0.1, application/vnd.acme.v1+json', 'v1'],
    ['application/vnd.acme.v9+json, application/vnd.acme.v1+json;q=0.5', 'v1'],
    ['application/vnd.acme.v1+json, application/vnd.acme.v2+json', 'v1'],
    ['application/vnd.acme.v1+json;q=0, application/vnd.acme.v2+json', 'v2'],
    ['application/vnd.acme.users+json', 'v2'],
    ['application/vnd.other.v1+json', 'v2'],
    ['*/*', 'v2'],
    ['application/json;version=', 'v2'],
  ])('of Accept: %s is served from %s', async (accept, from) => {
    const url = await serving(versions(handlers, { default: 'v2', mediaType: VENDOR }));
    expect((await get(`${url}/search`, { accept })).body).toMatchObject({ from });
  });

  it.each([
    [{ accept: 'application/vnd.acme.v9+json' }, '/search', 'unsupported_api_version'],
    [{ accept: 'application/json;version=two' }, '/search', 'unsupported_api_version'],
    [{ accept: 'application/vnd.acme.v2+json' }, '/v1/search', 'ambiguous_api_version'],
    [{ 'content-type': 'application/vnd.acme.v1+json' }, '/v2/search', 'ambiguous_api_version'],
    [
      { 'content-type': `${VENDOR}.v1+json`, accept: `${VENDOR}.v2+json` },
      '/search',
      'ambiguous_api_version',
    ],
  ])('%o for %s is %s', async (headers, path, type) => {
    const url = await serving(versions(handlers, { default: 'v2', mediaType: VENDOR }));
    const { status, body } = await get(`${url}${path}`, headers);
    expect([status, body.error?.type]).toEqual([400, type]);
  });

  it('that is one of several accepted ones does not contradict the URL', async () => {
    const url = await serving(versions(handlers, { mediaType: VENDOR }));
    const accept = 'application/vnd.acme.v2+json, application/vnd.acme.v1+json;q=0.5';
    expect((await get(`${url}/v1/search`, { accept })).body).toMatchObject({ from: 'v1' });
  });

  it('counts that of the content that is sent', async () => {
    const posted = { v1: Router().post('/search', says('v1')), v2: Router().post('/search', says('v2')) };
    const url = await serving(versions(posted, { default: 'v2', mediaType: VENDOR }));
    const answer = await send('POST', `${url}/search`, { 'content-type': 'application/vnd.acme.v1+json' });
    expect(answer.body).toMatchObject({ from: 'v1' });
  });

  it('may be a parameter by another name, or no vendor at all', async () => {
    const named = await serving(versions(handlers, { default: 'v2', mediaType: { parameter: 'api' } }));
    expect((await get(`${named}/search`, { accept: 'text/html;api=v1' })).body).toMatchObject({ from: 'v1' });
    const plain = await serving(versions(handlers, { default: 'v2', mediaType: true }));
    expect((await get(`${plain}/search`, { accept: `${VENDOR}.v1+json` })).body).toMatchObject({
      from: 'v2',
    });
    expect((await get(`${plain}/search`, { accept: '*/*;version=v1' })).body).toMatchObject({ from: 'v1' });
  });

  it('is not what other types say by the same parameter, where any version will do', async () => {
    const handled = { v1: routerOf('v1', '/metrics'), v2: routerOf('v2', '/search') };
    const chrome =
      'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7';
    const byV = await serving(versions(handled, { default: 'v2', mediaType: { parameter: 'v' } }));
    for (const path of ['/search', '/v2/search']) {
      expect((await get(byV + path, { accept: chrome })).body).toMatchObject({ from: 'v2' });
    }
    const prometheus = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
    const byVersion = await serving(versions(handled, { default: 'v2', mediaType: true }));
    expect((await get(`${byVersion}/v1/metrics`, { accept: prometheus })).body).toMatchObject({ from: 'v1' });
    const unknown = await get(`${byVersion}/search`, { accept: 'text/html;version=v9, */*' });
    expect(unknown.body.error?.type).toBe('unsupported_api_version');
  });

  it('means nothing unless it is asked for', async () => {
    const url = await serving(versions(handlers, { default: 'v2' }));
    const { body, headers } = await get(`${url}/search`, { accept: 'application/json;version=v1' });
    expect(body).toMatchObject({ from: 'v2' });
    expect(headers['vary']).toBe('X-API-Version');
  });
});
