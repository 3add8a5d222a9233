const PROXIED =
  'X-Forwarded-For: 9.9.9.9, 8.8.8.8\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.b.example';
const COOKIE =
  'connect.sid=s%3Aalways-the-same-id.yVgO7mJ0WzVYx2Qq3l7m8g; plain=%C3%A4; j=j%3A%7B%22a%22%3A1%7D';
const JSON_BODY = 'Content-Type: application/json';

/** Every request is written as it stands, and all that comes back is compared byte for byte, but for dates. */
export const REQUESTS: readonly (readonly [title: string, ...requests: readonly string[]])[] = [
  ['JSON, under helmet, cors and pino-http', get('/json', 'Origin: https://app.example')],
  ['text, a buffer, null and no content', get('/text'), get('/buffer'), get('/null'), get('/empty')],
  ['statuses by number', get('/status/200'), get('/status/304'), get('/status/418')],
  ['a redirect', get('/redirect', 'Accept: text/html')],
  ['JSONP', get('/jsonp?callback=cb'), get('/jsonp')],
  ['compression', get('/long', 'Accept-Encoding: gzip'), get('/long', 'Accept-Encoding: br'), get('/long')],
  ['a rendered view', get('/render')],
  ['a file, with ranges', get('/file'), get('/file', 'Range: bytes=2-5'), get('/file', 'Range: bytes=900-')],
  [
    'several ranges and If-Range',
    get('/file', 'Range: bytes=0-1,4-5'),
    get('/file', 'If-Range: "x"\r\nRange: bytes=0-1'),
  ],
  ['a download', get('/download')],
  ['static files', get('/static/hello.txt'), get('/static/missing.txt'), get('/static/../package.json')],
  [
    'res.format',
    get('/format', 'Accept: application/json'),
    get('/format', 'Accept: text/html'),
    get('/format', 'Accept: image/png'),
  ],
  ['header fields of all kinds', get('/headers')],
  ['writeHead with a reason phrase', get('/write-head')],
  ['early hints', get('/early-hints')],
  ['cookies, signed and plain', get('/cookies'), get('/request', `Cookie: ${COOKIE}`)],
  [
    'a session that begins and ends',
    get('/session'),
    get('/session', `Cookie: ${COOKIE}`),
    get('/end-session'),
  ],
  [
    '304 by ETag',
    get('/json', 'If-None-Match: W/"1b-vq0pyxQcO4wNfLOdq3SbrOuKCwo"'),
    get('/json', 'If-None-Match: *'),
  ],
  [
    'HEAD',
    request('HEAD', '/json'),
    request('HEAD', '/long', 'Accept-Encoding: gzip'),
    request('HEAD', '/file'),
  ],
  [
    'OPTIONS, a preflight and none',
    request('OPTIONS', '/any'),
    request('OPTIONS', '/json', 'Access-Control-Request-Method: PUT'),
  ],
  [
    'all that a request says, trusted proxies included',
    get(
      '/request?a[b]=1&a=2&c=%20',
      `${PROXIED}\r\nReferer: /from\r\nRange: bytes=1-2\r\nX-Requested-With: XMLHttpRequest`,
    ),
  ],
  [
    'negotiation',
    get('/request', 'Accept: application/json;q=0.9\r\nAccept-Language: de\r\nAccept-Encoding: br'),
  ],
  ['instanceof, constructor.name, own and inherited properties', get('/prototypes')],
  ['a JSON body', post('/echo', '{"a":[1]}', JSON_BODY)],
  [
    'bodies of the other kinds',
    post('/echo', 'a[b]=1&c=2', 'Content-Type: application/x-www-form-urlencoded'),
    post('/echo', 'words', 'Content-Type: text/plain'),
    post('/echo', 'bytes', 'Content-Type: application/octet-stream'),
    post('/echo', ''),
  ],
  [
    'bodies that are refused',
    post('/echo', '{"a":', JSON_BODY),
    post('/echo', 'x', `${JSON_BODY}; charset=x`),
    post('/echo', 'x', `${JSON_BODY}\r\nContent-Encoding: nope`),
  ],
  [
    'a body read as a stream, with trailers',
    request(
      'POST',
      '/read',
      'Transfer-Encoding: chunked\r\nTrailer: X-Sum',
      '3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n',
    ),
  ],
  ['Expect: 100-continue', post('/echo', '{"a":1}', `${JSON_BODY}\r\nExpect: 100-continue`)],
  ['another expectation', get('/json', 'Expect: the-unexpected')],
  [
    'other methods',
    request('PUT', '/any'),
    request('DELETE', '/any'),
    request('PATCH', '/any'),
    request('QUERY', '/any'),
  ],
  ['streams', get('/stream'), get('/pipe', 'Accept-Encoding: identity')],
  ['trailers of a response', get('/trailers')],
  ['a nested router with parameters', get('/tree/oak/leaf'), get('/tree/%E2%9C%93/x%20y')],
  ['a sub-app', get('/sub', PROXIED), get('/sub/after'), get('/sub/missing')],
  ['a URI that cannot be decoded', get('/tree/%ff/leaf'), get('/%E0%A4%A')],
  ['a route that is not there', get('/nothing'), request('POST', '/json')],
  ['errors', get('/throw'), get('/reject'), get('/handled')],
  ['an error after the response has begun', get('/late')],
  ['a response broken off', get('/break-off')],
  ['keep-alive, pipelined', get('/json') + get('/stream') + get('/text')],
  ['HTTP/1.0', 'GET /json HTTP/1.0\r\n\r\n', 'GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'],
  ['an absolute target, and none', get('http://other.example/request?x=1'), request('OPTIONS', '*')],
  ['no Host, and garbage', 'GET /json HTTP/1.1\r\n\r\n', 'GARBAGE\r\n\r\n', 'GET /a\x01 HTTP/1.1\r\n\r\n'],
  ['an upgrade that nobody handles', get('/json', 'Connection: Upgrade, close\r\nUpgrade: websocket')],
];

function request(method: string, target: string, fields = '', body = ''): string {
  return `${method} ${target} HTTP/1.1\r\nHost: www.example\r\n${fields === '' ? '' : `${fields}\r\n`}\r\n${body}`;
}

export function get(target: string, fields?: string): string {
  return request('GET', target, fields);
}

function post(target: string, body: string, fields = ''): string {
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  return request('POST', target, fields === '' ? length : `${fields}\r\n${length}`, body);
}
