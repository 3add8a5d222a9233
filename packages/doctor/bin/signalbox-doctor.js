#!/usr/bin/env node
import { main } from '../dist/command-line/main.js';

main();
