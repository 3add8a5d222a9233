export { assertNeverHangs } from './assert-never-hangs.js';
export { client } from './client.js';
export { listen, start } from './listen.js';
export { testClock } from './test-clock.js';

export type { AssertNeverHangsOptions } from './assert-never-hangs.js';
export type { Client, ClientOptions, ClientRequest } from './client.js';
export type { Listenable, StartedServer, TestContext } from './listen.js';
export type { ClockTimer, TestClock } from './test-clock.js';
