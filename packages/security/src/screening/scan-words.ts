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
/** For what the words with these first two letters are listed: most words are sorted out by it. */
export const BEGINNINGS: Uint8Array = new Uint8Array(1_024);
/** The same for the last two letters. */
export const ENDINGS: Uint8Array = new Uint8Array(1_024);

/** Where two letters are in these tables. */
export function pairOf(first: number, second: number): number {
  return ((first & 31) << 5) | (second & 31);
}

for (const [when, families, words] of WORDS) {
  for (const word of words.split(/\s+/)) {
    const hash = hashOf(word);
    const begins = pairOf(word.charCodeAt(0), word.charCodeAt(1));
    const ends = pairOf(word.charCodeAt(word.length - 2), word.charCodeAt(word.length - 1));
    BEGINNINGS[begins] = (BEGINNINGS[begins] ?? 0) | when;
    ENDINGS[ends] = (ENDINGS[ends] ?? 0) | when;
    const slot = slotOf(hash);
    HASHES[slot] = hash;
    WHEN[slot] = (WHEN[slot] ?? 0) | when;
    WHOM[slot] = (WHOM[slot] ?? 0) | families;
  }
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
