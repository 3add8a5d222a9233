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
      { text: 'Reference', link: '/api/index.html', target: '_self' },
      { text: 'Architecture', link: '/architecture' },
      { text: 'Decisions', link: '/decisions/' },
    ],
    sidebar: [
      {
        text: 'Start',
        items: [
          { text: 'Getting started', link: '/guide/getting-started' },
          { text: 'One package at a time', link: '/guide/adopting' },
          { text: 'Configuration', link: '/guide/configuration' },
          { text: 'Reference', link: '/api/index.html', target: '_self' },
        ],
      },
      {
        text: 'How it works',
        items: [
          { text: "The request's way", link: '/guide/request' },
          { text: 'When something fails', link: '/guide/failure' },
          { text: 'Performance', link: '/guide/performance' },
          { text: 'Screening', link: '/guide/screening' },
          { text: 'Versions of the API', link: '/guide/api-versions' },
          { text: 'The cache beside others', link: '/guide/cache-conformance' },
        ],
      },
      {
        text: 'Running it',
        items: [
          { text: 'Deployment', link: '/guide/deployment' },
          { text: 'Checklists', link: '/guide/checklists' },
          { text: 'Security hardening', link: '/guide/hardening' },
          { text: 'Monitoring', link: '/guide/monitoring' },
          { text: 'Runbooks', link: '/guide/runbooks/' },
          { text: 'Troubleshooting', link: '/guide/troubleshooting' },
          { text: 'Tuning', link: '/guide/tuning' },
          { text: 'Scaling', link: '/guide/scaling' },
          { text: 'Maintenance', link: '/guide/maintenance' },
          { text: 'Backup', link: '/guide/backup' },
        ],
      },
      {
        text: 'Coming from',
        items: [
          { text: 'Which way', link: '/guide/migrating/' },
          { text: 'express-rate-limit', link: '/guide/migrating/express-rate-limit' },
          { text: 'csurf', link: '/guide/migrating/csurf' },
          { text: 'express-session', link: '/guide/migrating/express-session' },
          { text: 'terminus', link: '/guide/migrating/terminus' },
          { text: 'pm2', link: '/guide/migrating/pm2' },
          { text: 'Flask', link: '/guide/migrating/flask' },
        ],
      },
      {
        text: 'Project',
        items: [
          { text: 'Architecture', link: '/architecture' },
          { text: 'Decisions', link: '/decisions/' },
          { text: 'Contributing', link: '/contributing' },
          { text: 'Writing a package', link: '/guide/writing-a-package' },
        ],
      },
    ],
    search: { provider: 'local' },
  },
});
