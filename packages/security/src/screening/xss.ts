/* oxlint-disable no-control-regex -- control characters are what is looked for */
import type { ScreeningKind } from './kinds.js';
import type { Tally } from './tally.js';

// Every pattern below begins with a fixed character and repeats at most a few dozen times, over windows of a
// kilobyte: time stays in proportion to the text whatever it is.

/** What may stand between a tag's name and what follows: spaces, slashes, and controls that browsers skip. */
const TAG_END = '(?=[\\s/>"\'\\0-\\x1f]|$)';

const SCRIPT_TAG = new RegExp(`<[\\s\\0/]{0,3}script${TAG_END}`);
const SCRIPT_WITH_SOURCE = /<[\s\0]{0,3}script\b[^<]{0,160}?\b(?:src|href|xlink:href|data)\s{0,4}=/;
/** Code inside of it, not a mention: `<script>alert(`, `<script>x=`. */
const SCRIPT_WITH_CODE =
  /<[\s\0]{0,3}script[^<>]{0,120}>[\s<!\-/*;(]{0,8}(?:[^<\s`]{1,60}(?:[(`;[]|\s?=)|(?:var|let|const|function|new|throw|if|for|this|top|self)\s|\/\/|\/\*|\{|\\)/;
const SCRIPT_UNFINISHED = /<script\b[^>]{0,40}$/;
const MENTION =
  /<\/?script>?\s{1,3}(?:tag|element|in\b|to\b|vs\b|and\b|or\b|not\b|is\b|with\b|for\b|block|code|inside)/;

const HANDLER = /[\s/"'`>\0-\x1f]on[a-z]{3,24}[\s\0]{0,6}=/;
const TAG_WITH_HANDLER = /<[a-z!/?%][^>]{0,200}?[\s/"'`\0-\x1f;]on[a-z]{3,24}[\s\0/]{0,6}=[\s\0]{0,4}[^\s>{]/;
/** What a handler runs. */
const HANDLER_CODE = /\bon[a-z]{3,24}[\s\0/]{0,6}=[\s\0]{0,4}["'`]?[^\s>{]{0,60}[(=`.[:;\\&]/;
const QUOTE_HANDLER = /["'`][\s/\0]{0,8}on[a-z]{3,24}[\s\0]{0,6}=[\s\0]{0,4}["'`]?[^\s"'`]{0,60}[(=`]/;

const URL_SCHEME = /(?:java|vb|live|j)[\s\0-\x1f]{0,4}script[\s\0-\x1f]{0,4}:/;
const URL_CODE = /script[\s\0-\x1f]{0,4}:[^\s]{0,60}[(`=[]/;
const URL_IN_ATTRIBUTE =
  /(?:\]|href|src|action|formaction|data|background|lowsrc|dynsrc|url|content|code|codebase|classid|value|to|from|values|xlink|xmlns)[\s\0]{0,4}[=(][\s\0]{0,4}["'`]?[\s\0-\x1f]{0,8}(?:url[\s]{0,2}=?[\s]{0,2})?["']?(?:java|vb|live)[\s\0-\x1f]{0,4}script[\s\0-\x1f]{0,4}:/;
const DATA_IMAGE = /data:image\/svg\+xml/;
const DATA_URL =
  /data:(?:text\/html|text\/javascript|application\/x-javascript|text\/xml|application\/xml|text\/vbscript|,\s{0,2}<|;base64,ph)/;

const RISKY_TAG = new RegExp(
  `<[\\s\\0]{0,3}(?:iframe|frame|frameset|object|embed|svg|math|base|meta|link|style|applet|isindex|layer|ilayer|bgsound|xml|form|keygen|portal|template|animate|set|image|xss|comment|plaintext|noscript|html|head|body|marquee|audio|video|img|input|div|table|td|use|foreignobject|!doctype|!entity|!\\[cdata|\\?xml|!--)${TAG_END}`,
);
const LOADING_TAG =
  /<[\s\0]{0,3}(?:iframe|frame|object|embed|applet|base|link|layer|bgsound|image|meta|form|img|input|use|isindex|xml|html|body|table|td|video|audio|portal|style)\b[^<>]{0,160}?\b(?:src|srcdoc|data|href|code|codebase|content|http-equiv|action|background|dynsrc|lowsrc|xmlns|style|xlink:href|archive)[\s\0]{0,4}=/;
const EMBEDDING_TAG =
  /<[\s\0]{0,3}(?:iframe|frame|object|embed|applet|base|layer|bgsound|xml|portal|isindex)\b[^<>]{0,160}?\b(?:src|srcdoc|data|href|code|codebase|content|action)[\s\0]{0,4}=/;
const META_REFRESH =
  /<meta\b[^>]{0,100}http-equiv[\s\0]{0,4}=[\s\0]{0,4}["'`]?(?:refresh|set-cookie|link|content-type)/;
const FRAME_CONTENT =
  /srcdoc\s{0,4}=|xlink:href\s{0,4}=|xmlns(?::[a-z]{1,8})?\s{0,4}=\s{0,4}["']?(?:http:\/\/www\.w3\.org\/1999\/xhtml|urn:|#default)/;
const ENTITY_DECLARATION =
  /<!(?:entity|doctype)\b[^>]{0,120}(?:\bsystem\b|\bpublic\b\s{1,4}["']?[a-z]{2,6}:|<!entity|\[)/;
const SERVER_INCLUDE =
  /<!--\s{0,4}#\s{0,4}(?:exec|include|echo|printenv|set|config)\b|<\?(?:import\b|php|=|\s{0,2}(?:echo|system|exec|passthru|eval))|<%\s{0,4}(?:eval|execute|response|request|system|runtime|=\s{0,4}(?:system|7))/;

const BREAKOUT = /["'`][\s/]{0,4}>[\s\0"'/>)]{0,8}<[a-z!/?\0]/;
/** At the very beginning: a quote and a bracket that close somebody else's attribute. */
const CLOSES_ATTRIBUTE = /^[\w\s\-.,]{0,12}["'`\\]{0,3}[\s/;)]{0,4}>\s{0,4}["'`]{0,2}[<\s>]/;

const CALL =
  /(?:^|[^a-z0-9_.])(?:alert|confirm|prompt|eval|print|msgbox|settimeout|setinterval|execscript|import|fetch|open|write)[\s\0]{0,3}(?:\(|`|\/\*)/;
const CALL_WITH_VALUE =
  /(?:^|[^a-z0-9_])(?:alert|confirm|prompt|eval|msgbox|execscript)[\s\0]{0,3}(?:\([\s\0]{0,4}(?:["'`/\d]|document|location|window|top\b|xss|string|self|unescape|atob|name|\\|this|string\.|url|x\b|&)|`|\/\*)/;
const STOLEN =
  /document[\s\0]{0,2}[.[][\s\0]{0,2}["'`]?(?:cookie|location|domain|write|body|url|referrer|documentelement|getelement|createelement|forms|title)|window[.[]["'`]?(?:location|name|open|onerror|alert)|(?:top|self|parent|this|frames|globalthis|window)\[\s{0,2}["'`/+(]|location[\s]{0,2}=[\s]{0,2}["'`a-z]|location\.(?:href|hash|replace|assign)|localstorage[.[]|xmlhttprequest/;
const CODE_FROM_CODES =
  /string\s{0,2}\.\s{0,2}fromcharcode|\.fromcharcode|unescape\s{0,2}\(|constructor\s{0,2}[.[(]\s{0,2}["'`]?(?:constructor|fromcharcode|\()|\batob\s{0,2}\(|eval\s{0,2}\(\s{0,2}(?:name|atob|unescape|string|location)|\[\]\s{0,2}\[|\(!\[\]\+|\$\{[^{}$]{0,20}alert|\.source\b|onerror\s{0,2}=\s{0,2}(?:alert|eval|confirm)|\(\(?(?:alert|confirm|prompt)\)?\)\s{0,2}[(`]/;
/** `';alert(1)//` and `'-alert(1)-'`: out of a string, into code. */
const STRING_BREAKOUT =
  /["'`)}\]\\/]\s{0,4}[;,+\-*%^|&/?:.<>=!]{1,3}\s{0,4}(?:\(?\s{0,2}|[a-z_$]{1,12}=)(?:alert|confirm|prompt|eval|document\.|window\[|settimeout|\[)\s{0,3}[(`.\w]/;

const CODE_BREAKOUT = /^\s{0,4}[;}\])'"+-]{1,4}\s{0,4}(?:alert|confirm|prompt|eval)\s{0,2}\(/;

const STYLE_CODE =
  /expression[\s\0\\]{0,4}(?:\(|\/\*)|-moz-binding\s{0,4}:|behaviou?r\s{0,4}:\s{0,4}url|@import\s{0,4}(?:url)?\s{0,4}[("']{0,2}\s{0,2}(?:javascript|data|http|\/\/|["'])|-o-link\s{0,4}:/;
const STYLE_ATTRIBUTE =
  /style\s{0,4}=\s{0,4}["'`]?[^>]{0,120}(?:expression|-moz-binding|behavior|url\s{0,2}\(\s{0,2}["']?(?:javascript|data))/;

/** One of these is in whatever `STOLEN` finds, and one of those in what `CODE_FROM_CODES` finds without a call. */
const OWNERS = ['[', 'document', 'window', 'location', 'localstorage', 'xmlhttprequest'];
const CODE_SIGNS = ['[', '${', 'fromcharcode', 'constructor', '.source', 'onerror'];

function includesAny(text: string, signs: readonly string[]): boolean {
  for (const sign of signs) if (text.includes(sign)) return true;
  return false;
}

/** Judges one lower-case window for code that a browser would run. */
export function judgeXss(text: string, atStart: boolean, kind: ScreeningKind, tally: Tally): void {
  const hasTag = text.includes('<');
  // People search for the code that they read or write; a tag that only loads something is not yet an attack there.
  const loads = kind === 'search' ? 4 : 5;
  if (hasTag) judgeTags(text, kind === 'html', loads, tally);

  if (text.includes('=')) {
    if (QUOTE_HANDLER.test(text)) tally.add('xss.handler', 5);
    else if (hasTag && TAG_WITH_HANDLER.test(text))
      tally.add('xss.handler', HANDLER_CODE.test(text) ? 5 : loads);
    else if (HANDLER.test(text) && HANDLER_CODE.test(text))
      tally.add('xss.handler', CALL.test(text) || hasTag ? 5 : 2);
  }
  if (text.includes(':')) {
    if (URL_SCHEME.test(text)) {
      if (URL_IN_ATTRIBUTE.test(text)) tally.add('xss.url', 5);
      else if (URL_CODE.test(text)) tally.add('xss.url', CALL.test(text) || hasTag ? 5 : 4);
      else tally.add('xss.url', hasTag ? 3 : 1);
    }
    if (DATA_IMAGE.test(text))
      tally.add('xss.url', EMBEDDING_TAG.test(text) || text.includes('href') ? 5 : 1);
    if (DATA_URL.test(text))
      tally.add('xss.url', hasTag || text.includes('script') || text.includes('base64') ? 5 : 3);
  }
  // What a pattern turns on is found faster than the pattern.
  const calls = text.includes('(') || text.includes('/*');
  const called = (calls || text.includes('`')) && CALL.test(text);
  const valued = called && CALL_WITH_VALUE.test(text);
  if (valued) tally.add('xss.code', 2);
  else if (called) tally.add('xss.code', 1);
  if (includesAny(text, OWNERS) && STOLEN.test(text)) tally.add('xss.code', hasTag || valued ? 3 : 2);
  if ((calls || includesAny(text, CODE_SIGNS)) && CODE_FROM_CODES.test(text))
    tally.add('xss.code', called ? 4 : 3);
  if (called && (STRING_BREAKOUT.test(text) || (atStart && valued && CODE_BREAKOUT.test(text))))
    tally.add('xss.breakout', 3);
  if (hasTag && kind !== 'html' && text.includes('>')) {
    if (atStart && CLOSES_ATTRIBUTE.test(text)) tally.add('xss.breakout', 3);
    else if (
      BREAKOUT.test(text.slice(0, 96)) &&
      atStart &&
      !/<[a-z]/.test(text.slice(0, text.search(BREAKOUT)))
    )
      tally.add('xss.breakout', 2);
  }
  if ((calls || text.includes(':') || text.includes('@import')) && STYLE_CODE.test(text))
    tally.add('xss.style', hasTag || STYLE_ATTRIBUTE.test(text) ? 5 : 3);
}

function judgeTags(text: string, markup: boolean, loads: number, tally: Tally): void {
  if (SCRIPT_TAG.test(text)) {
    if (SCRIPT_WITH_SOURCE.test(text)) tally.add('xss.script', loads);
    else if (SCRIPT_WITH_CODE.test(text)) tally.add('xss.script', MENTION.test(text) ? 2 : 5);
    else tally.add('xss.script', MENTION.test(text) ? 1 : SCRIPT_UNFINISHED.test(text) ? 3 : 2);
  } else if (/<[\s\0/]{0,3}script/.test(text)) tally.add('xss.script', /[(=]/.test(text) ? 4 : 2);
  if (!markup && RISKY_TAG.test(text)) {
    if (META_REFRESH.test(text) || FRAME_CONTENT.test(text)) tally.add('xss.tag', 4);
    else if (EMBEDDING_TAG.test(text)) tally.add('xss.tag', loads);
    else tally.add('xss.tag', LOADING_TAG.test(text) ? 2 : 1);
  }
  if (ENTITY_DECLARATION.test(text)) tally.add('xss.entity', 5);
  if (SERVER_INCLUDE.test(text)) tally.add('xss.entity', 4);
}
