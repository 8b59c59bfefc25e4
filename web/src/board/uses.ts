// What a GPU can be doing, in the words and the order of the legend.
import type { DeviceUse, HistoryModel } from "../models";

export const uses: readonly { use: DeviceUse; label: string; means: string }[] = [
  { use: "busy", label: "Busy", means: "held, and computing" },
  { use: "idle", label: "Idle", means: "held, and not computing" },
  { use: "held", label: "Held", means: "held; starting, or not read" },
  { use: "free", label: "Free", means: "nobody’s" },
  { use: "external", label: "Outside Berth", means: "used by something that Berth did not start" },
  { use: "cordoned", label: "Cordoned", means: "taken out by an administrator" },
  { use: "sick", label: "Sick", means: "not given out until it is healthy" },
];

export const labelOf = (use: DeviceUse): string => uses.find((each) => each.use === use)?.label ?? use;

export interface Span {
  from: number;
  to: number;
}

export interface UseSpan extends Span {
  use: DeviceUse;
}

export interface Holding extends Span {
  user: string | null;
  own: boolean;
  open: boolean;  // it goes on
}

// One GPU's day, in milliseconds and within the time shown.
export interface Day extends Span {
  spans: UseSpan[];
  holdings: Holding[];
}

export function dayOf(history: HistoryModel, uuid: string): Day {
  const from = Date.parse(history.from);
  const to = Date.parse(history.to);
  const spans = (history.spans[uuid] ?? []).map((span) => ({
    use: span.state, from: Math.max(from, Date.parse(span.from)), to: Math.min(to, Date.parse(span.to)) }));
  const holdings = (history.devices[uuid] ?? []).map((span) => ({
    user: span.user, own: span.own, open: span.to === null,
    from: Math.max(from, Date.parse(span.from)), to: span.to === null ? to : Math.min(to, Date.parse(span.to)) }));
  return { from, to, spans, holdings: holdings.filter((each) => each.to > each.from) };
}

// How long it did what, the longest first.
export function sumsOf(day: Day): { use: DeviceUse; length: number }[] {
  const sums = new Map<DeviceUse, number>();
  for (const span of day.spans) sums.set(span.use, (sums.get(span.use) ?? 0) + span.to - span.from);
  return [...sums].map(([use, length]) => ({ use, length })).sort((a, b) => b.length - a.length);
}
