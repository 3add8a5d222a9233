// Logs, and says from where it then loads what stands behind a link.
import { requireByLink } from '../../../../test/dist/support/linked-module.js';
import { createLogger } from '../../dist/index.js';

const before = requireByLink();
createLogger().info('a line');
createLogger().info({ loaded: [before, requireByLink()] }, 'loaded');
