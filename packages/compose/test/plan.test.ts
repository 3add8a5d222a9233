import express from 'express';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { module, modules, type ModuleSpec } from '@signalbox/compose';
import { checkPlan } from '../src/plan.js';

const load = () => express.Router();

function plan(...specs: ModuleSpec[]): () => unknown {
  return () => modules(express(), specs);
}

describe('modules that do not fit together', () => {
  it('are refused for a name that is taken', () => {
    expect(plan(module('a', '/a', load), module('a', '/b', load))).toThrow(
      'modules: there are two modules called "a"',
    );
  });

  it.each([
    ['/x', '/x', '/x'],
    ['/x', '/X/', '/x and /X'],
    ['/t/:a', '/t/:b', '/t/:a and /t/:b'],
    ['/', '/', '/'],
  ])('are refused for the prefixes %s and %s', (first, second, shown) => {
    expect(plan(module('a', first, load), module('b', second, load))).toThrow(
      `modules: "a" and "b" have the same prefix, ${shown}`,
    );
  });

  it('are refused when one would answer for another while it is down', () => {
    expect(plan(module('api', '/api', load), module('v1', '/api/v1', load))).toThrow(
      'modules: the prefix /api of "api" covers /api/v1 of "v1": while the one is down it would answer for the other. List "v1" first',
    );
    expect(plan(module('any', '/:tenant', load), module('b', '/b', load))).toThrow(TypeError);
    expect(plan(module('web', '/', load), module('b', '/b', load))).toThrow('List "b" first');
  });

  it('may share the beginning of a name, or have the wider prefix last', () => {
    expect(() =>
      checkPlan([module('a', '/api', load), module('b', '/apix', load), module('c', '/', load)]),
    ).not.toThrow();
    expect(() => checkPlan([module('a', '/api/v1', load), module('b', '/api', load)])).not.toThrow();
  });

  it('are refused for an unknown dependency', () => {
    expect(plan(module('a', '/a', load, { dependsOn: ['c'] }), module('b', '/b', load))).toThrow(
      'modules: "a" depends on "c", which is none of the modules (a, b)',
    );
  });

  it('are refused for dependencies that go in a circle, naming it', () => {
    expect(
      plan(
        module('x', '/x', load, { dependsOn: ['a'] }),
        module('a', '/a', load, { dependsOn: ['b'] }),
        module('b', '/b', load, { dependsOn: ['c'] }),
        module('c', '/c', load, { dependsOn: ['a'] }),
      ),
    ).toThrow('modules: dependencies go in a circle: "a" → "b" → "c" → "a"');
    expect(plan(module('a', '/a', load, { dependsOn: ['a'] }))).toThrow('in a circle: "a" → "a"');
  });

  it('are refused exactly when there is no order to load them in', () => {
    const edges = fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 10 });
    fc.assert(
      fc.property(edges, (pairs) => {
        const specs = Array.from({ length: 6 }, (_, index) => {
          const dependsOn = pairs.filter(([from]) => from === index).map(([, to]) => `m${to}`);
          return module(`m${index}`, `/m${index}`, load, { dependsOn });
        });
        const left = new Set(specs);
        for (let pass = 0; pass < 6; pass++) {
          for (const spec of left) {
            const waits = [...left].some(({ name }) => spec.dependsOn.includes(name));
            if (!waits) left.delete(spec);
          }
        }
        if (left.size === 0) expect(() => checkPlan(specs)).not.toThrow();
        else expect(() => checkPlan(specs)).toThrow('dependencies go in a circle');
      }),
    );
  });

  it('are not mounted when they are refused', () => {
    const app = express();
    const before = app.router.stack.length;
    expect(() => modules(app, [module('a', '/a', load), module('a', '/b', load)])).toThrow(TypeError);
    expect(app.router.stack).toHaveLength(before);
  });
});

describe('bad arguments', () => {
  it.each<[unknown[], string]>([
    [['', '/a', load], 'module: "name" must be letters, digits, dots, dashes and underscores, got ""'],
    [['a b', '/a', load], 'module: "name" must be letters'],
    [['a', 'a', load], 'module: "prefix" must be a path that begins with a slash, got "a"'],
    [['a', undefined, load], 'module: "prefix" must be a path that begins with a slash, got undefined'],
    [['a', '/a', './a.js'], 'module: "load" must be a function or a URL, got "./a.js"'],
    [['a', '/a', load, { timeout: 1 }], 'module: "timeout" is not an option; did you mean "timeoutMs"?'],
    [
      ['a', '/a', load, { timeoutMs: 0 }],
      'module: "timeoutMs" must be an integer from 1 to 2147483647, got 0',
    ],
    [['a', '/a', load, { critical: 1 }], 'module: "critical" must be true or false, got 1'],
    [['a', '/a', load, { dependsOn: 'b' }], 'module: "dependsOn" must be a list of names, got "b"'],
  ])('of module(), such as %j, are refused', (args, message) => {
    expect(() => Reflect.apply(module, undefined, args)).toThrow(message);
  });

  it.each<[object, string]>([
    [{ retryMs: 1 }, 'modules: "retryMs" is not an option; there are log, retryMinMs, retryMaxMs'],
    [{ retryMinMs: 0 }, 'modules: "retryMinMs" must be an integer from 1 to 2147483647, got 0'],
    [
      { retryMinMs: 10, retryMaxMs: 5 },
      'modules: "retryMaxMs" must be an integer from 10 to 2147483647, got 5',
    ],
    [{ log: {} }, 'modules: "log" must be a logger with the methods info and error, got an object'],
  ])('of modules(), such as %j, are refused', (options, message) => {
    expect(() => modules(express(), [], options)).toThrow(message);
  });

  it('refuses what is no app and no list', () => {
    expect(() => Reflect.apply(modules, undefined, [undefined, []])).toThrow(
      'modules: "app" must be an Express app or a Router, got undefined',
    );
    expect(() => Reflect.apply(modules, undefined, [express(), {}])).toThrow(
      'modules: "modules" must be a list, got an object',
    );
  });
});
