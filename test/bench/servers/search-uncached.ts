/** The search, made anew each time. */
import { search, serveSearch } from './search-stack.js';

await serveSearch(search);
