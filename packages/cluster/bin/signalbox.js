#!/usr/bin/env node
import { runCommandLine } from '../dist/command-line.js';

await runCommandLine(process.argv.slice(2));
