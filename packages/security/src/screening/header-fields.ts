import type { Tally } from './tally.js';

/** Fields and start lines that somebody who splits a response wants to write. */
const FIELD =
  /[\r\n\u560A\u560D]{1,4}[ \t]{0,4}(?:(?:set-cookie2?|location|content-(?:type|length|disposition|security-policy|encoding)|refresh|transfer-encoding|connection|host|link|status|p3p|cache-control|last-modified|expires|pragma|header|authorization|cookie|via|referer|user-agent|etag|server|date|vary|access-control-[a-z-]{3,24}|x-[a-z-]{2,30}|[a-z]{1,20}-[a-z-]{1,30}|bcc|cc|to|subject|from|reply-to|mime-version)[ \t]{0,4}[:=]|http\/[\d.])/i;
const SPLITTER =
  /[\r\n\u560A\u560D]{1,4}[ \t]{0,4}(?:set-cookie2?\s{0,2}[:=]|location\s{0,2}:|http\/\d|content-length\s{0,2}:|transfer-encoding\s{0,2}:)/i;
const BODY = /(?:\r\n\r\n|\n\n|\u560D\u560A)[\s]{0,4}<(?:html|script|svg|img|body|iframe)/i;

/** Judges a text with line breaks; `oneLine` where none belong. */
export function judgeHeaderFields(text: string, oneLine: boolean, tally: Tally): void {
  if (oneLine) {
    if (SPLITTER.test(text) || BODY.test(text)) tally.add('header.field', 5);
    else if (FIELD.test(text)) tally.add('header.field', 4);
    tally.add('header.newline', 2);
  } else if (/\r/.test(text) && SPLITTER.test(text)) tally.add('header.field', 2);
  if (text.includes('\u560A') && text.includes('\u560D')) tally.add('header.newline', 4);
}
