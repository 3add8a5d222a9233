import pg from 'pg';
import { describe } from 'vitest';
import { connectPostgres } from '../src/index.js';
import { itOutlivesPostgres } from './outage-contract.js';

describe("a pool of the user's own, with pg's defaults", () =>
  itOutlivesPostgres((url) => connectPostgres(new pg.Pool({ connectionString: url }))));
