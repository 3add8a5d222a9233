import { defineConfig } from 'vitepress';

/** What lies outside docs/ is read in the repository. */
const repository = 'https://github.com/signalbox/signalbox/blob/main/';

export default defineConfig({
  markdown: {
    config(md) {
      md.core.ruler.push('links-out-of-the-docs', (state) => {
        for (const token of state.tokens.flatMap(({ children }) => children ?? [])) {
          const out = /^(?:\.\.\/)+((?:packages|examples|test)\/.+)$/.exec(token.attrGet('href') ?? '');
          if (out) token.attrSet('href', repository + out[1]);
        }
      });
    },
  },
  title: 'Signalbox',
  description: 'The production layer of an Express 5 app, as a set of small packages',
  cleanUrls: true,
  srcExclude: ['README.md'],
  themeConfig: {
    nav: [
      { text: 'Guide', link: '/guide/getting-started' },
      { text: 'Architecture', link: '/architecture' },
      { text: 'Decisions', link: '/decisions/' },
    ],
    sidebar: [
      {
        text: 'Guide',
        items: [
          { text: 'Getting started', link: '/guide/getting-started' },
          { text: 'One package at a time', link: '/guide/adopting' },
          { text: "The request's way", link: '/guide/request' },
          { text: 'When something fails', link: '/guide/failure' },
          { text: 'Runbooks', link: '/guide/runbooks/' },
          { text: 'Backup', link: '/guide/backup' },
          { text: 'Screening', link: '/guide/screening' },
          { text: 'Versions of the API', link: '/guide/api-versions' },
          { text: 'The cache beside others', link: '/guide/cache-conformance' },
          { text: 'Writing a package', link: '/guide/writing-a-package' },
          { text: 'Performance', link: '/guide/performance' },
        ],
      },
      {
        text: 'Project',
        items: [
          { text: 'Architecture', link: '/architecture' },
          { text: 'Decisions', link: '/decisions/' },
          { text: 'Contributing', link: '/contributing' },
        ],
      },
    ],
    search: { provider: 'local' },
  },
});
