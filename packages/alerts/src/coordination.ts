import { boardFromJson, boardToJson, emptyBoard, isEmpty, takeOver, type Board } from './board.js';
import type { ConditionReport } from './conditions.js';
import { isTextList, fromJson, listAt, textAt } from './reading.js';
import { SEVERITIES } from './severity.js';

/** What a process of several has to do in this turn. */
export interface Turn {
  /** `lead`: it sends for all. `follow`: another does. `alone`: it cannot tell, and sends for itself. */
  readonly role: 'lead' | 'follow' | 'alone';
  /** Whether the others could be reached. */
  readonly isTogether: boolean;
  /** What holds, as those see it for whom it sends. */
  readonly reports: readonly ConditionReport[];
  /** What it sends from; nothing while another does. */
  readonly board: Board | undefined;
  /** What is known of the incidents, whoever sends. */
  readonly view: Board;
}

/** Agrees with the other processes who sends. */
export interface Coordination {
  /** Tells the others what this process sees, and learns what it has to do. Never rejects. */
  turn(own: readonly ConditionReport[]): Promise<Turn>;
  /** Keeps what was sent, so that another process can go on from there. Never rejects. */
  save(): Promise<void>;
  /** Lets another process lead, from the next turn on. */
  leave(): Promise<void>;
}

/** One process that sends for itself. */
export function noCoordination(): Coordination {
  const board = emptyBoard();
  return {
    turn: (reports) => Promise.resolve({ role: 'lead', isTogether: true, reports, board, view: board }),
    save: () => Promise.resolve(),
    leave: () => Promise.resolve(),
  };
}

/** What the store of all processes answers to one of them. */
export interface SharedTurn {
  readonly leads: boolean;
  /** Whether it did not lead the last time. */
  readonly isNew: boolean;
  /** Of all others. */
  readonly reports: readonly string[];
  readonly handedOver: readonly string[];
  /** What the last leader kept; not where one leads still. */
  readonly state: string;
}

/** Where processes meet. */
export interface SharedStore {
  /**
   * @param handover what a process that does not lead has on its board; the store keeps it where another leads
   * @param taken how many handed-over boards are on the leader's board by now
   * @param knowsToLead whether it has heard that it leads: else it is new
   * @throws when the store cannot be reached
   */
  turn(
    report: string,
    handover: string,
    taken: number,
    state: string,
    knowsToLead: boolean,
  ): Promise<SharedTurn>;
  /** Keeps the leader's board. */
  save(state: string): Promise<void>;
  leave(): Promise<void>;
}

/** Several processes, one of which sends, by what a store of all says. */
export function coordination(store: SharedStore): Coordination {
  let board: Board | undefined;
  let role: Turn['role'] = 'follow';
  let savedState = '';
  /** Handed-over boards that are part of ours, and are to be taken off the store once ours is kept. */
  let taken = 0;
  let others: readonly ConditionReport[] = [];

  async function ask(own: readonly ConditionReport[]): Promise<Turn> {
    const mine = board ?? emptyBoard();
    const state = boardToJson(mine);
    const handover = isEmpty(mine) ? '' : state;
    const shared = await store.turn(JSON.stringify(own), handover, taken, state, role === 'lead');
    if (!shared.leads) {
      board = undefined;
      role = 'follow';
      taken = 0;
      return { role, isTogether: true, reports: [], board, view: boardFromJson(shared.state) };
    }
    if (shared.isNew) {
      const before = board;
      // Where nobody has led since, ours goes on from there already.
      const isOurs = before !== undefined && shared.state === savedState;
      board = isOurs ? before : boardFromJson(shared.state);
      if (before !== undefined && !isOurs) takeOver(board, before);
    } else {
      board = mine;
      savedState = state;
    }
    for (const other of shared.handedOver) takeOver(board, boardFromJson(other));
    taken = shared.handedOver.length;
    role = 'lead';
    others = shared.reports.flatMap(readReports);
    return { role, isTogether: true, board, view: board, reports: [...own, ...others] };
  }

  return {
    async turn(own) {
      try {
        return await ask(own);
      } catch {
        board ??= emptyBoard();
        // Who led goes on, with what the others said last: they may be unable to say anything else.
        if (role !== 'lead') role = 'alone';
        const reports = role === 'lead' ? [...own, ...others] : own;
        return { role, isTogether: false, board, view: board, reports };
      }
    },

    async save() {
      if (board === undefined || role !== 'lead') return;
      const state = boardToJson(board);
      if (state === savedState) return;
      try {
        await store.save(state);
        savedState = state;
      } catch {
        // The next turn brings it.
      }
    },

    leave: () => store.leave().catch(() => undefined),
  };
}

/** The reports of a process; what is none is passed over. */
function readReports(text: string): ConditionReport[] {
  return listAt({ list: fromJson(text) }, 'list').flatMap((each): ConditionReport[] => {
    const [rule, subject, title] = ['rule', 'subject', 'title'].map((name) => textAt(each, name));
    const severity = SEVERITIES.find((known) => known === textAt(each, 'severity'));
    const details = listAt(each, 'details');
    if (rule === undefined || subject === undefined || title === undefined) return [];
    if (severity === undefined || !isTextList(details)) return [];
    return [{ rule, subject, title, severity, details }];
  });
}
