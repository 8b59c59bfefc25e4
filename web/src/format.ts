// Numbers and times as people read them, in the browser's own language settings.
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31536000],
  ["month", 2592000],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

// "5 min. ago", "in 3 days".
export function ago(time: string | null | undefined, now = Date.now()): string {
  if (!time) return "never";
  const seconds = (Date.parse(time) - now) / 1000;
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return "just now";
}

// "today 14:30", for a moment to come: the time of day alone when it is near.
export function soon(time: string, now = Date.now()): string {
  const at = Date.parse(time);
  if (at - now < 90_000) return "in a minute";
  if (at - now < 7_200_000) return `in about ${Math.round((at - now) / 60_000)} min`;
  return at - now < 43_200_000 ? `at ${clock.format(new Date(time))}` : exactly(time);
}

export const exactly = (time: string | null | undefined): string => (time ? absolute.format(new Date(time)) : "");

// "48 s", "12 min", "3 h 05 min", "2 d 4 h".
export function lasting(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

// Powers of 1024, as the hub's configuration counts.
export function bytes(count: number): string {
  let value = count;
  let unit = "B";
  for (const next of ["KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${number.format(value)} ${unit}`;
}

export const count = (amount: number, one: string, many = `${one}s`): string =>
  `${number.format(amount)} ${amount === 1 ? one : many}`;

export const shortUuid = (uuid: string): string => (uuid.length > 16 ? `${uuid.slice(0, 12)}…` : uuid);

// The server name that JupyterHub makes from a display name (hub-protocol §2.4).
export function slug(text: string): string {
  let name = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-/, "");
  if (!/^[a-z]/.test(name)) name = `x-${name}`;
  return name.slice(0, 30).replace(/-$/, "");
}

// "Firefox on Linux" of a User-Agent; what cannot be told is left out.
export function browserOf(agent: string): string {
  const browsers: [RegExp, string][] = [
    [/Edg\//, "Edge"], [/OPR\//, "Opera"], [/Firefox\//, "Firefox"], [/Chrome\//, "Chrome"], [/Safari\//, "Safari"],
    [/^python-requests|^curl|^Wget/i, "A program"],
  ];
  const systems: [RegExp, string][] = [
    [/Android/, "Android"], [/iPhone|iPad/, "iOS"], [/Windows/, "Windows"], [/Mac OS/, "macOS"], [/Linux|X11/, "Linux"],
  ];
  const named = (all: [RegExp, string][]) => all.find(([pattern]) => pattern.test(agent))?.[1];
  const system = named(systems);
  return (named(browsers) ?? "A browser") + (system ? ` on ${system}` : "");
}
