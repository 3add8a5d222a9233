import { startProgram } from '@signalbox/testing';

const ended = await startProgram('sleep', ['60']);
const left = await startProgram('sleep', ['60']);
ended.unref();
left.unref();
console.log(`child ${left.pid}`);
// Nothing else keeps this process, and yet it sees the end of what it ends.
console.log(`ended ${(await ended.kill()).signal}`);
