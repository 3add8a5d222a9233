/**
 * What a field is for, and so how much evidence refuses it.
 *
 * - `search`: a search box. People look for code, error messages and HTML: the most evidence.
 * - `text`: names, comments, messages; the default.
 * - `html`: markup from an editor: tags are expected, code in them is not.
 * - `code`: source code is expected: only null bytes are refused.
 * - `strict`: ids, slugs, tokens, file names: nothing that could quote, bracket or separate.
 */
export type ScreeningKind = 'search' | 'text' | 'html' | 'code' | 'strict';

export const KINDS: readonly ScreeningKind[] = ['search', 'text', 'html', 'code', 'strict'];

/** The score from which a text of that kind is refused. One strong rule gives 5. */
export const THRESHOLD: Readonly<Record<ScreeningKind, number>> = {
  search: 5,
  text: 5,
  html: 5,
  code: 5,
  strict: 3,
};
