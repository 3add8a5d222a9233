import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  boardFromJson,
  boardToJson,
  emptyBoard,
  isEmpty,
  outboxOf,
  rememberDelivered,
  takeOver,
  type Board,
} from '../src/board.js';
import { incidentId, type Incident } from '../src/incident.js';
import { notice, type NoticeKind } from '../src/notice.js';

function incident(subject: string, openedMs: number, told: Record<string, number> = {}): Incident {
  return {
    id: incidentId('scope', 'rule', subject),
    rule: 'rule',
    subject,
    severity: 'warning',
    title: `${subject} is broken`,
    details: [],
    openedMs,
    goneMs: undefined,
    quietMs: 1_000,
    returns: 0,
    told,
    toldMs: openedMs,
  };
}

/** A board with these incidents, and a notice of each that waits. */
function board(...incidents: Incident[]): Board {
  const made = emptyBoard();
  for (const each of incidents) {
    made.incidents.set(each.id, each);
    outboxOf(made, 'chat').notices.push(notice('open', each, each.openedMs));
  }
  return made;
}

function waiting(made: Board): string[] {
  return outboxOf(made, 'chat').notices.map(({ kind, incident: { subject } }) => `${kind} ${subject}`);
}

describe('what one process takes over from another', () => {
  it('is one notice of what both have noticed, and all of what only one has', () => {
    const mine = board(incident('a', 10), incident('b', 10));
    takeOver(mine, board(incident('b', 12), incident('c', 11)));
    expect(waiting(mine)).toEqual(['open a', 'open b', 'open c']);
    expect(mine.incidents.size).toBe(3);
  });

  it('is what the other has told already', () => {
    const mine = board(incident('a', 10));
    const told = emptyBoard();
    const theirs = incident('a', 9, { chat: 2 });
    told.incidents.set(theirs.id, theirs);
    takeOver(mine, told);
    expect([...mine.incidents.values()][0]?.told).toEqual({ chat: 2 });
  });

  it('changes nothing when it comes twice', () => {
    const mine = board(incident('a', 10));
    const theirs = boardToJson(board(incident('b', 12)));
    takeOver(mine, boardFromJson(theirs));
    const once = boardToJson(mine);
    takeOver(mine, boardFromJson(theirs));
    expect(boardToJson(mine)).toBe(once);
  });

  it('is not what was delivered since, and not what is over', () => {
    const stored = board(incident('a', 10), incident('b', 10));
    const before = boardFromJson(boardToJson(stored));
    const [a, b] = [...before.incidents.values()];
    if (a === undefined || b === undefined) throw new Error('there are two');
    rememberDelivered(
      before,
      outboxOf(before, 'chat')
        .notices.splice(0)
        .map(({ id }) => id),
    );
    before.incidents.delete(b.id);
    before.past.set(b.id, { openedMs: 10, overMs: 20, quietMs: 1_000 });

    takeOver(stored, before);
    expect(waiting(stored)).toEqual([]);
    expect([...stored.incidents.keys()]).toEqual([a.id]);
    takeOver(stored, board(incident('b', 10)));
    expect([...stored.incidents.keys()]).toEqual([a.id]);
  });
});

describe('a board', () => {
  it('goes through JSON as it is', () => {
    const kinds = fc.constantFrom<NoticeKind>('open', 'worse', 'repeat', 'over');
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.nat(), kinds)), (entries) => {
        const made = emptyBoard();
        for (const [subject, openedMs, kind] of entries) {
          const each = incident(subject, openedMs, { chat: 1 });
          made.incidents.set(each.id, each);
          made.past.set(each.id, { openedMs, overMs: openedMs + 1, quietMs: 5 });
          outboxOf(made, 'chat').notices.push(notice(kind, each, openedMs));
        }
        expect(boardFromJson(boardToJson(made))).toEqual(made);
      }),
      { numRuns: 50 },
    );
  });

  it('is made of any text, and never of what is none of ours', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        expect(isEmpty(boardFromJson(text))).toBe(true);
      }),
      { numRuns: 200 },
    );
    const odd = '{"incidents":[null,5],"past":{"a":1},"outboxes":{"chat":null},"delivered":[1]}';
    expect(boardFromJson(odd).incidents.size).toBe(0);
  });
});
