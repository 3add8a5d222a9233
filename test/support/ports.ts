export { freePort, onFreePort } from '@signalbox/testing';
