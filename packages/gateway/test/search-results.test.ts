import { describe, expect, it } from 'vitest';
import { engine, engineWith, FOUND, instance, RESULT } from './searxng-instance.js';

describe('search results', () => {
  it('are taken only when they lead somewhere by http or https', async () => {
    const bad = [
      { ...RESULT, url: 'javascript:alert(1)' },
      { ...RESULT, url: 'data:text/html,hi' },
      { ...RESULT, url: 'not a url' },
      { ...RESULT, url: 7 },
      { ...RESULT, url: `https://a.example/${'a'.repeat(5_000)}` },
      { title: 'no url' },
      null,
      'text',
      [RESULT],
    ];
    const { url } = await instance({ ...FOUND, results: [...bad, RESULT] });
    const { results } = await engine(url).search({ q: 'express' });
    expect(results.map((result) => result.url)).toEqual([RESULT.url]);
  });

  it('may lead to addresses with letters of all languages, however many there were before', async () => {
    const results = Array.from({ length: 100 }, (_each, number) => ({
      ...RESULT,
      url: `https://bücher.example/café/${number}`,
    }));
    const { url } = await instance({ ...FOUND, results });
    const asked = engine(url);
    for (let times = 0; times < 200; times += 1) {
      expect((await asked.search({ q: 'express' })).results).toHaveLength(100);
    }
  });

  it('are trimmed and bounded', async () => {
    const wild = {
      url: ' https://EXAMPLE.org/a b ',
      title: `  two\n\u0000\u001blines  ${'x'.repeat(10_000)}`,
      content: { html: '<b>' },
      engine: 7,
      engines: ['one', 2, '', 'x'.repeat(1_000)],
      score: 'NaN',
      publishedDate: '2024-05-01T00:00:00',
    };
    const { url } = await instance({
      results: [wild],
      number_of_results: -5,
      suggestions: 'no',
      answers: {},
    });
    const { results, ...rest } = await engine(url).search({ q: 'express' });
    expect(results).toEqual([
      {
        url: 'https://example.org/a%20b',
        title: `two lines ${'x'.repeat(490)}`,
        content: '',
        engine: 'one',
        engines: ['one', 'x'.repeat(100)],
        score: 0,
        category: undefined,
        publishedDate: '2024-05-01T00:00:00',
      },
    ]);
    expect(rest).toEqual({
      total: 1,
      suggestions: [],
      corrections: [],
      answers: [],
      unresponsiveEngines: [],
    });
  });

  it('are cut between characters, not within one', async () => {
    const { url } = await instance({ results: [{ ...RESULT, title: `${'x'.repeat(499)}😀` }] });
    const { results } = await engine(url).search({ q: 'express' });
    expect(results[0]?.title).toBe('x'.repeat(499));
  });

  it('have their host for a title when they have none', async () => {
    const { url } = await instance({ results: [{ url: RESULT.url }] });
    expect((await engine(url).search({ q: 'express' })).results[0]).toMatchObject({
      title: 'expressjs.com',
      content: '',
    });
  });

  it('are at most as many as asked for', async () => {
    const { url } = await instance({ results: Array.from({ length: 500 }, () => RESULT) });
    expect((await engine(url).search({ q: 'express' })).results).toHaveLength(100);
    expect((await engineWith({ urls: url, maxResults: 7 }).search({ q: 'express' })).results).toHaveLength(7);
  });

  it('come with answers and failed engines, in old shapes and new ones', async () => {
    const { url } = await instance({
      results: [RESULT],
      answers: ['42', { answer: '43', url: null }, { text: 'no' }],
      corrections: ['expresso'],
      unresponsive_engines: [['bing', 'timeout'], ['qwant'], 'duck', [], [null, 'x']],
    });
    expect(await engine(url).search({ q: 'express' })).toMatchObject({
      answers: ['42', '43'],
      corrections: ['expresso'],
      unresponsiveEngines: [
        { engine: 'bing', error: 'timeout' },
        { engine: 'qwant', error: '' },
        { engine: 'duck', error: '' },
      ],
    });
  });
});
