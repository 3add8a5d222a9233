import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listen } from '@signalbox/testing';

let previous;

void test('answers while the test runs', async () => {
  previous = await listen((_req, res) => res.end('hello'));
  assert.equal(await (await fetch(previous)).text(), 'hello');
});

void test('has closed the server of the test before', async () => {
  await assert.rejects(fetch(previous));
});

void test('takes the context of the test', async (t) => {
  const url = await listen((_req, res) => res.end('hello'), t);
  assert.equal((await fetch(url)).status, 200);
});
