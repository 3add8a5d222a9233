/** One instruction of a Dockerfile. */
export interface Instruction {
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

/** What is between one FROM and the next. */
export interface Stage {
  readonly image: string;
  readonly name: string | undefined;
  readonly line: number;
  readonly instructions: readonly Instruction[];
}

export function readDockerfile(text: string): Stage[] {
  const stages: { image: string; name: string | undefined; line: number; instructions: Instruction[] }[] = [];
  for (const instruction of instructionsOf(text)) {
    if (instruction.name !== 'FROM') {
      stages.at(-1)?.instructions.push(instruction);
      continue;
    }
    const words = instruction.value.split(/\s+/).filter((word) => !word.startsWith('--'));
    const name = words[1]?.toLowerCase() === 'as' ? words[2] : undefined;
    stages.push({ image: words[0] ?? '', name, line: instruction.line, instructions: [] });
  }
  return stages;
}

/** The stages that the last one is made of, the last one last: what stands in them holds for the image. */
export function stagesOfImage(stages: readonly Stage[]): Stage[] {
  const chain: Stage[] = [];
  for (let stage = stages.at(-1); stage !== undefined && !chain.includes(stage); ) {
    chain.unshift(stage);
    const { image } = stage;
    stage = stages.find(({ name }) => name !== undefined && name === image);
  }
  return chain;
}

function instructionsOf(text: string): Instruction[] {
  const result: Instruction[] = [];
  let open: { words: string; line: number } | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    if (/^\s*(?:#|$)/.test(raw)) continue;
    const continues = /\\\s*$/.test(raw);
    const part = raw.replace(/\\\s*$/, '').trim();
    open =
      open === undefined ? { words: part, line: index + 1 } : { ...open, words: `${open.words} ${part}` };
    if (continues) continue;
    const [name = '', ...rest] = open.words.split(/\s+/);
    result.push({ name: name.toUpperCase(), value: rest.join(' '), line: open.line });
    open = undefined;
  }
  return result;
}

/** `NAME=value other="two words"`, as ENV has it. */
export function readPairs(text: string): [name: string, value: string][] {
  const pairs = [...text.matchAll(/([A-Za-z_]\w*)=("(?:[^"\\]|\\.)*"|'[^']*'|\S*)/g)];
  if (pairs.length > 0) return pairs.map(([, name = '', value = '']) => [name, unquoted(value)]);
  const [name = '', ...rest] = text.split(/\s+/);
  return rest.length > 0 ? [[name, rest.join(' ')]] : [];
}

function unquoted(text: string): string {
  return /^(["']).*\1$/.test(text) ? text.slice(1, -1) : text;
}
