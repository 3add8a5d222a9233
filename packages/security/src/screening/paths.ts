/* oxlint-disable no-control-regex -- control characters are what is looked for */
import type { ScreeningKind } from './kinds.js';
import type { Tally } from './tally.js';

/** Files that are read to see whether one can. */
const TARGET =
  /(?:etc[/\\]{1,3}(?:passwd|shadow|group|hosts|issue|motd|fstab|crontab|ssh|apache2?|httpd|nginx|mysql|my\.cnf|php|hostname|resolv|profile|init\.d|security|sudoers|master)|proc[/\\]{1,3}(?:self|version|\d|cmdline|cpuinfo|mounts|net|sched)|boot\.ini|win\.ini|system\.ini|win(?:dows|nt)[/\\]{1,3}(?:system|win|repair|php|my|explorer|panther|debug|debug|iis)|system32|web\.config|web\.xml|web-inf|\.ht(?:access|passwd)|wp-config|autoexec\.bat|config\.inc|\.ssh[/\\]|id_rsa|\.bash_history|\.env\b|(?:access|error)[_.-]log|php\.ini|httpd\.conf|my\.ini|inetpub|cmd\.exe|global\.asa|localstart)/;
const ABSOLUTE = /^\s{0,4}["'`|;]{0,2}(?:file:\/{2,3}|[a-z]:)?[/\\]{1,8}[^\s<>]{0,200}$/;
/** Up once: two dots that may carry what confuses parsers, and a separator. */
const CLIMB = /(?:^|[^.\w])\.{2,4}[;\0?\x01-\x08\x0e-\x1f]{0,2}[/\\]{1,4}/;
const CLIMB_TWICE =
  /\.{2,4}[;\0?\x01-\x08\x0e-\x1f]{0,2}[/\\]{1,8}(?:\.{1,2}[/\\]{1,4})?\.{2,4}[;\0?]{0,2}(?:[/\\]|$)/;
const CLIMB_THRICE = /(?:\.{2,4}[;\0?\x01-\x08\x0e-\x1f]{0,2}[/\\]{1,8}(?:\.[/\\]{1,4}){0,2}){3}/;
const STRANGE_CLIMB =
  /\.{2}[;\0?][/\\]|\.{4}[/\\]{2}|\.{2}[/\\]{2,8}\.{2}|\.[/\\]{1,2}\.\.[/\\]{2}|[/\\]\.\.[\\/]\.\.[\\]|\.\.(?:0x2f|0x5c|%)|0x2e0x2e|(?:0x2e){2}|\.\\[/]\.\\|\.\?\/\.\?\/|[/\\]\.{3,9}[/\\]|\.\.\\{2,}|(?:[?*][/\\]){3}|\.\.[\uFFFD\0-\x08\x0e-\x1f]|(?:(?:\?[.?]|\.\?)[/\\]{1,2}){2}|(?:\uFFFD\.){2}|(?:\.\uFFFD){2}|(?:\.[/\\]){4}|(?:\\\.){4}|[/\\]\.{9}/;
/** A known file, whatever stands for the separators. */
const MANGLED_TARGET =
  /etc[^a-z\s].{0,12}?(?:passwd|hosts|issue|shadow|group)|boot\.ini|win\.ini|windows[^a-z\s].{0,12}?(?:system32|win)|winnt[^a-z\s]/;
/** At least twice, what no file name has. */
const MANGLED =
  /(?:%[0-9a-z]{1,2}|0x[0-9a-f]{2}|\.\.|[?*]{2}|[.?][?.]|\uFFFD|[\0-\x1f]|2f|5c)[^\s]{0,24}?(?:%[0-9a-z]{1,2}|0x[0-9a-f]{2}|\.\.|[?*]{2}|[.?][?.]|\uFFFD|[\0-\x1f]|2f|5c)/;
const WRAPPER =
  /(?:^|[\s"'=(|<])(?:php:\/\/(?:filter|input|fd|memory|temp|stdin)|phar:\/\/|expect:\/\/|zip:\/\/|compress\.(?:zlib|bzip2):|data:(?:\/\/|text\/plain|;base64|,)|glob:\/\/|ogg:\/\/|gopher:\/\/|dict:\/\/|file:\/{1,3}[a-z.%]|netdoc:|jar:http|ldaps?:\/\/\d)/;
const SENSITIVE_ALONE =
  /^\s{0,2}(?:[a-z]:|file:\/\/)?[/\\]{0,6}(?:etc|proc|var|usr|root|boot|home|windows|winnt|inetpub|apache|xampp|program files|opt|sys|bin|private|logs)[/\\]/;

/** Judges one lower-case window for ways out of a folder, `encoded` where they had been encoded. */
export function judgePath(
  text: string,
  atStart: boolean,
  encoded: boolean,
  kind: ScreeningKind,
  tally: Tally,
): void {
  const climbs = CLIMB.test(text);
  const targets = TARGET.test(text);
  if (climbs || STRANGE_CLIMB.test(text)) {
    if (CLIMB_THRICE.test(text)) tally.add('traversal.climb', atStart && startsClimbing(text) ? 5 : 4);
    else if (CLIMB_TWICE.test(text)) tally.add('traversal.climb', atStart && startsClimbing(text) ? 4 : 3);
    else tally.add('traversal.climb', 2);
    if (encoded) tally.add('traversal.encoded', 3);
    if (STRANGE_CLIMB.test(text)) tally.add('traversal.encoded', 3);
  }
  if (targets)
    tally.add(
      'traversal.file',
      climbs
        ? 4
        : atStart && (ABSOLUTE.test(text) || SENSITIVE_ALONE.test(text))
          ? kind === 'search'
            ? 4
            : 5
          : 1,
    );
  else if (atStart && SENSITIVE_ALONE.test(text) && ABSOLUTE.test(text)) tally.add('traversal.file', 3);
  if (!/\s/.test(text) && MANGLED_TARGET.test(text) && MANGLED.test(text)) tally.add('traversal.encoded', 5);
  if (targets && !climbs && /^[./\\]{6}/.test(text)) tally.add('traversal.encoded', 5);
  if (WRAPPER.test(text))
    tally.add(
      'traversal.wrapper',
      targets || encoded || /(?:php|phar|expect|zip|gopher|dict|netdoc|jar|ogg|glob):/.test(text) ? 4 : 2,
    );
}

/** The climb is all that there is, not a word in a sentence: `../..`, `/../..`, `file=../..`. */
function startsClimbing(text: string): boolean {
  return !/\s/.test(text.trim());
}
