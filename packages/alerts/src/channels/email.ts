import {
  refuseUnknownOptions,
  requireObject,
  requireText,
  wrongOption,
  wrongSecret,
} from '@signalbox/options';
import { DeliveryError, type AlertChannel } from '../channel.js';
import { CHANNEL_OPTIONS, resolveChannel, type ChannelOptions } from '../channel-options.js';
import { nameOfError } from '../clean.js';
import { headline, plainText } from '../wording.js';

/** As much of a nodemailer transport as is used. */
export interface MailTransport {
  sendMail(letter: { from: string; to: string[]; subject: string; text: string }): Promise<unknown>;
  close?(): void;
}

export interface EmailOptions extends ChannelOptions {
  /** A nodemailer transport of your own, which stays yours to close. Either this or `url`. */
  transport?: MailTransport | undefined;
  /** Where mail is handed in: `smtps://user:password@host`. Needs nodemailer. A secret. */
  url?: string | undefined;
  /** Who gets it: one address or several. */
  to: string | readonly string[];
  from: string;
}

const TIMEOUT_MS = 10_000;

/**
 * Letters in plain text, through nodemailer. By default from `warning` on.
 *
 * @throws {TypeError} when an option is wrong
 */
export function email(options: EmailOptions): AlertChannel {
  requireObject('email', 'options', options);
  refuseUnknownOptions('email', options, [...CHANNEL_OPTIONS, 'transport', 'url', 'to', 'from']);
  const { name, severity } = resolveChannel('email', options, { name: 'email', severity: 'warning' });
  const { from } = options;
  requireText('email', 'from', from);
  const to = typeof options.to === 'string' ? [options.to] : [...requireList(options.to)];
  for (const each of to) requireText('email', 'to', each);
  const mail = transportOf(options);

  return {
    name,
    severity,
    isGrouped: true,
    wantsRepeats: true,
    async send(message) {
      const transport = await mail.open();
      try {
        await transport.sendMail({ from, to, subject: headline(message), text: plainText(message) });
      } catch (error) {
        throw refusalOf(error);
      }
    },
    close: () => mail.close(),
  };
}

function requireList(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.length > 0) return value as readonly string[];
  throw wrongOption('email', 'to', 'an address or a list of them', value);
}

/** The user's own, or one that is made when the first letter is sent. */
function transportOf({ transport, url }: EmailOptions): { open(): Promise<MailTransport>; close(): void } {
  if ((transport === undefined) === (url === undefined)) {
    throw new TypeError('email: give either "transport" or "url"');
  }
  if (transport !== undefined) {
    if (typeof transport.sendMail !== 'function') {
      throw wrongOption('email', 'transport', 'a nodemailer transport', transport);
    }
    return { open: () => Promise.resolve(transport), close: () => undefined };
  }
  if (typeof url !== 'string' || !/^smtps?:\/\/[^/]/i.test(url)) {
    throw wrongSecret('email', 'url', 'an smtp or smtps URL', url);
  }
  let opened: MailTransport | undefined;
  return {
    open: async () => (opened ??= await createTransport(url)),
    close: () => opened?.close?.(),
  };
}

async function createTransport(url: string): Promise<MailTransport> {
  try {
    const nodemailer = await import('nodemailer');
    return nodemailer.createTransport({
      url,
      connectionTimeout: TIMEOUT_MS,
      greetingTimeout: TIMEOUT_MS,
      socketTimeout: TIMEOUT_MS,
    });
  } catch {
    throw new DeliveryError('nodemailer is not installed', { remedy: 'mend' });
  }
}

/** What an SMTP server said, as a number: 4yz may pass, 5yz will not (RFC 5321 section 4.2.1). */
function refusalOf(error: unknown): DeliveryError {
  const code: unknown = Reflect.get(Object(error), 'responseCode');
  if (typeof code === 'number') {
    // A letter is like the last one: what is refused for good is the account, the sender or who is to get it.
    return new DeliveryError(`the mail server answered ${code}`, { remedy: code >= 500 ? 'mend' : 'retry' });
  }
  const reason = nameOfError(error);
  return new DeliveryError(`the mail server does not answer${reason === undefined ? '' : ` (${reason})`}`);
}
