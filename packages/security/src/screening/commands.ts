import type { Tally } from './tally.js';

/** Programs that show an attacker that a command ran, or fetch the next stage. */
const PLAIN =
  '(?:id|whoami|uname|ifconfig|ipconfig|netstat|systeminfo|hostname|pwd|nslookup|ping|wget|curl|nc|ncat|netcat|telnet|cat|dir|ls|ps|phpinfo|vol|reboot|shutdown|perl|python3?|ruby|php|bash|sh|cmd|powershell|xterm|rm|dig|nmap|arp|tasklist|sudo|su|chmod|chown|netsh|finger|busybox|useradd|adduser|lsb_release|certutil|bitsadmin|wmic)';
const PROBES =
  '(?:id|whoami|uname|ifconfig|ipconfig|netstat|systeminfo|hostname|pwd|nslookup|ping|wget|curl|nc|ncat|netcat|telnet|cat|type|dir|ls|sleep|timeout|ps|set|env|echo|printf|phpinfo|id|net|ver|vol|reboot|shutdown|perl|python3?|ruby|php|bash|sh|cmd|powershell|xterm|rm|mail|dig|host|touch|which|w|who|head|tail|more|less|find|nmap|reg|route|arp|tasklist|sudo|su|chmod|chown|kill|halt|finger|openssl|busybox|useradd|adduser|export)';
/** A separator at the very beginning, a program, and an end or an argument. */
const LEADING = new RegExp(
  `^[\\w\\s.\\-"'%]{0,24}?["'\`)]{0,2}\\s{0,3}(?:;|\\|{1,2}|&{1,2}|\\n)\\s{0,4}(?:/(?:usr/)?s?bin/|[a-z]:[\\\\/][a-z0-9\\\\/]{1,40}[\\\\/])?(?:${PLAIN}(?:\\.exe)?(?=\\s|$|[;|&\`"'<>#/])|${PROBES}(?:\\.exe)?\\s{1,3}(?:-|/|\\.|\\d|["'$%~*]|[a-z]:))`,
);
const BINARY =
  /(?:^|[\s;|&`"'(=<>])\/(?:usr\/(?:local\/)?)?s?bin\/(?:id|ls|cat|sh|bash|ping|wget|curl|nc|uname|perl|python|ps|whoami|echo|chmod|rm|touch|mail|csh|ksh|zsh|tail|head|netstat|ifconfig|sleep)\b/;
const SEPARATED_BINARY = /[;|&`\n]\s{0,4}\/(?:usr\/(?:local\/)?)?s?bin\//;
const SUBSTITUTION = new RegExp(
  `(?:\\$\\(|(?:^[\\w.-]{0,12}|[;|&"'=])\`)\\s{0,3}(?:/(?:usr/)?bin/)?${PROBES}(?:\\s[^)\`\\n]{0,80})?[)\`]`,
);
/** All that there is, or with an argument that only an attack has. */
const SUBSTITUTION_ALONE =
  /^\s{0,3}[\w\-.]{0,12}[;|&"']{0,2}\s{0,2}(?:\$\([^)]{1,60}\)|`[^`]{1,60}`)\s{0,3}[;|&"']{0,2}\s{0,2}$|(?:\$\(|`)\s{0,2}(?:cat\s{1,3}\/|ping\s{1,3}-|sleep\s{1,3}\d|nslookup\s|(?:curl|wget)\s{1,3}http|nc\s{1,3}-|uname\s{1,3}-)/;
const STRONG_TAIL =
  /[;|&\n]\s{0,4}(?:cat|type|more|less|head|tail|ls|dir|del|rm|cp)\s{1,4}[^\s;|&]{0,40}(?:\/etc\/|passwd|shadow|boot\.ini|win\.ini|c:|\/)|[;|&\n]\s{0,4}(?:ping\s{1,4}-[cnitw]|sleep\s{1,4}\d|timeout\s{1,4}\/?t?|nslookup\s|whoami|net\s{1,4}(?:user|localgroup|view|start)|netstat\s{1,4}-|ifconfig|ipconfig|systeminfo|uname\s{1,4}-|id\b\s{0,3}(?:$|[;|&"'`#>])|wget\s{1,4}http|curl\s{1,4}http|nc\s{1,4}-|perl\s{1,4}-e|python\s{1,4}-c|php\s{1,4}-r|echo\s{1,4}["'$%]|reboot|phpinfo\s{0,2}\()/;
const CALLS =
  /^[\s"'`)};{$<?=%@\\&|(php)]{0,12}(?:system|passthru|shell_exec|popen|proc_open|exec|eval|phpinfo|assert|include|require|print)\s{0,3}\(/;
const ENDED = /^[^\s]{0,20}\s{0,3}[;|&`\n]/;
/** With a bracket or a dollar sign. */
const CALLING_TRICKS =
  /\$\{?ifs\b|\(\)\s{0,4}\{\s{0,4}(?::|_|[a-z])\s{0,4}[;}]|(?:^|[^a-z])(?:system|passthru|shell_exec|popen|proc_open|exec|eval)\s{0,3}\(\s{0,3}["'$][^)]{0,60}(?:\$_|cat|ls|pwd|id\b|dir|whoami|wget|curl|ping|net|sleep|usr|cmd|uname|\/)|\$_(?:get|post|request|server|cookie)\b|getruntime\s{0,2}\(|\$\{@?(?:print|phpinfo|system)|\bphpinfo\s{0,2}\(\s{0,2}\)|__import__\s{0,2}\(/;
const TRICKS =
  /\{(?:cat|ls|ping|wget|curl|echo|id),|\/dev\/tcp\/|cmd(?:\.exe)?\s{1,3}\/c|powershell(?:\.exe)?\s{1,3}-|java\.lang\.|child_process|process\.(?:mainmodule|binding)|<!--#exec/;

const ENDED_OR_QUOTED = /^[^\s]{0,20}\s{0,3}[;|&\n]|^.{0,12}["']\s{0,2}\./;
/** A command on its own between separators, and PHP glued to a string. */
const ENCLOSED =
  /(?:^|[;&\n])\s{0,3}(?:env|set|id|ls|dir|ps|pwd|whoami)\s{0,3}[;&]|^[^\s|]{0,24}\|(?:env|set|id|ls|dir|ps|pwd|whoami)\||["']\s{0,2}\.\s{0,2}(?:exit|system|print|phpinfo|md5|sleep|passthru|shell_exec|eval)\s{0,2}\(/;

/** Judges one lower-case window for shell commands. */
export function judgeCommand(text: string, atStart: boolean, tally: Tally): void {
  if (atStart && LEADING.test(text)) {
    const short = /^\s{0,3}["'`]{0,2}\s{0,2}[;|&`\n]/.test(text);
    if (STRONG_TAIL.test(text)) tally.add('command.chain', short || ENDED.test(text) ? 5 : 4);
    else tally.add('command.chain', short ? 5 : ENDED.test(text) ? 3 : 1);
  } else if (STRONG_TAIL.test(text)) tally.add('command.chain', 3);
  // Most windows lack the sign that a pattern turns on, and to look for one sign is several times as fast.
  const calls = text.includes('(');
  const expands = text.includes('$');
  if ((expands || text.includes('`')) && SUBSTITUTION.test(text))
    tally.add('command.substitution', SUBSTITUTION_ALONE.test(text) ? 5 : 3);
  if ((calls || /[;&|]/.test(text)) && ENCLOSED.test(text) && ENDED_OR_QUOTED.test(text))
    tally.add('command.chain', 5);
  if (text.includes('bin/')) {
    if (SEPARATED_BINARY.test(text)) tally.add('command.file', 5);
    else if (BINARY.test(text))
      tally.add('command.file', atStart && text.trimStart().startsWith('/') ? 5 : 2);
  }
  if (((calls || expands) && CALLING_TRICKS.test(text)) || TRICKS.test(text))
    tally.add(
      'command.chain',
      atStart && (ENDED.test(text) || CALLS.test(text) || text.includes('() {')) ? 5 : 4,
    );
}
