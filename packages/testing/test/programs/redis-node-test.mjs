import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redisWithFaults } from '@signalbox/testing';

let previous;

void test('runs while the test does', async () => {
  previous = await redisWithFaults();
  assert.equal(await previous.command('PING'), 'PONG');
});

void test('has ended with the test before', async () => {
  await assert.rejects(previous.command('PING'));
});
