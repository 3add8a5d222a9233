import type { Logger } from '@signalbox/logging';
import { createTransport } from 'nodemailer';

export interface Letter {
  to: string;
  subject: string;
  text: string;
}

export interface Mail {
  send(letter: Letter): Promise<void>;
  close(): void;
}

export interface MailOptions {
  /** Where mail is handed in: `smtps://user:password@host`. */
  url: string | undefined;
  from: string;
  logger: Logger;
  /** Whether letters are logged where there is no way to send them, as a developer wants it. */
  isLogged: boolean;
}

const TIMEOUT_MS = 10_000;

/** Letters to users. */
export function mail({ url, from, logger, isLogged }: MailOptions): Mail {
  const timeouts = {
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
  };
  const transport = url === undefined ? undefined : createTransport({ url, ...timeouts });

  return {
    async send({ to, subject, text }) {
      if (transport !== undefined) await transport.sendMail({ from, to, subject, text });
      else if (isLogged) logger.info({ subject, text }, 'a letter, logged since SMTP_URL is not set');
      // Whom it was for, and what it says, stays out of the log.
      else logger.error({ subject }, 'a letter was not sent, since SMTP_URL is not set');
    },
    close() {
      transport?.close();
    },
  };
}
