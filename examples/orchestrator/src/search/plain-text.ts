/** Markdown without its markup: what a person would read aloud. */
export function plainText(markdown: string): string {
  return markdown
    .replace(/^---\n[\s\S]*?\n---\n/, '')
    .replace(/<!--[\s\S]*?-->/g, ' ')
    .replace(/<[^>\n]{0,500}>/g, ' ')
    .replace(/!\[[^\]\n]{0,300}\](\([^)\n]{0,1000}\)|\[[^\]\n]{0,200}\])/g, ' ')
    .replace(/\[([^\]\n]{0,300})\](\([^)\n]{0,1000}\)|\[[^\]\n]{0,200}\])/g, '$1')
    .replace(/^\[[^\]\n]{1,200}\]:.*$/gm, ' ')
    .replace(/^(```|~~~).*$/gm, ' ')
    .replace(/^\s*[#>]+\s*/gm, '')
    .replace(/^\s*[-=|: ]{3,}\s*$/gm, ' ')
    .replace(/[`*]+/g, '')
    .replace(/\|/g, ' ')
    .replace(/\\([\\`*_{}[\]()#+.!-])/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}
