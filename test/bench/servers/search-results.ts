/** What every server of the bench finds: about 10 KB, the same for the same query. */
const FOUND = 48;

interface SearchResults {
  query: string;
  total: number;
  items: {
    id: number;
    sku: string;
    title: string;
    price: number;
    inStock: boolean;
    tags: string[];
    description: string;
  }[];
}

/** @param asked what stands in the query, whatever it is */
export function searchResults(asked: unknown): SearchResults {
  const query = typeof asked === 'string' ? asked : '';
  const items = Array.from({ length: FOUND }, (_, index) => ({
    id: 1000 + index,
    sku: `SKU-${query}-${index}`,
    title: `Result ${index} for ${query}`,
    price: 9.99 + index,
    inStock: index % 3 !== 0,
    tags: ['alpha', 'beta', 'gamma'],
    description: 'Lorem ipsum dolor sit amet, consectetur adipiscing elit.',
  }));
  return { query, total: FOUND, items };
}

/** Longer than a server of the bench lives: every request of a measurement finds an answer. */
export const KEPT_SECONDS = 600;
