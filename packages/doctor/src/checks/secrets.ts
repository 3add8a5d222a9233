import { config, secret } from '@signalbox/config';
import { parsedUrl } from '@signalbox/options';
import { z } from 'zod';
import { found, type Finding } from '../finding.js';
import type { Setup } from '../folder/setup.js';

/** What is certainly a secret of the app itself. */
const OWN =
  /^(?:SECRETS?|SECRET_KEYS?|(?:SESSION|JWT|COOKIE|CSRF|APP|AUTH|ENCRYPTION|SIGNING|METRICS)_(?:SECRETS?|SECRET_KEYS?|KEYS?|TOKEN))$/;
/** What may be one, of whomever; its length is the business of who made it. */
const ANY = /(?:SECRET|SECRETS|SECRET_KEYS?|PASSWORD|PASSWD|PASSPHRASE|PASS|TOKEN|API_KEY|PRIVATE_KEY)$/;
const PASSWORD = /(?:PASSWORD|PASSWD|PASSPHRASE|PASS)$/;

const DEFAULTS =
  /^(?:change[-_ ]?(?:me|this|it).*|.*\byour[-_ ].*|keyboard[-_ ]?cat|secret\w{0,4}|.*super[-_ ]?secret.*|my[-_ ]?secret.*|password\d*|passw0rd|admin\d*|root|postgres|redis|tests?|guest|default|example.*|1234\d*|qwerty.*|letmein|s3cr3t|shh+|insecure.*|replace[-_ ]?(?:me|this).*|placeholder|xxx+|<.*>)[!.]*$/i;
/** Filled in later, by the shell, compose or a template. */
const FILLED_IN = /\$\{|\$\(|^\$\w|\{\{|^\/run\/secrets\//;

/** Whether a variable of that name holds a secret. */
export function isSecretName(name: string): boolean {
  return OWN.test(name) || ANY.test(name);
}

export function isFilledIn(value: string): boolean {
  return FILLED_IN.test(value);
}

/** Whether it says by itself that something else belongs in its place. */
export function isToBeFilledIn(value: string): boolean {
  return /^(?:(?:replace|change)[-_ ]?(?:me|this)|<.+>)$/i.test(value);
}

export function checkSecrets({ where, values, published, elsewhere }: Setup, onlyOwn: boolean): Finding[] {
  const findings: Finding[] = [];
  const holders = new Map<string, string>();
  for (const [name, value] of values) {
    if (!(onlyOwn ? OWN.test(name) || PASSWORD.test(name) : isSecretName(name))) continue;
    if (value === '' || elsewhere?.has(name) === true) continue;
    const at = `${where}: ${name}`;
    // What holds where nobody sets the variable.
    const fallback = /^\$\{\w+:?-([^}]+)\}$/.exec(value)?.[1];
    if (fallback !== undefined && DEFAULTS.test(fallback))
      findings.push(found('SBX104', at, 'the default in it'));
    if (isFilledIn(value)) continue;
    if (values.has(`${name}_FILE`)) findings.push(found('SBX108', at));
    const entries = name.endsWith('S') ? value.split(',').map((entry) => entry.trim()) : [value];
    if (new Set(entries).size < entries.length) findings.push(found('SBX106', at));
    const weak = entries.flatMap((entry) => judge(name, entry, at));
    findings.push(...weak);
    if (published && weak.length === 0) findings.push(found('SBX405', at));
    for (const entry of entries) {
      const other = holders.get(entry);
      if (other !== undefined && other !== name) findings.push(found('SBX107', at, `${other} has the same`));
      holders.set(entry, name);
    }
  }
  return findings;
}

/** What is wrong with one secret. Nothing of it is shown but its length. */
function judge(name: string, value: string, at: string): Finding[] {
  if (DEFAULTS.test(value)) return [found('SBX104', at)];
  const isPassword = PASSWORD.test(name);
  if (!isPassword && !OWN.test(name)) return [];
  const minBytes = isPassword ? 12 : 32;
  const size = Buffer.byteLength(value);
  if (size < minBytes) return [found('SBX103', at, `${size} bytes, and ${minBytes} are wanted`)];
  return isStrong(value, minBytes) ? [] : [found('SBX105', at)];
}

/** As `config` judges it, which would keep the app from starting. */
function isStrong(value: string, minBytes: number): boolean {
  try {
    config(z.object({ VALUE: secret({ minBytes }) }), {
      env: { VALUE: value },
      profile: 'production',
      warn: () => undefined,
    });
    return true;
  } catch {
    return false;
  }
}

/** The password in an address such as postgres://app:password@db/app. */
export function checkAddressPassword(name: string, value: string, where: string): Finding[] {
  const { password = '' } = (isFilledIn(value) ? undefined : parsedUrl(value)) ?? {};
  if (password === '') return [];
  return DEFAULTS.test(safelyDecoded(password))
    ? [found('SBX104', `${where}: ${name}`, 'the password in it')]
    : [];
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
