import { stringify } from 'yaml';
import { NOTICE } from './figures.js';

/** What a file holds: text as it is, or documents to be written as YAML or JSON, by the name of the file. */
export type Content = string | object | readonly object[];

export type Files = Readonly<Record<string, Content>>;

/** The text of a file. */
export function textOf(path: string, content: Content): string {
  if (typeof content === 'string') return content;
  if (path.endsWith('.json')) return `${JSON.stringify(content, null, 2)}\n`;
  const documents: readonly object[] = Array.isArray(content) ? content : [content];
  return `# ${NOTICE}\n${documents.map(yaml).join('---\n')}`;
}

export function yaml(document: object): string {
  return stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
}
