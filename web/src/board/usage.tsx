import { useCallback, useState } from "preact/hooks";
import { api, urlOf } from "../api";
import { useLive } from "../live";
import type { UsageKey, UsageRow } from "../models";
import { page } from "../page";
import { Note } from "../parts/parts";

const weeksShown = 4;
const week = 7 * 86400_000;
const allKeys: { key: UsageKey; label: string }[] = [
  { key: "user", label: "Person" }, { key: "group", label: "Group" }, { key: "project", label: "Project" }, { key: "model", label: "Model" },
  { key: "profile", label: "Profile" }];
const keys = allKeys.filter(({ key }) => key !== "project" || page.data.projects === true);

const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const hours = (value: number): string => `${number.format(value)} h`;
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });

interface Sum {
  held: number;
  used: number;
}

interface Line extends Sum {
  name: string;
  kwh: number;
  weeks: Sum[];  // the oldest first
}

// The Mondays of the weeks shown, the oldest first; weeks are those of UTC, as the hub counts them.
function mondays(now: number): string[] {
  const day = new Date(now);
  const monday = Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate() - ((day.getUTCDay() + 6) % 7));
  return Array.from({ length: weeksShown }, (_, at) => new Date(monday - (weeksShown - 1 - at) * week).toISOString().slice(0, 10));
}

export function linesOf(rows: readonly UsageRow[], by: UsageKey, weeks: readonly string[]): Line[] {
  const lines = new Map<string, Line>();
  for (const row of rows) {
    const name = row[by] ?? "";
    const line = lines.get(name) ?? { name, held: 0, used: 0, kwh: 0, weeks: weeks.map(() => ({ held: 0, used: 0 })) };
    lines.set(name, line);
    line.held += row.gpu_hours;
    line.used += row.used_hours;
    line.kwh += row.energy_kwh;
    const sum = line.weeks[weeks.indexOf(row.week)];
    if (sum === undefined) continue;
    sum.held += row.gpu_hours;
    sum.used += row.used_hours;
  }
  return [...lines.values()].sort((a, b) => b.held - b.used - (a.held - a.used) || a.name.localeCompare(b.name));
}

const share = (part: number, whole: number): string => `${whole > 0 ? (100 * part) / whole : 0}%`;

function Weeks({ line, weeks, most }: { line: Line; weeks: readonly string[]; most: number }) {
  const words = line.weeks.map((sum, at) => `week of ${dayOfYear.format(new Date(weeks[at] ?? ""))}: ${hours(sum.held)} held, ${hours(sum.used)} used`);
  return (
    <div class="weeks" role="img" aria-label={words.join("; ")}>
      {line.weeks.map((sum, at) => (
        <span key={at} class="weeks-week" title={words[at]}>
          <span class="weeks-held" style={{ height: share(sum.held, most) }}><span class="weeks-used" style={{ height: share(sum.used, sum.held) }} /></span>
        </span>
      ))}
    </div>
  );
}

function Table({ lines, weeks, label }: { lines: readonly Line[]; weeks: readonly string[]; label: string }) {
  const most = Math.max(...lines.map((line) => line.held), 0.01);
  const mostOfWeek = Math.max(...lines.flatMap((line) => line.weeks.map((sum) => sum.held)), 0.01);
  return (
    <div class="card table-box">
      <table class="usage">
        <thead><tr><th>{label}</th><th>Unused</th><th>Held</th><th>Used and unused</th><th>By week</th><th>Energy</th></tr></thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.name}>
              <td class="wrap strong">{line.name}</td>
              <td class="num nowrap" data-label="Unused">{hours(Math.max(0, line.held - line.used))}</td>
              <td class="num nowrap" data-label="Held">{hours(line.held)}</td>
              <td data-label="Used">
                <div class="usage-bar" role="img" aria-label={`${Math.round((100 * line.used) / Math.max(line.held, 1e-9))} % of what was held was used`}>
                  <span class="usage-used" style={{ width: share(line.used, most) }} />
                  <span class="usage-unused" style={{ width: share(Math.max(0, line.held - line.used), most) }} />
                </div>
              </td>
              <td data-label="By week"><Weeks line={line} weeks={weeks} most={mostOfWeek} /></td>
              <td class="num nowrap" data-label="Energy">{number.format(line.kwh)} kWh</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// Who held how much and used how much of it in the last weeks: whoever left most unused first.
export function UsageByWeek() {
  const [by, setBy] = useState<UsageKey>("user");
  const weeks = mondays(Date.now());
  const from = `${weeks[0] ?? ""}T00:00:00Z`;
  const usage = useLive(useCallback(() => api.gpuUsage(by, from).then((model) => ({ by, model })), [by, from]), 300000);
  const lines = usage.value === undefined ? [] : linesOf(usage.value.model.rows, usage.value.by, weeks);
  return (
    <section class="stack-s" aria-labelledby="usage-title">
      <div class="section-head">
        <h2 id="usage-title">GPU-hours of the last {weeksShown} weeks</h2>
        <fieldset class="segments">
          <legend class="visually-hidden">Sum by</legend>
          {keys.map(({ key, label }) => (
            <label key={key}><input type="radio" name="usage-by" checked={by === key} onChange={() => setBy(key)} /><span>{label}</span></label>
          ))}
        </fieldset>
        <a class="btn" download={`gpu-hours-by-${by}.csv`} href={urlOf("berth/gpu/usage", { by: `${by},week`, from, format: "csv" })}>CSV</a>
      </div>
      {usage.error !== undefined && <Note tone="danger">{usage.error}</Note>}
      {usage.value !== undefined && (lines.length === 0 ? <p class="card empty">No GPU was held in that time.</p> :
        <Table lines={lines} weeks={weeks} label={keys.find((each) => each.key === usage.value?.by)?.label ?? ""} />)}
    </section>
  );
}
