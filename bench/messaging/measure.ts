import { figure, ratios, type Demand, type Figure } from '../harness/figures.ts';
import { inRounds } from '../harness/rounds.ts';
import { cpuMeter } from './cpu.ts';
import type { Fleet } from './fleet.ts';
import { latencyOf, type Latency, type Pipeline } from './pipeline.ts';

export interface Effort {
  rounds: number;
  /** The backlog of what is fast; what is slow gets a smaller one, because rates are compared. */
  events: number;
  random: () => number;
}

const WRITERS = 16;
const SUSTAINED_MS = 3_000;
const PACE = { ratePerS: 200, durationMs: 4_000 };

const prepared =
  <T>(pipeline: Pipeline, measure: () => Promise<T>) =>
  async () => {
    await pipeline.prepare();
    return measure();
  };

/** Unmeasured: compilers warm up, tables get their first pages. */
export async function warmUp({ cabstand, raw, references }: Fleet): Promise<void> {
  const { nest, golevelup, typical } = references ?? {};
  for (const pipeline of [cabstand, raw, nest?.withInbox, golevelup?.withInbox, typical]) {
    await pipeline?.prepare();
    await pipeline?.drain(1_000);
  }
}

const RATES = {
  cabstand: 'Cabstand: outbox, confirms, inbox; exactly one effect',
  ordinary: 'Cabstand, ordinary handler: the same',
  raw: 'raw amqplib: confirms, acks; no database',
  rawBodyOnly: 'raw amqplib without headers: confirms, acks; no database',
  nest: 'Nest RMQ: emit confirmed, acked by handler; no database',
  nestInbox: 'Nest RMQ + inbox: no duplicate effect, no outbox',
  nestSql: 'Nest RMQ + inbox in SQL: the same',
  golevelup: 'golevelup: confirms, acks; no database',
  golevelupInbox: 'golevelup + inbox: no duplicate effect, no outbox',
  typical: 'polling outbox + inbox: as Cabstand, unordered beyond one poller',
  naive: 'naive polling outbox + inbox: the same',
};
type Name = keyof typeof RATES;

export async function drain(fleet: Fleet, { rounds, events, random }: Effort): Promise<Figure[]> {
  const { cabstand, raw, rawBodyOnly, references: refs } = fleet;
  const ordinary: Pipeline = {
    ...cabstand,
    drain: (count, options) => cabstand.drain(count, { ...options, ordinary: true }),
  };
  const cpuUs: Partial<Record<Name, number[]>> = {};
  const of = (name: Name, pipeline: Pipeline, part: number) => ({
    [name]: prepared(pipeline, async () => {
      const count = Math.ceil(events * part);
      const cpu = cpuMeter(pipeline, fleet.runtime);
      const rate = await pipeline.drain(count, { started: cpu.start });
      (cpuUs[name] ??= []).push(Object.values(cpu.perEventUs(count)).reduce((sum, us) => sum + us, 0));
      return rate;
    }),
  });
  const rates = await inRounds<Name>('backlog, events/s', rounds, random, {
    ...of('cabstand', cabstand, 1),
    ...of('ordinary', ordinary, 0.5),
    ...of('raw', raw, 1),
    ...of('rawBodyOnly', rawBodyOnly, 0.5),
    ...(refs && {
      ...of('nest', refs.nest.without, 0.25),
      ...of('nestInbox', refs.nest.withInbox, 0.075),
      ...of('nestSql', refs.nest.withSqlInbox, 0.075),
      ...of('golevelup', refs.golevelup.without, 0.25),
      ...of('golevelupInbox', refs.golevelup.withInbox, 0.075),
      ...of('typical', refs.typical, 0.075),
      ...of('naive', refs.naive, 0.0075),
    }),
  });
  const names = (Object.keys(RATES) as Name[]).filter((name) => rates[name]);
  const against = (name: Name, title: string, atLeast: number, aim: number) =>
    rates[name]
      ? [times(`backlog / ${title}`, rates.cabstand, rates[name], { reference: RATES[name], atLeast, aim })]
      : [];
  return [
    ...names.map((name) => figure(`backlog, ${RATES[name]}`, 'events/s', rates[name])),
    ...names.map((name) => figure(`CPU of all processes, ${RATES[name].split(':')[0]!}`, 'µs/event', cpuUs[name]!)),
    ...against('raw', 'raw amqplib', 0.6, 0.75),
    ...against('nestInbox', 'Nest RMQ + inbox', 6, 8),
    ...against('typical', 'polling outbox', 7, 8),
  ];
}

export async function sustained({ cabstand, references }: Fleet, { rounds, random }: Effort): Promise<Figure[]> {
  const polling = references?.typical;
  const rates = await inRounds<'cabstand' | 'alone' | 'polling'>('16 writers, a second', rounds, random, {
    cabstand: prepared(cabstand, () => cabstand.sustain(WRITERS, SUSTAINED_MS)),
    alone: prepared(cabstand, () => cabstand.writeAlone(WRITERS, SUSTAINED_MS)),
    ...(polling && { polling: prepared(polling, () => polling.sustain(WRITERS, SUSTAINED_MS / 2)) }),
  });
  const demand = { reference: 'the same writers without events', atLeast: 0.3, aim: 0.55 };
  return [
    figure('16 writers, Cabstand', 'events/s', rates.cabstand),
    ...(polling ? [figure('16 writers, polling outbox', 'events/s', rates.polling)] : []),
    figure('16 writers, no events', 'rows/s', rates.alone),
    times('16 writers / no events', rates.cabstand, rates.alone, demand),
  ];
}

export async function latency({ cabstand, raw, references }: Fleet, { rounds, random }: Effort): Promise<Figure[]> {
  const polling = references?.typical;
  const p99: Record<'cabstand' | 'raw' | 'polling', number[]> = { cabstand: [], raw: [], polling: [] };
  const noted = async (name: keyof typeof p99, measured: Promise<Latency>) => {
    const { p50Ms, p99Ms } = await measured;
    p99[name].push(p99Ms);
    return p50Ms;
  };
  const p50 = await inRounds<keyof typeof p99>('commit to handled at 200/s, p50 ms', rounds, random, {
    cabstand: prepared(cabstand, () => noted('cabstand', latencyOf(cabstand, PACE))),
    raw: prepared(raw, () => noted('raw', latencyOf(raw, PACE))),
    ...(polling && {
      polling: prepared(polling, () =>
        noted(
          'polling',
          polling.whilePolling(() => latencyOf(polling, PACE)),
        ),
      ),
    }),
  });
  const demand = { reference: 'raw amqplib', atMost: 4, aim: 2 };
  return [p50, p99].flatMap((ms, i) => {
    const name = ['latency p50', 'latency p99'][i]!;
    return [
      figure(`${name}, Cabstand`, 'ms', ms.cabstand),
      ...(polling ? [figure(`${name}, polling outbox`, 'ms', ms.polling)] : []),
      figure(`${name}, raw amqplib`, 'ms', ms.raw),
      times(`${name} / raw amqplib`, ms.cabstand, ms.raw, demand),
    ];
  });
}

const times = (name: string, values: number[], references: number[], demand: Demand): Figure =>
  figure(name, '×', ratios(values, references), demand);
