import { CENSOR, type SensitiveNames } from './sensitive-names.js';

/** Longer text is cut, so that no single value can fill the log. */
const MAX_TEXT = 16_384;

/** What a text must contain to be worth the expressions below: nearly none does. */
const SUSPICIOUS = /[?&=]|:\/\/|eyJ|"\s*:|bearer |basic |authorization|cookie|api-key|csrf-token/i;

// Each expression starts at a literal, and its classes exclude what ends it: linear on any input.
const USERINFO = /:\/\/[^\s/?#"'<>]*@/g;
const HEADER_LINE =
  /\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-csrf-token)(["']?\s{0,4}[:=]\s{0,4})[^\r\n]+/gi;
const CREDENTIALS = /\b(bearer|basic) +[\w.~+/=-]{16,}/gi;
const JWT = /\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g;
const PARAMETER = /([?&#])([^\s?&=#"<>]{1,64})=[^\s&#"<>]+/g;
const ASSIGNMENT = /([;\s]|^)([^\s?&;=#"'<>]{1,64})=[^\s&;"<>]+/g;
const FORM = /^[\w.%+[\]-]{1,64}=/;
const JSON_MEMBER = /"([^"\\\s]{1,64})"(\s{0,4}:\s{0,4})"(?:[^"\\]|\\.)*(?:"|$)/g;

/**
 * Takes the secrets out of running text, such as the message of an error: credentials in URLs and
 * connection strings, query parameters, header lines, bearer tokens, JSON.
 */
export function redactText(text: string, names: SensitiveNames): string {
  const short = text.length <= MAX_TEXT ? text : cut(text);
  if (!SUSPICIOUS.test(short)) return short;

  return redactWhole(short, names)
    .replace(USERINFO, `://${CENSOR}@`)
    .replace(HEADER_LINE, `$1$2${CENSOR}`)
    .replace(CREDENTIALS, `$1 ${CENSOR}`)
    .replace(JWT, CENSOR)
    .replace(PARAMETER, (whole, before: string, name: string) =>
      names.isSecretParameter(name) ? `${before}${name}=${CENSOR}` : whole,
    )
    .replace(ASSIGNMENT, (whole, before: string, name: string) =>
      names.isSecretKey(name) ? `${before}${name}=${CENSOR}` : whole,
    )
    .replace(JSON_MEMBER, (whole, name: string, colon: string) =>
      names.isSecretKey(name) ? `"${name}"${colon}"${CENSOR}"` : whole,
    );
}

/**
 * Where the whole text is a URL or a form it is parsed rather than searched, since its values may hold
 * any character.
 */
function redactWhole(text: string, names: SensitiveNames): string {
  if (/\s/.test(text)) return text;
  if (text.includes('?')) return redactTarget(text, names);
  return FORM.test(text) ? redactTarget(`?${text}`, names).slice(1) : text;
}

/** A request's target with the values of secret parameters taken out. */
export function redactTarget(target: string, names: SensitiveNames): string {
  const start = target.indexOf('?');
  if (start === -1) return target;

  const hash = target.indexOf('#', start);
  const stop = hash === -1 ? target.length : hash;
  let result = target.slice(0, start + 1);
  for (let from = start + 1; from <= stop; ) {
    const ampersand = target.indexOf('&', from);
    const end = ampersand === -1 || ampersand > stop ? stop : ampersand;
    const equals = target.indexOf('=', from);
    const hasValue = equals !== -1 && equals < end;
    const name = target.slice(from, hasValue ? equals : end);

    if (from > start + 1) result += '&';
    result += hasValue && names.isSecretParameter(name) ? `${name}=${CENSOR}` : target.slice(from, end);
    from = end + 1;
  }
  return result + target.slice(stop);
}

function cut(text: string): string {
  return `${text.slice(0, MAX_TEXT)}… [${text.length - MAX_TEXT} more characters]`;
}
