import { listen } from '@signalbox/testing';
import express, { type ErrorRequestHandler, type RequestHandler, type Response } from 'express';
import { describe, expect, it } from 'vitest';
import { holdResponse, type HoldOwner } from '../src/index.js';

/** An owner that has something to save as often as there are promises for it. */
function saves(promises: (() => Promise<void>)[], rest: Partial<HoldOwner> = {}): HoldOwner {
  return { toSave: () => promises.shift()?.(), notSaved: () => undefined, ...rest };
}

function heldBy(owner: (res: Response, next: (error: unknown) => void) => HoldOwner): RequestHandler {
  return (_req, res, next) => {
    holdResponse(res, owner(res, next));
    next();
  };
}

const answerErrors: ErrorRequestHandler = (error: Error, _req, res, _next) => {
  res.status(503).send(error.message);
};

describe('a response with several owners', () => {
  it('leaves when each has saved, one after the other', async () => {
    const order: string[] = [];
    const saving = (name: string) => async (): Promise<void> => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 10));
      order.push(`${name} has saved`);
    };
    const app = express();
    app.use(heldBy(() => saves([saving('first')])));
    app.use(heldBy(() => saves([saving('second'), saving('second again')])));
    app.get('/', (_req, res) => res.send('answer'));

    expect(await (await fetch(await listen(app))).text()).toBe('answer');
    expect(order).toEqual([
      'first begins',
      'first has saved',
      'second begins',
      'second has saved',
      'second again begins',
      'second again has saved',
    ]);
  });

  it('is dropped where one cannot save, who hears of it alone', async () => {
    const heard: string[] = [];
    const hears =
      (name: string): HoldOwner['notSaved'] =>
      () =>
        void heard.push(name);
    const app = express();
    app.use(heldBy(() => saves([], { notSaved: hears('first') })));
    app.use(
      heldBy((_res, next) =>
        saves([() => Promise.reject(new Error('not kept'))], {
          notSaved(error) {
            heard.push('second');
            next(error);
          },
        }),
      ),
    );
    app.get('/', (_req, res) => res.setHeader('X-Answer', 'yes').send('answer'));
    app.use(answerErrors);

    const response = await fetch(await listen(app));
    expect([response.status, await response.text()]).toEqual([503, 'not kept']);
    expect(heard).toEqual(['second']);
  });

  it('has the cookies of each beside those that writeHead is given', async () => {
    const cookieOf = (cookie: string): RequestHandler =>
      heldBy((res) => {
        res.append('Set-Cookie', cookie);
        return saves([], { cookies: () => [cookie] });
      });
    const app = express();
    app.use(cookieOf('a=1'), cookieOf('b=2'));
    app.get('/', (_req, res) => res.writeHead(200, { 'Set-Cookie': 'own=3' }).end());

    const response = await fetch(await listen(app));
    expect(response.headers.getSetCookie()).toEqual(['own=3', 'a=1', 'b=2']);
  });

  it('waits in the middle for whoever says that it is due, with all that is sent from then on', async () => {
    let saved = (): void => undefined;
    const saving = [() => new Promise<void>((resolve) => (saved = resolve))];
    let isDue = false;
    const app = express();
    app.get(
      '/',
      heldBy(() => ({
        toSave: () => (isDue ? saving.shift()?.() : undefined),
        isDue: () => isDue,
        notSaved: () => undefined,
      })),
    );
    app.get('/', (_req, res) => {
      res.write('one');
      isDue = true;
      res.write(', two');
      res.end(', three');
    });

    app.get('/other', (_req, res) => res.send('other'));

    const url = await listen(app);
    const { body } = await fetch(url);
    let text = '';
    const whole = body?.pipeThrough(new TextDecoderStream()).pipeTo(
      new WritableStream({
        write(chunk) {
          text += chunk;
        },
      }),
    );
    await expect.poll(() => text).toBe('one');
    // Long enough for what has left to arrive.
    await fetch(`${url}/other`);
    expect(text).toBe('one');
    saved();
    await whole;
    expect(text).toBe('one, two, three');
  });
});
