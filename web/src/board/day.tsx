import { lasting } from "../format";
import { labelOf, sumsOf, uses } from "./uses";
import type { Day, Span } from "./uses";

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
export const times = (span: Span): string => `${clock.format(span.from)} to ${clock.format(span.to)} (${lasting(span.to - span.from)})`;
const nameOf = (user: string | null, own: boolean): string => (own ? "you" : user ?? "somebody");

export function Legend() {
  return (
    <ul class="legend" aria-label="What the colours mean">
      {uses.map(({ use, label, means }) => (
        <li key={use} title={means}><span class={`swatch use-${use}`} aria-hidden="true" />{label}</li>
      ))}
    </ul>
  );
}

// "Busy 9 h 10 min (38 %), free 12 h": the day for who does not see it.
export function inWords(day: Day): string {
  const whole = day.to - day.from;
  const sums = sumsOf(day).map(({ use, length }) => `${labelOf(use)} ${lasting(length)} (${Math.round((100 * length) / whole)} %)`);
  return sums.length === 0 ? "Nothing is known of the last 24 hours." : `Last 24 hours: ${sums.join(", ")}.`;
}

// One GPU over 24 hours: what it was doing, and below it who held it. What nobody watched stays empty.
export function Strip({ day }: { day: Day }) {
  const whole = day.to - day.from;
  const place = (span: Span) => ({ left: `${(100 * (span.from - day.from)) / whole}%`, width: `${(100 * (span.to - span.from)) / whole}%` });
  return (
    <div class="strip" role="img" aria-label={inWords(day)}>
      <div class="strip-uses">
        {day.spans.map((span) => (
          <span key={span.from} class={`use-${span.use}`} style={place(span)} title={`${labelOf(span.use)}, ${times(span)}`} />
        ))}
      </div>
      <div class="strip-who">
        {day.holdings.map((span, at) => (
          <span key={at} class={span.own ? "is-own" : ""} style={place(span)} title={`${nameOf(span.user, span.own)}, ${times(span)}`}>
            {span.user ?? (span.own ? "you" : "")}
          </span>
        ))}
      </div>
    </div>
  );
}

// The same as a list, for the keyboard and for who reads with their ears.
export function DayList({ day }: { day: Day }) {
  return (
    <details class="day-list">
      <summary>In words</summary>
      <p class="small">{inWords(day)}</p>
      {day.holdings.length > 0 && (
        <ol class="small">
          {[...day.holdings].reverse().map((span, at) => <li key={at}>Held by {nameOf(span.user, span.own)}, {times(span)}{span.open ? ", still" : ""}</li>)}
        </ol>
      )}
    </details>
  );
}
