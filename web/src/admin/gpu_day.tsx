import { lasting } from "../format";
import type { HistoryModel } from "../models";

interface GpuDayProps {
  history: HistoryModel;
  uuid: string;
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const words = (from: number, to: number, user: string | null): string =>
  `${user ?? "Somebody"}, ${clock.format(from)} to ${clock.format(to)} (${lasting(to - from)})`;

// The last 24 hours of one GPU as a strip: held spans on a free ground, one's own marked.
export function GpuDay({ history, uuid }: GpuDayProps) {
  const begin = Date.parse(history.from);
  const end = Date.parse(history.to);
  const spans = (history.devices[uuid] ?? []).map((span) => {
    const from = Math.max(begin, Date.parse(span.from));
    const to = span.to === null ? end : Math.min(end, Date.parse(span.to));
    return { ...span, from, to, label: words(from, to, span.user) };
  });
  const held = spans.reduce((sum, span) => sum + (span.to - span.from), 0);
  const share = Math.min(100, Math.round((100 * held) / (end - begin)));
  return (
    <div class="gauge">
      <div><span>Last 24 hours</span><span class="num">held {share} %</span></div>
      <svg class="day" viewBox="0 0 1000 12" preserveAspectRatio="none" role="img"
        aria-label={spans.length === 0 ? "Free all day" : `Held ${share} % of the last 24 hours: ${spans.map((span) => span.label).join("; ")}`}>
        {spans.map((span, at) => (
          <rect key={at} class={span.own ? "day-own" : "day-held"} y="0" height="12"
            x={(1000 * (span.from - begin)) / (end - begin)} width={Math.max(2, (1000 * (span.to - span.from)) / (end - begin))}>
            <title>{span.label}</title>
          </rect>
        ))}
      </svg>
    </div>
  );
}
