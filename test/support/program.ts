export {
  answersHttp,
  startProgram,
  waitUntil,
  type Exit,
  type Program,
  type ProgramOptions,
} from '@signalbox/testing';
