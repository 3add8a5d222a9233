import { memoryUsageStore, type UsageStore } from '../src/index.js';
import { itKeepsTheUsageStoreContract } from './usage-store-contract.js';

const stores = new Map<string, UsageStore>();

itKeepsTheUsageStoreContract((name, options) => {
  const store = stores.get(name) ?? memoryUsageStore(options);
  stores.set(name, store);
  return store;
});
