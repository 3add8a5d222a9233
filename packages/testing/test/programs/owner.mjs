import { startProgram, temporaryFolder } from '@signalbox/testing';

const folder = temporaryFolder('owned');
const child = await startProgram('sleep', ['60']);
console.log(`child ${child.pid} in ${folder.path}`);
