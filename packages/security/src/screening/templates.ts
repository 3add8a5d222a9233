import type { Tally } from './tally.js';

const LOOKUP =
  /\$\{[^{}$]{0,80}(?:jndi|env:|sys:|lower:|upper:|::-|date:|base64:|script:|dns:)|\bjndi:(?:ldap|rmi|dns|iiop|http)/;
const ARITHMETIC =
  /(?:\{\{|\$\{|#\{|<%=|\{%|@\(|\[\[|\*\{|~\{|\{\$)\s{0,4}["'(]{0,2}\s{0,2}\d{1,9}\s{0,2}["']{0,1}\s{0,2}[*+\-/]\s{0,2}["']{0,1}\s{0,2}\d{1,9}/;
const INTERNALS =
  /__(?:class|globals|subclasses|mro|builtins|import|base|bases|init)__|\.(?:getclass|forname|getruntime|invoke)\b|\b(?:java\.lang|t\(java|org\.apache|freemarker|velocity)\b|constructor\s{0,2}[.[(]\s{0,2}["'`]?(?:constructor|\()|\|\s{0,2}(?:attr|filter|map|system|passthru)\s{0,2}\(|_self\.env|registerundefinedfiltercallback|request\.application|self\._templatereference|config\.items|lipsum|cycler|get_flashed_messages/;
const EXPRESSION = /\{\{|\$\{|#\{|\{%|<%|\*\{/;

/** Evaluated twice, or with a call into the system. */
const CALL =
  /\{\s{0,2}\$\{\s{0,2}[a-z]|\$\{\s{0,2}(?:self|t\(|@|print|sleep|system|request|class|facescontext|session|application|config)\b[^{}]{0,120}|\{\{[^{}]{0,120}(?:\.(?:system|popen|read|exec|eval|getenv|environ|open|filter|constructor)|\b(?:system|config|self|request|settings|dump|passthru|range|get_user_file)\b)[^}]{0,80}|<%=?\s{0,3}(?:system|file|dir|io|`|exec|eval|require|global|process|kernel)\b/;

/** Judges one lower-case window for expressions that a template engine would evaluate. */
export function judgeTemplate(text: string, tally: Tally): void {
  if (LOOKUP.test(text)) tally.add('template.lookup', 5);
  if (ARITHMETIC.test(text)) tally.add('template.expression', text.length < 40 ? 5 : 4);
  if (CALL.test(text)) tally.add('template.expression', 4);
  if (INTERNALS.test(text)) tally.add('template.expression', EXPRESSION.test(text) ? 5 : 3);
}
