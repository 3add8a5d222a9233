/** The words that the scan looks for, and for which rules. */

/** Which rules a suspicion is for. */
export const FAMILY = { sql: 1, xss: 2, path: 4, command: 8, template: 16, all: 31 } as const;

/** When a word is worth a closer look. */
export const ALWAYS = 1;
/** After what ends a value: a quote, a digit, a bracket; or at the very beginning. */
export const BROKEN = 2;
export const CALLED = 4;
export const COLON = 8;
export const COMMAND = 16;
export const FILE = 32;
export const TAG = 64;
export const OWNER = 128;
/** Before an underscore: no word by itself, but where one of those that are always looked at may go on. */
export const STEM = 256;

const { sql: SQL, xss: XSS, path: PATH, command: SHELL, template: TEMPLATE } = FAMILY;

const WORDS: readonly (readonly [when: number, families: number, words: string])[] = [
  [
    ALWAYS,
    SQL,
    `union select waitfor xp_cmdshell xp_dirtree xp_regread sp_executesql sp_password information_schema outfile
    dumpfile sysobjects syscolumns sysusers extractvalue updatexml pg_sleep load_file group_concat utl_inaddr utl_http
    dbms_pipe dbms_lock dbms_ldap sqlite_master msysobjects pg_catalog pg_user pg_shadow all_tables user_tables
    varchar nvarchar rlike analyse randomblob openrowset pg_read_file sys_eval xmltype drithsx`,
  ],
  [ALWAYS, XSS | TEMPLATE, '__proto__ __class__ __globals__ __subclasses__ __mro__ fromcharcode'],
  [ALWAYS, SHELL | PATH | TEMPLATE, 'jndi ifs passwd'],
  [
    BROKEN,
    SQL,
    `or and xor div not having order group limit like between in is insert delete drop alter shutdown update exec
    execute declare truncate create grant rename replace into where procedure begin call merge backup handler if case
    when set sleep benchmark exists null true false as end convert cast rows sounds regexp commit rollback collate
    offset bulk`,
  ],
  [
    CALLED,
    SQL | SHELL,
    `sleep benchmark char chr ascii substr substring concat convert cast count hex unhex if ifnull exists exec load
    floor polygon ord mid length database version user system_user current_user row elt make_set`,
  ],
  [
    CALLED,
    XSS | SHELL,
    `alert confirm prompt eval expression expr settimeout setinterval function import require exp passthru system
    shell_exec popen phpinfo exec file_get_contents assert include escape unescape print echo write open url msgbox
    execscript`,
  ],
  [
    COLON,
    XSS | PATH | TEMPLATE,
    `script javascript vbscript livescript mocha data php phar expect zip file gopher dict ldap ldaps jar netdoc glob
    ogg ssh2 zlib bzip2`,
  ],
  [
    COMMAND,
    SHELL,
    `cat ls id dir whoami ping nslookup wget curl nc ncat netcat uname ifconfig ipconfig netstat type net sleep bash sh
    zsh ksh perl python python3 ruby php rm mv cp chmod chown echo printf ps pwd wall mail telnet tail head more less
    reboot shutdown halt cmd powershell systeminfo tasklist env set export kill touch find xterm dig host nmap exec
    system eval start reg certutil bitsadmin timeout hostname arp route su sudo passwd which busybox openssl ver vol
    useradd adduser service netsh finger wmic lsb_release`,
  ],
  [
    FILE,
    PATH | SHELL,
    `etc passwd shadow proc environ ini boot htaccess htpasswd windows winnt system32 group hosts issue log logs config
    cmdline self var usr root home bin sh bash cmd winver`,
  ],
  [
    TAG,
    XSS,
    `script iframe frame frameset object embed svg math base meta link form style applet xml xss isindex layer ilayer
    bgsound animate animatetransform foreignobject portal scr entity doctype cdata`,
  ],
  [
    OWNER,
    XSS | TEMPLATE,
    'document window constructor self top parent location globalthis frames cookie domain prototype',
  ],
];

/** The words by their hash, in a table with open addressing: a lookup is one comparison for most words. */
const SLOTS = 2_048;
const HASHES = new Int32Array(SLOTS);
export const WHEN: Uint8Array = new Uint8Array(SLOTS);
export const WHOM: Uint8Array = new Uint8Array(SLOTS);
/** For what the words with these first three letters are listed: most words are sorted out by it. */
export const BEGINNINGS: Uint8Array = new Uint8Array(32_768);
/** The same for the last three letters. */
export const ENDINGS: Uint16Array = new Uint16Array(32_768);

/** The same for the first alone, and the last. */
export const FIRSTS: Uint8Array = new Uint8Array(32);
export const LASTS: Uint16Array = new Uint16Array(32);

/** Which of the characters that words are made of this is, whatever its case; 0 for all others. */
export const PART: Uint8Array = new Uint8Array(65_536);
for (const [index, chars] of 'a b c d e f g h i j k l m n o p q r s t u v w x y z _ 0123456789'
  .split(' ')
  .entries())
  for (const char of chars + chars.toUpperCase()) PART[char.charCodeAt(0)] = index + 1;

/** Where three characters are in these tables, each given as its number in `PART`. */
export function threeOf(first: number, second: number, third: number): number {
  return (first << 10) | (second << 5) | third;
}

for (const [when, families, words] of WORDS) {
  for (const word of words.split(/\s+/)) {
    const hash = hashOf(word);
    const parts = partsOf(word);
    const [first = 0, second = 0, third = 0] = parts;
    const begins = threeOf(first, second, third);
    BEGINNINGS[begins] = (BEGINNINGS[begins] ?? 0) | when;
    FIRSTS[first] = (FIRSTS[first] ?? 0) | when;
    noteEnding(parts, when);
    if (when === ALWAYS) noteStems(word, parts);
    const slot = slotOf(hash);
    HASHES[slot] = hash;
    WHEN[slot] = (WHEN[slot] ?? 0) | when;
    WHOM[slot] = (WHOM[slot] ?? 0) | families;
  }
}

function partsOf(word: string): number[] {
  return Array.from(word, (char) => PART[char.charCodeAt(0)] ?? 0);
}

function noteEnding(parts: readonly number[], when: number): void {
  const last = parts.at(-1) ?? 0;
  const ends = threeOf(parts.at(-3) ?? 0, parts.at(-2) ?? 0, last);
  ENDINGS[ends] = (ENDINGS[ends] ?? 0) | when;
  LASTS[last] = (LASTS[last] ?? 0) | when;
}

function noteStems(word: string, parts: readonly number[]): void {
  for (let at = word.indexOf('_'); at >= 0; at = word.indexOf('_', at + 1))
    noteEnding(parts.slice(0, at), STEM);
}

function hashOf(word: string): number {
  let hash = 0;
  for (let i = 0; i < word.length; i++) hash = hashStep(hash, word.charCodeAt(i));
  return hash;
}

/** The hash of a word that goes on with `code`, whatever its case. */
export function hashStep(hash: number, code: number): number {
  return (Math.imul(hash, 31) + (code | 32)) | 0;
}

/** Where a hash is in the table, or where it would be; 0 is nobody's place. */
export function slotOf(hash: number): number {
  let slot = ((hash ^ (hash >>> 13)) & (SLOTS - 1)) | 1;
  while (HASHES[slot] !== hash && HASHES[slot] !== 0) slot = (slot + 2) & (SLOTS - 1);
  return slot;
}
