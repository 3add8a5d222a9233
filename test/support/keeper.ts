export { temporaryFolder, type TemporaryFolder } from '@signalbox/testing';
