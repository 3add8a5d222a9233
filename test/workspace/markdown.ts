/** A link in a Markdown file, with the line on which it stands. */
export interface MarkdownLink {
  target: string;
  line: number;
}

/** The text with code taken out, line breaks kept. */
function withoutCode(markdown: string): string {
  const blank = (text: string): string => text.replaceAll(/[^\n]/g, ' ');
  return markdown
    .replaceAll(/^( *)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\1\2 *$/gm, blank)
    .replaceAll(/(`+)(?!`)[^\n]*?[^`]\1(?!`)/g, blank);
}

/** Every link and image of a page: inline ones, and those defined at the end. */
export function linksOf(markdown: string): MarkdownLink[] {
  const text = withoutCode(markdown);
  const inline = text.matchAll(/\]\(<?([^\s()<>]+(?:\([^\s()]*\))?)>?(?: +"[^"]*")?\)/g);
  const defined = text.matchAll(/^ {0,3}\[[^\]]+\]: *<?(\S+?)>?(?: +"[^"]*")? *$/gm);
  return [...inline, ...defined].map((match) => ({
    target: match[1] ?? '',
    line: text.slice(0, match.index).split('\n').length,
  }));
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(markdown: string): Set<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  // Code in a heading is part of it; fenced blocks hold no headings.
  const text = markdown.replaceAll(/^( *)(`{3,}|~{3,})[^\n]*\n[\s\S]*?^\1\2 *$/gm, '');
  for (const [, title = ''] of text.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const slug = title
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '')
      .replaceAll(' ', '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    anchors.add(times === 0 ? slug : `${slug}-${times}`);
  }
  for (const [, id = ''] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

/** The first block of code under a heading, in one of the given languages. */
export function firstBlockUnder(
  markdown: string,
  heading: string,
  languages: readonly string[],
): string | undefined {
  const start = markdown.search(new RegExp(`^## ${heading}$`, 'm'));
  if (start < 0) return undefined;
  const rest = markdown.slice(start + heading.length + 3);
  const end = rest.search(/^## /m);
  const section = end < 0 ? rest : rest.slice(0, end);
  return new RegExp(`^\`\`\`(?:${languages.join('|')})\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(section)?.[1];
}

/** A block of code, with the line on which it begins. */
export interface CodeBlock {
  language: string;
  text: string;
  line: number;
}

/** Every fenced block of a page. */
export function blocksOf(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```([a-z]*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    text: match[2] ?? '',
    line: markdown.slice(0, match.index).split('\n').length + 1,
  }));
}
